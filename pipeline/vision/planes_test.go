package vision

import (
	"image"
	"math/rand/v2"
	"testing"

	"gocv.io/x/gocv"
)

// TestPlanes: every value of the tile stands in its plane, in either order, and nothing else of the blob changes.
func TestPlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	picture := gocv.NewMatWithSize(50, 70, gocv.MatTypeCV8UC3)
	defer picture.Close()
	pixels, err := picture.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	for i := range pixels {
		pixels[i] = byte(r.Uint32())
	}
	for _, tile := range []image.Rectangle{image.Rect(0, 0, 70, 50), image.Rect(0, 0, 1, 1), image.Rect(3, 5, 18, 40), image.Rect(20, 7, 53, 50), image.Rect(54, 0, 70, 2)} {
		for _, swap := range []bool{false, true} {
			b, err := newBlob(64, 96)
			if err != nil {
				t.Fatal(err)
			}
			if err := planes(picture, tile, b, swap); err != nil {
				t.Fatal(err)
			}
			for c := range 3 {
				from := c
				if swap {
					from = 2 - c
				}
				for y := range b.h {
					for x := range b.w {
						want := float32(0)
						if x < tile.Dx() && y < tile.Dy() {
							want = float32(pixels[3*((y+tile.Min.Y)*70+x+tile.Min.X)+from])
						}
						if got := b.data[(c*b.h+y)*b.w+x]; got != want {
							t.Fatalf("%v, swap %v: plane %d, row %d, column %d: %g, want %g", tile, swap, c, y, x, got, want)
						}
					}
				}
			}
			b.close()
		}
	}
	b, err := newBlob(32, 32)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for _, tile := range []image.Rectangle{image.Rect(0, 0, 70, 50), image.Rect(60, 0, 71, 10), image.Rect(-1, 0, 10, 10), image.Rect(5, 5, 5, 9)} {
		if err := planes(picture, tile, b, false); err == nil {
			t.Errorf("%v was taken apart", tile)
		}
	}
}

func BenchmarkPlanes(b *testing.B) {
	picture := gocv.NewMatWithSize(864, 448, gocv.MatTypeCV8UC3)
	defer picture.Close()
	in, err := newBlob(864, 448)
	if err != nil {
		b.Fatal(err)
	}
	defer in.close()
	for b.Loop() {
		if err := planes(picture, image.Rect(0, 0, 448, 864), in, true); err != nil {
			b.Fatal(err)
		}
	}
}
