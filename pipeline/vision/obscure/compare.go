package obscure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"veil/pipeline/media"
)

// ExactPSNR is what PSNR gives for equal pictures, in dB.
const ExactPSNR = 100

// blockRows and blockColumns are the size, in samples, of the smallest patch that Inside.Block judges.
const (
	blockRows    = 16
	blockColumns = 16
)

// PlaneError is the squared error of one plane, summed over what lies outside the masks.
type PlaneError struct {
	Squares uint64
	Samples uint64
}

// Inside tells how far one area of one frame is from what was painted. Differences are in samples of 8 bit; those of 10
// bit are divided by four.
type Inside struct {
	Frame int // counted from 0 in the order of Add
	Area  int // index into the areas handed to Add
	// Mean is the mean absolute difference of the worst plane, Block that of the worst 16x16 samples inside the area,
	// Max the greatest difference of one sample.
	Mean, Block, Max float64
}

// Comparison adds up how far decoded frames are from what they should be: outside the masks, where the derivative is the
// source's picture, and inside each mask, where it is the fill.
type Comparison struct {
	layout media.Layout
	planes []media.Plane
	size   int // of a frame, in bytes
	wide   bool
	grow   int
	masks  maskPair
	blocks []blockSum

	// Frames counts the frames added. Outside holds the sums of Y, U, V outside the areas' rectangles grown by the margin.
	Frames  int
	Outside [3]PlaneError
	// WorstFrame has the lowest PSNR outside the masks, WorstPSNR.
	WorstFrame int
	WorstPSNR  float64
	// Worst is the area with the greatest Mean, WorstBlock the one with the greatest Block. Areas counts all.
	Worst, WorstBlock Inside
	Areas             int
}

// blockSum is one block's sum of differences within a band of rows.
type blockSum struct{ sum, n uint32 }

// NewComparison makes an empty comparison. grow is the number of pixels around each area that count as neither inside
// nor outside, because the codec's blocks and filters mix the two there.
func NewComparison(l media.Layout, grow int) (*Comparison, error) {
	if err := checkLayout(l); err != nil {
		return nil, err
	}
	if grow < 0 || grow > maxCoordinate {
		return nil, fmt.Errorf("margin %d: %w", grow, ErrArea)
	}
	c := &Comparison{layout: l, planes: l.Planes(), size: l.Size(), wide: l.Depth() > 8, grow: grow, WorstPSNR: ExactPSNR}
	c.masks.init(c.planes)
	c.blocks = make([]blockSum, l.Width/blockColumns+2)
	return c, nil
}

// Add compares one frame of the derivative, got, with the source's frame as painted, want.
func (c *Comparison) Add(want, got []byte, areas []Area) error {
	if len(want) != c.size || len(got) != len(want) {
		return fmt.Errorf("%d and %d bytes for %d: %w", len(want), len(got), c.size, ErrSize)
	}
	if err := c.masks.build(areas, c.grow); err != nil {
		return err
	}
	frame := c.outside(want, got)
	if p := c.psnr(frame); c.Frames == 0 || p < c.WorstPSNR {
		c.WorstFrame, c.WorstPSNR = c.Frames, p
	}
	for i := range frame {
		c.Outside[i].Squares += frame[i].Squares
		c.Outside[i].Samples += frame[i].Samples
	}
	for i, a := range areas {
		in := c.inside(want, got, a)
		in.Frame, in.Area = c.Frames, i
		if c.Areas == 0 || in.Mean > c.Worst.Mean {
			c.Worst = in
		}
		if c.Areas == 0 || in.Block > c.WorstBlock.Block {
			c.WorstBlock = in
		}
		c.Areas++
	}
	c.Frames++
	return nil
}

// PSNR is that of everything outside the masks so far, over all samples of all planes, in dB; ExactPSNR where there is
// no difference.
func (c *Comparison) PSNR() float64 { return c.psnr(c.Outside) }

func (c *Comparison) psnr(planes [3]PlaneError) float64 {
	squares, samples := uint64(0), uint64(0)
	for _, p := range planes {
		squares += p.Squares
		samples += p.Samples
	}
	if squares == 0 {
		return ExactPSNR
	}
	peak := float64(int(1)<<c.layout.Depth() - 1)
	return min(10*math.Log10(peak*peak*float64(samples)/float64(squares)), ExactPSNR)
}

// outside sums the squared differences outside the grown masks.
func (c *Comparison) outside(want, got []byte) [3]PlaneError {
	var out [3]PlaneError
	size := sampleBytes(c.wide)
	for i, pl := range c.planes {
		m := c.masks.of(i)
		for y := range pl.Height {
			at := pl.Offset + y*pl.Stride
			a, b, from := want[at:][:pl.Stride], got[at:][:pl.Stride], 0
			for _, s := range m.row(y) {
				out[i].add(a[from*size:int(s.from)*size], b[from*size:int(s.from)*size], c.wide)
				from = int(s.to)
			}
			out[i].add(a[from*size:], b[from*size:], c.wide)
		}
	}
	return out
}

// add counts one run of samples.
func (p *PlaneError) add(a, b []byte, wide bool) {
	p.Samples += uint64(len(a) / sampleBytes(wide))
	if bytes.Equal(a, b) {
		return
	}
	if wide {
		p.Squares += squares16(a, b)
	} else {
		p.Squares += squares8(a, b)
	}
}

// squares8 sums the squared differences of rows of bytes of equal length, of at most 2^16.
func squares8(a, b []byte) uint64 {
	sum := uint32(0)
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]byte)(a), (*[8]byte)(b)
		if *x != *y {
			d0, d1, d2, d3 := int32(x[0])-int32(y[0]), int32(x[1])-int32(y[1]), int32(x[2])-int32(y[2]), int32(x[3])-int32(y[3])
			d4, d5, d6, d7 := int32(x[4])-int32(y[4]), int32(x[5])-int32(y[5]), int32(x[6])-int32(y[6]), int32(x[7])-int32(y[7])
			sum += uint32(d0*d0 + d1*d1 + d2*d2 + d3*d3 + d4*d4 + d5*d5 + d6*d6 + d7*d7)
		}
		a, b = a[8:], b[8:]
	}
	for i := range a {
		d := int32(a[i]) - int32(b[i])
		sum += uint32(d * d)
	}
	return uint64(sum)
}

// squares16 is squares8 for samples of two bytes.
func squares16(a, b []byte) uint64 {
	sum := uint64(0)
	for len(a) >= 2 && len(b) >= 2 {
		d := int64(binary.LittleEndian.Uint16(a)) - int64(binary.LittleEndian.Uint16(b))
		sum += uint64(d * d)
		a, b = a[2:], b[2:]
	}
	return sum
}

// inside measures one area.
func (c *Comparison) inside(want, got []byte, a Area) Inside {
	var in Inside
	unit := float64(int(1) << (c.layout.Depth() - 8))
	for i := range c.planes {
		d := c.difference(want, got, a, i)
		if d.n == 0 {
			continue
		}
		in.Mean = max(in.Mean, float64(d.sum)/float64(d.n)/unit)
		in.Block = max(in.Block, d.block/unit)
		in.Max = max(in.Max, float64(d.most)/unit)
	}
	return in
}

// difference is what one area differs by in one plane.
type difference struct {
	sum, n uint64
	most   uint32
	block  float64 // mean of the worst block that lies at least half in the area, or of the whole if none does
}

// difference goes over the area in bands of rows, aligned to the plane's blocks.
func (c *Comparison) difference(want, got []byte, a Area, i int) difference {
	var d difference
	pl := c.planes[i]
	from, to := a.rows(pl)
	judged := false
	for y := from; y < to; {
		end := min(y-y%blockRows+blockRows, to)
		clear(c.blocks)
		for ; y < end; y++ {
			s := c.areaSpan(a, i, y)
			if s.from < s.to {
				at := pl.Offset + y*pl.Stride
				c.row(want[at:][:pl.Stride], got[at:][:pl.Stride], s, &d)
			}
		}
		for _, b := range c.blocks {
			if b.n >= blockRows*blockColumns/2 {
				d.block, judged = max(d.block, float64(b.sum)/float64(b.n)), true
			}
		}
	}
	if !judged && d.n > 0 {
		d.block = float64(d.sum) / float64(d.n)
	}
	return d
}

// areaSpan is what one area covers of row y of plane i.
func (c *Comparison) areaSpan(a Area, i, y int) span {
	if i == 0 {
		return a.span(y, c.layout.Width)
	}
	return a.chromaSpan(y, &c.masks)
}

// row adds one run's absolute differences to its blocks and to the area's sums.
func (c *Comparison) row(want, got []byte, s span, d *difference) {
	size := sampleBytes(c.wide)
	for at := int(s.from); at < int(s.to); {
		block := at / blockColumns
		to := min((block+1)*blockColumns, int(s.to))
		a, b := want[at*size:to*size], got[at*size:to*size]
		n := uint32(to - at)
		d.n += uint64(n)
		c.blocks[block].n += n
		if !bytes.Equal(a, b) {
			sum, most := absolute(a, b, c.wide)
			d.sum += uint64(sum)
			d.most = max(d.most, most)
			c.blocks[block].sum += sum
		}
		at = to
	}
}

// Four samples side by side in a word.
const (
	lanes   = 0x0001000100010001
	laneTop = 0x8000 * lanes
)

// absolute is the sum of the absolute differences of two runs of at most blockColumns samples, and the greatest.
func absolute(a, b []byte, wide bool) (sum, most uint32) {
	var total, peak uint64
	if wide {
		for ; len(a) >= 8 && len(b) >= 8; a, b = a[8:], b[8:] {
			d := laneDifference(binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b))
			total, peak = total+d, laneMax(peak, d)
		}
	} else {
		const low = 0xff * lanes
		for ; len(a) >= 8 && len(b) >= 8; a, b = a[8:], b[8:] {
			x, y := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
			even, odd := laneDifference(x&low, y&low), laneDifference(x>>8&low, y>>8&low)
			total, peak = total+even+odd, laneMax(laneMax(peak, even), odd)
		}
	}
	for range 4 {
		sum, most = sum+uint32(total&0xffff), max(most, uint32(peak&0xffff))
		total, peak = total>>16, peak>>16
	}
	size := sampleBytes(wide)
	for ; len(a) >= size && len(b) >= size; a, b = a[size:], b[size:] {
		x, y := uint32(a[0]), uint32(b[0])
		if wide {
			x, y = x|uint32(a[1])<<8, y|uint32(b[1])<<8
		}
		d := max(x, y) - min(x, y)
		sum, most = sum+d, max(most, d)
	}
	return sum, most
}

// laneDifference is |x - y| in each lane; the lanes hold less than 2^15.
func laneDifference(x, y uint64) uint64 {
	d := x | laneTop - y
	negative := d&laneTop>>15 ^ lanes
	return (d&^laneTop ^ negative*0xffff + negative) &^ laneTop
}

// laneMax is the greater of x and y in each lane; the lanes hold less than 2^15.
func laneMax(x, y uint64) uint64 {
	keep := (x | laneTop - y) & laneTop >> 15 * 0xffff
	return x&keep | y&^keep
}
