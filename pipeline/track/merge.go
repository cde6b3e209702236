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
// seen. What a double covered, the trail that takes it in covers.
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

// take adds another trail's sightings to this one: in a frame that both saw, the area is that of both and the face the
// better one's.
func (t *trail) take(other *trail, long float64) {
	merged := make([]sighting, 0, len(t.seen)+len(other.seen))
	a, b := t.seen, other.seen
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].frame < b[0].frame:
			merged, a = append(merged, a[0]), a[1:]
		case len(a) == 0 || b[0].frame < a[0].frame:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, sighting{a[0].frame, join(a[0].observation, b[0].observation)})
			a, b = a[1:], b[1:]
		}
	}
	t.seen, t.ev = merged, evidence{}
	for _, s := range merged {
		t.ev.add(s.observation, long)
	}
}

// join makes one observation of two of the same face.
func join(a, b observation) observation {
	if b.score() > a.score() {
		a, b = b, a
	}
	a.area = union(a.area, b.area)
	a.fast, a.second = max(a.fast, b.fast), max(a.second, b.second)
	a.agree, a.told = max(a.agree, b.agree), a.told || b.told
	return a
}
