package decide

import (
	"math"

	"veil/pipeline/track"
)

const (
	// minMarginPixels is the least growth of a face on each side: the codec smears a face's rim that far.
	minMarginPixels = 8
	// blockPixels is the codec's block; masks end on its borders. Interlaced pictures hold two fields of blocks.
	blockPixels           = 16
	interlacedBlockHeight = 32
)

// A head around a face box, as shares of the box: hair above, ears beside, chin and throat below. Seen from the side the
// box is narrow, but the head is then about 1.2 face heights deep.
const (
	headUp    = 0.45
	headSides = 0.30
	headDown  = 0.25
	headDepth = 1.2
)

// coverer turns a track's box into the rectangle that is covered.
type coverer struct {
	width, height int
	blockHeight   int
	policy        *Policy
}

func newCoverer(s Source, p *Policy) coverer {
	c := coverer{width: s.Width, height: s.Height, blockHeight: blockPixels, policy: p}
	if s.Interlaced {
		c.blockHeight = interlacedBlockHeight
	}
	return c
}

// region covers the box of one sample; false where nothing of it lies in the picture.
func (c coverer) region(s track.Sample) (Region, bool) {
	b := s.Box
	grown := c.grow(b)
	inner, ok := c.clip(grown)
	if !ok {
		return Region{}, false
	}
	r := Region{Kind: c.policy.Cover, Source: s.Source, Rect: c.align(inner)}
	if c.policy.Shape == "ellipse" {
		if e, ok := c.ellipse(grown); ok {
			r.Rect, r.Ellipse = e, true
		}
	}
	if box, ok := c.whole(b); ok {
		r.Box = box
	} else {
		r.Box = r.Rect
	}
	r.Face = max(1, int(math.Ceil(math.Min(b.W, float64(1<<20)))))
	return r, true
}

// grow adds the policy's margin, or the head around the face, to a box; at least eight pixels on each side.
func (c coverer) grow(b track.Box) track.Box {
	m := c.policy.Margin
	left, up, down := m*b.W, m*b.H, m*b.H
	if c.policy.Cover == "head" {
		left = math.Max(left, math.Max(headSides*b.W, (headDepth*b.H-b.W)/2))
		up, down = math.Max(up, headUp*b.H), math.Max(down, headDown*b.H)
	}
	left, up, down = math.Max(left, minMarginPixels), math.Max(up, minMarginPixels), math.Max(down, minMarginPixels)
	return track.Box{X: b.X - left, Y: b.Y - up, W: b.W + 2*left, H: b.H + up + down}
}

// clip rounds a box outwards to whole pixels inside the picture.
func (c coverer) clip(b track.Box) ([4]int, bool) {
	x0, y0 := clampInt(math.Floor(b.X), c.width), clampInt(math.Floor(b.Y), c.height)
	x1, y1 := clampInt(math.Ceil(b.X+b.W), c.width), clampInt(math.Ceil(b.Y+b.H), c.height)
	if x1 <= x0 || y1 <= y0 {
		return [4]int{}, false
	}
	return [4]int{x0, y0, x1 - x0, y1 - y0}, true
}

// whole rounds a box to whole pixels inside the picture, its sides up, so that its size does not change with where it lies.
func (c coverer) whole(b track.Box) ([4]int, bool) {
	w, h := math.Ceil(b.W), math.Ceil(b.H)
	return c.clip(track.Box{X: math.Round(b.X - (w-b.W)/2), Y: math.Round(b.Y - (h-b.H)/2), W: w, H: h})
}

// align moves the edges of a rectangle outwards to the codec's blocks, or to the picture's edge.
func (c coverer) align(r [4]int) [4]int {
	x0, y0 := r[0]/blockPixels*blockPixels, r[1]/c.blockHeight*c.blockHeight
	x1 := min(c.width, roundUp(r[0]+r[2], blockPixels))
	y1 := min(c.height, roundUp(r[1]+r[3], c.blockHeight))
	return [4]int{x0, y0, x1 - x0, y1 - y0}
}

// ellipse gives the aligned rectangle whose inscribed ellipse contains the grown box; false where the picture's edge
// would cut it, which a rectangle has to cover.
func (c coverer) ellipse(b track.Box) ([4]int, bool) {
	cx, cy := b.X+b.W/2, b.Y+b.H/2
	rx, ry := b.W/math.Sqrt2, b.H/math.Sqrt2
	for range 16 {
		x0, y0 := math.Floor((cx-rx)/blockPixels)*blockPixels, math.Floor((cy-ry)/float64(c.blockHeight))*float64(c.blockHeight)
		x1 := math.Ceil((cx+rx)/blockPixels) * blockPixels
		y1 := math.Ceil((cy+ry)/float64(c.blockHeight)) * float64(c.blockHeight)
		if x0 < 0 || y0 < 0 || x1 > float64(c.width) || y1 > float64(c.height) {
			return [4]int{}, false
		}
		if ellipseHolds(track.Box{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}, b) {
			return [4]int{int(x0), int(y0), int(x1 - x0), int(y1 - y0)}, true
		}
		rx, ry = rx+blockPixels/2, ry+float64(c.blockHeight)/2
	}
	return [4]int{}, false
}

// ellipseHolds reports whether the ellipse inscribed in outer contains the four corners of inner.
func ellipseHolds(outer, inner track.Box) bool {
	cx, cy := outer.X+outer.W/2, outer.Y+outer.H/2
	dx := math.Max(math.Abs(inner.X-cx), math.Abs(inner.X+inner.W-cx)) / (outer.W / 2)
	dy := math.Max(math.Abs(inner.Y-cy), math.Abs(inner.Y+inner.H-cy)) / (outer.H / 2)
	return dx*dx+dy*dy <= 1
}

// clampInt converts v to 0 to most; NaN gives 0.
func clampInt(v float64, most int) int {
	if !(v > 0) {
		return 0
	}
	return int(math.Min(v, float64(most)))
}

func roundUp(v, step int) int { return (v + step - 1) / step * step }
