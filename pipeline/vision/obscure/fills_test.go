package obscure

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"veil/pipeline/media"
)

// An even surrounding is continued without a trace, a slope nearly so.
func TestSurroundContinuesThePicture(t *testing.T) {
	for _, f := range formats {
		l := media.Layout{Width: 200, Height: 120, Format: f}
		flat := make([]byte, l.Size())
		for i, pl := range l.Planes() {
			fillRow(flat[pl.Offset:pl.Offset+pl.Stride*pl.Height], uint32(70+40*i), l.Depth() > 8)
		}
		got := bytes.Clone(flat)
		paint(t, painter(t, l, Surround), got, []Area{{X: 30, Y: 20, W: 100, H: 70}, {X: 150, Y: 100, W: 50, H: 20, Ellipse: true}})
		if !bytes.Equal(got, flat) {
			t.Errorf("%s: an even picture is not continued", f)
		}
	}
	l := media.Layout{Width: 200, Height: 120, Format: media.YUV444P}
	slope := make([]byte, l.Size())
	for i := range slope {
		slope[i] = byte(20 + i%200)
	}
	got := bytes.Clone(slope)
	paint(t, painter(t, l, Surround), got, []Area{{X: 32, Y: 16, W: 128, H: 80}})
	for i := range got {
		if d := int(got[i]) - int(slope[i]); d < -2 || d > 2 {
			t.Fatalf("slope is off by %d at byte %d", d, i)
		}
	}
}

// The rows' primitives, which work on several samples at once, agree with one sample at a time.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for _, wide := range []bool{false, true} {
		size := sampleBytes(wide)
		for n := range 70 {
			l, row := ramp{value: r.Uint32() >> 7, step: r.Uint32N(1<<18) - 1<<17}, make([]byte, n*size)
			if int64(l.value)+int64(n)*int64(int32(l.step)) < 0 {
				l.step = -l.step
			}
			putRamp(row, l, wide)
			sum := uint32(0)
			for i := range n {
				want, got := (l.value+uint32(i)*l.step)>>rampShift, uint32(row[i*size])
				if wide {
					got |= uint32(row[i*size+1]) << 8
				} else {
					want &= 0xff
				}
				if got != want {
					t.Fatalf("wide %v: sample %d of a line of %d is %d, want %d", wide, i, n, got, want)
				}
				sum += got
			}
			if got := sumRow(row, wide); got != sum {
				t.Fatalf("wide %v: %d samples sum to %d, want %d", wide, n, got, sum)
			}
		}
	}
}

// A7: at most six colours across the face, and a grid that moves with the area.
func TestMosaic(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, face := range []int{1, 5, 13, 60, 97} {
		l := media.Layout{Width: 300, Height: 240, Format: media.YUV444P}
		a := Area{X: 41, Y: 33, W: 2 * face, H: 2*face + 5, Face: face}
		frame := noise(l, r)
		paint(t, painter(t, l, Mosaic), frame, []Area{a})
		for x0 := a.X; x0+face <= a.X+a.W; x0++ {
			runs := 1
			for x := x0 + 1; x < x0+face; x++ {
				if at := a.Y*l.Width + x; frame[at] != frame[at-1] {
					runs++
				}
			}
			if runs > 6 {
				t.Fatalf("face of %d: %d cells across it", face, runs)
			}
		}
	}
	l := media.Layout{Width: 160, Height: 120, Format: media.YUV420P}
	first, second := noise(l, r), make([]byte, l.Size())
	for _, pl := range l.Planes() { // the same picture, moved by 6, 4
		for y := range pl.Height {
			for x := range pl.Width {
				fx, fy := (x-6>>pl.ShiftX+pl.Width)%pl.Width, (y-4>>pl.ShiftY+pl.Height)%pl.Height
				second[pl.Offset+y*pl.Stride+x] = first[pl.Offset+fy*pl.Stride+fx]
			}
		}
	}
	p := painter(t, l, Mosaic)
	paint(t, p, first, []Area{{X: 40, Y: 30, W: 60, H: 50, Face: 50}})
	paint(t, p, second, []Area{{X: 46, Y: 34, W: 60, H: 50, Face: 50}})
	for y := 30; y < 80; y++ {
		if !bytes.Equal(first[y*160+40:y*160+100], second[(y+4)*160+46:(y+4)*160+106]) {
			t.Fatalf("row %d: the grid does not move with the area", y)
		}
	}
}

// The blur leaves nothing of a pattern as fine as half the face, and little of one as wide as the face.
func TestBlurIsStrong(t *testing.T) {
	l := media.Layout{Width: 400, Height: 300, Format: media.YUV420P}
	for _, face := range []int{12, 40, 100} {
		for _, c := range []struct{ period, most int }{{face / 2, 12}, {face, 16}} {
			frame := make([]byte, l.Size())
			for y := range l.Height {
				for x := range l.Width {
					if (x/(c.period/2)+y/(c.period/2))%2 == 0 {
						frame[y*l.Width+x] = 200
					}
				}
			}
			a := Area{X: 100, Y: 80, W: face * 5 / 4, H: face * 3 / 2, Face: face}
			paint(t, painter(t, l, Blur), frame, []Area{a})
			low, high := 255, 0
			for y := a.Y; y < a.Y+a.H; y++ {
				for x := a.X; x < a.X+a.W; x++ {
					v := int(frame[y*l.Width+x])
					low, high = min(low, v), max(high, v)
				}
			}
			if high-low > c.most {
				t.Errorf("face of %d, pattern of %d: %d to %d is left", face, c.period, low, high)
			}
		}
	}
}
