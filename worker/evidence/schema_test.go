package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
)

const schemas = "../../docs/schema"

// validate holds a document against one of the documented schemas.
func validate(t *testing.T, name string, doc []byte) error {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join(schemas, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := jsonschema.NewCompiler().Compile(abs)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return s.Validate(v)
}

// payload is what an envelope of the set holds.
func payload(t *testing.T, k *evidencetest.Kit, ending string) []byte {
	t.Helper()
	var e struct {
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal(k.Read(t, ending), &e); err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSchemasAcceptWhatIsWritten(t *testing.T) {
	k := evidencetest.New(t)
	k.State(t, 1, seal.Withdrawal)
	var answer bytes.Buffer
	if err := verify(t, k).JSON(&answer); err != nil {
		t.Fatal(err)
	}
	trust := []byte(`{"schema":"veil.trust/1","keys":[{"name":"x","public":"MCowBQYDK2VwAyEA","until":"2028-01-01T00:00:00Z"}],"authorities":[{"certificate":"MII="}]}`)
	line, _, _ := bytes.Cut(k.Read(t, evidence.LogEnding), []byte("\n"))
	for name, doc := range map[string][]byte{
		"envelope": k.Read(t, evidence.ManifestEnding), "manifest": payload(t, k, evidence.ManifestEnding),
		"statement": payload(t, k, evidence.StatementEnding(1)), "annex": k.Read(t, evidence.AnnexEnding), "log": line,
		"verification": answer.Bytes(), "trust": trust,
	} {
		if err := validate(t, name, doc); err != nil {
			t.Errorf("%s: %v\n%s", name, err, doc)
		}
		more := bytes.Replace(doc, []byte("{"), []byte(`{"more":1,`), 1)
		if validate(t, name, more) == nil {
			t.Errorf("%s: the schema is open", name)
		}
	}
}

// TestSchemasHaveTheFieldsOfTheTypes walks each type and its schema side by side.
func TestSchemasHaveTheFieldsOfTheTypes(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"manifest": reflect.TypeFor[seal.Manifest](), "statement": reflect.TypeFor[seal.Event](), "annex": reflect.TypeFor[seal.Annex](),
		"log": reflect.TypeFor[seal.Entry](), "verification": reflect.TypeFor[evidence.Result](),
	} {
		b, err := os.ReadFile(filepath.Join(schemas, name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var node map[string]any
		if err := json.Unmarshal(b, &node); err != nil {
			t.Fatal(err)
		}
		if name == "manifest" || name == "statement" {
			node = node["properties"].(map[string]any)["predicate"].(map[string]any)
		}
		compare(t, name, typ, node)
	}
}

func compare(t *testing.T, at string, typ reflect.Type, node map[string]any) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Slice {
		compare(t, at+"[]", typ.Elem(), node["items"].(map[string]any))
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
		return
	}
	properties, _ := node["properties"].(map[string]any)
	required, _ := node["required"].([]any)
	if node["additionalProperties"] != false {
		t.Errorf("%s: the schema is open", at)
	}
	names := map[string]bool{}
	for i := range typ.NumField() {
		if !typ.Field(i).IsExported() {
			continue
		}
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names[name] = true
		property, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("%s.%s is not in the schema", at, name)
			continue
		}
		if must := !strings.Contains(options, "omit"); slices.Contains(required, any(name)) != must {
			t.Errorf("%s.%s: required in the code: %v", at, name, must)
		}
		compare(t, at+"."+name, typ.Field(i).Type, property)
	}
	for name := range properties {
		if !names[name] {
			t.Errorf("%s.%s is in the schema only", at, name)
		}
	}
}
