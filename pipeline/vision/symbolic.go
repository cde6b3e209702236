package vision

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of ONNX's protobuf (onnx.proto, stable since its version 1).
const (
	modelGraph     = 7
	graphInput     = 11
	graphOutput    = 12
	graphValueInfo = 13
	valueName      = 1
	valueType      = 2
	typeTensor     = 1
	tensorShape    = 2
	shapeDim       = 1
	dimParam       = 2
)

// errONNX says that a file is not the protobuf that it should be.
var errONNX = errors.New("not an ONNX model of the expected form")

// freeDimensions makes a network with a fixed input size run at every size: batch, height and width of the named input get
// names instead of numbers, the outputs lose their shapes (a runtime infers them), and so do the notes on the values in
// between. Outputs that are not named are dropped, and with them what only they need; so are the weights among the inputs
// (old files list them there), for what a caller could replace a runtime can not fold into the layers.
func freeDimensions(onnx []byte, input string, outputs []string) ([]byte, error) {
	freed, kept := 0, 0
	model, err := editMessage(onnx, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num != modelGraph {
			return body, true, nil
		}
		g, err := editMessage(body, func(num protowire.Number, body []byte) ([]byte, bool, error) {
			switch num {
			case graphValueInfo:
				return nil, false, nil
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

// stringField gives the text of a message's field.
func stringField(msg []byte, want protowire.Number) (string, error) {
	text, found := "", false
	_, err := editMessage(msg, func(num protowire.Number, body []byte) ([]byte, bool, error) {
		if num == want {
			text, found = string(body), true
		}
		return body, true, nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: a value without a name", errONNX)
	}
	return text, err
}
