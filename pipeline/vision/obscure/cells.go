package obscure

import (
	"cmp"
	"slices"

	"veil/pipeline/media"
)

// Blur and mosaic: the means of cells on a grid that begins at the area's own corner, so it moves with the face. The
// mosaic paints the means; the blur smooths them until its kernel is wider and taller than the face, and interpolates.
// All means are taken before anything is painted, and areas are painted in an order of their own, so that the order in
// which they are handed in does not matter.

// Cells across a face: a face that begins inside a cell touches one more than fit in its width, so 5 gives at most 6.
const mosaicCells = 5

// Blur: cells of a quarter of the face's extent, and a box of blurBox cells, applied twice.
const (
	blurCells = 4
	blurBox   = 5
)

// cells is the work space of blur and mosaic.
type cells struct {
	order []Area
	grids []cellGrid
	means []uint32 // of all grids, 8 fraction bits
	line  []uint32 // one row or column, for smoothing
}

// cellGrid is the grid of one area in one plane, in samples: cell (i, j) covers x from x0 + i*width, y from y0 + j*height.
type cellGrid struct {
	x0, y0        int
	width, height int
	columns, rows int
	offset        int // of its means
}

// cellSide is the side of an area's cells in luma pixels: even, so that chroma's cells are the same.
func (a Area) cellSide(fill string) int {
	face := a.Face
	if face == 0 {
		face = a.W
	}
	parts := mosaicCells
	if fill == Blur {
		face, parts = face+face/2, blurCells // a face is up to half as tall again as wide
	}
	side := (face + parts - 1) / parts
	return min(side+side&1, 1<<15)
}

// paintCells covers the areas with their own smoothed or coarse means.
func (p *Painter) paintCells(frame []byte, areas []Area) {
	c := &p.cells
	c.order = append(c.order[:0], areas...)
	slices.SortFunc(c.order, func(a, b Area) int {
		return cmp.Or(a.cellSide(p.fill)-b.cellSide(p.fill), a.Y-b.Y, a.X-b.X, a.H-b.H, a.W-b.W, ellipseOrder(a, b))
	})
	c.grids, c.means = c.grids[:0], c.means[:0]
	for _, a := range c.order {
		for i, pl := range p.planes {
			g := newCellGrid(a, a.cellSide(p.fill), p.planes[i])
			g.offset = len(c.means)
			n := g.columns * g.rows
			c.means = slices.Grow(c.means, n)[:g.offset+n]
			g.average(c.means[g.offset:], frame[pl.Offset:], pl, p.wide)
			if p.fill == Blur {
				c.smooth(g)
			}
			c.grids = append(c.grids, g)
		}
	}
	for k, a := range c.order {
		for i, pl := range p.planes {
			g := c.grids[k*len(p.planes)+i]
			from, to := a.rows(pl)
			for y := from; y < to; y++ {
				s := p.areaSpan(a, i, y)
				if s.from < s.to {
					p.paintCellRow(frame[pl.Offset+y*pl.Stride:][:pl.Stride], g, y, s)
				}
			}
		}
	}
}

// ellipseOrder puts rectangles before ellipses.
func ellipseOrder(a, b Area) int {
	switch {
	case a.Ellipse == b.Ellipse:
		return 0
	case b.Ellipse:
		return -1
	}
	return 1
}

// areaSpan is what one area covers of row y of plane i.
func (p *Painter) areaSpan(a Area, i, y int) span {
	if i == 0 {
		return a.span(y, p.layout.Width)
	}
	return a.chromaSpan(y, &p.masks)
}

// newCellGrid lays the area's grid over what of it lies in the picture.
func newCellGrid(a Area, side int, pl media.Plane) cellGrid {
	g := cellGrid{
		x0: a.X >> pl.ShiftX, y0: a.Y >> pl.ShiftY,
		width: max(side>>pl.ShiftX, 1), height: max(side>>pl.ShiftY, 1),
	}
	// The first cells may lie wholly outside the picture: begin with the first that does not.
	if g.x0 < 0 {
		g.x0 += -g.x0 / g.width * g.width
	}
	if g.y0 < 0 {
		g.y0 += -g.y0 / g.height * g.height
	}
	right := min((a.X+a.W+1<<pl.ShiftX-1)>>pl.ShiftX, pl.Width)
	_, bottom := a.rows(pl)
	g.columns = max((right-g.x0+g.width-1)/g.width, 0)
	g.rows = max((bottom-g.y0+g.height-1)/g.height, 0)
	if g.columns == 0 || g.rows == 0 {
		g.columns, g.rows = 0, 0
	}
	return g
}

// average sets the means of a grid. A cell cut by the picture's edge is moved inside, so that no cell is the mean of a
// sliver.
func (g cellGrid) average(means []uint32, plane []byte, pl media.Plane, wide bool) {
	bytes := sampleBytes(wide)
	w, h := min(g.width, pl.Width), min(g.height, pl.Height)
	for j := range g.rows {
		top := min(max(g.y0+j*g.height, 0), pl.Height-h)
		for i := range g.columns {
			left := min(max(g.x0+i*g.width, 0), pl.Width-w)
			sum := uint64(0)
			for y := top; y < top+h; y++ {
				sum += uint64(sumRow(plane[y*pl.Stride+left*bytes:][:w*bytes], wide))
			}
			n := uint64(w) * uint64(h)
			means[j*g.columns+i] = uint32((sum<<fieldShift + n/2) / n)
		}
	}
}

// smooth runs the box over rows and columns, twice.
func (c *cells) smooth(g cellGrid) {
	means := c.means[g.offset:][:g.columns*g.rows]
	for range 2 {
		for j := range g.rows {
			c.boxLine(means[j*g.columns:], g.columns, 1)
		}
		for i := range g.columns {
			c.boxLine(means[i:], g.rows, g.columns)
		}
	}
}

// boxLine replaces each of n values that lie stride apart by the mean of the blurBox around it; beyond the ends the last
// value goes on.
func (c *cells) boxLine(v []uint32, n, stride int) {
	c.line = slices.Grow(c.line[:0], n)[:n]
	for i := range n {
		sum := uint32(0)
		for k := i - blurBox/2; k <= i+blurBox/2; k++ {
			sum += v[min(max(k, 0), n-1)*stride]
		}
		c.line[i] = (sum + blurBox/2) / blurBox
	}
	for i := range n {
		v[i*stride] = c.line[i]
	}
}

// paintCellRow writes one run of one row.
func (p *Painter) paintCellRow(row []byte, g cellGrid, y int, s span) {
	if p.fill == Mosaic {
		p.paintMosaicRow(row, g, y, s)
		return
	}
	p.paintBlurRow(row, g, y, s)
}

// paintMosaicRow writes each cell's mean.
func (p *Painter) paintMosaicRow(row []byte, g cellGrid, y int, s span) {
	bytes := sampleBytes(p.wide)
	means := p.cells.means[g.offset+(y-g.y0)/g.height*g.columns:][:g.columns]
	for at := int(s.from); at < int(s.to); {
		i := (at - g.x0) / g.width
		to := min(g.x0+(i+1)*g.width, int(s.to))
		fillRow(row[at*bytes:to*bytes], (means[i]+1<<(fieldShift-1))>>fieldShift, p.wide)
		at = to
	}
}

// paintBlurRow interpolates linearly between the cells' centres.
func (p *Painter) paintBlurRow(row []byte, g cellGrid, y int, s span) {
	means := p.cells.means[g.offset:][:g.columns*g.rows]
	top, fy := position(y-g.y0, g.height)
	upper := means[max(top, 0)*g.columns:][:g.columns]
	lower := means[min(top+1, g.rows-1)*g.columns:][:g.columns]
	column := func(i int) uint32 {
		i = min(max(i, 0), g.columns-1)
		return mix(upper[i], lower[i], fy)
	}
	bytes := sampleBytes(p.wide)
	for at := int(s.from); at < int(s.to); {
		left, _ := position(at-g.x0, g.width)
		// The first sample beyond the next centre begins the next line.
		to := min(g.x0+((left+1)*2+1)*g.width/2, int(s.to))
		to = max(to, at+1)
		a, b := column(left), column(left+1)
		_, fx := position(at-g.x0, g.width)
		step := (int64(b) - int64(a)) << (rampShift - fieldShift) / int64(g.width)
		start := int64(mix(a, b, fx))<<(rampShift-fieldShift) + 1<<(rampShift-1)
		putRamp(row[at*bytes:to*bytes], ramp{uint32(start), uint32(step)}, p.wide)
		at = to
	}
}

// position places sample n of a line of cells of the given side between the centres of cells i and i+1, by part/2^16.
func position(n, side int) (i int, part uint32) {
	from := 2*n + 1 - side // twice the way from the first centre
	i = from / (2 * side)
	if from < 0 {
		i = -1
	}
	return i, uint32(uint64(from-2*side*i) << 15 / uint64(side))
}

// mix goes part/2^16 of the way from a to b.
func mix(a, b, part uint32) uint32 {
	return uint32((uint64(a)*(1<<16-uint64(part)) + uint64(b)*uint64(part) + 1<<15) >> 16)
}
