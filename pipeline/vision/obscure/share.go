package obscure

import (
	"math"
	"slices"
)

// Share is the part of a picture of width by height pixels, 0 to 1, that the union of the areas covers. An ellipse counts as
// the rectangle of the same area about its centre.
func Share(areas []Area, width, height int) float64 {
	if len(areas) == 0 || width <= 0 || height <= 0 {
		return 0
	}
	if slices.ContainsFunc(areas, func(a Area) bool { return a.Ellipse }) {
		areas = rounded(areas)
	}
	edges := make([]int, 0, 2*len(areas))
	for _, a := range areas {
		edges = append(edges, within(a.Y, height), within(a.Y+a.H, height))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var spans []span
	total := 0
	for i := 0; i+1 < len(edges); i++ {
		top, bottom := edges[i], edges[i+1]
		spans = spans[:0]
		for _, a := range areas {
			if a.Y <= top && a.Y+a.H >= bottom {
				spans = append(spans, span{int32(within(a.X, width)), int32(within(a.X+a.W, width))})
			}
		}
		slices.SortFunc(spans, func(a, b span) int { return int(a.from) - int(b.from) })
		covered, end := 0, int32(0)
		for _, s := range spans {
			if s.to > end {
				covered += int(s.to - max(s.from, end))
				end = s.to
			}
		}
		total += covered * (bottom - top)
	}
	return float64(total) / float64(width*height)
}

// rounded replaces each ellipse by the rectangle of the same area about its centre.
func rounded(areas []Area) []Area {
	side := math.Sqrt(math.Pi / 4)
	out := slices.Clone(areas)
	for i, a := range out {
		if a.Ellipse {
			w, h := int(float64(a.W)*side), int(float64(a.H)*side)
			out[i] = Area{X: a.X + (a.W-w)/2, Y: a.Y + (a.H-h)/2, W: w, H: h}
		}
	}
	return out
}

// within bounds v to 0..limit.
func within(v, limit int) int { return min(max(v, 0), limit) }
