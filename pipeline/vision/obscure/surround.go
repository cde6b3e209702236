package obscure

import (
	"math/bits"

	"veil/pipeline/media"
)

// The surround fill: the mean of what is visible is taken in cells around the masks, cells without a visible sample are
// filled in by pull and push over a pyramid (Gortler et al., The Lumigraph, 1996, section 3.4.2) and relaxed towards a
// membrane, and the result is interpolated linearly between the cells' centres. The cells lie on a grid fixed to the
// picture, so a moving mask slides over a calm field.

// cellPixels is a cell's side in luma pixels, the codec's block.
const cellPixels = 16

// fieldShift is the number of fraction bits of a cell's value.
const fieldShift = 8

// relaxSweeps is the number of passes towards the membrane, half forwards and half backwards.
const relaxSweeps = 12

// surround holds the grid shared by the planes and one field of values for each.
type surround struct {
	depth  int
	levels []level // of the pyramid, finest first
	cell   []uint8 // for each cell of the finest level: cellFar, cellNear or cellTouched
	runs   []span  // of cells near a mask in the row of cells in work
	fields []field
}

// level is the shape of one level of the pyramid; its values begin at offset.
type level struct{ width, height, offset int }

// Marks of a cell.
const (
	cellFar     = iota // no mask in it nor in its neighbours
	cellNear           // a neighbour is touched
	cellTouched        // a mask covers some of it, in luma or chroma
)

// field is one plane's values.
type field struct {
	shiftX, shiftY uint     // log2 of a cell's sides in samples
	sum, n         []uint32 // of the visible samples of each cell of the finest level
	value          []uint32 // all levels
	known          []uint32 // all levels: 0 or 1; how many children at the coarser ones
	unknown        []open   // cells near a mask without a visible sample
}

// open is a cell whose value is relaxed, and its four neighbours; beyond the picture's edge that is the cell itself.
type open struct{ at, left, right, up, down int32 }

func (s *surround) init(l media.Layout, planes []media.Plane) {
	s.depth = l.Depth()
	w, h, total := (l.Width+cellPixels-1)/cellPixels, (l.Height+cellPixels-1)/cellPixels, 0
	for {
		s.levels = append(s.levels, level{w, h, total})
		total += w * h
		if w == 1 && h == 1 {
			break
		}
		w, h = (w+1)/2, (h+1)/2
	}
	finest := s.levels[0].width * s.levels[0].height
	s.cell = make([]uint8, finest)
	side := uint(bits.TrailingZeros(cellPixels))
	for _, pl := range planes {
		s.fields = append(s.fields, field{
			shiftX: side - uint(pl.ShiftX), shiftY: side - uint(pl.ShiftY),
			sum: make([]uint32, finest), n: make([]uint32, finest),
			value: make([]uint32, total), known: make([]uint32, total),
		})
	}
}

// paintSurround covers the masks with their surroundings' field.
func (p *Painter) paintSurround(frame []byte) {
	p.grid.mark(&p.masks)
	for i, pl := range p.planes {
		f, m, plane := &p.grid.fields[i], p.masks.of(i), frame[pl.Offset:]
		p.grid.sample(f, m, plane, pl.Stride)
		p.grid.settle(f)
		p.grid.paint(f, m, plane, pl.Stride)
	}
}

// mark finds the cells that the masks touch, and those around them. Chroma decides: it is the luma mask rounded
// outwards.
func (s *surround) mark(masks *maskPair) {
	clear(s.cell)
	g, f, m := s.levels[0], &s.fields[1], &masks.chroma
	for y := range m.height {
		line := s.cell[y>>f.shiftY*g.width:][:g.width]
		for _, r := range m.row(y) {
			for c := r.from >> f.shiftX; c <= (r.to-1)>>f.shiftX; c++ {
				line[c] = cellTouched
			}
		}
	}
	for y := range g.height {
		for x := range g.width {
			if s.cell[y*g.width+x] == cellTouched {
				s.markAround(x, y)
			}
		}
	}
}

// markAround marks the neighbours of a touched cell.
func (s *surround) markAround(x, y int) {
	g := s.levels[0]
	for ny := max(y-1, 0); ny <= min(y+1, g.height-1); ny++ {
		for nx := max(x-1, 0); nx <= min(x+1, g.width-1); nx++ {
			if c := &s.cell[ny*g.width+nx]; *c == cellFar {
				*c = cellNear
			}
		}
	}
}

// sample adds up the visible samples of every other row of each cell near a mask. It reads no sample inside the mask.
func (s *surround) sample(f *field, m *mask, plane []byte, stride int) {
	clear(f.sum)
	clear(f.n)
	g := s.levels[0]
	for cy := range g.height {
		s.findRuns(cy, int32(m.width), f.shiftX)
		if len(s.runs) == 0 {
			continue
		}
		for y := cy << f.shiftY; y < min((cy+1)<<f.shiftY, m.height); y += 2 {
			row, spans := plane[y*stride:][:stride], m.row(y)
			for _, r := range s.runs {
				at := r.from
				for len(spans) > 0 && spans[0].to <= r.from {
					spans = spans[1:]
				}
				for i := 0; i < len(spans) && spans[i].from < r.to; i++ {
					f.add(row, span{at, spans[i].from}, cy*g.width, s.depth > 8)
					at = spans[i].to
				}
				f.add(row, span{at, r.to}, cy*g.width, s.depth > 8)
			}
		}
	}
}

// findRuns lists the runs of cells near a mask in one row of cells, in samples.
func (s *surround) findRuns(cy int, width int32, shift uint) {
	g := s.levels[0]
	s.runs = s.runs[:0]
	for c, mark := range s.cell[cy*g.width:][:g.width] {
		if mark == cellFar {
			continue
		}
		from, to := int32(c)<<shift, min(int32(c+1)<<shift, width)
		if n := len(s.runs); n > 0 && s.runs[n-1].to == from {
			s.runs[n-1].to = to
		} else {
			s.runs = append(s.runs, span{from, to})
		}
	}
}

// add counts a run of visible samples into its cells, whose row begins at first; an empty run counts nothing.
func (f *field) add(row []byte, r span, first int, wide bool) {
	bytes := int32(sampleBytes(wide))
	for r.from < r.to {
		c := r.from >> f.shiftX
		to := min((c+1)<<f.shiftX, r.to)
		f.sum[first+int(c)] += sumRow(row[r.from*bytes:to*bytes], wide)
		f.n[first+int(c)] += uint32(to - r.from)
		r.from = to
	}
}

// settle gives every cell a value.
func (s *surround) settle(f *field) {
	s.soften(f)
	if len(f.unknown) == 0 {
		return
	}
	if !s.pull(f) {
		for i := range f.value {
			f.value[i] = 1 << (s.depth - 1 + fieldShift)
		}
		return
	}
	s.push(f)
	for range relaxSweeps / 2 {
		for _, o := range f.unknown {
			f.relax(o)
		}
		for i := len(f.unknown) - 1; i >= 0; i-- {
			f.relax(f.unknown[i])
		}
	}
}

// relax sets a cell to its neighbours' mean.
func (f *field) relax(o open) {
	f.value[o.at] = (f.value[o.left] + f.value[o.right] + f.value[o.up] + f.value[o.down] + 2) / 4
}

// soften gives each cell that has a visible sample the mean of those of its neighbourhood, weighted 1 2 1 both ways, and
// lists the cells near a mask that have none.
func (s *surround) soften(f *field) {
	g := s.levels[0]
	f.unknown = f.unknown[:0]
	clear(f.known)
	for y := range g.height {
		for x := range g.width {
			i := y*g.width + x
			if s.cell[i] == cellFar {
				continue
			}
			if f.n[i] == 0 {
				f.unknown = append(f.unknown, g.open(x, y))
				continue
			}
			sum, n := uint64(0), uint64(0)
			for ny := max(y-1, 0); ny <= min(y+1, g.height-1); ny++ {
				for nx := max(x-1, 0); nx <= min(x+1, g.width-1); nx++ {
					weight := (2 - abs(nx-x)) * (2 - abs(ny-y))
					sum += uint64(weight) * uint64(f.sum[ny*g.width+nx])
					n += uint64(weight) * uint64(f.n[ny*g.width+nx])
				}
			}
			f.value[i] = uint32((sum<<fieldShift + n/2) / n)
			f.known[i] = 1
		}
	}
}

// open names a cell and its neighbours.
func (l level) open(x, y int) open {
	at := y*l.width + x
	o := open{int32(at), int32(at), int32(at), int32(at), int32(at)}
	if x > 0 {
		o.left--
	}
	if x < l.width-1 {
		o.right++
	}
	if y > 0 {
		o.up -= int32(l.width)
	}
	if y < l.height-1 {
		o.down += int32(l.width)
	}
	return o
}

// pull fills the coarser levels with the means of their known children; false where nothing is known at all.
func (s *surround) pull(f *field) bool {
	for k := 1; k < len(s.levels); k++ {
		fine, coarse := s.levels[k-1], s.levels[k]
		for y := range coarse.height {
			for x := range coarse.width {
				sum, n := uint32(0), uint32(0)
				for cy := 2 * y; cy < min(2*y+2, fine.height); cy++ {
					for cx := 2 * x; cx < min(2*x+2, fine.width); cx++ {
						if c := fine.offset + cy*fine.width + cx; f.known[c] != 0 {
							sum += f.value[c]
							n++
						}
					}
				}
				if n > 0 {
					i := coarse.offset + y*coarse.width + x
					f.value[i], f.known[i] = (sum+n/2)/n, n
				}
			}
		}
	}
	return f.known[len(f.known)-1] != 0
}

// push fills what is not known with the coarser level's values, interpolated.
func (s *surround) push(f *field) {
	for k := len(s.levels) - 2; k >= 0; k-- {
		fine, coarse := s.levels[k], s.levels[k+1]
		for y := range fine.height {
			up := coarse.offset + y/2*coarse.width
			side := coarse.offset + min(max(y/2+2*(y&1)-1, 0), coarse.height-1)*coarse.width
			for x := range fine.width {
				i := fine.offset + y*fine.width + x
				if f.known[i] != 0 || (k == 0 && s.cell[i] == cellFar) {
					continue
				}
				a, b := x/2, min(max(x/2+2*(x&1)-1, 0), coarse.width-1)
				f.value[i] = (9*f.value[up+a] + 3*f.value[up+b] + 3*f.value[side+a] + f.value[side+b] + 8) / 16
			}
		}
	}
}

// paint interpolates the field over the mask.
func (s *surround) paint(f *field, m *mask, plane []byte, stride int) {
	g := s.levels[0]
	twoY := int32(2) << f.shiftY
	for y := range m.height {
		spans := m.row(y)
		if len(spans) == 0 {
			continue
		}
		// The row lies between the centres of the rows of cells top and top+1, by fraction/twoY.
		from := 2*int32(y) + 1 - twoY/2
		top, fraction := from>>(f.shiftY+1), from&(twoY-1)
		rows := between{
			upper: f.value[max(int(top), 0)*g.width:][:g.width],
			lower: f.value[min(int(top)+1, g.height-1)*g.width:][:g.width],
			part:  uint32(fraction), whole: uint32(twoY),
			shift: f.shiftX,
		}
		for _, r := range spans {
			rows.paint(plane[y*stride:][:stride], r, s.depth > 8)
		}
	}
}

// between is a row of samples that lies between two rows of cells.
type between struct {
	upper, lower []uint32
	part, whole  uint32 // of the way from upper to lower
	shift        uint   // log2 of a cell's width in samples
}

// at interpolates down the column of cell c, held within the grid; it is scaled by whole.
func (b *between) at(c int32) uint32 {
	i := min(max(int(c), 0), len(b.upper)-1)
	return b.upper[i]*(b.whole-b.part) + b.lower[i]*b.part
}

// paint writes one run: a line from each cell's centre to the next.
func (b *between) paint(row []byte, r span, wide bool) {
	bytes := int32(sampleBytes(wide))
	side := int32(1) << b.shift
	scale := rampShift - fieldShift - (b.shift + 1) - uint(bits.TrailingZeros32(b.whole))
	left := (r.from - side/2) >> b.shift
	near := b.at(left)
	for at := r.from; at < r.to; left++ {
		far := b.at(left + 1)
		to := min((left+1)<<b.shift+side/2, r.to)
		into := uint32(2*(at-left<<b.shift-side/2) + 1)
		start := near*(2*uint32(side)-into) + far*into
		line := ramp{start<<scale + 1<<(rampShift-1), (2 * (far - near)) << scale}
		putRamp(row[at*bytes:to*bytes], line, wide)
		near, at = far, to
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
