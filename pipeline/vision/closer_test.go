package vision

import (
	"image"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// TestCloseUp: a face is known by itself at any size, cut by the picture's edge, lying and upside down; a patch of its colours is not.
func TestCloseUp(t *testing.T) {
	f := open(t, Options{Threads: 1})
	d, err := newDetector(f.engine, networks[CenterFace], f.weights[CenterFace])
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	c := newCloseUp()
	defer c.close()
	const w, h = 640, 360
	for name, p := range map[string]struct {
		face track.Box
		turn int // quarters clockwise by which the picture is turned
		draw bool
	}{
		"as large as it is looked at": {track.Box{X: 300, Y: 100, W: 42, H: 54}, 0, true},
		"small":                       {track.Box{X: 300, Y: 100, W: 16, H: 20}, 0, true},
		"huge":                        {track.Box{X: 200, Y: 20, W: 230, H: 290}, 0, true},
		"at the corner":               {track.Box{X: -8, Y: -6, W: 60, H: 76}, 0, true},
		"beyond the other corner":     {track.Box{X: 590, Y: 300, W: 60, H: 76}, 0, true},
		"lying":                       {track.Box{X: 300, Y: 100, W: 42, H: 54}, 1, true},
		"upside down":                 {track.Box{X: 300, Y: 100, W: 42, H: 54}, 2, true},
		"lying the other way":         {track.Box{X: 300, Y: 100, W: 42, H: 54}, 3, true},
		"patch":                       {track.Box{X: 300, Y: 100, W: 42, H: 54}, 0, false},
	} {
		mat, pixels := blank(t, w, h, 110)
		if p.draw {
			DrawFace(pixels, w, h, p.face)
		} else {
			patch := mat.Region(image.Rect(300, 100, 342, 154))
			patch.SetTo(gocv.NewScalar(135, 165, 210, 0))
			patch.Close()
		}
		face := p.face
		if p.turn > 0 {
			gocv.Rotate(mat, &mat, turns[p.turn-1].how)
			back := turns[len(turns)-p.turn].back // what brings a box of the picture into that which is turned
			face = back(p.face, float64(mat.Cols()), float64(mat.Rows()))
		}
		if !c.cut(mat, face) {
			t.Fatalf("%s: not in the picture", name)
		}
		score, err := c.score(d)
		if err != nil {
			t.Fatal(err)
		}
		if (score >= track.EnoughLook) != p.draw {
			t.Errorf("%s: score %.2f", name, score)
		}
	}
	mat, _ := blank(t, w, h, 110)
	for _, far := range []track.Box{{X: 2000, Y: 10, W: 40, H: 50}, {X: -1e6, Y: 0, W: 40, H: 50}, {X: 0, Y: 0, W: 1e6, H: 1e6}} {
		if c.cut(mat, far) {
			t.Errorf("%v was cut out of %dx%d", far, w, h)
		}
	}
}

// TestSweepLooksCloser: where the second network looks, each large face is looked at closer, in source coordinates; small ones are not,
// nor does a sweep that turns.
func TestSweepLooksCloser(t *testing.T) {
	f := open(t, Options{Threads: 1})
	large, small := track.Box{X: 60, Y: 60, W: 60, H: 76}, track.Box{X: 500, Y: 200, W: 12, H: 15}
	mat, pixels := blank(t, 640, 360, 110)
	DrawFace(pixels, 640, 360, large)
	DrawFace(pixels, 640, 360, small)
	o := SweepOptions{Width: 640, Height: 360, SourceWidth: 1280, SourceHeight: 720}
	r := lookOnce(t, f, o, mat)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	want := track.Box{X: 2 * large.X, Y: 2 * large.Y, W: 2 * large.W, H: 2 * large.H}
	if len(r.Looks) != 1 || iou(r.Looks[0].Box, want) < 0.5 || r.Looks[0].Score < track.EnoughLook {
		t.Errorf("looked closer at %+v, want %+v alone", r.Looks, want)
	}
	o.Turn = 2
	if r := lookOnce(t, f, o, mat); r.Err != nil || len(r.Looks) != 0 {
		t.Errorf("a sweep that turns looked closer at %+v, %v", r.Looks, r.Err)
	}
}
