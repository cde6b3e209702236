package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// ErrInvalid says that a document was refused; errors.Is finds it in every *InvalidError.
var ErrInvalid = errors.New("invalid document")

// InvalidError lists everything that is wrong with one document. The texts name fields and repeat no content.
type InvalidError struct {
	Document string
	Faults   []string
}

// Error gives all faults in one line.
func (e *InvalidError) Error() string {
	return e.Document + " refused: " + strings.Join(e.Faults, "; ")
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// maxFaults bounds the list: a hostile document could hold a fault per byte.
const maxFaults = 50

type faults struct {
	list       []string
	unreadable bool // no JSON at all: looking at fields would only add noise
}

func (f *faults) add(format string, args ...any) {
	switch {
	case len(f.list) < maxFaults:
		f.list = append(f.list, fmt.Sprintf(format, args...))
	case len(f.list) == maxFaults:
		f.list = append(f.list, "and more")
	}
}

func (f *faults) err(document string) error {
	if len(f.list) == 0 {
		return nil
	}
	return &InvalidError{Document: document, Faults: f.list}
}

// decodeStrict reads one JSON document into v, a pointer to a struct, and returns everything wrong with its form: syntax,
// fields that v's type does not have (letter by letter; encoding/json alone ignores case), fields given twice, nulls, wrong
// types and whatever follows the end. What is inside a json.RawMessage is only looked at for its syntax.
func decodeStrict(data []byte, v any, most int) faults {
	var f faults
	if len(data) > most {
		f.add("is larger than %d bytes", most)
		f.unreadable = true
		return f
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	w := walker{dec: dec, faults: &f}
	err := w.value(reflect.TypeOf(v).Elem(), "")
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			f.add("something follows the end of the document")
			f.unreadable = true
		}
	} else {
		f.add("is no JSON document: %s", jsonFault(err))
		f.unreadable = true
	}
	if f.unreadable {
		return f
	}
	if err := fill(data, reflect.ValueOf(v).Elem()); err != nil && len(f.list) == 0 {
		f.add("%s", jsonFault(err))
	}
	return f
}

// fill decodes field by field, so that one that is wrong does not hide what the others hold.
func fill(data []byte, into reflect.Value) (first error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for i := range into.NumField() {
		key, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		value, ok := raw[key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(value, into.Field(i).Addr().Interface()); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// jsonFault words an error of encoding/json without what stood in the document.
func jsonFault(err error) string {
	var typ *json.UnmarshalTypeError
	var syn *json.SyntaxError
	switch {
	case errors.As(err, &typ):
		return fmt.Sprintf("%s holds a %s", typ.Field, typ.Value)
	case errors.As(err, &syn):
		return fmt.Sprintf("wrong syntax at byte %d", syn.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	case errors.Is(err, errTooDeep):
		return "it is nested too deeply"
	}
	return "a value is of the wrong form"
}

const maxDepth = 64

var (
	errTooDeep = errors.New("nested too deeply")
	rawType    = reflect.TypeFor[json.RawMessage]()
	timeType   = reflect.TypeFor[time.Time]()
)

// walker compares a document with a type, token by token, and goes on after a fault.
type walker struct {
	dec    *json.Decoder
	faults *faults
	depth  int
}

// value walks one value that t should hold; t is nil where anything is welcome.
func (w *walker) value(t reflect.Type, path string) error {
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	if w.depth++; w.depth > maxDepth {
		return errTooDeep
	}
	defer func() { w.depth-- }()
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == rawType {
		t = nil
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			return w.object(t, path)
		}
		return w.array(t, path)
	default:
		w.scalar(t, path, tok)
	}
	return nil
}

// scalar holds a string, number, bool or null against t.
func (w *walker) scalar(t reflect.Type, path string, tok json.Token) {
	if t == nil {
		return
	}
	var ok bool
	switch tok.(type) {
	case string:
		ok = t.Kind() == reflect.String || isText(t)
	case json.Number:
		ok = t.Kind() == reflect.Int || t.Kind() == reflect.Float64
	case bool:
		ok = t.Kind() == reflect.Bool
	}
	if text, is := tok.(string); is && t == timeType {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			w.faults.add("%s is no time as in RFC 3339", orDocument(path))
		}
	}
	if !ok {
		w.faults.add("%s is of the wrong type", orDocument(path))
	}
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]())
}

func (w *walker) object(t reflect.Type, path string) error {
	if t != nil && (t.Kind() != reflect.Struct && t.Kind() != reflect.Map || isText(t)) {
		w.faults.add("%s is of the wrong type", orDocument(path))
		t = nil
	}
	known := fieldsOf(t)
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			w.faults.add("field %s stands there twice", shown(at))
		}
		seen[key] = true
		ft, ok := known[key]
		switch {
		case known != nil && !ok:
			w.faults.add("unknown field %s", shown(at))
		case t != nil && t.Kind() == reflect.Map:
			ft = t.Elem()
		}
		if err := w.value(ft, at); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) array(t reflect.Type, path string) error {
	var elem reflect.Type
	switch {
	case t != nil && t.Kind() == reflect.Slice:
		elem = t.Elem()
	case t != nil:
		w.faults.add("%s is of the wrong type", orDocument(path))
	}
	for n := 0; w.dec.More(); n++ {
		if err := w.value(elem, fmt.Sprintf("%s[%d]", path, n)); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

// fieldsOf maps the JSON names of a struct's fields to their types; nil where t is no struct.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	m := map[string]reflect.Type{}
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m[key] = t.Field(i).Type
	}
	return m
}

// shown bounds a field's name, and hides one that is no name: it may hold anything.
func shown(path string) string {
	if len(path) > 80 || strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.[]") != "" {
		return "(no plain name)"
	}
	return path
}

func orDocument(path string) string {
	if path == "" {
		return "the document"
	}
	return shown(path)
}
