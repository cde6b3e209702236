package vision

import (
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
	"gocv.io/x/gocv"

	"veil/models"
)

// ortUsers counts the engines that share the process's one ONNX Runtime environment.
var ortUsers struct {
	sync.Mutex
	n int
}

// ortEngine runs networks by ONNX Runtime, one thread to a session: frames run in parallel, not layers.
type ortEngine struct {
	once sync.Once
}

// openORT loads the library from the folder. The bytes that were hashed are what is loaded: they lie in a sealed
// file in memory, not under a path.
func openORT(folder string) (engine, error) {
	ortUsers.Lock()
	defer ortUsers.Unlock()
	if ortUsers.n == 0 && !ort.IsInitialized() {
		if err := startORT(folder); err != nil {
			return nil, err
		}
	}
	ortUsers.n++
	return &ortEngine{}, nil
}

// startORT brings the library and its environment up.
func startORT(folder string) error {
	lib, err := models.OpenSealed(folder, models.Runtime)
	if err != nil {
		return err
	}
	defer lib.Close()
	ort.SetSharedLibraryPath(fmt.Sprintf("/proc/self/fd/%d", lib.Fd()))
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("load ONNX Runtime: %w", err)
	}
	if v := ort.GetVersion(); v != models.RuntimeVersion {
		return errors.Join(fmt.Errorf("load ONNX Runtime: the library says it is version %s, not %s", v, models.RuntimeVersion),
			ort.DestroyEnvironment())
	}
	if err := shareArena(); err != nil {
		return errors.Join(fmt.Errorf("load ONNX Runtime: %w", err), ort.DestroyEnvironment())
	}
	return nil
}

// shareArena gives the sessions one arena in common, which the environment frees: a thread runs one session at a time, and what
// one network leaves the next can use.
func shareArena() error {
	cpu, err := ort.GetMemoryInfo()
	if err != nil {
		return err
	}
	return ort.CreateAndRegisterAllocator(cpu, nil)
}

func (*ortEngine) version() string { return "onnxruntime " + models.RuntimeVersion }

// close ends the environment with its last user.
func (e *ortEngine) close() error {
	var err error
	e.once.Do(func() {
		ortUsers.Lock()
		defer ortUsers.Unlock()
		if ortUsers.n--; ortUsers.n == 0 {
			err = ort.DestroyEnvironment()
		}
	})
	return err
}

func (*ortEngine) load(g graph) (session, error) {
	onnx, err := freeDimensions(g.onnx, g.input, g.outputs)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", g.name, err)
	}
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", g.name, err)
	}
	defer opts.Destroy()
	// Without the arena each run waits for the kernel to clear its memory (twice the time); with memory patterns the arena
	// takes twice the memory.
	err = errors.Join(opts.SetIntraOpNumThreads(1), opts.SetInterOpNumThreads(1), opts.SetCpuMemArena(true),
		opts.SetMemPattern(false), opts.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		opts.AddSessionConfigEntry("session.use_env_allocators", "1"))
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", g.name, err)
	}
	run, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, []string{g.input}, g.outputs, opts)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", g.name, err)
	}
	return &ortSession{graph: g, run: run, sizes: map[[2]int]*ortOutputs{}}, nil
}

type ortSession struct {
	graph graph
	run   *ort.DynamicAdvancedSession
	sizes map[[2]int]*ortOutputs // by rows and columns of the input
}

// ortOutputs are the outputs for one size of input, in OpenCV's memory so that no copy of them is made.
type ortOutputs struct {
	mats   []gocv.Mat
	data   [][]float32
	shapes [][]int
	values []ort.Value
}

func (s *ortSession) forward(b *blob, read func([][]float32) error) error {
	out, err := s.outputs(b.h, b.w)
	if err != nil {
		return err
	}
	in, err := ort.NewTensor(ort.NewShape(1, 3, int64(b.h), int64(b.w)), b.data)
	if err != nil {
		return fmt.Errorf("%s: input %dx%d: %w", s.graph.name, b.w, b.h, err)
	}
	defer in.Destroy()
	if err := s.run.Run([]ort.Value{in}, out.values); err != nil {
		return fmt.Errorf("%s: run on %dx%d: %w", s.graph.name, b.w, b.h, err)
	}
	for i, data := range out.data {
		if err := checkOutput(&s.graph, i, out.shapes[i], out.shapes[i], data); err != nil {
			return err
		}
	}
	return read(out.data)
}

// outputs makes, once for each size, the tensors that a run fills.
func (s *ortSession) outputs(h, w int) (*ortOutputs, error) {
	if out := s.sizes[[2]int{h, w}]; out != nil {
		return out, nil
	}
	out := &ortOutputs{shapes: s.graph.shapes(h, w)}
	for _, shape := range out.shapes {
		mat := gocv.NewMatWithSizes(shape, gocv.MatTypeCV32F)
		out.mats = append(out.mats, mat)
		data, err := mat.DataPtrFloat32()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: outputs for %dx%d: %w", s.graph.name, w, h, err), out.close())
		}
		dims := make(ort.Shape, len(shape))
		for i, d := range shape {
			dims[i] = int64(d)
		}
		tensor, err := ort.NewTensor(dims, data)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: outputs for %dx%d: %w", s.graph.name, w, h, err), out.close())
		}
		out.data = append(out.data, data)
		out.values = append(out.values, tensor)
	}
	s.sizes[[2]int{h, w}] = out
	return out, nil
}

func (o *ortOutputs) close() error {
	var errs []error
	for _, v := range o.values {
		errs = append(errs, v.Destroy())
	}
	for i := range o.mats {
		errs = append(errs, o.mats[i].Close())
	}
	return errors.Join(errs...)
}

func (s *ortSession) close() error {
	errs := []error{s.run.Destroy()}
	for _, o := range s.sizes {
		errs = append(errs, o.close())
	}
	s.sizes = nil
	return errors.Join(errs...)
}
