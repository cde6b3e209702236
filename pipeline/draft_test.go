package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDraftIsTakenUp: a run that begins with an earlier run's draft looks at the clip only where the check finds something,
// and comes to what an undisturbed run comes to.
func TestDraftIsTakenUp(t *testing.T) {
	r := testRequest(t)
	kept := filepath.Join(t.TempDir(), "draft")
	r.Planned = func(_ context.Context, draft string) error {
		b, err := os.ReadFile(draft)
		return errors.Join(err, os.WriteFile(kept, b, 0o600))
	}
	first := &fakeStages{t: t, verdicts: []VerifyResult{aFinding, allPassed}, packets: 5}
	want, err := Redact(t.Context(), first, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		draft  func([]byte) string
		analyd int
	}{
		{"as it was", func(b []byte) string { return string(b) }, 1}, // once, for the finding
		{"cut short", func(b []byte) string { return string(b[:len(b)-20]) }, 2},
		{"other policy", func(b []byte) string { return strings.Replace(string(b), `"name":"press"`, `"name":"other"`, 1) }, 2},
		{"other build", func(b []byte) string { return strings.Replace(string(b), `"build":""`, `"build":"older"`, 1) }, 2},
		{"empty", func([]byte) string { return "" }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			changed := c.draft(b)
			if c.name != "as it was" && changed == string(b) {
				t.Fatal("the draft was not changed")
			}
			r := r
			r.Planned, r.Draft = nil, filepath.Join(t.TempDir(), "draft")
			if err := os.WriteFile(r.Draft, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			s := &fakeStages{t: t, verdicts: []VerifyResult{aFinding, allPassed}, packets: 5}
			got, err := Redact(t.Context(), s, r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if s.analyzed != c.analyd || s.extrasSeen[len(s.extrasSeen)-1] == "" {
				t.Errorf("analyzed %d times (extras %q), want %d", s.analyzed, s.extrasSeen, c.analyd)
			}
			if got.Report.Plan != want.Report.Plan || strings.Join(got.Report.Warnings, "") != strings.Join(want.Report.Warnings, "") {
				t.Errorf("came to another end: %+v, want %+v", got.Report, want.Report)
			}
		})
	}
}

// TestDraftThatCannotBeKeptEndsTheRun: whoever wants it kept must not go on without.
func TestDraftThatCannotBeKeptEndsTheRun(t *testing.T) {
	r := testRequest(t)
	broken := errors.New("no room")
	r.Planned = func(context.Context, string) error { return broken }
	s := &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}
	if _, err := Redact(t.Context(), s, r, nil); !errors.Is(err, broken) || s.rendered != 0 {
		t.Errorf("got %v after %d renders", err, s.rendered)
	}
	onlyFiles(t, r, "in.mp4")
}
