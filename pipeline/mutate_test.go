package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/track"
)

// truth is the ground truth of a clip.
type truth struct {
	Frames []struct {
		Index int          `json:"index"`
		Boxes [][4]float64 `json:"boxes"`
	} `json:"frames"`
}

// TestDroppedDetections: with any tenth of what the networks saw taken away at random, every face of a real clip stays
// covered (A1).
func TestDroppedDetections(t *testing.T) {
	folder := filepath.Join("..", "..", "shared", "footage", "video")
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, name := range []string{"intel_classroom.mp4", "intel_head-pose-face-detection-female.mp4", "openh264_CiscoVT2people_320x192_12fps.mkv",
		"pyfeat_single_face.mp4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			policy, err := decide.Shipped(decide.Press)
			if err != nil {
				t.Fatal(err)
			}
			policy.Cover = decide.KindFace
			r := AnalyzeRequest{In: filepath.Join(folder, name), SHA256: strings.Repeat("0", 64), Policy: policy,
				Config: testConfig(t), PlanOut: filepath.Join(dir, "plan.json"), AnalysisOut: filepath.Join(dir, "seen.json")}
			if _, err := (Direct{}).Analyze(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
			var want truth
			if err := readJSON(strings.TrimSuffix(r.In, filepath.Ext(r.In))+".gt.json", &want); err != nil {
				t.Fatal(err)
			}
			if bare := uncovered(t, r.PlanOut, want); len(bare) > 0 {
				t.Fatalf("with every detection: %s", bare[0])
			}
			r.AnalysisIn, r.AnalysisOut = r.AnalysisOut, ""
			for seed := range uint64(20) {
				var seen analysis
				if err := readJSON(r.AnalysisIn, &seen); err != nil {
					t.Fatal(err)
				}
				dropTenth(rand.New(rand.NewPCG(seed, 1)), seen.Frames)
				mutated := r
				mutated.AnalysisIn = filepath.Join(dir, fmt.Sprintf("seen-%d.json", seed))
				mutated.PlanOut = filepath.Join(dir, fmt.Sprintf("plan-%d.json", seed))
				if err := writeJSON(mutated.AnalysisIn, seen); err != nil {
					t.Fatal(err)
				}
				if _, err := (Direct{}).Analyze(t.Context(), mutated, nil); err != nil {
					t.Fatal(err)
				}
				if bare := uncovered(t, mutated.PlanOut, want); len(bare) > 0 {
					t.Errorf("seed %d: %d faces, first %s", seed, len(bare), bare[0])
				}
			}
		})
	}
}

// dropTenth takes away a tenth of all detections.
func dropTenth(rng *rand.Rand, frames []lookedAt) {
	for i := range frames {
		kept := make([]track.Detection, 0, len(frames[i].Detections))
		for _, d := range frames[i].Detections {
			if rng.Float64() >= 0.1 {
				kept = append(kept, d)
			}
		}
		frames[i].Detections = kept
	}
}

// uncovered lists the faces of which more than a quarter lies outside the plan's masks; a tenth of each side does not count.
func uncovered(t *testing.T, planPath string, want truth) []string {
	t.Helper()
	data, err := os.ReadFile(planPath)
	if err != nil {
		t.Fatal(err)
	}
	var plan decide.Plan
	if err := json.Unmarshal(data, &plan); err != nil {
		t.Fatal(err)
	}
	var out []string
	faces := 0
	for _, f := range want.Frames {
		var masks []track.Box
		for _, r := range plan.Frames[f.Index].Regions {
			masks = append(masks, track.Box{X: float64(r.Rect[0]), Y: float64(r.Rect[1]), W: float64(r.Rect[2]), H: float64(r.Rect[3])})
		}
		for _, b := range f.Boxes {
			faces++
			core := track.Box{X: b[0] + b[2]/10, Y: b[1] + b[3]/10, W: b[2] * 0.8, H: b[3] * 0.8}
			if unionShare(core, masks) < 0.75 {
				out = append(out, fmt.Sprintf("frame %d %v", f.Index, b))
			}
		}
	}
	if faces == 0 {
		t.Fatal("no face in the ground truth")
	}
	return out
}
