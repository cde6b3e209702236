package decide

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// decodeStrict reads one JSON document into v and returns everything wrong with its form: syntax, fields that v's type
// does not have (spelled exactly; encoding/json alone ignores case), fields given twice, null where a value is
// expected, wrong types, and anything after the document's end.
func decodeStrict(data []byte, v any) faults {
	var f faults
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	w := walker{dec: dec, faults: &f}
	if err := w.value(reflect.TypeOf(v).Elem(), ""); err != nil {
		f.add("%s", jsonFault(err))
		return f
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		f.add("something follows the end of the document")
	}
	if err := json.Unmarshal(data, v); err != nil {
		f.add("%s", jsonFault(err))
	}
	return f
}

// readable reports whether data is one JSON document whose fields could be looked at, so that its values are worth a check.
func readable(data []byte) bool {
	return json.Valid(data) && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

// with adds the faults that the values have, but for fields whose form is already at fault: they hold nothing yet.
func (f faults) with(values faults) faults {
	told := map[string]bool{}
	for _, s := range f {
		field, _, _ := strings.Cut(s, " ")
		told[field] = true
	}
	for _, s := range values {
		if field, _, _ := strings.Cut(s, " "); !told[field] {
			f = append(f, s)
		}
	}
	return f
}

// jsonFault words an error of encoding/json.
func jsonFault(err error) string {
	var typ *json.UnmarshalTypeError
	var syn *json.SyntaxError
	switch {
	case errors.As(err, &typ):
		return fmt.Sprintf("%s holds a %s, must be %s", typ.Field, typ.Value, typ.Type.Kind())
	case errors.As(err, &syn):
		return fmt.Sprintf("no JSON at byte %d: %v", syn.Offset, syn)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ends in the middle"
	}
	return err.Error()
}

// maxDepth bounds the nesting of a document.
const maxDepth = 64

// walker compares a document's fields with a type, token by token.
type walker struct {
	dec    *json.Decoder
	faults *faults
	depth  int
	fields map[reflect.Type]map[string]reflect.Type
}

// value walks one value that t should hold; t is nil below an unknown field.
func (w *walker) value(t reflect.Type, path string) error {
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	if w.depth++; w.depth > maxDepth {
		return errors.New("is nested too deeply")
	}
	defer func() { w.depth-- }()
	pointer := false
	for t != nil && t.Kind() == reflect.Pointer {
		t, pointer = t.Elem(), true
	}
	switch tok {
	case nil:
		if t != nil && !pointer {
			w.faults.add("%s is null", path)
		}
	case json.Delim('{'):
		return w.object(t, path)
	case json.Delim('['):
		return w.array(t, path)
	}
	return nil
}

func (w *walker) object(t reflect.Type, path string) error {
	known := w.known(t)
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			w.faults.add("field %s stands there twice", at)
		}
		seen[key] = true
		ft, ok := known[key]
		if !ok && known != nil {
			w.faults.add("unknown field %s", at)
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
	length := -1
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
		if t.Kind() == reflect.Array {
			length = t.Len()
		}
	}
	n := 0
	for ; w.dec.More(); n++ {
		at := path
		if elem != nil && elem.Kind() == reflect.Struct {
			at = fmt.Sprintf("%s[%d]", path, n)
		}
		if err := w.value(elem, at); err != nil {
			return err
		}
	}
	if length >= 0 && n != length {
		w.faults.add("%s holds %d numbers, must be %d", path, n, length)
	}
	_, err := w.dec.Token()
	return err
}

// known maps the JSON names of a struct's fields to their types; nil where t is no struct.
func (w *walker) known(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	if m, ok := w.fields[t]; ok {
		return m
	}
	m := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m[name] = t.Field(i).Type
	}
	if w.fields == nil {
		w.fields = map[reflect.Type]map[string]reflect.Type{}
	}
	w.fields[t] = m
	return m
}
