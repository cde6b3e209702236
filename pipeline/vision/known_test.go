package vision

import (
	"image"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// blank is a grey picture.
func blank(t *testing.T, w, h int, level byte) (gocv.Mat, []byte) {
	t.Helper()
	mat := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	t.Cleanup(func() { mat.Close() })
	pixels, err := mat.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	for i := range pixels {
		pixels[i] = level
	}
	return mat, pixels
}

// TestKnownFace: every network with every engine finds the drawn face at several sizes, one after another and back again,
// as a session meets them in a sweep.
func TestKnownFace(t *testing.T) {
	forEachDetector(t, func(t *testing.T, d *netDetector) {
		for _, side := range []int{320, 640, 320, 480, 640} {
			mat, pixels := blank(t, side, side, 120)
			k := float64(side) / 320
			want := track.Box{X: 100 * k, Y: 80 * k, W: 110 * k, H: 140 * k}
			DrawFace(pixels, side, side, want)
			faces, err := d.detect(mat, image.Pt(side, side), 0.6)
			if err != nil {
				t.Fatal(err)
			}
			if len(faces) != 1 || iou(faces[0].box, want) < 0.5 {
				t.Errorf("at %d px: %+v, want one face at %+v", side, faces, want)
			}
		}
	})
}

// TestKnownFaceIsMissed: what a detector must find at start is an error when it does not.
func TestKnownFaceIsMissed(t *testing.T) {
	for name, d := range map[string]detector{"blind": fakeDetector{}, "wrong place": fakeDetector{{box: track.Box{W: 30, H: 30}, score: 1}}} {
		if err := findKnownFace(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// fakeDetector finds the same in every picture.
type fakeDetector []found

func (d fakeDetector) detect(gocv.Mat, image.Point, float64) ([]found, error) { return d, nil }
func (fakeDetector) close() error                                             { return nil }
