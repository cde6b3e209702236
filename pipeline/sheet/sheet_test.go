package sheet

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"

	"golang.org/x/image/draw"

	"veil/pipeline/media"
)

// plainPicture is a picture of one colour.
func plainPicture(w, h int, c color.RGBA) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(img, img.Bounds(), c)
	return img
}

// drawn decodes what a sheet wrote.
func drawn(t *testing.T, write func(*bytes.Buffer) error) *image.RGBA {
	t.Helper()
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&buf)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	return out
}

// count says how many pixels of a colour a picture has.
func count(img *image.RGBA, c color.RGBA) int {
	n := 0
	for i := 0; i < len(img.Pix); i += 4 {
		if [4]byte(img.Pix[i:i+4]) == [4]byte{c.R, c.G, c.B, c.A} {
			n++
		}
	}
	return n
}

var red, blue = color.RGBA{0xd0, 0x10, 0x20, 0xff}, color.RGBA{0x10, 0x20, 0xd0, 0xff}

func TestBeforeAfter(t *testing.T) {
	for _, c := range []struct {
		name               string
		w, h, pairs        int
		sar                float64
		wide, high, column int // size of one picture on the sheet; pairs side by side
	}{
		{"landscape", 640, 360, 2, 0, 480, 270, 1},
		{"portrait", 180, 320, 5, 1, 225, 400, 2},
		{"anamorphic", 360, 288, 2, 64.0 / 45, 480, 270, 1},
		{"small", 32, 16, 1, 0, 128, 64, 1},
		{"one pixel", 1, 1, 9, 0, 4, 4, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			pairs := make([]Pair, c.pairs)
			for i := range pairs {
				pairs[i] = Pair{Number: 10 * i, Time: float64(i) * 0.4, Before: plainPicture(c.w, c.h, red), After: plainPicture(c.w, c.h, blue), SAR: c.sar}
			}
			img := drawn(t, func(b *bytes.Buffer) error { return BeforeAfter(b, pairs, "Before and after", "clip.mp4") })
			for _, colour := range []color.RGBA{red, blue} {
				if n := count(img, colour); n != c.pairs*c.wide*c.high {
					t.Errorf("%d pixels of %v, want %d pictures of %dx%d", n, colour, c.pairs, c.wide, c.high)
				}
			}
			if cell := max(c.wide, 190); img.Bounds().Dx() < c.column*(2*cell+gap)+2*margin || img.Bounds().Dx() > c.column*(2*cell+gap+2*margin) && img.Bounds().Dx() > minHeadingWidth+2*margin {
				t.Errorf("sheet is %v", img.Bounds())
			}
			if count(img, ink) == 0 {
				t.Error("no label on it")
			}
			for _, p := range []image.Point{{0, 0}, {img.Bounds().Dx() - 1, img.Bounds().Dy() - 1}} {
				if img.RGBAAt(p.X, p.Y) != paper {
					t.Errorf("no margin at %v", p)
				}
			}
		})
	}
}

// Before stands to the left of after, and a picture whose bounds do not begin at the origin is drawn whole.
func TestBeforeStandsLeft(t *testing.T) {
	large := plainPicture(400, 300, blue)
	fill(large, image.Rect(100, 100, 340, 235), red)
	before := large.SubImage(image.Rect(100, 100, 340, 235))
	img := drawn(t, func(b *bytes.Buffer) error {
		return BeforeAfter(b, []Pair{{Before: before, After: plainPicture(240, 135, blue)}})
	})
	y := img.Bounds().Dy() / 2
	left, right := img.RGBAAt(margin+240, y), img.RGBAAt(margin+pairWidth+gap+240, y)
	if left != red || right != blue {
		t.Errorf("left is %v, right %v", left, right)
	}
	if n := count(img, red); n != 480*270 {
		t.Errorf("%d pixels of the first picture", n)
	}
}

func TestNothingToDraw(t *testing.T) {
	var b bytes.Buffer
	for name, err := range map[string]error{
		"no pairs":   BeforeAfter(&b, nil),
		"no picture": BeforeAfter(&b, []Pair{{Before: plainPicture(4, 4, red)}}),
		"no pixel":   People(&b, []Person{{Track: 1, Picture: image.NewRGBA(image.Rectangle{})}}),
	} {
		if !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.Len() != 0 {
		t.Error("something was written")
	}
}

func TestPeople(t *testing.T) {
	for _, n := range []int{1, 11, manyPeople + 1} {
		people, face := make([]Person, n), plainPicture(50, 50, red)
		for i := range people {
			people[i] = Person{Track: i + 1, Picture: face, First: 1.25, Last: 3700, Seen: i + 1, Sure: i%2 == 0, Label: "left \u2192 right"}
		}
		img := drawn(t, func(b *bytes.Buffer) error { return People(b, people, "People", "clip.mp4") })
		side := faceSide
		if n > manyPeople {
			side = manyFaceSide
		}
		if got := count(img, red); got != n*side*side {
			t.Errorf("%d people: %d pixels of pictures, want %d", n, got, n*side*side)
		}
		if count(img, certain) == 0 || (n > 1) != (count(img, doubt) > 0) {
			t.Errorf("%d people: sure and unsure are not marked", n)
		}
	}
	img := drawn(t, func(b *bytes.Buffer) error { return People(b, nil, "People") })
	if count(img, faint) == 0 {
		t.Error("an empty sheet does not say so")
	}
}

func TestSheetIsBounded(t *testing.T) {
	g := newGrid(make([]Person, MaxPeople))
	if w, h := g.columns*(g.cell.X+gap), g.rows*(g.cell.Y+gap); g.columns*g.rows < MaxPeople || w > 2000 || h > 20000 {
		t.Errorf("%d people make a sheet of %dx%d", MaxPeople, w, h)
	}
}

func TestClock(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0:00.000", 4.8: "0:04.800", 59.9996: "1:00.000", 61.0014: "1:01.001", 3723.45: "1:02:03.450", -0.5: "-0:00.500",
	} {
		if got := Clock(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
}

func TestTextIsPlain(t *testing.T) {
	if got := plain("a\u00fc\n\u20acz"); got != "a???z" {
		t.Errorf("got %q", got)
	}
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil}, {"one two", []string{"one", "two"}}, {"a b c d", []string{"a b c", "d"}}, {"abcdefghijkl m", []string{"abcde", "fghij", "kl m"}},
	} {
		got := wrap(c.in, 5)
		if len(got) != len(c.want) {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: %q, want %q", c.in, got, c.want)
			}
		}
	}
}

func TestCrop(t *testing.T) {
	img := plainPicture(200, 100, blue)
	for _, c := range []struct{ box, want image.Rectangle }{
		{image.Rect(80, 40, 100, 60), image.Rect(70, 30, 110, 70)},
		{image.Rect(190, 90, 210, 110), image.Rect(180, 80, 200, 100)},
		{image.Rect(500, 500, 510, 510), img.Bounds()},
	} {
		if got := Crop(img, c.box).Bounds(); got != c.want {
			t.Errorf("%v: %v, want %v", c.box, got, c.want)
		}
	}
}

// Known colours come out as themselves in every format, range and matrix.
func TestFromYUV(t *testing.T) {
	formats := []media.PixelFormat{media.YUV420P, media.YUV422P, media.YUV444P, media.YUV420P10, media.YUV422P10, media.YUV444P10}
	for _, f := range formats {
		for _, c := range []Colour{{}, {Matrix: "bt709"}, {Full: true, Matrix: "smpte170m"}, {Matrix: "bt2020nc"}} {
			for _, want := range []color.RGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {200, 60, 30, 255}, {20, 90, 230, 255}} {
				l := media.Layout{Width: 5, Height: 3, Format: f}
				img, err := FromYUV(l, yuvFrame(l, c, want), c, 1)
				if err != nil {
					t.Fatal(err)
				}
				got := img.RGBAAt(4, 2)
				for i, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
					if d < -2 || d > 2 {
						t.Errorf("%s %+v: channel %d of %v became %v", f, c, i, want, got)
					}
				}
			}
		}
	}
}

// yuvFrame is a frame of one colour, by the textbook's formula.
func yuvFrame(l media.Layout, c Colour, rgb color.RGBA) []byte {
	kr, kb := c.weights(l.Height)
	r, g, b := float64(rgb.R)/255, float64(rgb.G)/255, float64(rgb.B)/255
	y := kr*r + (1-kr-kb)*g + kb*b
	u, v := (b-y)/2/(1-kb), (r-y)/2/(1-kr)
	unit := float64(int(1) << (l.Depth() - 8))
	samples := []float64{(16 + 219*y) * unit, (128 + 224*u) * unit, (128 + 224*v) * unit}
	if c.Full {
		peak := float64(int(1)<<l.Depth() - 1)
		samples = []float64{peak * y, 128*unit + peak*u, 128*unit + peak*v}
	}
	frame := make([]byte, l.Size())
	for i, p := range l.Planes() {
		s := int(math.Round(samples[i]))
		part := frame[p.Offset : p.Offset+p.Stride*p.Height]
		for k := range part {
			part[k] = byte(s)
			if l.Depth() > 8 && k%2 == 1 {
				part[k] = byte(s >> 8)
			}
		}
	}
	return frame
}

func TestFromBGR(t *testing.T) {
	l := media.Layout{Width: 2, Height: 1, Format: media.BGR24}
	img, err := FromBGR(l, []byte{1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if img.RGBAAt(0, 0) != (color.RGBA{3, 2, 1, 255}) || img.RGBAAt(1, 0) != (color.RGBA{6, 5, 4, 255}) {
		t.Errorf("pixels are %v", img.Pix)
	}
	for _, err := range []error{
		second(FromBGR(l, make([]byte, 5))),
		second(FromBGR(media.Layout{Width: 2, Height: 1, Format: media.YUV420P}, make([]byte, 6))),
		second(FromYUV(l, make([]byte, 6), Colour{}, 1)),
		second(FromYUV(media.Layout{Width: 2, Height: 1, Format: media.YUV420P}, make([]byte, 3), Colour{}, 1)),
	} {
		if !errors.Is(err, ErrFrame) {
			t.Errorf("got %v", err)
		}
	}
}

func second(_ *image.RGBA, err error) error { return err }

// A shrunk picture is made of means, each of the samples under its pixel, and leaves out what fills no whole pixel.
func TestFromYUVShrinks(t *testing.T) {
	for _, f := range []media.PixelFormat{media.YUV420P, media.YUV444P, media.YUV422P10} {
		l := media.Layout{Width: 13, Height: 8, Format: f}
		frame := yuvFrame(l, Colour{}, color.RGBA{128, 128, 128, 255})
		unit := 1 << (l.Depth() - 8)
		luma := l.Planes()[0]
		for y := range l.Height {
			for x := range l.Width {
				v := (100 + 20*(x/4)) * unit // of four columns each
				if x%2 == 1 {
					v += 8 * unit
				}
				at := luma.Offset + y*luma.Stride + x*luma.Stride/l.Width
				frame[at] = byte(v)
				if l.Depth() > 8 {
					frame[at+1] = byte(v >> 8)
				}
			}
		}
		img, err := FromYUV(l, frame, Colour{}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds() != image.Rect(0, 0, 3, 2) {
			t.Fatalf("%s: picture is %v", f, img.Bounds())
		}
		for x := range 3 {
			want := int(math.Round(float64(104+20*x-16) * 255 / 219))
			if c := img.RGBAAt(x, 1); max(int(c.R)-want, want-int(c.R)) > 1 || c.R != c.G || c.G != c.B {
				t.Errorf("%s: pixel %d is %v, want %d", f, x, c, want)
			}
		}
	}
}

func TestFrames(t *testing.T) {
	var shots []Shot
	for i := range 6 {
		shots = append(shots, Shot{Number: 1000 + i, Time: float64(i), Picture: plainPicture(64, 36, blue)})
	}
	img := drawn(t, func(b *bytes.Buffer) error { return Frames(b, shots, "heading", "line") })
	if n := count(img, blue); n < 6*64*36 || n%6 != 0 {
		t.Errorf("%d blue pixels of six pictures", n)
	}
	if err := Frames(&bytes.Buffer{}, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("no frames: %v", err)
	}
	if err := Frames(&bytes.Buffer{}, []Shot{{}}); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty frame: %v", err)
	}
}
