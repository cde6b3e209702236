package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/pipeline"
	"veil/worker/child"
)

// clipThat writes a fake clip.
func clipThat(t *testing.T, says string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(path, []byte(says+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testStages run in a child that is this binary as fakeveil.
func testStages(t *testing.T) isolated {
	t.Helper()
	return isolated{child.Runner{Name: "fakeveil", Log: filepath.Join(t.TempDir(), "crash.log"), Confine: &child.Confinement{Mode: child.Off}}}
}

func request(t *testing.T, clip string) pipeline.AnalyzeRequest {
	t.Helper()
	return pipeline.AnalyzeRequest{In: clip, PlanOut: filepath.Join(t.TempDir(), "plan.json")}
}

func TestIsolatedStageAnswers(t *testing.T) {
	for _, says := range []string{"ok", "shout"} {
		var events []pipeline.Event
		res, err := testStages(t).Analyze(t.Context(), request(t, clipThat(t, says)), func(e pipeline.Event) { events = append(events, e) })
		if err != nil || res.Frames != 2 {
			t.Fatalf("%s: %+v, %v", says, res, err)
		}
		if len(events) == 0 || events[len(events)-1].Done != 2 {
			t.Errorf("%s: events %v, want the last one to be the whole", says, events)
		}
	}
}

func TestIsolatedStageFails(t *testing.T) {
	tests := []struct {
		says, code, text string
		exit             int
	}{
		{"fail encrypted", "encrypted", "the clip says", 5},
		{"fail Very-Odd", "internal", "make no sense", 1},
		{"abort", "crashed", "the analyze process crashed", 1},
		{"killed", "crashed", "the analyze process was ended by a signal (killed)", 1},
		{"exit", "crashed", "the analyze process ended with status 3", 1},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			s := testStages(t)
			_, err := s.Analyze(t.Context(), request(t, clipThat(t, tt.says)), nil)
			f := pipeline.AsFailure(err)
			if f.Code != tt.code || f.Exit != tt.exit || !strings.Contains(f.Detail, tt.text) {
				t.Fatalf("got %+v", f)
			}
			if strings.Contains(f.Error(), "Secret") {
				t.Errorf("the child's own words got out: %s", f)
			}
			log, _ := os.ReadFile(s.Log)
			if tt.says == "abort" && !strings.Contains(string(log), "Secret") {
				t.Errorf("crash log holds %.300q", log)
			}
		})
	}
}

func TestCancelEndsTheWholeTree(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := time.Now()
	_, err := testStages(t).Analyze(ctx, request(t, clipThat(t, "hang")), func(e pipeline.Event) {
		if e.Done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || pipeline.AsFailure(err).Code != "cancelled" {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	for _, p := range running("sleep\x00600\x00") {
		t.Errorf("process %s is left", p)
	}
}
