package pipeline

import (
	"math"
	"slices"

	"veil/pipeline/media"
	"veil/pipeline/vision/obscure"
)

// share is the part of the picture, 0 to 1, that the union of the areas covers.
func share(areas []obscure.Area, l media.Layout) float64 {
	if len(areas) == 0 {
		return 0
	}
	if slices.ContainsFunc(areas, func(a obscure.Area) bool { return a.Ellipse }) {
		areas = rounded(areas)
	}
	edges := make([]int, 0, 2*len(areas))
	for _, a := range areas {
		edges = append(edges, clamp(a.Y, l.Height), clamp(a.Y+a.H, l.Height))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	type span struct{ from, to int }
	var spans []span
	total := 0
	for i := 0; i+1 < len(edges); i++ {
		top, bottom := edges[i], edges[i+1]
		spans = spans[:0]
		for _, a := range areas {
			if a.Y <= top && a.Y+a.H >= bottom {
				spans = append(spans, span{clamp(a.X, l.Width), clamp(a.X+a.W, l.Width)})
			}
		}
		slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
		width, end := 0, 0
		for _, s := range spans {
			if s.to > end {
				width += s.to - max(s.from, end)
				end = s.to
			}
		}
		total += width * (bottom - top)
	}
	return float64(total) / float64(l.Width*l.Height)
}

// rounded replaces each ellipse by the rectangle of the same area about its centre.
func rounded(areas []obscure.Area) []obscure.Area {
	side := math.Sqrt(math.Pi / 4)
	out := slices.Clone(areas)
	for i, a := range out {
		if a.Ellipse {
			w, h := int(float64(a.W)*side), int(float64(a.H)*side)
			out[i] = obscure.Area{X: a.X + (a.W-w)/2, Y: a.Y + (a.H-h)/2, W: w, H: h}
		}
	}
	return out
}

// clamp bounds v to 0..limit.
func clamp(v, limit int) int { return min(max(v, 0), limit) }
