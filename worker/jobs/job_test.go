package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// full is a job with every field that can stand together.
const full = `{"schema":"veil.job/1","id":"clip_07-a","source":{"bucket":"in","key":"cam/2026/clip 07.mp4","version":"v1",
"sha256":"8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"},"derivative":"street_1","policy":"press",
"decisions":{"schema":"veil.decisions/1"},"case":"ST/0815/26 Müller","requester":"Amt 37","purpose":"press","priority":"urgent",
"deadline":"2026-12-01T12:00:00+01:00","destroy_after":"2027-06-01T00:00:00Z"}`

var lenient = Validator{AnySource: true, Inline: true}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "schema", name))
	must(t, err)
	return s
}

func conforms(t *testing.T, s *jsonschema.Schema, doc []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	must(t, err)
	return s.Validate(v)
}

// edited returns the full job with fields set (or, with nil, deleted) by path.
func edited(t *testing.T, fields map[string]any) []byte {
	t.Helper()
	var doc map[string]any
	must(t, json.Unmarshal([]byte(full), &doc))
	for path, v := range fields {
		at := doc
		if _, rest, ok := strings.Cut(path, "source."); ok {
			at, path = doc["source"].(map[string]any), rest
		}
		if v == nil {
			delete(at, path)
		} else {
			at[path] = v
		}
	}
	data, err := json.Marshal(doc)
	must(t, err)
	return data
}

// TestJobAndSchemaAgree holds documents against the code and against the published schema: both say the same.
func TestJobAndSchemaAgree(t *testing.T) {
	s := schema(t, "job.schema.json")
	object := map[string]any{"a": 1}
	good := []map[string]any{
		{},
		{"derivative": nil, "decisions": nil, "case": nil, "priority": nil, "deadline": nil, "source.version": nil, "source.sha256": nil},
		{"policy": nil, "policy_inline": object},
		{"source.key": ".hidden/..x/y..z/a.b"},
		{"id": strings.Repeat("a", 64)},
	}
	bad := []map[string]any{
		{"schema": nil}, {"schema": "veil.job/0"}, {"schema": 1}, {"id": nil}, {"id": ""}, {"id": "a.b"}, {"id": "ä"}, {"id": 7},
		{"id": strings.Repeat("a", 65)}, {"id": "a\n"}, {"source": nil}, {"source": "in/x"}, {"source.bucket": nil},
		{"source.bucket": "a/b"}, {"source.bucket": ".."}, {"source.key": nil}, {"source.key": ""}, {"source.key": "/x"},
		{"source.key": "a/../b"}, {"source.key": "a/./b"}, {"source.key": "a//b"}, {"source.key": "a/"}, {"source.key": ".."},
		{"source.key": "a\x00b"}, {"source.sha256": "abc"}, {"source.sha256": strings.Repeat("A", 64)}, {"source.etag": "x"},
		{"derivative": "../x"}, {"derivative": "a.mp4"}, {"policy": nil}, {"policy_inline": object}, {"policy": "a b"},
		{"policy": object}, {"policy": nil, "policy_inline": "press"}, {"policy": nil, "policy_inline": []any{}}, {"decisions": "keep"},
		{"decisions": 3}, {"case": "a\nb"}, {"case": 4}, {"case": strings.Repeat("x", 401)}, {"requester": "\t"}, {"purpose": true},
		{"priority": "high"}, {"priority": "URGENT"}, {"priority": 1}, {"deadline": "tomorrow"}, {"deadline": 5},
		{"destroy_after": "2026-13-01T00:00:00Z"}, {"Case": "x"}, {"extra": nil, "colour": "red"},
	}
	for i, fields := range append(slices.Clone(good), bad...) {
		doc := edited(t, fields)
		_, err := ParseJob(doc, lenient)
		byCode, bySchema := err == nil, conforms(t, s, doc) == nil
		if want := i < len(good); byCode != want || bySchema != want {
			t.Errorf("%v: the code says %v (%v), the schema %v, want %v", fields, byCode, err, bySchema, want)
		}
	}
}

// TestSchemasNameTheFields holds the published schemas against the Go types.
func TestSchemasNameTheFields(t *testing.T) {
	for file, doc := range map[string]any{"job.schema.json": Job{}, "event.schema.json": Event{}} {
		s := schema(t, file)
		have, want := slices.Sorted(maps.Keys(s.Properties)), slices.Sorted(maps.Keys(fieldsOf(reflect.TypeOf(doc))))
		if !slices.Equal(have, want) {
			t.Errorf("%s has the fields %v, the code %v", file, have, want)
		}
	}
	source := schema(t, "job.schema.json").Properties["source"]
	have, want := slices.Sorted(maps.Keys(source.Properties)), slices.Sorted(maps.Keys(fieldsOf(reflect.TypeFor[Source]())))
	if !slices.Equal(have, want) {
		t.Errorf("source has the fields %v, the code %v", have, want)
	}
	var known []Kind
	for _, v := range schema(t, "event.schema.json").Properties["event"].Enum.Values {
		known = append(known, Kind(v.(string)))
	}
	if !slices.Equal(known, Kinds()) {
		t.Errorf("the schema knows the events %v, the code %v", known, Kinds())
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	doc := edited(t, map[string]any{"id": "Max Mustermann", "source.key": "../Mustermann", "priority": "Mustermann",
		"deadline": "Mustermann", "Mustermann, Max": 1, "case": "Max\nMustermann", "purpose": 5, "policy": "Mus ter"})
	_, err := ParseJob(doc, lenient)
	var invalid *InvalidError
	if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) {
		t.Fatalf("refused with %v", err)
	}
	for _, field := range []string{"id ", "source.key", "priority", "deadline", "unknown field", "case", "purpose", "policy"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q is not among the faults: %v", field, err)
		}
	}
	if strings.Contains(err.Error(), "Muster") {
		t.Errorf("the faults repeat the content: %v", err)
	}
}

func TestFormOfTheDocument(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing": "", "a list": `[1]`, "a number": "1", "half": full[:40], "two": full + full, "deep": strings.Repeat(`{"a":`, 100),
		"a field twice": `{"schema":"veil.job/1","id":"a","id":"b","source":{"bucket":"in","key":"x"},"policy":"press"}`,
		"null":          `{"schema":"veil.job/1","id":null,"source":{"bucket":"in","key":"x"},"policy":"press"}`,
		"too large":     `{"schema":"veil.job/1","case":"` + strings.Repeat("x", MaxJobBytes) + `"}`,
	} {
		if _, err := ParseJob([]byte(doc), lenient); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var newer *NewerError
	if _, err := ParseJob([]byte(`{"schema":"veil.job/2","new":[]}`), lenient); !errors.As(err, &newer) || newer.Version != 2 {
		t.Errorf("a newer version: %v", err)
	}
}

func TestValidator(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	j := func(change func(*Job)) Job { x := job("a"); change(&x); return x }
	inline := j(func(j *Job) { j.Policy, j.PolicyInline = "", json.RawMessage(`{"fill":"blur"}`) })
	cases := []struct {
		name string
		v    Validator
		j    Job
		ok   bool
	}{
		{"nothing is allowed", Validator{}, job("a"), false},
		{"the bucket", Validator{Sources: []string{"in"}}, job("a"), true},
		{"the folder", Validator{Sources: []string{"out", "in/cam/"}}, job("a"), true},
		{"half a folder's name", Validator{Sources: []string{"in/ca"}}, job("a"), false},
		{"half a bucket's name", Validator{Sources: []string{"i"}}, job("a"), false},
		{"an empty prefix", Validator{Sources: []string{"", "/"}}, job("a"), false},
		{"a known policy", Validator{AnySource: true, Policies: []string{"press"}}, job("a"), true},
		{"an unknown policy", Validator{AnySource: true, Policies: []string{"court"}}, job("a"), false},
		{"no policy is known", Validator{AnySource: true, Policies: []string{}}, job("a"), false},
		{"inline without leave", Validator{AnySource: true}, inline, false},
		{"inline with leave", Validator{AnySource: true, Inline: true}, inline, true},
		{"a weak policy", Validator{AnySource: true, Inline: true,
			CheckPolicy: func(json.RawMessage) []string { return []string{"fill is weak"} }}, inline, false},
		{"bad decisions", Validator{AnySource: true, CheckDecisions: func(json.RawMessage) []string { return []string{"x"} }},
			j(func(j *Job) { j.Decisions = json.RawMessage(`{}`) }), false},
		{"to be destroyed already", Validator{AnySource: true, Now: func() time.Time { return now }},
			j(func(j *Job) { j.DestroyAfter = &now }), false},
		{"late", Validator{AnySource: true, Now: func() time.Time { return now.AddDate(1, 0, 0) }},
			j(func(j *Job) { j.Deadline = &now }), true},
		{"needed after it is destroyed", Validator{AnySource: true},
			j(func(j *Job) { later := now.Add(time.Hour); j.DestroyAfter, j.Deadline = &now, &later }), false},
	}
	for _, c := range cases {
		if err := c.v.Validate(c.j); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDigestAndName(t *testing.T) {
	a, err := ParseJob([]byte(full), lenient)
	must(t, err)
	data, err := a.Encode()
	must(t, err)
	b, err := ParseJob(data, lenient)
	must(t, err)
	da, _ := a.Digest()
	db, _ := b.Digest()
	if da != db || len(da) != 64 {
		t.Errorf("the same job has the digests %s and %s", da, db)
	}
	if b.Case = "other"; a.DerivativeName() != "street_1" {
		t.Errorf("the name is %s", a.DerivativeName())
	}
	if dc, _ := b.Digest(); dc == da {
		t.Error("another case, the same digest")
	}
	one, two := job("a").DerivativeName(), job("b").DerivativeName()
	if one == two || len(one) != 8 || strings.Trim(one, "0123456789") != "" || one != job("a").DerivativeName() {
		t.Errorf("neutral names are %s and %s", one, two)
	}
}

func FuzzParseJob(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"schema":"veil.job/1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := ParseJob(data, lenient)
		if err != nil {
			return
		}
		again, err := j.Encode()
		must(t, err)
		if _, err := ParseJob(again, lenient); err != nil {
			t.Errorf("accepted a job and refuses its own encoding: %v", err)
		}
	})
}
