package vision

import (
	"errors"
	"fmt"

	"gocv.io/x/gocv"
)

// OpenCVVersion is the version of the OpenCV that is linked, as in "4.6.0".
func OpenCVVersion() string { return gocv.OpenCVVersion() }

// opencvEngine runs networks by OpenCV's own dnn module. It is always there.
type opencvEngine struct{}

func (opencvEngine) version() string { return "opencv " + OpenCVVersion() }

func (opencvEngine) close() error { return nil }

func (opencvEngine) load(g graph) (session, error) {
	return &opencvSession{graph: g, nets: map[[2]int]gocv.Net{}}, nil
}

// opencvSession keeps one network for each size of input: OpenCV 4.6 folds CenterFace's batch normalisation into its weights
// again with each change of size, and silently finds other faces from then on.
type opencvSession struct {
	graph graph
	nets  map[[2]int]gocv.Net // by rows and columns of the input
}

// net gives the network for one size.
func (s *opencvSession) net(h, w int) (gocv.Net, error) {
	if net, ok := s.nets[[2]int{h, w}]; ok {
		return net, nil
	}
	net, err := gocv.ReadNetFromONNXBytes(s.graph.onnx)
	if err != nil {
		return net, fmt.Errorf("load %s: %w", s.graph.name, err)
	}
	if net.Empty() {
		return net, errors.Join(fmt.Errorf("load %s: OpenCV finds no network in it", s.graph.name), net.Close())
	}
	net.SetPreferableBackend(gocv.NetBackendOpenCV)
	net.SetPreferableTarget(gocv.NetTargetCPU)
	s.nets[[2]int{h, w}] = net
	return net, nil
}

func (s *opencvSession) forward(b *blob, read func([][]float32) error) error {
	net, err := s.net(b.h, b.w)
	if err != nil {
		return err
	}
	net.SetInput(b.mat, s.graph.input)
	mats := net.ForwardLayers(s.graph.outputs)
	defer func() {
		for i := range mats {
			mats[i].Close()
		}
	}()
	want := s.graph.shapes(b.h, b.w)
	if len(mats) != len(want) {
		return fmt.Errorf("%s: %d outputs, not %d", s.graph.name, len(mats), len(want))
	}
	outputs := make([][]float32, len(mats))
	for i := range mats {
		if mats[i].Empty() || mats[i].Type() != gocv.MatTypeCV32F {
			return fmt.Errorf("%s: output %s is empty or not float32", s.graph.name, s.graph.outputs[i])
		}
		data, err := mats[i].DataPtrFloat32()
		if err != nil {
			return fmt.Errorf("%s: output %s: %w", s.graph.name, s.graph.outputs[i], err)
		}
		if err := checkOutput(&s.graph, i, mats[i].Size(), want[i], data); err != nil {
			return err
		}
		outputs[i] = data
	}
	return read(outputs)
}

func (s *opencvSession) close() error {
	var errs []error
	for _, net := range s.nets {
		errs = append(errs, net.Close())
	}
	s.nets = nil
	return errors.Join(errs...)
}
