package vision

import (
	"fmt"

	"gocv.io/x/gocv"
)

// Engines, as Options.Engine names them.
const (
	EngineAuto   = "auto" // ONNX Runtime where its library lies beside the weights, else OpenCV
	EngineORT    = "onnxruntime"
	EngineOpenCV = "opencv"
)

// padTo is what both networks want the sides of their input to be multiples of.
const padTo = 32

// graph describes a network's file to an engine.
type graph struct {
	name    string
	onnx    []byte
	input   string
	outputs []string
	// shapes gives the shape of each output for an input of h rows and w columns, both multiples of padTo.
	shapes func(h, w int) [][]int
}

// engine makes sessions of a graph. Close comes after the last session's.
type engine interface {
	version() string // as in "onnxruntime 1.31.1"
	load(g graph) (session, error)
	close() error
}

// session runs one network; it is for one goroutine at a time.
type session interface {
	// forward runs the network on a blob and hands its outputs, in the graph's order, to read. They have the shapes that the
	// graph promises and hold only finite numbers, or forward is an error; they are valid within read only.
	forward(b *blob, read func(outputs [][]float32) error) error
	close() error
}

// blob is a network's input: one picture, 3 planes of float32 with h rows and w columns. The memory is OpenCV's, so that
// both engines can use it in place; close frees it.
type blob struct {
	h, w int
	mat  gocv.Mat // 1 x 3 x h x w
	data []float32
}

// newBlob makes a blob of zeros.
func newBlob(h, w int) (*blob, error) {
	b := &blob{h: h, w: w, mat: gocv.NewMatWithSizes([]int{1, 3, h, w}, gocv.MatTypeCV32F)}
	var err error
	if b.data, err = b.mat.DataPtrFloat32(); err != nil || len(b.data) != 3*h*w {
		b.mat.Close()
		return nil, fmt.Errorf("allocate network input %dx%d: %d values: %w", w, h, len(b.data), err)
	}
	clear(b.data)
	return b, nil
}

// close frees the blob.
func (b *blob) close() { b.mat.Close() }

// checkOutput holds one output against what the graph promised.
func checkOutput(g *graph, i int, shape []int, want []int, data []float32) error {
	n, m := 1, 1
	for _, d := range shape {
		n *= d
	}
	for _, d := range want {
		m *= d
	}
	if n != m || len(data) != m {
		return fmt.Errorf("%s: output %s has shape %v, not %v", g.name, g.outputs[i], shape, want)
	}
	// v-v is 0 for every finite number and NaN for all others.
	var sum float32
	for _, v := range data {
		sum += v - v
	}
	if sum != 0 {
		return fmt.Errorf("%s: output %s holds values that are no numbers", g.name, g.outputs[i])
	}
	return nil
}
