package vision

import (
	"cmp"
	"slices"

	"veil/pipeline/track"
)

// maxCutInside is how much of a box at a tile's border may lie inside another one; more, and it is a part of that face.
const maxCutInside = 0.6

// suppress keeps, strongest first, every face that overlaps no stronger kept one by more than maxIoU. Boxes at a tile's inner
// border come last, whatever their score: where the same face was seen whole, that one counts. It reuses the slice.
func suppress(faces []found, maxIoU float64) []found {
	slices.SortStableFunc(faces, strongestFirst)
	kept := faces[:0]
next:
	for _, f := range faces {
		for i := range kept {
			both := shared(kept[i].box, f.box)
			if both > maxIoU*(kept[i].box.W*kept[i].box.H+f.box.W*f.box.H-both) {
				continue next
			}
			if f.cut && both > maxCutInside*f.box.W*f.box.H {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// strongestFirst orders faces by score, those cut by a tile's border last: their boxes hold a part of the face.
func strongestFirst(a, b found) int {
	if a.cut != b.cut {
		if a.cut {
			return 1
		}
		return -1
	}
	return cmp.Compare(b.score, a.score)
}

// agree does not drop what suppress would drop for a stronger face seen at another scale: it gives it that face's box, so that
// the scales that see a face agree on its place, and only its score is its own. It reuses the slice.
func agree(faces []found, maxIoU float64) []found {
	slices.SortStableFunc(faces, strongestFirst)
	var lead []int // faces that no stronger one overlaps
	type seat struct{ lead, long int }
	taken := map[seat]bool{}
	kept := faces[:0]
	for _, f := range faces {
		at := slices.IndexFunc(lead, func(k int) bool { return iou(kept[k].box, f.box) > maxIoU })
		if at < 0 {
			at = len(lead)
			lead = append(lead, len(kept))
		} else {
			f.box = kept[lead[at]].box
		}
		if s := (seat{at, f.long}); !taken[s] {
			taken[s] = true
			kept = append(kept, f)
		}
	}
	return kept
}

// shared is the area that two boxes share.
func shared(a, b track.Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	return max(w, 0) * max(h, 0)
}

// iou is the area that two boxes share over the area that they cover together.
func iou(a, b track.Box) float64 {
	both := shared(a, b)
	if both == 0 {
		return 0
	}
	return both / (a.W*a.H + b.W*b.H - both)
}
