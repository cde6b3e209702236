package obscure

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"veil/pipeline/media"
)

func TestComparisonAgainstPlainSums(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, f := range formats {
		for range 10 {
			l := media.Layout{Width: 1 + r.IntN(120), Height: 1 + r.IntN(90), Format: f}
			want, got, areas := noise(l, r), noise(l, r), someAreas(l, r)
			copy(got[len(got)/3:], want[len(got)/3:len(got)/2])
			c, err := NewComparison(l, 5)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Add(want, got, areas); err != nil {
				t.Fatal(err)
			}
			if outside := plainOutside(l, want, got, areas); outside != c.Outside {
				t.Fatalf("%v %+v: %v, want %v", l, areas, c.Outside, outside)
			}
			for i, a := range areas {
				plain, in := plainInside(l, want, got, a), c.inside(want, got, a)
				if math.Abs(plain.Mean-in.Mean) > 1e-9 || math.Abs(plain.Block-in.Block) > 1e-9 || plain.Max != in.Max {
					t.Fatalf("%v area %d %+v: %+v, want %+v", l, i, a, in, plain)
				}
			}
		}
	}
}

// sample reads the sample at x, y of a plane.
func sample(l media.Layout, pl media.Plane, frame []byte, x, y int) int {
	at := pl.Offset + y*pl.Stride + x
	if l.Depth() == 8 {
		return int(frame[at])
	}
	at += x
	return int(frame[at]) + int(frame[at+1])<<8
}

func plainOutside(l media.Layout, want, got []byte, areas []Area) [3]PlaneError {
	var out [3]PlaneError
	grown := make([]Area, len(areas))
	for i, a := range areas {
		grown[i] = Area{X: a.X - 5, Y: a.Y - 5, W: a.W + 10, H: a.H + 10}
	}
	inside := covered(l, grown)
	for i, pl := range l.Planes() {
		for y := range pl.Height {
			for x := range pl.Width {
				if !inside[pl.Offset+y*pl.Stride+x*(l.Depth()/10+1)] {
					d := sample(l, pl, want, x, y) - sample(l, pl, got, x, y)
					out[i].Squares += uint64(d * d)
					out[i].Samples++
				}
			}
		}
	}
	return out
}

func plainInside(l media.Layout, want, got []byte, a Area) Inside {
	var in Inside
	inside := covered(l, []Area{a})
	unit := float64(int(1) << (l.Depth() - 8))
	for _, pl := range l.Planes() {
		sum, n, blocks := 0.0, 0.0, map[[2]int][2]float64{}
		for y := range pl.Height {
			for x := range pl.Width {
				if inside[pl.Offset+y*pl.Stride+x*(l.Depth()/10+1)] {
					d := math.Abs(float64(sample(l, pl, want, x, y)-sample(l, pl, got, x, y))) / unit
					sum, n, in.Max = sum+d, n+1, max(in.Max, d)
					b := blocks[[2]int{x / 16, y / 16}]
					blocks[[2]int{x / 16, y / 16}] = [2]float64{b[0] + d, b[1] + 1}
				}
			}
		}
		if n > 0 {
			in.Mean = max(in.Mean, sum/n)
			worst := -1.0
			for _, b := range blocks {
				if b[1] >= 128 {
					worst = max(worst, b[0]/b[1])
				}
			}
			if worst < 0 {
				worst = sum / n
			}
			in.Block = max(in.Block, worst)
		}
	}
	return in
}

// One uncovered patch in one area of one frame is named, and does not touch the figure of what lies outside.
func TestComparisonNamesTheWorstArea(t *testing.T) {
	l := media.Layout{Width: 320, Height: 240, Format: media.YUV420P}
	r := rand.New(rand.NewPCG(23, 24))
	source := noise(l, r)
	areas := []Area{{X: 16, Y: 16, W: 64, H: 64}, {X: 160, Y: 96, W: 96, H: 96, Ellipse: true}}
	c, err := NewComparison(l, 16)
	if err != nil {
		t.Fatal(err)
	}
	p := painter(t, l, Surround)
	for frame := range 3 {
		want := bytes.Clone(source)
		paint(t, p, want, areas)
		got := bytes.Clone(want)
		if frame == 1 {
			for y := 128; y < 144; y++ {
				copy(got[y*320+192:y*320+208], source[y*320+192:])
			}
		}
		if err := c.Add(want, got, areas); err != nil {
			t.Fatal(err)
		}
	}
	if c.Frames != 3 || c.Areas != 6 || c.PSNR() != ExactPSNR || c.WorstPSNR != ExactPSNR {
		t.Errorf("%d frames, %d areas, PSNR %v, worst %v", c.Frames, c.Areas, c.PSNR(), c.WorstPSNR)
	}
	if c.Worst.Frame != 1 || c.Worst.Area != 1 || c.Worst.Mean < 1 || c.Worst.Mean > 5 {
		t.Errorf("worst area: %+v", c.Worst)
	}
	if c.WorstBlock.Frame != 1 || c.WorstBlock.Area != 1 || c.WorstBlock.Block < 40 {
		t.Errorf("worst block: %+v", c.WorstBlock)
	}
}

func TestComparisonPSNR(t *testing.T) {
	for _, f := range formats {
		l := media.Layout{Width: 64, Height: 48, Format: f}
		c, err := NewComparison(l, 16)
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]byte, l.Size()), make([]byte, l.Size())
		if err := c.Add(a, b, nil); err != nil {
			t.Fatal(err)
		}
		fillRow(b, 2, l.Depth() > 8) // off by two everywhere
		if err := c.Add(a, b, nil); err != nil {
			t.Fatal(err)
		}
		peak := float64(int(1)<<l.Depth() - 1)
		if want := 10 * math.Log10(peak*peak/4); math.Abs(c.WorstPSNR-want) > 1e-9 || c.WorstFrame != 1 {
			t.Errorf("%s: worst frame %d with %v, want %v", f, c.WorstFrame, c.WorstPSNR, want)
		}
		if want := 10 * math.Log10(peak*peak/2); math.Abs(c.PSNR()-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", f, c.PSNR(), want)
		}
		if err := c.Add(a, b[1:], nil); !errors.Is(err, ErrSize) {
			t.Errorf("short frame: %v", err)
		}
		if err := c.Add(a, b, []Area{{}}); !errors.Is(err, ErrArea) {
			t.Errorf("empty area: %v", err)
		}
	}
	if _, err := NewComparison(media.Layout{Width: 8, Height: 8, Format: media.YUV420P}, -1); !errors.Is(err, ErrArea) {
		t.Errorf("negative margin: %v", err)
	}
}

func TestComparisonAllocatesNothing(t *testing.T) {
	l := media.Layout{Width: 640, Height: 360, Format: media.YUV420P}
	r := rand.New(rand.NewPCG(25, 26))
	want, got, areas := noise(l, r), noise(l, r), crowd(l, 30, 60, 0)
	c, err := NewComparison(l, 16)
	if err != nil {
		t.Fatal(err)
	}
	add := func() {
		if err := c.Add(want, got, areas); err != nil {
			t.Fatal(err)
		}
	}
	add()
	if n := testing.AllocsPerRun(10, add); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkComparison(b *testing.B) {
	l := media.Layout{Width: 1920, Height: 1080, Format: media.YUV420P}
	r := rand.New(rand.NewPCG(27, 28))
	want := noise(l, r)
	for _, c := range []struct {
		name  string
		areas []Area
	}{{"none", nil}, {"10x200", crowd(l, 10, 200, 0)}, {"250x40", crowd(l, 250, 40, 0)}} {
		b.Run(c.name, func(b *testing.B) {
			got := bytes.Clone(want)
			for i := range got { // as a coder would: every sample a little off
				got[i] += byte(r.IntN(3)) - 1
			}
			cmp, err := NewComparison(l, 16)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := cmp.Add(want, got, c.areas); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
