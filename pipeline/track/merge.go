package track

import (
	"cmp"
	"slices"
)

const (
	// A trail is another one's double where, in mergeShare of the frames that saw it, its face lies mergeInside or more
	// in the other's, and neither side is more than mergeSideRatio of the other.
	mergeInside    = 0.7
	mergeShare     = 0.6
	mergeSideRatio = 1.8
)

// mergeDoubles joins trails that follow the same face: networks and scales may disagree on its box for as long as it is
// seen. What a double covered, the trail that takes it in covers. Trails that are noise are not handed in.
func mergeDoubles(trails []*trail, long float64) []*trail {
	shared := map[[2]int]int{} // frames in which two trails, by index, lie on each other
	byFrame := map[int][]int{}
	frames := []int{}
	for k, t := range trails {
		for _, s := range t.seen {
			if byFrame[s.frame] == nil {
				frames = append(frames, s.frame)
			}
			byFrame[s.frame] = append(byFrame[s.frame], k)
		}
	}
	at := make([]int, len(trails)) // next sighting of each trail
	slices.Sort(frames)
	for _, frame := range frames {
		countDoubles(trails, byFrame[frame], at, shared)
	}
	pairs := make([][2]int, 0, len(shared))
	for p := range shared {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b [2]int) int {
		return cmp.Or(shared[b]-shared[a], a[0]-b[0], a[1]-b[1])
	})
	gone := make([]bool, len(trails))
	for _, p := range pairs {
		big, small := p[0], p[1]
		if len(trails[small].seen) > len(trails[big].seen) {
			big, small = small, big
		}
		if gone[big] || gone[small] || float64(shared[p]) < mergeShare*float64(len(trails[small].seen)) {
			continue
		}
		trails[big].take(trails[small], long)
		gone[small] = true
	}
	var out []*trail
	for k, t := range trails {
		if !gone[k] {
			out = append(out, t)
		}
	}
	return out
}

// countDoubles counts, for one frame, the pairs of trails that lie on each other. The trails seen in it are compared from
// left to right, so that a crowd costs little more than its number.
func countDoubles(trails []*trail, seen, at []int, shared map[[2]int]int) {
	face := func(k int) Box { return trails[k].seen[at[k]].face }
	slices.SortFunc(seen, func(a, b int) int { return cmp.Or(cmp.Compare(face(a).X, face(b).X), a-b) })
	for i, a := range seen {
		for _, b := range seen[i+1:] {
			if face(b).X >= face(a).X+face(a).W {
				break
			}
			ratio := side(face(a)) / side(face(b))
			if inside(face(a), face(b)) >= mergeInside && ratio <= mergeSideRatio && ratio >= 1/mergeSideRatio {
				shared[[2]int{min(a, b), max(a, b)}]++
			}
		}
	}
	for _, k := range seen {
		at[k]++
	}
}

// take makes another trail a double of this one. Each keeps its own sightings, so that a gap of one is filled although the
// other saw something, which may have been only a part of the face or another one's.
func (t *trail) take(other *trail, long float64) {
	t.doubles = append(append(t.doubles, other), other.doubles...)
	for _, s := range other.seen {
		t.ev.add(s.observation, long)
	}
	other.doubles = nil
}

// overlay joins two runs of samples of the same face, which share frames: in a frame that both have, the box is around
// both, but where one only reaches out beyond its sightings the other's is enough.
func overlay(a, b []Sample) []Sample {
	if b[0].Frame < a[0].Frame {
		a, b = b, a
	}
	for _, s := range b {
		k := s.Frame - a[0].Frame
		switch {
		case k >= len(a):
			a = append(a, s)
		case a[k].Source == Extended && s.Source != Extended:
			a[k] = s
		case a[k].Source != Extended && s.Source == Extended:
		default:
			a[k].Box = union(a[k].Box, s.Box)
			a[k].Score = max(a[k].Score, s.Score)
			if s.Source == Detected {
				a[k].Source = Detected
			}
		}
	}
	return a
}
