package obscure

import (
	"fmt"
	"math"
	"slices"

	"veil/pipeline/media"
)

// span is a run of samples of one row, to exclusive.
type span struct{ from, to int32 }

// mask is a set of samples of one plane: for each row the runs in it, ascending, neither touching nor overlapping.
type mask struct {
	width, height int
	first         []int32 // index of each row's first run in spans
	count         []int32 // runs in each row
	spans         []span
}

// row lists the runs of row y.
func (m *mask) row(y int) []span {
	return m.spans[m.first[y] : m.first[y]+m.count[y]]
}

// reserve makes room for as many runs in each row as count says on entry; count is zero afterwards.
func (m *mask) reserve() {
	total := int32(0)
	for y, n := range m.count {
		m.first[y] = total
		total += n
		m.count[y] = 0
	}
	m.spans = slices.Grow(m.spans[:0], int(total))[:total]
}

// put adds a run to a row that has room for it.
func (m *mask) put(y int, s span) {
	m.spans[m.first[y]+m.count[y]] = s
	m.count[y]++
}

// merge brings the runs of each row into order and joins those that touch.
func (m *mask) merge() {
	for y := range m.height {
		row := m.row(y)
		if len(row) < 2 {
			continue
		}
		slices.SortFunc(row, func(a, b span) int { return int(a.from) - int(b.from) })
		n := 0
		for _, s := range row[1:] {
			if s.from <= row[n].to {
				row[n].to = max(row[n].to, s.to)
				continue
			}
			n++
			row[n] = s
		}
		m.count[y] = int32(n + 1)
	}
}

// maskPair is the union of a frame's areas in luma and in chroma samples.
type maskPair struct {
	luma, chroma   mask
	shiftX, shiftY int
}

func (p *maskPair) init(planes []media.Plane) {
	p.luma = mask{width: planes[0].Width, height: planes[0].Height}
	p.chroma = mask{width: planes[1].Width, height: planes[1].Height}
	p.shiftX, p.shiftY = planes[1].ShiftX, planes[1].ShiftY
	for _, m := range []*mask{&p.luma, &p.chroma} {
		m.first, m.count = make([]int32, m.height), make([]int32, m.height)
	}
}

// of gives the mask of plane i.
func (p *maskPair) of(i int) *mask {
	if i > 0 {
		return &p.chroma
	}
	return &p.luma
}

// empty says that no sample is covered.
func (p *maskPair) empty() bool { return len(p.luma.spans) == 0 }

// build makes the union of the areas; with grow above 0, of their rectangles grown by so many pixels on each side.
func (p *maskPair) build(areas []Area, grow int) error {
	for i, a := range areas {
		if err := a.check(); err != nil {
			return fmt.Errorf("area %d: %w", i, err)
		}
	}
	m := &p.luma
	clear(m.count)
	for _, a := range areas {
		a = a.grown(grow)
		for y := max(a.Y, 0); y < min(a.Y+a.H, m.height); y++ {
			if s := a.span(y, m.width); s.from < s.to {
				m.count[y]++
			}
		}
	}
	m.reserve()
	for _, a := range areas {
		a = a.grown(grow)
		for y := max(a.Y, 0); y < min(a.Y+a.H, m.height); y++ {
			if s := a.span(y, m.width); s.from < s.to {
				m.put(y, s)
			}
		}
	}
	m.merge()
	p.buildChroma()
	return nil
}

// buildChroma rounds the luma mask outwards to chroma samples.
func (p *maskPair) buildChroma() {
	c := &p.chroma
	clear(c.count)
	for y, n := range p.luma.count {
		c.count[y>>p.shiftY] += n
	}
	c.reserve()
	up := int32(1)<<p.shiftX - 1
	for y := range p.luma.height {
		for _, s := range p.luma.row(y) {
			c.put(y>>p.shiftY, span{s.from >> p.shiftX, (s.to + up) >> p.shiftX})
		}
	}
	c.merge()
}

// grown is the area's rectangle grown by n pixels on each side, or the area itself for 0.
func (a Area) grown(n int) Area {
	if n == 0 {
		return a
	}
	return Area{X: a.X - n, Y: a.Y - n, W: a.W + 2*n, H: a.H + 2*n, Face: a.Face, Track: a.Track}
}

// span is what the area covers of luma row y in a picture of the given width; empty (from >= to) where it covers nothing.
func (a Area) span(y, width int) span {
	if y < a.Y || y >= a.Y+a.H {
		return span{}
	}
	from, to := a.X, a.X+a.W
	if a.Ellipse {
		from, to = a.chord(y)
	}
	from, to = max(from, 0), min(to, width)
	if from >= to {
		return span{}
	}
	return span{int32(from), int32(to)}
}

// chromaSpan is what the area covers of chroma row y, rounded outwards.
func (a Area) chromaSpan(y int, p *maskPair) span {
	var out span
	for l := y << p.shiftY; l < min((y+1)<<p.shiftY, p.luma.height); l++ {
		s := a.span(l, p.luma.width)
		switch {
		case s.from >= s.to:
		case out.from >= out.to:
			out = s
		default:
			out = span{min(out.from, s.from), max(out.to, s.to)}
		}
	}
	return span{out.from >> p.shiftX, (out.to + int32(1)<<p.shiftX - 1) >> p.shiftX}
}

// rows is the range of rows of a plane that the area's rectangle covers, rounded outwards, to exclusive.
func (a Area) rows(pl media.Plane) (from, to int) {
	return max(a.Y, 0) >> pl.ShiftY, min((a.Y+a.H+1<<pl.ShiftY-1)>>pl.ShiftY, pl.Height)
}

// maxEllipseSide keeps the square below within 62 bits; a larger ellipse is covered as its rectangle.
const maxEllipseSide = 1 << 15

// chord is the run of pixels of row y that the inscribed ellipse touches: the ellipse at its widest within the row's
// height, rounded outwards. All lengths are doubled, so that the centre is a whole number.
func (a Area) chord(y int) (from, to int) {
	if a.W > maxEllipseSide || a.H > maxEllipseSide {
		return a.X, a.X + a.W
	}
	centreX, centreY := 2*a.X+a.W, 2*a.Y+a.H
	off := 0 // from the centre to the nearest point of the row
	switch {
	case 2*y > centreY:
		off = 2*y - centreY
	case 2*y+2 < centreY:
		off = centreY - 2*y - 2
	}
	square := uint64(a.W) * uint64(a.W) * uint64((a.H-off)*(a.H+off))
	half := (ceilSqrt(square) + a.H - 1) / a.H
	return max((centreX-half)>>1, a.X), min((centreX+half+1)>>1, a.X+a.W)
}

// ceilSqrt is the least whole number whose square is at least n; n is below 2^62.
func ceilSqrt(n uint64) int {
	r := uint64(math.Sqrt(float64(n)))
	for r*r > n {
		r--
	}
	for r*r < n {
		r++
	}
	return int(r)
}
