package decide

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest is the lower-case SHA-256 of a document's bytes as they lie in its file.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Encode gives the policy's canonical bytes: equal policies give equal bytes, and ParsePolicy reads them back.
func (p Policy) Encode() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return indented("policy", p)
}

// Encode gives the decisions' canonical bytes: equal decisions give equal bytes, and ParseDecisions reads them back.
func (d Decisions) Encode() ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return indented("decisions", d)
}

// Encode gives the plan's canonical bytes: equal plans give equal bytes, and ParsePlan reads them back. Each track,
// finding and frame stands on a line of its own, so that a person can edit one and compare two.
func (p Plan) Encode() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p.Analysis.Networks = append([]Network{}, p.Analysis.Networks...)
	for i := range p.Analysis.Networks {
		p.Analysis.Networks[i].Longs = append([]int{}, p.Analysis.Networks[i].Longs...)
	}
	e := &lines{}
	e.raw("{")
	e.field("schema", p.Schema)
	e.field("source", p.Source)
	if p.Excerpt != nil {
		e.field("excerpt", p.Excerpt)
	}
	e.field("analysis", p.Analysis)
	e.field("policy", p.Policy)
	list(e, "tracks", p.Tracks)
	list(e, "findings", p.Findings)
	list(e, "frames", p.Frames)
	if len(p.Sound) > 0 {
		e.field("sound", p.Sound)
	}
	if p.Decided != nil {
		e.field("decided", p.Decided)
	}
	e.raw("\n}\n")
	if e.err != nil {
		return nil, fmt.Errorf("encode plan: %w", e.err)
	}
	return e.buf.Bytes(), nil
}

// indented encodes a small document, two blanks deep, with a line feed at its end.
func indented(name string, v any) ([]byte, error) {
	data, err := compact(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, data, "", "  "); err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	buf.WriteByte('\n')
	return buf.Bytes(), nil
}

// compact encodes v on one line, with <, > and & as themselves.
func compact(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// lines writes an object with a field, or an element of a list, on each line. The first error sticks.
type lines struct {
	buf    bytes.Buffer
	err    error
	fields int
}

func (e *lines) raw(s string) { e.buf.WriteString(s) }

func (e *lines) name(name string) {
	if e.fields++; e.fields > 1 {
		e.raw(",")
	}
	fmt.Fprintf(&e.buf, "\n%q: ", name)
}

func (e *lines) value(v any) {
	data, err := compact(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.buf.Write(data)
}

func (e *lines) field(name string, v any) {
	e.name(name)
	e.value(v)
}

func list[T any](e *lines, name string, elems []T) {
	e.name(name)
	e.raw("[")
	for i := range elems {
		if i > 0 {
			e.raw(",")
		}
		e.raw("\n ")
		e.value(&elems[i])
	}
	if len(elems) > 0 {
		e.raw("\n")
	}
	e.raw("]")
}
