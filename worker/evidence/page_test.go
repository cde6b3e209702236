package evidence_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
)

// TestPageTakesNoInputsPlace: neither by its name nor by another one; what it may replace it replaces whole.
func TestPageTakesNoInputsPlace(t *testing.T) {
	k := evidencetest.New(t)
	k.State(t, 1, seal.Release)
	r := verify(t, k, blind)
	link := filepath.Join(t.TempDir(), "page.html")
	if err := os.Symlink(k.Out, link); err != nil {
		t.Fatal(err)
	}
	hard := filepath.Join(k.Dir, "other.html")
	if err := os.Link(k.Stem()+evidence.PlanEnding, hard); err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(trust, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{k.Out, k.Dir + "/./clip.mp4", link, hard, trust, k.Original, k.Stem() + evidence.ManifestEnding, k.Stem() + evidence.ReportEnding,
		k.Stem() + evidence.PlanEnding, k.Stem() + evidence.LogEnding, k.Stem() + evidence.AnnexEnding, k.Stem() + evidence.StatementEnding(1)} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WritePage(path, k.Out, k.Original, trust); !errors.Is(err, evidence.ErrOverInput) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Fatalf("%s was changed: %v", filepath.Base(path), err)
		}
	}
	page := k.Stem() + ".html"
	for range 2 {
		if err := r.WritePage(page, k.Out); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "</html>") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := r.WritePage(filepath.Join(k.Dir, "no", "page.html")); err == nil {
		t.Error("written into a folder that is not there")
	}
	if left, _ := filepath.Glob(filepath.Join(k.Dir, ".veil-page-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}
