// Package vision finds faces in decoded pictures and measures how the camera moved between them. It is the only user of
// OpenCV and ONNX Runtime.
//
// It owns the networks, the engines that run them, the pool of pictures and the order of results. It never decodes or writes
// video, never decides what is covered and never keeps a picture after its result is out. A Finder belongs to its opener, who
// closes it after its sweeps; a Sweep owns its pictures: Get lends one, Submit or Return gives it back, Close frees them all.
// Every OpenCV call is preceded by a check of its arguments, because an exception in there ends the process.
//
// Whatever goes wrong (a weight with another digest, an output that is no number, an engine that fails, a network that does
// not find a face that is known to be there) is an error, never "no face".
package vision

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"veil/models"
	_ "veil/pipeline/vision/leftout"
)

// Purposes of a look.
const (
	PurposeAnalyze = "analyze"
	PurposeVerify  = "verify" // other scales and other thresholds than the analysis, for the check on the output
	// PurposeConfirm is for the source's pictures where the check on the output saw a face: the check's scales, a lower threshold.
	PurposeConfirm = "confirm"
)

// Efforts of a look.
const (
	EffortThorough = "thorough"
	EffortFast     = "fast"
)

// InsideScore is the score from which a face that the check on the output finds under a mask counts as left over, not as a
// pattern in the fill.
const InsideScore = 0.6

// Options say what to open.
type Options struct {
	Models  string // folder of the weights; empty: looked for (models.Folder)
	Engine  string // EngineAuto (or empty), EngineORT, EngineOpenCV
	Effort  string // EffortThorough (or empty), EffortFast
	Purpose string // PurposeAnalyze (or empty), PurposeVerify, PurposeConfirm
	Threads int    // frames looked at in parallel, each on one thread; 0: all cores
}

// NetworkInfo is a network as it is used, for the record.
type NetworkInfo struct {
	Name      string  `json:"name"`
	SHA256    string  `json:"sha256"` // of the weights as loaded
	Engine    string  `json:"engine"` // with version
	Longs     []int   `json:"longs"`  // long sides of the pictures it is shown, some of them in turns; a small source is shown smaller
	Threshold float64 `json:"threshold"`
	Every     int     `json:"every"` // looks at every n-th frame, and at the first of each scene
}

// Finder holds the verified weights and the engine. Its methods may be called by several goroutines.
type Finder struct {
	engine  engine
	recipe  recipe
	weights map[string][]byte // by network
	infos   []NetworkInfo
	threads int
}

// Open loads the weights and the engine and makes each network find a face that is known to be there.
func Open(ctx context.Context, o Options) (*Finder, error) {
	rec, err := recipeFor(o.Purpose, o.Effort)
	if err != nil {
		return nil, err
	}
	folder, err := models.Folder(o.Models)
	if err != nil {
		return nil, err
	}
	eng, err := openEngine(folder, o.Engine)
	if err != nil {
		return nil, err
	}
	f := &Finder{engine: eng, recipe: rec, weights: map[string][]byte{}, threads: o.Threads}
	if f.threads < 1 {
		f.threads = runtime.NumCPU()
	}
	if err := f.load(ctx, folder); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openEngine chooses the engine. ONNX Runtime is optional only while its file is not there: a file with another digest is an
// error, not a reason to fall back.
func openEngine(folder, name string) (engine, error) {
	oneThread()
	switch name {
	case EngineOpenCV:
		return opencvEngine{}, nil
	case EngineORT:
		return openORT(folder)
	case EngineAuto, "":
		e, err := openORT(folder)
		if errors.Is(err, models.ErrMissing) {
			return opencvEngine{}, nil
		}
		return e, err
	}
	return nil, fmt.Errorf("engine %q: not one of %s, %s, %s", name, EngineAuto, EngineORT, EngineOpenCV)
}

// load reads the weights and tries each network on the known face.
func (f *Finder) load(ctx context.Context, folder string) error {
	for _, p := range f.recipe.passes {
		if err := ctx.Err(); err != nil {
			return err
		}
		net := networks[p.network]
		onnx, err := models.Open(folder, net.file)
		if err != nil {
			return err
		}
		pinned, err := models.Lookup(net.file)
		if err != nil {
			return err
		}
		f.weights[net.name] = onnx
		if err := f.try(net); err != nil {
			return err
		}
		f.infos = append(f.infos, NetworkInfo{Name: net.name, SHA256: pinned.SHA256, Engine: f.engine.version(),
			Longs: p.longs(), Threshold: p.threshold, Every: p.every})
	}
	return nil
}

// try opens the network once and shows it the known face.
func (f *Finder) try(net network) error {
	d, err := newDetector(f.engine, net, f.weights[net.name])
	if err != nil {
		return err
	}
	return errors.Join(findKnownFace(d), d.close())
}

// Networks tells which networks look, by which engine, and how.
func (f *Finder) Networks() []NetworkInfo { return f.infos }

// Long is the long side, in pixels, that the pictures of a sweep should have; smaller sources are handed in as they are.
func (f *Finder) Long() int { return f.recipe.long() }

// Close frees the engine.
func (f *Finder) Close() error { return f.engine.close() }
