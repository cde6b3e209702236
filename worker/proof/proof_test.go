package proof

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/pipeline"
	"veil/worker/evidence"
	"veil/worker/seal"
)

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	key, err := MakeKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, KeyName)
	if got, err := LoadKey(path); err != nil || got.ID() != key.ID() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := MakeKey(dir); err == nil {
		t.Error("a key was overwritten")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), "others can read") {
		t.Errorf("a key that others can read: %v", err)
	}
	for _, bad := range []string{filepath.Join(dir, "none"), filepath.Join(dir, PublicName), dir} {
		if _, err := LoadKey(bad); err == nil {
			t.Errorf("%s was taken for a key", bad)
		}
	}
	text, err := key.EncodePrivate()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(KeyVariable, string(text))
	if got, err := LoadKey(""); err != nil || got.ID() != key.ID() {
		t.Errorf("from the environment: %v, %v", got, err)
	}
	t.Setenv(KeyVariable, "")
	if got, err := LoadKey(""); err != nil || got != nil {
		t.Errorf("nowhere: %v, %v", got, err)
	}
}

// TestWhoMayReadAKey: its owner alone, and the group that root mounted it for.
func TestWhoMayReadAKey(t *testing.T) {
	for _, tt := range []struct {
		mode      os.FileMode
		owner, me int
		want      bool // refused
	}{
		{0o600, 1000, 1000, false}, {0o400, 1000, 1000, false}, {0o640, 1000, 1000, true}, {0o604, 1000, 1000, true},
		{0o440, 0, 1000, false}, {0o640, 0, 1000, false}, {0o660, 0, 1000, true}, {0o444, 0, 1000, true},
		{0o600, 0, 0, false}, {0o440, 0, 0, true}, {0o640, 1000, 0, true}, {0o640, -1, 1000, true},
	} {
		if got := tooOpen(tt.mode, tt.owner, tt.me); got != tt.want {
			t.Errorf("%o of %d for %d: refused %t", tt.mode, tt.owner, tt.me, got)
		}
	}
}

func TestRecorderTellsStagesOnce(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := Begin(func() time.Time { return at }, nil)
	for _, e := range []pipeline.Event{{Stage: "analyze", Done: 1}, {Stage: "analyze", Done: 2}, {Stage: "render"}, {Stage: "verify"}, {Stage: "analyze", Round: 1}} {
		r.Event(e)
	}
	entries, err := seal.ReadLog(r.log.Bytes(), r.log.Head())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Event)
	}
	if got := strings.Join(names, " "); got != "begun analyze render verify analyze" {
		t.Error(got)
	}
}

// TestSetsThatWereStampedStay: a new set never takes the place of one about which something was said.
func TestSetsThatWereStampedStay(t *testing.T) {
	out := filepath.Join(t.TempDir(), "clip.mp4")
	if err := CheckFree(out); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{evidence.StampEnding, evidence.RequestEnding, evidence.StatementEnding(1)} {
		path := evidence.Stem(out) + ending
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if CheckFree(out) == nil {
			t.Errorf("%s would belong to another set", ending)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWriteLeavesNothingHalf: where the last file cannot be written, the others go.
func TestWriteLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "clip.mp4")
	if err := os.Mkdir(evidence.Stem(out)+evidence.ManifestEnding, 0o700); err != nil {
		t.Fatal(err)
	}
	p := Pieces{Plan: []byte("p"), Report: []byte("r"), Log: []byte("l"), Annex: []byte("a"), Manifest: []byte("m")}
	if err := p.Write(out, true); err == nil {
		t.Fatal("a folder was written over")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestNoManifestWithoutFrames: what nobody looked at is not signed.
func TestNoManifestWithoutFrames(t *testing.T) {
	now := time.Now()
	log := Begin(time.Now, nil)
	if _, err := Make(Facts{Begun: now}, log, nil, now); err == nil {
		t.Error("a manifest was made from nothing")
	}
	f := Facts{Outcome: pipeline.Outcome{State: pipeline.Released, Account: &pipeline.Account{}}, Begun: now}
	if _, err := Make(f, log, nil, now); err == nil {
		t.Error("a manifest was made without frames")
	}
}
