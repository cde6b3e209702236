package vision

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of ONNX's protobuf (onnx.proto, stable since its version 1).
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphValueInfo   = 13
	nodeInput        = 1
	nodeOutput       = 2
	tensorName       = 8
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	tensorShape      = 2
	shapeDim         = 1
	dimParam         = 2
)

// errONNX says that a file is not the protobuf that it should be.
var errONNX = errors.New("not an ONNX model of the expected form")

// freeDimensions makes a network with a fixed input size run at every size: batch, height and width of the named input get
// names instead of numbers, the outputs lose their shapes (a runtime infers them), and so do the notes on the values in
// between. Outputs that are not named are dropped, and with them the nodes and weights that only they need, which ONNX Runtime
// would go on computing; so are the weights among the inputs (old files list them there), for what a caller could replace a
// runtime can not fold into the layers.
func freeDimensions(onnx []byte, input string, outputs []string) ([]byte, error) {
	freed, kept := 0, 0
	model, err := editMessage(onnx, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num != modelGraph {
			return body, true, nil
		}
		need, err := needed(body, outputs)
		if err != nil {
			return nil, false, err
		}
		g, err := editMessage(body, func(num protowire.Number, body []byte) ([]byte, bool, error) {
			switch num {
			case graphValueInfo:
				return nil, false, nil
			case graphNode:
				made, err := stringFields(body, nodeOutput)
				return body, need.any(made), err
			case graphInitializer:
				name, err := stringField(body, tensorName)
				return body, need[name], err
			case graphInput, graphOutput:
			default:
				return body, true, nil
			}
			name, err := stringField(body, valueName)
			if err != nil {
				return nil, false, err
			}
			if num == graphInput {
				if name != input {
					return nil, false, nil
				}
				freed++
				body, err = editTensorType(body, freeShape)
				return body, true, err
			}
			if !slices.Contains(outputs, name) {
				return nil, false, nil
			}
			kept++
			body, err = editTensorType(body, func([]byte) ([]byte, bool, error) { return nil, false, nil })
			return body, true, err
		})
		return g, true, err
	})
	if err != nil {
		return nil, err
	}
	if freed != 1 || kept != len(outputs) {
		return nil, fmt.Errorf("%w: %d inputs %q, %d of %d outputs", errONNX, freed, input, kept, len(outputs))
	}
	return model, nil
}

// names is a set of values in a graph.
type names map[string]bool

func (n names) any(list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return n[s] })
}

// needed gives the values that a graph computes some outputs from, the outputs among them.
func needed(graph []byte, outputs []string) (names, error) {
	need := names{}
	for _, o := range outputs {
		need[o] = true
	}
	nodes, err := fields(graph, graphNode)
	if err != nil {
		return nil, err
	}
	// Each node stands behind those whose values it reads.
	for _, node := range slices.Backward(nodes) {
		made, err := stringFields(node, nodeOutput)
		if err != nil {
			return nil, err
		}
		if !need.any(made) {
			continue
		}
		read, err := stringFields(node, nodeInput)
		if err != nil {
			return nil, err
		}
		for _, name := range read {
			need[name] = true
		}
	}
	return need, nil
}

// editTensorType applies edit to the shape inside a ValueInfoProto.
func editTensorType(value []byte, edit func([]byte) ([]byte, bool, error)) ([]byte, error) {
	return editMessage(value, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num != valueType {
			return body, true, nil
		}
		b, err := editMessage(body, func(num protowire.Number, body []byte) ([]byte, bool, error) {
			if num != typeTensor {
				return body, true, nil
			}
			b, err := editMessage(body, func(num protowire.Number, body []byte) ([]byte, bool, error) {
				if num != tensorShape {
					return body, true, nil
				}
				return edit(body)
			})
			return b, true, err
		})
		return b, true, err
	})
}

// freeShape names the first, third and fourth of four dimensions.
func freeShape(shape []byte) ([]byte, bool, error) {
	n := 0
	out, err := editMessage(shape, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num != shapeDim {
			return body, true, nil
		}
		n++
		name := map[int]string{1: "batch", 3: "height", 4: "width"}[n]
		if name == "" {
			return body, true, nil
		}
		return protowire.AppendString(protowire.AppendTag(nil, dimParam, protowire.BytesType), name), true, nil
	})
	if err == nil && n != 4 {
		err = fmt.Errorf("%w: its input has %d dimensions", errONNX, n)
	}
	return out, true, err
}

// editMessage copies a message and shows every field that holds bytes to edit, which gives what is to stand there instead,
// or that the field is to go.
func editMessage(msg []byte, edit func(protowire.Number, []byte) ([]byte, bool, error)) ([]byte, error) {
	out := make([]byte, 0, len(msg))
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return nil, fmt.Errorf("%w: %w", errONNX, protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[n:])
		if m < 0 {
			return nil, fmt.Errorf("%w: %w", errONNX, protowire.ParseError(m))
		}
		whole, value := msg[:n+m], msg[n:n+m]
		msg = msg[n+m:]
		if typ != protowire.BytesType {
			out = append(out, whole...)
			continue
		}
		body, k := protowire.ConsumeBytes(value)
		if k < 0 {
			return nil, fmt.Errorf("%w: %w", errONNX, protowire.ParseError(k))
		}
		body, keep, err := edit(num, body)
		if err != nil {
			return nil, err
		}
		if keep {
			out = protowire.AppendBytes(protowire.AppendTag(out, num, typ), body)
		}
	}
	return out, nil
}

// fields gives the bytes of each field with a number.
func fields(msg []byte, want protowire.Number) ([][]byte, error) {
	var all [][]byte
	_, err := editMessage(msg, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num == want {
			all = append(all, body)
		}
		return nil, false, nil
	})
	return all, err
}

// stringFields gives the texts of a message's repeated field.
func stringFields(msg []byte, want protowire.Number) ([]string, error) {
	all, err := fields(msg, want)
	texts := make([]string, len(all))
	for i, b := range all {
		texts[i] = string(b)
	}
	return texts, err
}

// stringField gives the text of a message's field.
func stringField(msg []byte, want protowire.Number) (string, error) {
	texts, err := stringFields(msg, want)
	if err == nil && len(texts) == 0 {
		err = fmt.Errorf("%w: a value without a name", errONNX)
	}
	if err != nil {
		return "", err
	}
	return texts[len(texts)-1], nil
}
