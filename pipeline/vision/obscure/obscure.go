// Package obscure writes masks into raw planar frames, and measures afterwards whether a decoded derivative still holds
// them.
//
// It owns what a covered area looks like: solid, surround, blur, mosaic. It works in place on the planes of a frame that
// belongs to the caller, with integers only, so that the same frame and areas give the same bytes on every machine. It
// never decides what is covered, never decodes, imports neither gocv nor cgo, and allocates nothing per frame once its
// buffers have grown. A Painter and a Comparison belong to one goroutine at a time.
//
// What a mask covers: every luma sample of every area and every chroma sample that any of those luma samples shares, so
// the rim keeps no colour of the face. Overlapping areas are one union; their order never matters.
package obscure

import (
	"errors"
	"fmt"

	"veil/pipeline/media"
)

// Fills.
const (
	// Solid is one dark grey.
	Solid = "solid"
	// Surround continues what lies around the mask smoothly across it. It is computed from samples outside the union of
	// all masks of the frame only, so it holds nothing of what is covered.
	Surround = "surround"
	// Blur keeps the coarsest colours of what is covered: its kernel is wider than the face. Not for public release.
	Blur = "blur"
	// Mosaic keeps the means of at most 6 cells across the face. Not for public release.
	Mosaic = "mosaic"
)

// Errors of this package wrap one of these.
var (
	ErrFill   = errors.New("unknown fill")
	ErrLayout = errors.New("layout cannot be painted")
	ErrArea   = errors.New("area makes no sense")
	ErrSize   = errors.New("frame has the wrong size")
)

// maxCoordinate bounds areas, in pixels, so that no sum below overflows.
const maxCoordinate = 1 << 20

// solidLuma is the fixed fill on the 8-bit limited-range scale: darker than most skin, lighter than a face in the dark.
const solidLuma = 48

// Area is one area to cover, in pixels of the layout. It may reach beyond the picture and is clipped to it. Where the
// layout is padded beyond the source's last row or column, an area that touches that row or column has to be extended
// over the padding by the caller.
type Area struct {
	X, Y, W, H int
	// Ellipse covers the ellipse inscribed in the rectangle, every pixel that it touches, instead of all of it. The
	// ellipse is that of the rectangle as given, before clipping.
	Ellipse bool
	// Face is the width in pixels of the face inside, for the cells of blur and mosaic; 0 means the area's width.
	Face int
	// Track is the caller's; it changes no pixel.
	Track int
	// Label is drawn in the middle of the fill, where it fits inside the area: at most 32 of printable ASCII and §.
	Label string
}

// check refuses what can only be a mistake of the caller.
func (a Area) check() error {
	if a.W <= 0 || a.H <= 0 || a.Face < 0 ||
		a.W > maxCoordinate || a.H > maxCoordinate || a.Face > maxCoordinate ||
		a.X < -maxCoordinate || a.X > maxCoordinate || a.Y < -maxCoordinate || a.Y > maxCoordinate {
		return fmt.Errorf("%d,%d,%d,%d: %w", a.X, a.Y, a.W, a.H, ErrArea)
	}
	return checkLabel(a.Label)
}

// Painter covers areas of frames of one layout with one fill.
type Painter struct {
	layout media.Layout
	fill   string
	planes []media.Plane
	size   int    // of a frame, in bytes
	wide   bool   // samples of two bytes
	solid  []byte // one row of the fixed fill for each plane, one after another
	masks  maskPair
	grid   surround
	cells  cells
	plates []plate
}

// New makes a painter. It refuses layouts that are not planar YUV and fills it does not know.
func New(l media.Layout, fill string) (*Painter, error) {
	if err := checkLayout(l); err != nil {
		return nil, err
	}
	p := &Painter{layout: l, fill: fill, planes: l.Planes(), size: l.Size(), wide: l.Depth() > 8}
	for i, pl := range p.planes {
		row := make([]byte, pl.Stride)
		fillRow(row, solidSample(i, l.Depth()), p.wide)
		p.solid = append(p.solid, row...)
	}
	p.masks.init(p.planes)
	switch fill {
	case Solid:
	case Surround:
		p.grid.init(l, p.planes)
	case Blur, Mosaic:
	default:
		return nil, fmt.Errorf("%q: %w", fill, ErrFill)
	}
	return p, nil
}

// checkLayout accepts the planar formats of package media within the bounds that the arithmetic here is made for.
func checkLayout(l media.Layout) error {
	switch l.Format {
	case media.YUV420P, media.YUV422P, media.YUV444P, media.YUV420P10, media.YUV422P10, media.YUV444P10:
	default:
		return fmt.Errorf("format %q: %w", l.Format, ErrLayout)
	}
	if l.Width < 1 || l.Height < 1 || l.Width > 1<<15 || l.Height > 1<<15 {
		return fmt.Errorf("%dx%d: %w", l.Width, l.Height, ErrLayout)
	}
	return nil
}

// solidSample is the fixed fill's sample in plane i.
func solidSample(i, depth int) uint32 {
	if i > 0 {
		return 1 << (depth - 1)
	}
	return solidLuma << (depth - 8)
}

// Paint covers the areas. The frame has the layout's size; what lies outside the areas is not changed. On an error the
// frame is as it was.
func (p *Painter) Paint(frame []byte, areas []Area) error {
	if len(frame) != p.size {
		return fmt.Errorf("%d bytes for %d: %w", len(frame), p.size, ErrSize)
	}
	if err := p.masks.build(areas, 0); err != nil {
		return err
	}
	if p.masks.empty() {
		return nil
	}
	switch p.fill {
	case Solid:
		p.paintSolid(frame)
	case Surround:
		p.paintSurround(frame)
	default:
		p.paintCells(frame, areas)
	}
	p.paintLabels(frame, areas)
	return nil
}

// PaintWhole covers the whole picture with the fixed fill, whatever the painter's fill and the frame's content.
func (p *Painter) PaintWhole(frame []byte) error {
	if len(frame) != p.size {
		return fmt.Errorf("%d bytes for %d: %w", len(frame), p.size, ErrSize)
	}
	row := 0
	for _, pl := range p.planes {
		solid := p.solid[row : row+pl.Stride]
		row += pl.Stride
		for y := range pl.Height {
			copy(frame[pl.Offset+y*pl.Stride:], solid)
		}
	}
	return nil
}

// paintSolid writes the fixed fill over the masks.
func (p *Painter) paintSolid(frame []byte) {
	row, bytes := 0, sampleBytes(p.wide)
	for i, pl := range p.planes {
		solid := p.solid[row : row+pl.Stride]
		row += pl.Stride
		m := p.masks.of(i)
		for y := range pl.Height {
			line := frame[pl.Offset+y*pl.Stride:][:pl.Stride]
			for _, s := range m.row(y) {
				copy(line[int(s.from)*bytes:int(s.to)*bytes], solid)
			}
		}
	}
}
