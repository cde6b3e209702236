package main

import (
	"fmt"
	"math"

	"veil/pipeline/decide"
)

// How much a mask may move and change size from one frame to the next beyond what the face does, and for how long a face
// that was covered may be bare before it is covered again.
const (
	steadyPixels = 2.0  // of the middle,
	steadyShare  = 0.05 // or this share of the mask's width
	steadyArea   = 0.1  // of the area
	blinkSeconds = 0.5
)

// Steady says how evenly masks go with faces.
type Steady struct {
	Pairs  int `json:"pairs"`  // of consecutive frames with a face and its mask in the first of them
	Uneven int `json:"uneven"` // of these: the mask's box jumped, changed size, or went
	Blinks int `json:"blinks"` // times that a face was bare for less than blinkSeconds between two frames with it covered
}

// steadiness compares the way of masks with the way of the faces that they are meant for. Boxes are judged before they are
// grown and aligned, as the codec's blocks make every mask move in steps.
func steadiness(t truth, plan decide.Plan) (Steady, error) {
	var num, den int64
	if _, err := fmt.Sscanf(plan.Source.TimeBase, "%d/%d", &num, &den); err != nil || num <= 0 || den <= 0 {
		return Steady{}, fmt.Errorf("plan: time base %q", plan.Source.TimeBase)
	}
	seconds := func(frame int) float64 { return float64(plan.Frames[frame].PTS) * float64(num) / float64(den) }
	bare := map[int]map[box]bool{}
	for _, m := range bareFaces(t, plan) {
		if bare[m.Frame] == nil {
			bare[m.Frame] = map[box]bool{}
		}
		bare[m.Frame][m.Box] = true
	}
	var s Steady
	// since is when each face of the frame before was last covered, where it is bare now; NaN where it never was.
	since := []float64{}
	for i, f := range t.Frames {
		if f.Index >= len(plan.Frames) {
			break
		}
		var before truthFrame
		if i > 0 && t.Frames[i-1].Index+1 == f.Index && !plan.Frames[f.Index].Cut {
			before = t.Frames[i-1]
		}
		now := make([]float64, len(f.Boxes))
		for k := range now {
			now[k] = math.NaN()
		}
		for j, old := range before.Boxes {
			k := sameBox(old, f.Boxes)
			if k < 0 || sameBox(f.Boxes[k], before.Boxes) != j {
				continue
			}
			now[k] = since[j]
			if a, b, ok := masksFor(old, plan.Frames[before.Index], plan.Frames[f.Index]); ok {
				s.Pairs++
				if !even(old, f.Boxes[k], a, b) {
					s.Uneven++
				}
			}
		}
		for k, face := range f.Boxes {
			at := seconds(f.Index)
			if bare[f.Index][face] {
				continue
			}
			if i > 0 && !math.IsNaN(now[k]) && now[k] < seconds(t.Frames[i-1].Index) && at-now[k] < blinkSeconds {
				s.Blinks++
			}
			now[k] = at
		}
		since = now
	}
	return s, nil
}

// sameBox is the box that lies and measures most like one of the frame before or after; -1 if none is near.
func sameBox(b box, boxes []box) int {
	best, at := max(b[2], b[3])/2, -1
	for k, o := range boxes {
		d := math.Abs(b[0]+b[2]/2-o[0]-o[2]/2) + math.Abs(b[1]+b[3]/2-o[1]-o[3]/2) + math.Abs(b[2]-o[2]) + math.Abs(b[3]-o[3])
		if d < best {
			best, at = d, k
		}
	}
	return at
}

// masksFor gives the smallest track's box over the middle of a face, and where the same track is in the next frame (all zero
// if it is not there).
func masksFor(face box, first, next decide.Frame) (a, b box, ok bool) {
	x, y := face[0]+face[2]/2, face[1]+face[3]/2
	track := 0
	for _, r := range first.Regions {
		o := asBox(r.Box)
		if r.Track > 0 && x >= o[0] && x <= o[0]+o[2] && y >= o[1] && y <= o[1]+o[3] && (!ok || o[2]*o[3] < a[2]*a[3]) {
			a, track, ok = o, r.Track, true
		}
	}
	for _, r := range next.Regions {
		if ok && r.Track == track {
			b = asBox(r.Box)
		}
	}
	return a, b, ok
}

// even says whether a mask went from a to b as its face did.
func even(face, faceNext, a, b box) bool {
	if b[2] <= 0 || b[3] <= 0 {
		return false
	}
	dx := (b[0] + b[2]/2 - a[0] - a[2]/2) - (faceNext[0] + faceNext[2]/2 - face[0] - face[2]/2)
	dy := (b[1] + b[3]/2 - a[1] - a[3]/2) - (faceNext[1] + faceNext[3]/2 - face[1] - face[3]/2)
	change := b[2] * b[3] / (a[2] * a[3]) / (faceNext[2] * faceNext[3] / (face[2] * face[3]))
	return math.Hypot(dx, dy) <= max(steadyPixels, steadyShare*a[2]) && math.Abs(change-1) <= steadyArea
}

func asBox(r [4]int) box {
	return box{float64(r[0]), float64(r[1]), float64(r[2]), float64(r[3])}
}
