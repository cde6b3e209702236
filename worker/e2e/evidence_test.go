package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/worker/evidence"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

const exitPartial = 7

// verified runs veil verify and reads its answer.
func (p *place) verified(t *testing.T, code int, args ...string) *evidence.Result {
	t.Helper()
	r := p.must(t, code, append([]string{"verify", "--json", "--progress", "none"}, args...)...)
	var res evidence.Result
	if err := json.Unmarshal([]byte(r.out), &res); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	return &res
}

// TestEvidence takes one clip from a key to a checked, stamped and withdrawn derivative, and back by its recorded settings.
func TestEvidence(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	simpleClip(t, p.path("clip.mp4"), 25, twoFaces)
	p.must(t, exitReleased, "keygen", "-o", "keys")
	oneLine(t, p.veil(t, "keygen", "-o", "keys"), exitUsage)
	for name, mode := range map[string]os.FileMode{"veil.key": 0o600, "veil.pub": 0o644} {
		if info, err := os.Stat(p.path("keys/" + name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	key := p.path("keys/veil.key")
	said := p.must(t, exitReleased, "redact", "clip.mp4", "-o", "out.mp4", "--effort", "fast", "--key", key)
	if !strings.Contains(said.out, "signed by ") {
		t.Errorf("it does not say that it is signed:\n%s", said.out)
	}
	for name, mode := range map[string]os.FileMode{"out.mp4": 0o644, "out.manifest.json": 0o644, "out.report.json": 0o644, "out.plan.json": 0o600,
		"out.log.jsonl": 0o600, "out.annex.json": 0o600} {
		if info, err := os.Stat(p.path(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	trust := []string{"--trust", p.path("keys/veil.pub")}
	r := p.verified(t, exitPartial, append(trust, "out.mp4", "--original", "clip.mp4")...)
	for _, c := range r.Checks {
		if c.Result != evidence.Passed && c.Name != evidence.CheckTime {
			t.Errorf("%s: %s %s: %s", c.Name, c.Result, c.Code, c.Text)
		}
	}
	if r.Verdict != string(seal.Unproven) || r.Find(evidence.CheckPictures) == nil {
		t.Errorf("%s, %+v", r.Verdict, r.Checks)
	}
	empty := t.TempDir()
	if c := p.verified(t, exitPartial, append(trust, "out.mp4", "--original", "clip.mp4", "--models", empty)...).Find(evidence.CheckPictures); c == nil || c.Result != evidence.NotDone ||
		c.Code != "pictures_not_ready" || !strings.Contains(c.Text, "is missing") {
		t.Errorf("without weights: %+v", c)
	}
	p.stamped(t, key)
	p.tampered(t, trust)
	p.clean(t)
}

// stamped has the manifest stamped: then, and only then, all can pass.
func (p *place) stamped(t *testing.T, key string) {
	t.Helper()
	now := time.Now()
	a := sealtest.NewAuthority(t, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	p.must(t, exitReleased, "stamp", "out.mp4")
	if err := os.WriteFile(p.path("out.manifest.tsr"), a.Answer(t, read(t, p.path("out.manifest.tsq"))), 0o644); err != nil {
		t.Fatal(err)
	}
	trust := append(read(t, p.path("keys/veil.pub")), a.PEM(t)...)
	if err := os.WriteFile(p.path("trust.pem"), trust, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := p.verified(t, exitReleased, "--trust", "trust.pem", "out.mp4", "--original", "clip.mp4"); r.Outcome != evidence.Complete || r.Verdict != string(seal.Proven) {
		t.Errorf("%s, %s: %+v", r.Outcome, r.Verdict, r.Checks)
	}
	oneLine(t, p.veil(t, "redact", "clip.mp4", "-o", "out.mp4", "--effort", "fast", "--key", key), exitUsage)
	oneLine(t, p.veil(t, "statement", "withdrawal", "out.mp4", "--by", "A. Officer"), exitUsage)
	p.must(t, exitReleased, "statement", "disclosure", "out.mp4", "--by", "A. Officer", "--recipient", "District court", "--key", key)
	p.must(t, exitReleased, "statement", "withdrawal", "out.mp4", "--by", "A. Officer", "--reason", "a face", "--key", key)
	said := p.must(t, exitReleased, "verify", "--trust", "trust.pem", "out.mp4", "--original", "clip.mp4", "--html", "page.html", "--language", "de")
	if !strings.Contains(said.out, "WIDERRUFEN") || strings.Contains(said.out, "Officer") {
		t.Errorf("the withdrawal is not told, or names somebody:\n%s", said.out)
	}
	if page := read(t, p.path("page.html")); !bytes.Contains(page, []byte("WIDERRUFEN")) {
		t.Errorf("%s", page)
	}
}

// tampered alters the derivative in two ways, and the set.
func (p *place) tampered(t *testing.T, trust []string) {
	t.Helper()
	good := read(t, p.path("out.mp4"))
	p.exec(t, "ffmpeg", "-v", "error", "-i", "out.mp4", "-c", "copy", "-metadata", "title=x", "again.mp4")
	for name, want := range map[string]string{"again.mp4": "derivative_rewrapped", "clip.mp4": "derivative_altered"} {
		if err := os.WriteFile(p.path("out.mp4"), read(t, p.path(name)), 0o644); err != nil {
			t.Fatal(err)
		}
		if c := p.verified(t, exitVerify, append(trust, "out.mp4")...).Find(evidence.CheckDerivative); c.Code != want {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if err := os.WriteFile(p.path("out.mp4"), good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.path("out.mp4"), p.path("renamed.mp4")); err != nil {
		t.Fatal(err)
	}
	p.verified(t, exitPartial, append(trust, "renamed.mp4")...)
	if err := os.Rename(p.path("renamed.mp4"), p.path("out.mp4")); err != nil {
		t.Fatal(err)
	}
	lonely := filepath.Join(t.TempDir(), "lonely.mp4")
	if err := os.WriteFile(lonely, good, 0o644); err != nil {
		t.Fatal(err)
	}
	oneLine(t, p.veil(t, append([]string{"verify", lonely}, trust...)...), exitUsage)
}

// TestReproduce renders again: the same bytes by the recorded settings; with other threads that is what differs.
func TestReproduce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	// What moves fast is coded differently by other numbers of threads.
	ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25,scroll=v=0.15", "-frames:v", "30", "-pix_fmt", "yuv420p", "-c:v", "libx264", p.path("clip.mp4"))
	p.must(t, exitReleased, "redact", "clip.mp4", "-o", "out.mp4", "--effort", "fast")
	type answer struct {
		Identical   bool `json:"identical"`
		Differences []struct{ What, Recorded, Here string }
	}
	reproduce := func(code int, args ...string) (a answer) {
		t.Helper()
		r := p.must(t, code, append([]string{"reproduce", "out.manifest.json", "--original", "clip.mp4", "--json", "--progress", "none"}, args...)...)
		if err := json.Unmarshal([]byte(r.out), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := reproduce(exitReleased); !a.Identical || len(a.Differences) != 0 {
		t.Errorf("%+v", a)
	}
	a := reproduce(exitVerify, "--encoder-threads", "1")
	if a.Identical || len(a.Differences) != 1 || a.Differences[0].What != "encoder_threads" || a.Differences[0].Recorded != "3" || a.Differences[0].Here != "1" {
		t.Errorf("%+v", a)
	}
	oneLine(t, p.veil(t, "reproduce", "out.manifest.json", "--original", "out.mp4"), exitUsage)
	p.clean(t)
}

// TestUnsignedSet: without a key there is a set all the same, and it says that nobody vouches for it.
func TestUnsignedSet(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	simpleClip(t, p.path("clip.mp4"), 10, twoFaces)
	if r := p.must(t, exitReleased, "redact", "clip.mp4", "-o", "out.mp4", "--effort", "fast"); !strings.Contains(r.out, "unsigned") {
		t.Errorf("%s", r.out)
	}
	if r := p.verified(t, exitPartial, "out.mp4"); r.Find(evidence.CheckSignature).Code != string(seal.NotSigned) {
		t.Errorf("%+v", r.Checks)
	}
	p.must(t, exitReleased, "keygen", "-o", "keys")
	p.verified(t, exitVerify, "out.mp4", "--trust", "keys/veil.pub")
	if err := os.Chmod(p.path("keys/veil.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	oneLine(t, p.veil(t, "redact", "clip.mp4", "-o", "two.mp4", "--key", "keys/veil.key"), exitUsage)
}
