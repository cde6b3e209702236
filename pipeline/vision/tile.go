package vision

import (
	"image"

	"veil/pipeline/track"
)

const (
	// tilePixels is the most that a network is shown at once: beyond it a network needs memory by the hundred megabytes
	// (CenterFace at 1536x864: 420) and is no faster.
	tilePixels = 420_000
	// tileOverlap is what two neighbouring tiles share, pixels: faces up to this size lie whole in one of them, and YuNet finds
	// larger ones at the smaller scale, which is one tile.
	tileOverlap = 64
	// tileRim is how near to a tile's inner border a box counts as cut.
	tileRim = 2
)

// tiles splits a picture across its longer side into overlapping tiles of equal size.
func tiles(size image.Point) []image.Rectangle {
	length, other := size.X, size.Y
	if size.Y > size.X {
		length, other = size.Y, size.X
	}
	n, tile := 1, length
	for tile*other > tilePixels && tile > 4*tileOverlap {
		n++
		tile = min(((length+tileOverlap*(n-1)+n-1)/n+padTo-1)/padTo*padTo, length)
	}
	out := make([]image.Rectangle, n)
	for i := range out {
		from := 0
		if n > 1 {
			from = i * (length - tile) / (n - 1)
		}
		out[i] = image.Rect(from, 0, from+tile, other)
		if size.Y > size.X {
			out[i] = image.Rect(0, from, other, from+tile)
		}
	}
	return out
}

// cutByTile says whether a box touches a border of the tile that is not the picture's.
func cutByTile(b track.Box, tile, whole image.Rectangle) bool {
	return tile.Min.X > whole.Min.X && b.X < float64(tile.Min.X+tileRim) ||
		tile.Min.Y > whole.Min.Y && b.Y < float64(tile.Min.Y+tileRim) ||
		tile.Max.X < whole.Max.X && b.X+b.W > float64(tile.Max.X-tileRim) ||
		tile.Max.Y < whole.Max.Y && b.Y+b.H > float64(tile.Max.Y-tileRim)
}
