package obscure

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"veil/pipeline/media"
)

var formats = []media.PixelFormat{
	media.YUV420P, media.YUV422P, media.YUV444P, media.YUV420P10, media.YUV422P10, media.YUV444P10,
}

var fills = []string{Solid, Surround, Blur, Mosaic}

func painter(t testing.TB, l media.Layout, fill string) *Painter {
	t.Helper()
	p, err := New(l, fill)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func paint(t testing.TB, p *Painter, frame []byte, areas []Area) {
	t.Helper()
	if err := p.Paint(frame, areas); err != nil {
		t.Fatal(err)
	}
}

// noise is a frame of random samples within the format's depth.
func noise(l media.Layout, r *rand.Rand) []byte {
	frame := make([]byte, l.Size())
	for i := range frame {
		frame[i] = byte(r.Uint32())
		if l.Depth() > 8 && i%2 == 1 {
			frame[i] &= 3
		}
	}
	return frame
}

// inArea says by arithmetic of its own, in 64ths of a pixel along the sides, whether any of a pixel lies inside.
func inArea(a Area, x, y int) bool {
	if x < a.X || y < a.Y || x >= a.X+a.W || y >= a.Y+a.H {
		return false
	}
	if !a.Ellipse {
		return true
	}
	cx, cy := float64(a.X)+float64(a.W)/2, float64(a.Y)+float64(a.H)/2
	nx, ny := min(max(cx, float64(x)), float64(x+1)), min(max(cy, float64(y)), float64(y+1))
	dx, dy := (nx-cx)/(float64(a.W)/2), (ny-cy)/(float64(a.H)/2)
	return dx*dx+dy*dy < 1
}

// covered marks the bytes of a frame that the areas cover, by the definition in the package's comment.
func covered(l media.Layout, areas []Area) []bool {
	out := make([]bool, l.Size())
	size := l.Depth()/10 + 1
	for _, pl := range l.Planes() {
		for y := range l.Height {
			for x := range l.Width {
				for _, a := range areas {
					if inArea(a, x, y) {
						at := pl.Offset + (y>>pl.ShiftY)*pl.Stride + (x>>pl.ShiftX)*size
						for b := range size {
							out[at+b] = true
						}
					}
				}
			}
		}
	}
	return out
}

// someAreas draws areas that lie inside, across edges and corners, and outside, with sides from one pixel up.
func someAreas(l media.Layout, r *rand.Rand) []Area {
	areas := make([]Area, 1+r.IntN(5))
	for i := range areas {
		a := Area{W: 1 + r.IntN(l.Width+4), H: 1 + r.IntN(l.Height+4), Ellipse: r.IntN(2) == 0, Track: i}
		if r.IntN(3) == 0 {
			a.W, a.H = 1+r.IntN(3), 1+r.IntN(3)
		}
		a.X, a.Y = r.IntN(l.Width+a.W)-a.W, r.IntN(l.Height+a.H)-a.H
		switch r.IntN(5) {
		case 0:
			a.X, a.Y = 0, 0
		case 1:
			a.X, a.Y = l.Width-a.W, l.Height-a.H
		}
		switch r.IntN(3) {
		case 0:
			a.Face = 6
		case 1:
			a.Face = 1 + r.IntN(a.W)
		}
		areas[i] = a
	}
	return areas
}

// checkPaint holds one draw of areas against every promise that is the same for all fills.
func checkPaint(t *testing.T, l media.Layout, areas []Area, r *rand.Rand) {
	t.Helper()
	source, inside := noise(l, r), covered(l, areas)
	other := bytes.Clone(source)
	for i, in := range inside {
		if in {
			other[i] = source[i] ^ byte(1+r.IntN(3))
		}
	}
	turned := make([]Area, len(areas))
	for i, k := range r.Perm(len(areas)) {
		turned[i] = areas[k]
	}
	for _, fill := range fills {
		p := painter(t, l, fill)
		got := bytes.Clone(source)
		paint(t, p, got, areas)
		for i := range got {
			if !inside[i] && got[i] != source[i] {
				t.Fatalf("%s %v %+v: byte %d outside was changed", fill, l, areas, i)
			}
		}
		for _, same := range [][]Area{turned, append(slices.Clone(areas), turned...)} {
			again := bytes.Clone(source)
			paint(t, p, again, same)
			if !bytes.Equal(got, again) {
				t.Fatalf("%s %v %+v: other order or a repeated area paints otherwise", fill, l, areas)
			}
		}
		if fill != Solid && fill != Surround {
			continue
		}
		again := bytes.Clone(other)
		paint(t, p, again, areas)
		if !bytes.Equal(got, again) {
			t.Fatalf("%s %v %+v: what is covered shows in the output", fill, l, areas)
		}
	}
	if !slices.ContainsFunc(areas, func(a Area) bool { return a.Label != "" }) {
		checkSolid(t, l, areas, source, inside)
	}
}

// checkSolid finds every covered sample at the fixed fill.
func checkSolid(t *testing.T, l media.Layout, areas []Area, source []byte, inside []bool) {
	t.Helper()
	p := painter(t, l, Solid)
	whole, got := make([]byte, len(source)), bytes.Clone(source)
	if err := p.PaintWhole(whole); err != nil {
		t.Fatal(err)
	}
	paint(t, p, got, areas)
	for i, in := range inside {
		if in && got[i] != whole[i] {
			t.Fatalf("%v %+v: byte %d is not covered", l, areas, i)
		}
	}
}

// A4, A6, A7 over every format, odd sizes, edges, corners, one-pixel areas, the last row and column, overlaps.
func TestPaintHidesAndTouchesNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][2]int{{1, 1}, {2, 1}, {1, 7}, {16, 16}, {17, 33}, {50, 31}, {97, 64}, {130, 75}}
	for _, f := range formats {
		for _, s := range sizes {
			for range 12 {
				l := media.Layout{Width: s[0], Height: s[1], Format: f}
				checkPaint(t, l, someAreas(l, r), r)
			}
		}
	}
}

func FuzzPaint(f *testing.F) {
	for i := range 12 {
		f.Add(uint64(i), uint8(i), uint8(3*i), uint8(7*i+1))
	}
	f.Fuzz(func(t *testing.T, seed uint64, format, width, height uint8) {
		l := media.Layout{Width: 1 + int(width), Height: 1 + int(height), Format: formats[int(format)%len(formats)]}
		r := rand.New(rand.NewPCG(seed, 0))
		checkPaint(t, l, someAreas(l, r), r)
	})
}

// The last row and column, and the chroma that they share, are covered at odd sizes.
func TestLastRowAndColumn(t *testing.T) {
	for _, f := range formats {
		l := media.Layout{Width: 33, Height: 19, Format: f}
		checkPaint(t, l, []Area{{X: 32, Y: 0, W: 1, H: 19}, {X: 0, Y: 18, W: 33, H: 1}}, rand.New(rand.NewPCG(3, 4)))
	}
}

// An area as large as the picture leaves nothing to continue: the fill is a constant.
func TestWholePictureMasked(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, f := range formats {
		l := media.Layout{Width: 40, Height: 30, Format: f}
		p := painter(t, l, Surround)
		a, b := noise(l, r), noise(l, r)
		paint(t, p, a, []Area{{X: -3, Y: -3, W: 60, H: 60}})
		paint(t, p, b, []Area{{W: 40, H: 30}})
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two pictures covered whole differ", f)
		}
	}
}

func TestPaintWholeIsIndependentOfContent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	l := media.Layout{Width: 21, Height: 9, Format: media.YUV420P10}
	var first []byte
	for _, fill := range fills {
		frame := noise(l, r)
		if err := painter(t, l, fill).PaintWhole(frame); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = frame
		}
		if !bytes.Equal(frame, first) {
			t.Errorf("%s paints the whole picture otherwise", fill)
		}
	}
}

func TestRefusals(t *testing.T) {
	good := media.Layout{Width: 32, Height: 32, Format: media.YUV420P}
	if _, err := New(good, "pixelate"); !errors.Is(err, ErrFill) {
		t.Errorf("unknown fill: %v", err)
	}
	for _, l := range []media.Layout{{Width: 32, Height: 32, Format: media.BGR24}, {Width: 0, Height: 2, Format: media.YUV420P}, {Width: 1 << 16, Height: 2, Format: media.YUV420P}} {
		if _, err := New(l, Solid); !errors.Is(err, ErrLayout) {
			t.Errorf("layout %v: %v", l, err)
		}
		if _, err := NewComparison(l, 0); !errors.Is(err, ErrLayout) {
			t.Errorf("layout %v: %v", l, err)
		}
	}
	p, frame := painter(t, good, Surround), make([]byte, good.Size())
	if err := p.Paint(frame[1:], nil); !errors.Is(err, ErrSize) {
		t.Errorf("short frame: %v", err)
	}
	if err := p.PaintWhole(frame[1:]); !errors.Is(err, ErrSize) {
		t.Errorf("short frame: %v", err)
	}
	for _, a := range []Area{{W: 0, H: 4}, {W: 4, H: -1}, {W: 4, H: 4, Face: -1}, {X: 1 << 40, W: 4, H: 4}} {
		if err := p.Paint(frame, []Area{{W: 8, H: 8}, a}); !errors.Is(err, ErrArea) {
			t.Errorf("area %v: %v", a, err)
		}
	}
	if !bytes.Equal(frame, make([]byte, good.Size())) {
		t.Error("a refused call changed the frame")
	}
}

// crowd is a frame's worth of n square areas of side pixels.
func crowd(l media.Layout, n, side, step int) []Area {
	r := rand.New(rand.NewPCG(uint64(n), uint64(side)))
	areas := make([]Area, n)
	for i := range areas {
		x, y := r.IntN(l.Width-side), r.IntN(l.Height-side)
		areas[i] = Area{X: (x + step) % (l.Width - side), Y: y, W: side, H: side, Face: side * 2 / 3, Ellipse: i%2 == 1, Track: i + 1}
	}
	return areas
}

func TestPaintAllocatesNothing(t *testing.T) {
	l := media.Layout{Width: 640, Height: 360, Format: media.YUV420P}
	frame := noise(l, rand.New(rand.NewPCG(11, 12)))
	areas := crowd(l, 30, 60, 0)
	for _, fill := range fills {
		p := painter(t, l, fill)
		paint(t, p, frame, areas)
		if n := testing.AllocsPerRun(10, func() { paint(t, p, frame, areas) }); n != 0 {
			t.Errorf("%s: %v allocations a frame", fill, n)
		}
	}
}

func BenchmarkPaint(b *testing.B) {
	l := media.Layout{Width: 1920, Height: 1080, Format: media.YUV420P}
	for _, c := range []struct{ n, side int }{{10, 200}, {250, 40}} {
		for _, fill := range fills {
			b.Run(fmt.Sprintf("%s/%dx%d", fill, c.n, c.side), func(b *testing.B) {
				frame := noise(l, rand.New(rand.NewPCG(13, 14)))
				p := painter(b, l, fill)
				moving := make([][]Area, 16)
				for i := range moving {
					moving[i] = crowd(l, c.n, c.side, 8*i)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					paint(b, p, frame, moving[i%len(moving)])
				}
			})
		}
	}
}
