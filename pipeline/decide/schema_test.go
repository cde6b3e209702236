package decide

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

	"veil/pipeline/track"
)

const schemaFolder = "../../docs/schema"

// compileSchema reads one of the documented schemas with the others beside it.
func compileSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	abs, err := filepath.Abs(schemaFolder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(abs, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accepts(t *testing.T, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return s.Validate(v)
}

// fullPlan has every field of the format set.
func fullPlan(t *testing.T) Plan {
	t.Helper()
	in := testInput(t, Disclosure, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}), still(2, 5, 40, track.Box{X: 400, Y: 200, W: 40, H: 50}))
	in.Source.Interlaced = true
	in.Policy.Shape, in.Policy.Damage, in.Policy.AudioTrack = "ellipse", "mask", 1
	in.Policy.Mute = []Muted{{From: 0.5, To: 1, Code: "§ 22", Basis: "own"}, {From: 1.5, To: 2}}
	in.Policy.Grounds = testGrounds()
	in.Policy.Regions = []FixedRegion{{Rect: [4]int{0, 300, 100, 61}, Span: &Span{From: 1, To: 2}, Reason: "number plate", Code: "G2", Basis: "§ 45 StVG"}}
	in.Tracks[1].Sure, in.Tracks[1].BornInside, in.Tracks[1].DiedInside = false, true, true
	in.FrameStamps[7].Damaged, in.FrameStamps[7].Why, in.FrameStamps[0].Cut = true, "corrupt", true
	for i := range in.FrameStamps {
		in.FrameStamps[i].PTS += 5120
		in.FrameStamps[i].Time += 0.4
	}
	in.Excerpt = &Excerpt{First: 10, Last: 59, FirstPTS: 5120, LastPTS: 5120 + 49*512, From: 0.4, To: 2.4}
	in.Analysis = Analysis{Build: "b", FFmpeg: "5.1.9", OpenCV: "4.6.0", DecoderThreads: 2, Width: 639, Height: 361,
		Networks: []Network{{Name: "yunet", SHA256: in.Source.SHA256, Engine: "opencv 4.6.0", Longs: []int{1536, 640}, Threshold: 0.3, Every: 1}}}
	p, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		data := mustEncode(t, &p)
		if p, err = Apply(p, Digest(data), Decisions{
			Schema: DecisionsSchema, Plan: Digest(data), By: "A. Officer",
			Keep: []KeepTrack{{Track: 1, Reason: "gave consent"}}, Dismiss: []DismissFinding{{Finding: "F1", Reason: "a face, and covered"}},
			Cover:  []CoverRegion{{Rect: [4]int{5, 6, 70, 80}, Span: &Span{From: 1, To: 2}, Reason: "screen", Code: "G2", Basis: "by its own"}},
			Ground: []GroundFor{{What: GroundTracks, Track: 1, Code: "G2"}, {What: GroundSound, Span: &Span{From: 1, To: 3}, Code: "G2", Basis: "x"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func mustEncode(t *testing.T, p *Plan) []byte {
	t.Helper()
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSchemasAcceptWhatTheCodeWrites(t *testing.T) {
	p := fullPlan(t)
	data := mustEncode(t, &p)
	if err := accepts(t, compileSchema(t, "plan"), data); err != nil {
		t.Errorf("plan: %v\n%s", err, data)
	}
	decisions, err := p.Decided.Decisions.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := accepts(t, compileSchema(t, "decisions"), decisions); err != nil {
		t.Errorf("decisions: %v", err)
	}
	for _, name := range []string{Press, Disclosure, Court} {
		raw, err := shipped.ReadFile("policies/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, compileSchema(t, "policy"), raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemasHaveTheFieldsOfTheTypes walks each type and its schema side by side.
func TestSchemasHaveTheFieldsOfTheTypes(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"policy": reflect.TypeFor[Policy](), "plan": reflect.TypeFor[Plan](), "decisions": reflect.TypeFor[Decisions](),
	} {
		w := schemaWalk{t: t, seen: map[reflect.Type]bool{}, docs: map[string]map[string]any{}}
		w.compare(name, typ, name+".schema.json", w.doc(name+".schema.json"))
	}
}

type schemaWalk struct {
	t    *testing.T
	seen map[reflect.Type]bool
	docs map[string]map[string]any
}

func (w *schemaWalk) doc(file string) map[string]any {
	w.t.Helper()
	if d := w.docs[file]; d != nil {
		return d
	}
	data, err := os.ReadFile(filepath.Join(schemaFolder, file))
	if err != nil {
		w.t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(data, &d); err != nil {
		w.t.Fatalf("%s: %v", file, err)
	}
	w.docs[file] = d
	return d
}

// compare holds the schema node, which stands in file, against a type.
func (w *schemaWalk) compare(at string, typ reflect.Type, file string, node map[string]any) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for node["$ref"] != nil {
		ref := node["$ref"].(string)
		other, within, ok := strings.Cut(ref, "#/$defs/")
		if other != "" {
			file = other
		}
		if node = w.doc(file); ok {
			node = node["$defs"].(map[string]any)[within].(map[string]any)
		}
	}
	switch typ.Kind() {
	case reflect.Slice:
		w.compare(at+"[]", typ.Elem(), file, node["items"].(map[string]any))
	case reflect.Struct:
		if w.seen[typ] {
			return
		}
		w.seen[typ] = true
		w.compareFields(at, typ, file, node)
	}
}

func (w *schemaWalk) compareFields(at string, typ reflect.Type, file string, node map[string]any) {
	properties, ok := node["properties"].(map[string]any)
	if !ok || node["additionalProperties"] != false {
		w.t.Errorf("%s: the schema is open", at)
		return
	}
	required, _ := node["required"].([]any)
	names := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
		property, ok := properties[name].(map[string]any)
		if !ok {
			w.t.Errorf("%s.%s is not in the schema", at, name)
			continue
		}
		must := !strings.Contains(options, "omit") && at+"."+name != "policy.margin" && at+"."+name != "plan.policy.margin"
		if slices.Contains(required, any(name)) != must {
			w.t.Errorf("%s.%s: required in the schema: %v, in the code: %v", at, name, !must, must)
		}
		w.compare(at+"."+name, f.Type, file, property)
	}
	for name := range properties {
		if !names[name] {
			w.t.Errorf("%s.%s is in the schema only", at, name)
		}
	}
}

func TestSchemaAndCodeRefuseTheSame(t *testing.T) {
	p := fullPlan(t)
	plan := string(mustEncode(t, &p))
	policy, err := shipped.ReadFile("policies/press.json")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := p.Decided.Decisions.Encode()
	if err != nil {
		t.Fatal(err)
	}
	parse := map[string]func([]byte) error{
		"plan":      func(b []byte) error { _, err := ParsePlan(b); return err },
		"policy":    func(b []byte) error { _, err := ParsePolicy(b); return err },
		"decisions": func(b []byte) error { _, err := ParseDecisions(b); return err },
	}
	for _, c := range []struct{ doc, text, old, new string }{
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": []}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "Müller 1", "basis": "x"}]}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "Wagner 1", "basis": "x"}]}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "KUG", "basis": "x"}]}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "6 ", "basis": "x"}]}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "6", "basis": " "}]}`},
		{"policy", string(policy), `0.25`, `0.25, "grounds": {"codes": [{"code": "6", "basis": "a\nb"}]}`},
		{"decisions", string(decisions), `"what": "tracks"`, `"what": "faces"`},
		{"decisions", string(decisions), "\"track\": 1,\n      \"code\": \"G2\"", `"track": 1, "code": ""`},
		{"policy", string(policy), `"name"`, `"nom": 1, "name"`},
		{"policy", string(policy), `"surround"`, `"mosaic"`},
		{"policy", string(policy), `0.25`, `-1`},
		{"policy", string(policy), `veil.policy/1`, `veil.policy/2`},
		{"policy", string(policy), `"head"`, `null`},
		{"policy", string(policy), `"shape": "rectangle",`, ``},
		{"policy", string(policy), `"effort"`, `"mute": null, "effort"`},
		{"plan", plan, `"kind":"fixed"`, `"kind":"drum"`},
		{"plan", plan, `"state":"kept"`, `"state":"gone"`},
		{"plan", plan, `"digest":"0badcafe"`, `"digest":"0BADCAFE"`},
		{"plan", plan, `"rect":[0,`, `"rect":[-1,`},
		{"plan", plan, `"time_base":"1/12800"`, `"time_base":"0"`},
		{"decisions", string(decisions), `"F1"`, `"F0"`},
		{"decisions", string(decisions), `"A. Officer"`, `"  "`},
		{"decisions", string(decisions), `"track": 1`, `"track": 0`},
	} {
		broken := strings.Replace(c.text, c.old, c.new, 1)
		if broken == c.text {
			t.Errorf("%s: %s is not in it", c.doc, c.old)
			continue
		}
		if parse[c.doc]([]byte(broken)) == nil {
			t.Errorf("%s: code accepts %s", c.doc, c.new)
		}
		if v, err := jsonschema.UnmarshalJSON(strings.NewReader(broken)); err == nil && compileSchema(t, c.doc).Validate(v) == nil {
			t.Errorf("%s: schema accepts %s", c.doc, c.new)
		}
	}
}
