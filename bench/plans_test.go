package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/pipeline"
	"veil/pipeline/decide"
)

// TestJudgePlan has two faces in each of six frames, one bare, and a mask beside them.
func TestJudgePlan(t *testing.T) {
	tr := truth{Width: 320, Height: 240}
	plan := decide.Plan{Source: decide.Source{TimeBase: "1/25"}}
	for i := range planStep + 1 {
		tr.Frames = append(tr.Frames, truthFrame{Index: i, Boxes: []box{{32, 32, 16, 16}, {200, 100, 30, 40}}})
		plan.Frames = append(plan.Frames, decide.Frame{PTS: int64(i), Regions: []decide.Region{
			{Track: 1, Rect: [4]int{16, 16, 48, 48}, Box: [4]int{32, 32, 16, 16}},
			{Track: 2, Rect: [4]int{0, 160, 160, 80}, Box: [4]int{40, 180, 80, 40}},
		}})
	}
	row, err := judgePlan(tr, plan)
	if err != nil {
		t.Fatal(err)
	}
	// Away from faces are all pixels but three by three sides of each.
	want := 160.0 * 80 / (320*240 - 48*48 - 90*120)
	if row.Faces["10-20"] != 6 || row.Faces["20-40"] != 6 || row.Bare["10-20"] != 0 || row.Bare["20-40"] != 6 || row.Pairs != 5 {
		t.Errorf("%+v", row)
	}
	if row.Away == nil || math.Abs(*row.Away-want) > 1e-9 {
		t.Errorf("away %v, want %v", row.Away, want)
	}
	plan.Frames[0].Whole = true
	partial := false
	if row, err = judgePlan(tr, plan); err != nil || row.Bare["20-40"] != 5 || math.Abs(*row.Away-(1+want)/2) > 1e-9 {
		t.Errorf("a frame that is covered whole: %+v, %v", row, err)
	}
	tr.Complete = &partial
	if row, err = judgePlan(tr, plan); err != nil || row.Away != nil {
		t.Errorf("a truth that is not complete: %+v, %v", row, err)
	}
	plan.Frames = plan.Frames[:planStep]
	if row, err = judgePlan(tr, plan); err == nil {
		t.Errorf("a plan that ends before the truth was taken: %+v", row)
	}
}

func TestPrintPlans(t *testing.T) {
	a, b := 0.01, 0.02
	rows := []PlanRow{
		{Clip: "wild_00", Effort: "fast", Faces: map[string]int{"0-10": 9, "10-20": 4, "20-40": 2}, Bare: map[string]int{"0-10": 5, "10-20": 1}, Away: &a},
		{Clip: "wild_01", Effort: "fast", Faces: map[string]int{"20-40": 3}, Bare: map[string]int{"20-40": 2}, Away: &b, Steady: Steady{Pairs: 4, Uneven: 1}},
		{Clip: "wild_01", Effort: "thorough", Faces: map[string]int{"20-40": 3}},
	}
	var out bytes.Buffer
	rows[0].Missed = []Miss{{Frame: 7, Cause: causeGap, Box: box{1, 2, 30, 40}, Best: map[string]float64{"yunet": 0.625}}}
	if err := (Results{Plans: rows}).print(&out, true); err != nil {
		t.Fatal(err)
	}
	// The total of both: from 10 px up 1 of 6 and 2 of 3, from 20 px up 0 of 2 and 2 of 3.
	for _, want := range []string{"3/9", "2/5", "1.50 %", "25.0", causeGap} {
		if strings.Count(out.String(), "wild_*, all") != 1 || !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestKeptAnalyses holds that the second run makes the same plan from what the first one kept, and looks no more.
func TestKeptAnalyses(t *testing.T) {
	b, err := newBench(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.out = t.TempDir()
	clip := filepath.Join(b.out, "none.mp4")
	if err := ffmpeg(t.Context(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-frames:v", "10",
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-f", "mp4", clip); err != nil {
		t.Fatal(err)
	}
	c, kept := subject{name: "none", clip: clip}, filepath.Join(b.out, "kept")
	first, raw, err := b.planOf(t.Context(), c, "fast", kept)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(kept, "none.fast.*.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("kept %v, %v", paths, err)
	}
	b.root = b.out // no weights: nothing can look
	second, again, err := b.planOf(t.Context(), c, "fast", kept)
	if err != nil {
		t.Fatal(err)
	}
	if a, z := asJSON(t, first), asJSON(t, second); a != z || raw != paths[0] || again != paths[0] {
		t.Errorf("first %s of %s\nthen  %s of %s", a, raw, z, again)
	}
	b.eyes = "another"
	if _, _, err := b.planOf(t.Context(), c, "fast", kept); err == nil {
		t.Error("what other code saw was taken")
	}
	if _, err := makePlan(t.Context(), pipeline.AnalyzeRequest{In: clip, AnalysisIn: paths[0] + ".gone"}); err == nil {
		t.Error("an analysis that is not there was taken")
	}
}

// TestLookingCode: any file of the code that looks changes the digest, a test of it does not.
func TestLookingCode(t *testing.T) {
	root := t.TempDir()
	files := []string{"pipeline/media/analysisview.go", "pipeline/vision/a.go", "pipeline/vision/b.go", "models/c.go"}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := lookingCode(root); err == nil {
		t.Error("no code has a digest")
	}
	seen := map[string]string{}
	for _, f := range append(files, append(files, "models/c_test.go")...) {
		path := filepath.Join(root, f)
		old, _ := os.ReadFile(path)
		if err := os.WriteFile(path, append(old, 'x'), 0o644); err != nil {
			t.Fatal(err)
		}
		digest, err := lookingCode(root)
		if err != nil {
			continue // not all are there yet
		}
		if by, ok := seen[digest]; ok != strings.HasSuffix(f, "_test.go") {
			t.Errorf("after %s was changed the digest is as after %q", f, by)
		}
		seen[digest] = f
	}
	if len(seen) != 5 {
		t.Errorf("%d digests: %v", len(seen), seen)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
