package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/pipeline/media"
)

// fullReport is a report in which nothing is empty.
func fullReport() pipeline.Report {
	digest := strings.Repeat("0123456789abcdef", 4)
	return pipeline.Report{
		Schema: pipeline.ReportSchema, State: pipeline.Held,
		Source:     pipeline.FileDigest{SHA256: digest, Bytes: 1},
		Derivative: pipeline.FileDigest{SHA256: digest, Bytes: 2},
		Plan:       digest, Policy: digest, PolicyName: "press", Build: "unknown",
		Analysis: decide.Analysis{
			Build: "unknown", FFmpeg: "5.1.9", OpenCV: "4.6.0", DecoderThreads: 2, Width: 1536, Height: 864,
			Networks: []decide.Network{{Name: "yunet", SHA256: digest, Engine: "opencv 4.6.0", Longs: []int{1536, 640}, Threshold: 0.4, Every: 1}},
		},
		Encoder: []string{"-c:v", "libx264"}, CRF: 20, Frames: 250,
		Excerpt: &decide.Excerpt{First: 1, Last: 2, FirstPTS: 512, LastPTS: 1024, From: 0.1, To: 1},
		Tracks:  2, Kept: []int{1}, Masked: 0.1, WholeFrames: 1, Audio: "dropped",
		Notes:    []media.Note{{Code: "padded", Text: "one line was added"}},
		Removed:  []media.Removed{{Kind: "audio_stream", Text: "sound", Count: 1}},
		Checks:   []pipeline.Check{{Name: "frames", Result: "passed", Text: "250 of 250"}},
		Findings: []decide.Finding{{ID: "F1", Kind: "face_outside", First: 1, Last: 2, Rect: [4]int{1, 2, 3, 4}, Track: 1, Text: "a face", Dismissed: true, Reason: "a poster", By: "me"}},
		Warnings: []string{"much is masked"}, Rounds: 1, Stages: map[string]float64{"analyze": 1, "render": 1, "verify": 1},
	}
}

func reportSchema(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "schema", "report.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("report.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return s, doc.(map[string]any)
}

func validate(t *testing.T, s *jsonschema.Schema, v any) error {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestReportFitsItsSchema(t *testing.T) {
	s, doc := reportSchema(t)
	if err := validate(t, s, fullReport()); err != nil {
		t.Error(err)
	}
	short := fullReport()
	short.Excerpt, short.Kept, short.State, short.Findings = nil, nil, pipeline.Released, []decide.Finding{}
	short.Notes, short.Removed = []media.Note{}, []media.Removed{}
	if err := validate(t, s, short); err != nil {
		t.Error(err)
	}
	bad := fullReport()
	bad.State = "leaked"
	if validate(t, s, bad) == nil {
		t.Error("the schema takes a state that is none")
	}
	fields(t, "report", reflect.TypeFor[pipeline.Report](), doc, doc["$defs"].(map[string]any))
}

// fields holds every struct below a type against the schema: same names, optional where Go leaves them out.
func fields(t *testing.T, at string, typ reflect.Type, schema, defs map[string]any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	switch typ.Kind() {
	case reflect.Pointer:
		fields(t, at, typ.Elem(), schema, defs)
	case reflect.Slice:
		if items, ok := schema["items"].(map[string]any); ok {
			fields(t, at+"[]", typ.Elem(), items, defs)
		} else {
			t.Errorf("%s: the schema tells no items", at)
		}
	case reflect.Struct:
		properties, _ := schema["properties"].(map[string]any)
		var required []string
		list, _ := schema["required"].([]any)
		for _, r := range list {
			required = append(required, r.(string))
		}
		if schema["additionalProperties"] != false {
			t.Errorf("%s: the schema takes unknown fields", at)
		}
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			property, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("%s: the schema lacks %s", at, name)
				continue
			}
			if slices.Contains(required, name) == (options == "omitempty") {
				t.Errorf("%s.%s: required does not agree with the code", at, name)
			}
			fields(t, at+"."+name, typ.Field(i).Type, property, defs)
		}
		if len(properties) != typ.NumField() {
			t.Errorf("%s: the schema has %d fields, the code %d", at, len(properties), typ.NumField())
		}
	}
}
