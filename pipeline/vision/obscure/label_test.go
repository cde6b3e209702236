package obscure

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"veil/pipeline/media"
)

// labelled gives some of the areas labels.
func labelled(areas []Area, r *rand.Rand) []Area {
	for i := range areas {
		areas[i].Label = []string{"", "6C", "§ 22 KUG", "(b)(7)(C)"}[r.IntN(4)]
	}
	return areas
}

// TestLabelsStayInsideAndShowNothing: what holds of every fill holds with labels on it.
func TestLabelsStayInsideAndShowNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, f := range formats {
		for _, side := range [][2]int{{161, 121}, {96, 64}} {
			l := media.Layout{Width: side[0], Height: side[1], Format: f}
			for range 12 {
				checkPaint(t, l, labelled(someAreas(l, r), r), r)
			}
		}
	}
}

// bright counts the luma samples of an 8-bit frame that are letters.
func bright(frame []byte, l media.Layout) (n int) {
	for _, v := range frame[:l.Width*l.Height] {
		if v == letterLuma {
			n++
		}
	}
	return n
}

func TestLabelIsDrawnWhereItFits(t *testing.T) {
	l := media.Layout{Width: 640, Height: 360, Format: media.YUV420P}
	letters := func(areas ...Area) int {
		frame := make([]byte, l.Size())
		paint(t, painter(t, l, Solid), frame, areas)
		return bright(frame, l)
	}
	small := letters(Area{X: 100, Y: 100, W: 64, H: 64, Label: "§ 6"})
	if small < 40 {
		t.Fatalf("%d samples of letters", small)
	}
	// Four times as large each way, the same letters.
	if large := letters(Area{X: 100, Y: 100, W: 300, H: 220, Label: "§ 6"}); large != 16*small {
		t.Errorf("%d samples of large letters, %d of small ones", large, small)
	}
	for name, a := range map[string]Area{
		"too narrow": {W: 16, H: 64, Label: "§ 6"}, "too low": {W: 64, H: 16, Label: "§ 6"}, "none": {W: 64, H: 64},
		"beyond the picture": {X: 630, W: 64, H: 64, Label: "§ 6"}, "in an ellipse that is too small": {W: 34, H: 24, Ellipse: true, Label: "§ 6"},
	} {
		if n := letters(a); n != 0 {
			t.Errorf("%s: %d samples of letters", name, n)
		}
	}
	if n := letters(Area{X: 4, Y: 4, W: 64, H: 64, Label: "§ 6"}, Area{X: 8, Y: 4, W: 64, H: 64, Label: "§ 6"}); n != small {
		t.Errorf("two labels that meet: %d samples, want one label's %d", n, small)
	}
}

func TestLabelsAreTenBitToo(t *testing.T) {
	narrow := media.Layout{Width: 128, Height: 64, Format: media.YUV420P}
	wide := media.Layout{Width: 128, Height: 64, Format: media.YUV420P10}
	a, b := make([]byte, narrow.Size()), make([]byte, wide.Size())
	areas := []Area{{W: 128, H: 64, Label: "6C"}}
	paint(t, painter(t, narrow, Solid), a, areas)
	paint(t, painter(t, wide, Solid), b, areas)
	for i, v := range a {
		if got := int(b[2*i]) | int(b[2*i+1])<<8; got != int(v)<<2 {
			t.Fatalf("sample %d is %d in 8 bit and %d in 10", i, v, got)
		}
	}
}

func TestLabelsThatCannotBeDrawnAreRefused(t *testing.T) {
	l := media.Layout{Width: 64, Height: 64, Format: media.YUV420P}
	frame := make([]byte, l.Size())
	for _, label := range []string{"Müller", "6\n", "123456789012345678901234567890123"} {
		before := bytes.Clone(frame)
		if err := painter(t, l, Solid).Paint(frame, []Area{{W: 64, H: 64, Label: label}}); !errors.Is(err, ErrArea) || !bytes.Equal(before, frame) {
			t.Errorf("%q: %v", label, err)
		}
	}
}
