package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxInteger bounds whole numbers: beyond it a JSON reader that holds numbers as binary64 loses digits.
const maxInteger = 1<<53 - 1

// Canonical encodes v as RFC 8785 does, without a line break at the end. It knows objects, arrays, strings, booleans and whole
// numbers within ±(2^53-1); a null or a fraction is an error, because no format of this package has one.
func Canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	tree, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	out, err := appendValue(make([]byte, 0, len(b)), tree)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out, nil
}

// Decode reads one canonical document into v, a pointer to a struct. It accepts only the bytes that Canonical gives for what
// it read: exactly the fields of v's type (ErrFields), in the one spelling (ErrNotCanonical).
func Decode(b []byte, v any) error {
	tree, err := parse(b)
	if err != nil {
		return err
	}
	again, err := appendValue(make([]byte, 0, len(b)), tree)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return ErrNotCanonical
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %s", ErrFields, fieldFault(err))
	}
	// encoding/json takes a field in other letters, and lets one be missing.
	typed, err := Canonical(v)
	if err != nil || !bytes.Equal(typed, b) {
		return ErrFields
	}
	return nil
}

// fieldFault words what encoding/json says without the document's own text.
func fieldFault(err error) string {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Sprintf("%s holds a %s", strconv.QuoteToASCII(typ.Field), typ.Value)
	}
	return "one is unknown, or its value is of another kind"
}

// parse reads one JSON value, numbers as they are written.
func parse(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, ErrNotJSON
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrNotJSON
	}
	return tree, nil
}

func appendValue(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(out, v), nil
	case string:
		return appendString(out, v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return nil, fmt.Errorf("%w: %s is no whole number below 2^53", ErrNotCanonical, clip(v.String()))
		}
		return strconv.AppendInt(out, n, 10), nil
	case []any:
		return appendArray(out, v)
	case map[string]any:
		return appendObject(out, v)
	}
	return nil, fmt.Errorf("%w: null", ErrFields)
}

func appendArray(out []byte, list []any) (_ []byte, err error) {
	out = append(out, '[')
	for i, v := range list {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendValue(out, v); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendObject(out []byte, fields map[string]any) (_ []byte, err error) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendString(out, name); err != nil {
			return nil, err
		}
		out = append(out, ':')
		if out, err = appendValue(out, fields[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendString escapes what JSON demands and nothing else.
func appendString(out []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: a string is not UTF-8", ErrNotCanonical)
	}
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\b':
			out = append(out, '\\', 'b')
		case c == '\t':
			out = append(out, '\\', 't')
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\f':
			out = append(out, '\\', 'f')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"'), nil
}

// clip keeps a stray value in an error short.
func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "..."
	}
	return s
}
