package decide

import "veil/pipeline/track"

const (
	// roundingSeconds absorbs the rounding of times: far below any frame's duration.
	roundingSeconds = 1e-6
	// maxSureGapSeconds is the longest stretch without a detection over which a kept track is still certain.
	maxSureGapSeconds = 0.2 + roundingSeconds
	// guardSeconds is how long before and after doubt a kept track stays covered.
	guardSeconds = 0.2 + roundingSeconds
)

// place is one region of a track.
type place struct {
	frame int
	*Region
	lost  bool // not seen, for longer than a short gap
	doubt bool // not certain who is seen
}

// keeper decides where kept tracks are uncovered.
type keeper struct {
	times  []float64 // of the frames, in seconds
	kept   map[int]bool
	places map[int][]place // by track, in frame order
	frames [][]*place      // by frame: the places of tracks that are not kept
}

// keepTracks uncovers the kept tracks where it is certain who is seen, and covers them everywhere else (A27):
//
//   - where a track was not detected, unless within a gap of 0.2 s between two detections;
//   - where its box meets the region of a track that is not kept;
//   - 0.2 s before and after either;
//   - for good, from where it was lost while a track that is not kept was near and was lost as well, or began there: who
//     comes back may be the other one.
//
// It starts from the regions alone, so deciding twice gives the same as deciding at once.
func (p *Plan) keepTracks(times []float64) {
	k := keeper{times: times, kept: map[int]bool{}, places: map[int][]place{}, frames: make([][]*place, len(p.Frames))}
	for _, t := range p.Tracks {
		if t.State == StateKept {
			k.kept[t.ID] = true
		}
	}
	if len(k.kept) == 0 {
		return
	}
	for i := range p.Frames {
		for j := range p.Frames[i].Regions {
			if r := &p.Frames[i].Regions[j]; r.Track != 0 {
				k.places[r.Track] = append(k.places[r.Track], place{frame: i, Region: r})
			}
		}
	}
	for id, at := range k.places {
		k.markLost(at)
		for i := range at {
			if !k.kept[id] {
				k.frames[at[i].frame] = append(k.frames[at[i].frame], &at[i])
			}
		}
	}
	for id := range k.kept {
		k.judge(k.places[id])
	}
}

// judge sets Kept on the places of one kept track.
func (k *keeper) judge(at []place) {
	for i := range at {
		at[i].doubt = at[i].lost || k.meetsOther(at[i])
	}
	guarded := k.guard(at)
	from := k.neverCertainAgain(at)
	for i := range at {
		at[i].Kept = !guarded[i] && i < from
	}
}

// markLost marks the places outside detections and short gaps between them.
func (k *keeper) markLost(at []place) {
	last := -1 // index of the last detection
	for i := range at {
		if at[i].Source != track.Detected {
			at[i].lost = true
			continue
		}
		if last >= 0 && k.times[at[i].frame]-k.times[at[last].frame] <= maxSureGapSeconds && at[i].frame-at[last].frame == i-last {
			for j := last + 1; j < i; j++ {
				at[j].lost = false
			}
		}
		last = i
	}
}

// meetsOther reports whether a place's box meets the region of a track that is not kept.
func (k *keeper) meetsOther(at place) bool {
	box := at.Box
	if box == [4]int{} {
		box = at.Rect
	}
	for _, other := range k.frames[at.frame] {
		if meet(box, other.Rect) {
			return true
		}
	}
	return false
}

// guard widens doubt by guardSeconds both ways.
func (k *keeper) guard(at []place) []bool {
	out := make([]bool, len(at))
	last := -1
	for i := range at {
		if at[i].doubt {
			last = i
		}
		out[i] = last >= 0 && k.times[at[i].frame]-k.times[at[last].frame] <= guardSeconds
	}
	last = -1
	for i := len(at) - 1; i >= 0; i-- {
		if at[i].doubt {
			last = i
		}
		out[i] = out[i] || last >= 0 && k.times[at[last].frame]-k.times[at[i].frame] <= guardSeconds
	}
	return out
}

// neverCertainAgain returns the index from which a kept track may be somebody else; len(at) where it never may.
func (k *keeper) neverCertainAgain(at []place) int {
	for i := 1; i < len(at); i++ {
		if !at[i].lost || at[i-1].lost {
			continue
		}
		for j := i; j < len(at) && at[j].lost; j++ {
			for _, other := range k.frames[at[j].frame] {
				if other.lost && meet(at[j].Rect, other.Rect) {
					return i
				}
			}
		}
	}
	return len(at)
}

// meet reports whether two rectangles share a pixel.
func meet(a, b [4]int) bool {
	return a[0] < b[0]+b[2] && b[0] < a[0]+a[2] && a[1] < b[1]+b[3] && b[1] < a[1]+a[3]
}
