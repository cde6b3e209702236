package decide

import (
	"sort"

	"veil/pipeline/track"
)

const (
	// maxSureGapSeconds is the longest stretch without a detection over which a kept track is still certain.
	maxSureGapSeconds = 0.2
	// guardSeconds is how long before and after doubt a kept track stays covered.
	guardSeconds = 0.2
)

// place is one region of a kept track.
type place struct {
	frame  int
	region *Region
	doubt  bool // covered: not certain who is seen
	lost   bool // not seen, for longer than a short gap
}

// keepTracks uncovers the kept tracks where it is certain who is seen, and covers them everywhere else (A27):
//
//   - where a track was not detected, unless within a gap of 0.2 s between two detections;
//   - where its box meets the region of a track that is not kept;
//   - 0.2 s before and after either;
//   - for good, from where it was lost while a track that is not kept was near and not itself seen throughout: who comes
//     back may be the other one.
//
// It starts from the regions alone, so deciding again gives the same as deciding at once.
func (p *Plan) keepTracks(times []float64) {
	kept := map[int]bool{}
	for _, t := range p.Tracks {
		if t.State == StateKept {
			kept[t.ID] = true
		}
	}
	if len(kept) == 0 {
		return
	}
	places := map[int][]place{}
	for i := range p.Frames {
		for j := range p.Frames[i].Regions {
			if r := &p.Frames[i].Regions[j]; kept[r.Track] {
				r.Kept = false
				places[r.Track] = append(places[r.Track], place{frame: i, region: r})
			}
		}
	}
	for _, at := range places {
		p.judge(at, times, kept)
	}
}

// judge sets Kept on the places of one kept track.
func (p *Plan) judge(at []place, times []float64, kept map[int]bool) {
	markLost(at, times)
	for i := range at {
		if at[i].lost || p.meetsOther(at[i], kept) {
			at[i].doubt = true
		}
	}
	guarded := guard(at, times)
	from := p.neverCertainAgain(at, kept)
	for i := range at {
		at[i].region.Kept = !guarded[i] && i < from
	}
}

// markLost marks the places outside detections and short gaps between them.
func markLost(at []place, times []float64) {
	last := -1 // index of the last detection
	for i := range at {
		if at[i].region.Source != track.Detected {
			at[i].lost = true
			continue
		}
		if last >= 0 && times[at[i].frame]-times[at[last].frame] <= maxSureGapSeconds && at[i].frame-at[last].frame == i-last {
			for j := last + 1; j < i; j++ {
				at[j].lost = false
			}
		}
		last = i
	}
}

// meetsOther reports whether a place's box meets the region of a track that is not kept.
func (p *Plan) meetsOther(at place, kept map[int]bool) bool {
	box := at.region.Box
	if box == [4]int{} {
		box = at.region.Rect
	}
	for _, r := range p.Frames[at.frame].Regions {
		if r.Track != 0 && !kept[r.Track] && meet(box, r.Rect) {
			return true
		}
	}
	return false
}

// guard widens doubt by guardSeconds both ways.
func guard(at []place, times []float64) []bool {
	out := make([]bool, len(at))
	near := func(i, doubt int) bool {
		d := times[at[i].frame] - times[at[doubt].frame]
		return doubt >= 0 && d <= guardSeconds && d >= -guardSeconds
	}
	last := -1
	for i := range at {
		if at[i].doubt {
			last = i
		}
		out[i] = last >= 0 && near(i, last)
	}
	last = -1
	for i := len(at) - 1; i >= 0; i-- {
		if at[i].doubt {
			last = i
		}
		out[i] = out[i] || last >= 0 && near(i, last)
	}
	return out
}

// neverCertainAgain returns the index from which a kept track may be somebody else; len(at) where it never may.
func (p *Plan) neverCertainAgain(at []place, kept map[int]bool) int {
	for i := 0; i < len(at); i++ {
		if !at[i].lost || i == 0 {
			continue
		}
		end := i
		near, unseen := map[int]bool{}, map[int]bool{}
		for end < len(at) && at[end].lost {
			for _, r := range p.Frames[at[end].frame].Regions {
				if r.Track == 0 || kept[r.Track] {
					continue
				}
				near[r.Track] = near[r.Track] || meet(at[end].region.Rect, r.Rect)
				unseen[r.Track] = unseen[r.Track] || r.Source != track.Detected
			}
			end++
		}
		if end == len(at) {
			return len(at) // it does not come back
		}
		ids := make([]int, 0, len(near))
		for id := range near {
			ids = append(ids, id)
		}
		sort.Ints(ids)
		for _, id := range ids {
			if near[id] && unseen[id] {
				return i
			}
		}
		i = end
	}
	return len(at)
}

// meet reports whether two rectangles share a pixel.
func meet(a, b [4]int) bool {
	return a[0] < b[0]+b[2] && b[0] < a[0]+a[2] && a[1] < b[1]+b[3] && b[1] < a[1]+a[3]
}
