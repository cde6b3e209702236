package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

// TestSecondVerifierAgrees writes sets, untouched and tampered with, each in a folder of its own with the trust file and the answer
// of this verifier, and has the one in docs/verifier, which was written from docs/evidence.md alone, answer all of them: a
// thousand with one byte changed, fifty untouched, half of those renamed, and every other kind that these tests know.
func TestSecondVerifierAgrees(t *testing.T) {
	dir := t.TempDir()
	x := exporter{t: t, dir: dir, kit: evidencetest.New(t), authority: sealtest.NewAuthority(t, evidencetest.Made.AddDate(-2, 0, 0), evidencetest.Made.AddDate(9, 0, 0))}
	x.tampered()
	x.signatures()
	x.trusts()
	x.statements()
	x.untouched(50)
	x.bytes(1000)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is missing: make deps")
	}
	cmd := exec.Command(python, "-B", filepath.Join("..", "..", "docs", "verifier", "agree.py"), dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// tampered are sets whose files were exchanged, cut or are not there.
func (x *exporter) tampered() {
	x.write("public part alone", func(f files) { f.drop(".plan.json", ".log.jsonl", ".annex.json") }, nil)
	x.write("no report", func(f files) { f.drop(".report.json") }, nil)
	x.write("re-wrapped", func(f files) { f["clip.mp4"] = append(f["clip.mp4"], "\x00\x00\x00\x09freeX"...) }, nil)
	x.write("cut file", func(f files) { f["clip.mp4"] = f["clip.mp4"][:len(f["clip.mp4"])/3] }, nil)
	x.write("log cut", func(f files) {
		b := f["clip.log.jsonl"]
		f["clip.log.jsonl"] = b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1]
	}, nil)
	x.write("log continued", func(f files) { f["clip.log.jsonl"] = append(f["clip.log.jsonl"], "{}\n"...) }, nil)
	x.write("log reordered", func(f files) {
		lines := bytes.SplitAfter(f["clip.log.jsonl"], []byte("\n"))
		lines[1], lines[2] = lines[2], lines[1]
		f["clip.log.jsonl"] = bytes.Join(lines, nil)
	}, nil)
	for _, ending := range []string{".report.json", ".plan.json", ".log.jsonl", ".annex.json", ".manifest.tsr", ".manifest.json"} {
		x.write("a folder for "+ending, func(f files) { f["clip"+ending] = nil }, nil)
	}
	x.write("renamed beside a damaged manifest", func(f files) {
		f["Press.mp4"] = f["clip.mp4"]
		delete(f, "clip.mp4")
		b := f["clip.manifest.json"]
		b[len(b)/2] ^= 1
	}, nil)
	x.write("another ending", func(f files) {
		f["clip.mov"] = f["clip.mp4"]
		delete(f, "clip.mp4")
	}, nil)
}

// signatures are sets with more, fewer or other signatures and keys than they should have.
func (x *exporter) signatures() {
	t, k := x.t, x.kit
	own := `{"keyid":"` + k.Key.ID()
	list := []byte(`"signatures":[`)
	with := func(name, more string) {
		x.write(name, func(f files) {
			f["clip.manifest.json"] = bytes.Replace(f["clip.manifest.json"], list, append(bytes.Clone(list), more...), 1)
		}, nil)
	}
	with("second signature", own+`","sig":"AAAA"},`)
	with("empty signature", `{"keyid":"","sig":""},`)
	good := string(k.Read(t, evidence.ManifestEnding))
	first := good[strings.Index(good, string(list))+len(list) : len(good)-2]
	with("the same signature twice", first+",")
	x.write("a key in the signature", func(f files) {
		f["clip.manifest.json"] = bytes.Replace(f["clip.manifest.json"], []byte(`"sig"`), []byte(`"public":"x","sig"`), 1)
	}, nil)
	k.Sign(t, nil)
	x.write("unsigned", nil, nil)
	k.Sign(t, sealtest.Key(t, 9))
	x.write("a stranger's key", nil, nil)
	x.write("a stranger under our name", func(f files) {
		f["clip.manifest.json"] = bytes.Replace(f["clip.manifest.json"], []byte(sealtest.Key(t, 9).ID()), []byte(k.Key.ID()), 1)
	}, nil)
	x.write("a key more is trusted", nil, func(f *trustDoc) {
		der, err := x509.MarshalPKIXPublicKey(sealtest.Key(t, 9).Public())
		if err != nil {
			t.Fatal(err)
		}
		f.Keys = append(f.Keys, trustKey{Name: "Second", Public: base64.StdEncoding.EncodeToString(der)})
	})
	k.Sign(t, k.Key)
}

// trusts are sets with keys that are expired or compromised, with and without a time stamp.
func (x *exporter) trusts() {
	t, k := x.t, x.kit
	at := evidencetest.Made.Add(time.Hour)
	k.Write(t, evidence.StampEnding, x.authority.Stamp(t, k.Read(t, evidence.ManifestEnding), at))
	x.write("stamped", nil, nil)
	x.write("expired key, stamped", nil, func(f *trustDoc) { f.Keys[0].Until = day(1) })
	x.write("compromised after the stamp", nil, func(f *trustDoc) { f.Keys[0].Compromised = day(1) })
	x.write("compromised before the stamp", nil, func(f *trustDoc) { f.Keys[0].Compromised = day(-1) })
	x.write("no authority is trusted", nil, func(f *trustDoc) { f.Authorities = nil })
	x.write("stamp of another manifest", func(f files) { f["clip.manifest.tsr"] = x.authority.Stamp(t, []byte("other"), at) }, nil)
	x.write("no stamp at all", func(f files) { f["clip.manifest.tsr"] = []byte("?") }, nil)
	k.Write(t, evidence.StampEnding, x.authority.Stamp(t, k.Read(t, evidence.ManifestEnding), evidencetest.Made.AddDate(2, 0, 0)))
	x.write("stamped late", nil, func(f *trustDoc) { f.Keys[0].Until = day(1) })
	k.Remove(t, evidence.StampEnding)
	x.write("expired key, no stamp", nil, func(f *trustDoc) { f.Keys[0].Until = day(1) })
	x.write("key expired before", nil, func(f *trustDoc) { f.Keys[0].Until = day(-1) })
	x.write("key is of later", nil, func(f *trustDoc) { f.Keys[0].From = day(1) })
	x.write("compromised, no stamp", nil, func(f *trustDoc) { f.Keys[0].Compromised = day(900) })
}

// statements are sets with later statements, in order and not.
func (x *exporter) statements() {
	t, k := x.t, x.kit
	k.State(t, 1, seal.Release)
	k.State(t, 2, seal.Withdrawal)
	at := evidencetest.Made.Add(3 * time.Hour)
	good := x.authority.Stamp(t, k.Read(t, evidence.StatementEnding(1)), at)
	x.write("withdrawn", nil, nil)
	x.write("release taken out", func(f files) { f.drop(".statement-1.json") }, nil)
	x.write("statements changed places", func(f files) { f["clip.statement-1.json"] = f["clip.statement-2.json"] }, nil)
	x.write("withdrawal edited", func(f files) {
		f["clip.statement-2.json"] = bytes.Replace(f["clip.statement-2.json"], []byte(`"payload":"e`), []byte(`"payload":"f`), 1)
	}, nil)
	x.write("statement's annex edited", func(f files) { f["clip.statement-1.annex.json"][9] ^= 1 }, nil)
	x.write("statement stamped", func(f files) { f["clip.statement-1.tsr"] = good }, nil)
	x.write("statement stamped, key compromised later", func(f files) {
		f["clip.statement-1.tsr"] = good
		f.drop(".statement-2.json", ".statement-2.annex.json")
	},
		func(f *trustDoc) { f.Keys[0].Compromised = day(9) })
	x.write("statement's stamp is of something else", func(f files) { f["clip.statement-1.tsr"] = x.authority.Stamp(t, []byte("other"), at) }, nil)
	for _, ending := range []string{".statement-1.json", ".statement-1.annex.json", ".statement-1.tsr"} {
		x.write("a folder for "+ending, func(f files) { f["clip"+ending] = nil }, nil)
	}
}

// untouched are n sets, half of them renamed.
func (x *exporter) untouched(n int) {
	for i := range n {
		x.write(fmt.Sprintf("untouched %d", i), func(f files) {
			if i%2 == 1 {
				f[fmt.Sprintf(`Press "%d".MP4`, i)] = f["clip.mp4"]
				delete(f, "clip.mp4")
			}
		}, nil)
	}
}

// bytes are n sets with one byte changed at a random place of any of their files.
func (x *exporter) bytes(n int) {
	random := rand.New(rand.NewPCG(3, 1))
	names := []string{"clip.mp4", "clip.manifest.json", "clip.manifest.json", "clip.manifest.json", "clip.report.json", "clip.plan.json", "clip.log.jsonl", "clip.annex.json",
		"clip.statement-1.json", "clip.statement-2.annex.json"}
	for i := range n {
		name := names[i%len(names)]
		x.write(fmt.Sprintf("one byte of %s %d", name, i), func(f files) { f[name][random.IntN(len(f[name]))] ^= byte(1 + random.IntN(255)) }, nil)
	}
}

func day(n int) *time.Time {
	at := evidencetest.Made.AddDate(0, 0, n)
	return &at
}

// files are those of a set by name.
type files map[string][]byte

func (f files) drop(endings ...string) {
	for _, e := range endings {
		delete(f, "clip"+e)
	}
}

type trustKey struct {
	Name        string     `json:"name"`
	Public      string     `json:"public"`
	From        *time.Time `json:"from,omitempty"`
	Until       *time.Time `json:"until,omitempty"`
	Compromised *time.Time `json:"compromised_since,omitempty"`
}

type trustDoc struct {
	Schema      string              `json:"schema"`
	Keys        []trustKey          `json:"keys"`
	Authorities []map[string]string `json:"authorities,omitempty"`
}

// expectation is what a verifier should answer.
type expectation struct {
	Derivative string                       `json:"derivative"`
	Outcome    string                       `json:"outcome"`
	Checks     map[string]map[string]string `json:"checks"`
	Notes      []string                     `json:"notes"`
}

type exporter struct {
	t         *testing.T
	dir       string
	kit       *evidencetest.Kit
	authority *sealtest.Authority
}

// write writes the kit as it is, changed by spoil, under a name.
func (x *exporter) write(name string, spoil func(files), distrust func(*trustDoc)) {
	x.t.Helper()
	f := files{}
	paths, err := filepath.Glob(x.kit.Stem() + ".*")
	if err != nil {
		x.t.Fatal(err)
	}
	for _, p := range paths {
		f[filepath.Base(p)] = x.kit.Read(x.t, p[len(x.kit.Stem()):])
	}
	if spoil != nil {
		spoil(f)
	}
	der, err := x509.MarshalPKIXPublicKey(x.kit.Key.Public())
	if err != nil {
		x.t.Fatal(err)
	}
	doc := trustDoc{Schema: seal.TrustSchema, Keys: []trustKey{{Name: "Press office", Public: base64.StdEncoding.EncodeToString(der)}},
		Authorities: []map[string]string{{"name": "TSA", "certificate": base64.StdEncoding.EncodeToString(x.authority.Root.Raw)}}}
	if distrust != nil {
		distrust(&doc)
	}
	trustBytes, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		x.t.Fatal(err)
	}
	f["trust.json"] = trustBytes
	folder := filepath.Join(x.dir, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		x.t.Fatal(err)
	}
	out := "clip.mp4"
	for n, b := range f {
		if strings.Contains(".MP4 .mp4 .mov", filepath.Ext(n)) {
			out = n
		}
		if b == nil {
			if err := os.Mkdir(filepath.Join(folder, n), 0o755); err != nil {
				x.t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, n), b, 0o644); err != nil {
			x.t.Fatal(err)
		}
	}
	x.expect(folder, out, trustBytes)
}

// expect writes the answer beside the set.
func (x *exporter) expect(folder, out string, trustBytes []byte) {
	x.t.Helper()
	trust, err := seal.ParseTrust(trustBytes)
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := evidence.Verify(x.t.Context(), evidence.Request{Out: filepath.Join(folder, out), Trust: &trust, Language: evidence.English})
	if err != nil {
		x.t.Fatalf("%s: %v", folder, err)
	}
	e := expectation{Derivative: out, Outcome: r.Outcome, Checks: map[string]map[string]string{}, Notes: []string{}}
	for _, c := range r.Checks {
		if c.Name == evidence.CheckContainer {
			continue // another verifier may leave it out
		}
		e.Checks[c.Name] = map[string]string{"result": c.Result, "code": c.Code}
	}
	for _, n := range r.Notes {
		e.Notes = append(e.Notes, n.Code)
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "expected.json"), append(b, '\n'), 0o644)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}
