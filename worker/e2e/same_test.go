package e2e_test

import (
	"bytes"
	"testing"
)

// TestSameInputSameBytes redacts the same clip twice: the derivatives are the same to the byte, and so are the plans (R6).
func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"press", "court", "lossless"} {
		t.Run(profile, func(t *testing.T) {
			p := newPlace(t)
			soundClip(t, p.path("clip.mp4"), 44100)
			var derivatives, plans [][]byte
			for _, name := range []string{"one", "two"} {
				p.must(t, exitReleased, "redact", "clip.mp4", "-o", name+".mp4", "--profile", profile, "--audio", "keep", "--effort", "fast",
					"--plan-out", name+".json")
				derivatives = append(derivatives, read(t, p.path(name+".mp4")))
				plans = append(plans, read(t, p.path(name+".json")))
			}
			if !bytes.Equal(derivatives[0], derivatives[1]) {
				t.Error("derivatives differ")
			}
			if !bytes.Equal(plans[0], plans[1]) {
				t.Error("plans differ")
			}
		})
	}
}

// TestLosslessTouchesNothingElse compares every sample outside the plan's regions with the source's.
func TestLosslessTouchesNothingElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	simpleClip(t, p.path("clip.mp4"), 25, twoFaces)
	p.must(t, exitReleased, "redact", "clip.mp4", "-o", "out.mp4", "--profile", "lossless", "--effort", "fast", "--plan-out", "plan.json")
	plan := readPlan(t, p.path("plan.json"))
	before, after := framesOf(t, p.path("clip.mp4"), "yuv420p"), framesOf(t, p.path("out.mp4"), "yuv420p")
	if len(before) != len(after) || len(after) != len(plan.Frames) {
		t.Fatalf("%d frames, source %d, plan %d", len(after), len(before), len(plan.Frames))
	}
	covered := 0
	for i := range after {
		mask := make([]bool, clipWidth*clipHeight)
		for _, r := range plan.Frames[i].Regions {
			for y := r.Rect[1]; y < r.Rect[1]+r.Rect[3]; y++ {
				for x := r.Rect[0]; x < r.Rect[0]+r.Rect[2]; x++ {
					mask[y*clipWidth+x] = true
				}
			}
		}
		for y := range clipHeight {
			for x := range clipWidth {
				if mask[y*clipWidth+x] {
					covered++
					continue
				}
				chroma := clipWidth*clipHeight + y/2*(clipWidth/2) + x/2
				for _, at := range []int{y*clipWidth + x, chroma, chroma + clipWidth*clipHeight/4} {
					if before[i][at] != after[i][at] {
						t.Fatalf("frame %d: the sample at %d,%d became %d instead of %d", i, x, y, after[i][at], before[i][at])
					}
				}
			}
		}
	}
	if covered == 0 {
		t.Error("nothing was covered")
	}
}
