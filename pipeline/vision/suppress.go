package vision

import (
	"cmp"
	"slices"

	"veil/pipeline/track"
)

// suppress keeps, strongest first, every face that overlaps no stronger kept one by more than maxIoU. It reuses the slice.
func suppress(faces []found, maxIoU float64) []found {
	slices.SortStableFunc(faces, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	kept := faces[:0]
next:
	for _, f := range faces {
		for i := range kept {
			if iou(kept[i].box, f.box) > maxIoU {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// iou is the area that two boxes share over the area that they cover together.
func iou(a, b track.Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}
