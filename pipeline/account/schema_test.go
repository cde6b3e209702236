package account

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"veil/pipeline/decide"
)

const schemaFolder = "../../docs/schema"

// fits holds a document against a documented schema.
func fits(t *testing.T, name string, doc []byte) error {
	t.Helper()
	abs, err := filepath.Abs(schemaFolder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(abs, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return s.Validate(v)
}

// names gathers the properties that a schema tells, and the keys that a document has.
func names(v any, into map[string]bool, schema bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			names(e, into, schema)
		}
	case map[string]any:
		for k, e := range v {
			if properties, ok := e.(map[string]any); schema && ok && k == "properties" {
				for p := range properties {
					into[p] = true
				}
			}
			if !schema {
				into[k] = true
			}
			names(e, into, schema)
		}
	}
}

func TestReportsFitTheirSchemas(t *testing.T) {
	p := worklistPlan(t)
	full := *p
	full.Policy.Grounds = grounds()
	full.Policy.Grounds.Required = true
	full.Tracks = append([]decide.Track(nil), p.Tracks...)
	full.Tracks[0].Code, full.Tracks[0].Basis = "§ 22", "§ 22 KUG"
	for i := range full.Frames {
		full.Frames[i].PTS += 1000
	}
	full.Excerpt = &decide.Excerpt{First: 1000, Last: 1099, FirstPTS: 1000, LastPTS: 1099, From: 40, To: 44}
	dropped := *p
	dropped.Tracks = append([]decide.Track(nil), p.Tracks...)
	dropped.Tracks[0].State, dropped.Tracks[0].Score = decide.StateDropped, 0.4
	dropped.Frames = append([]decide.Frame(nil), p.Frames...)
	dropped.Frames[dropped.Tracks[0].Best].Regions = nil
	for name, docs := range map[string][]interface{ JSON() ([]byte, error) }{
		"exemptions": {NewExemptions(p, digest, Facts{}), NewExemptions(&full, digest, Facts{State: "held", Derivative: File{SHA256: digest, Bytes: 1}, Sound: SoundPresent})},
		"worklist":   {NewWorklist(&full, digest), NewWorklist(&dropped, digest)},
	} {
		written, told := map[string]bool{}, map[string]bool{}
		for _, d := range docs {
			b, err := d.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if err := fits(t, name, b); err != nil {
				t.Errorf("%s: %v\n%s", name, err, b)
			}
			if fits(t, name, bytes.Replace(b, []byte(`"schema"`), []byte(`"more": 1, "schema"`), 1)) == nil {
				t.Errorf("%s: the schema takes unknown fields", name)
			}
			var v any
			if err := json.Unmarshal(b, &v); err != nil {
				t.Fatal(err)
			}
			names(v, written, false)
		}
		raw, err := os.ReadFile(filepath.Join(schemaFolder, name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		names(v, told, true)
		for k := range told {
			if !written[k] {
				t.Errorf("%s: the schema tells %s, which nothing wrote", name, k)
			}
		}
	}
	b, err := NewExemptions(p, digest, Facts{}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); strings.Contains(s, "Groß") || strings.Contains(s, "eingewilligt") {
		t.Error("the exemption log names who decided, or why")
	}
}
