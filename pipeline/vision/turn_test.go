package vision

import (
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// TestTurnedFaces: a face that lies, hangs upside down or fills most of the picture is found by the look at a first frame.
func TestTurnedFaces(t *testing.T) {
	f := open(t, Options{Threads: 1})
	const w, h = 640, 360
	for name, c := range map[string]struct {
		how  gocv.RotateFlag
		face track.Box // in the picture before it is turned
	}{
		"lying left":  {gocv.Rotate90CounterClockwise, track.Box{X: 120, Y: 200, W: 44, H: 58}},
		"lying right": {gocv.Rotate90Clockwise, track.Box{X: 90, Y: 420, W: 44, H: 58}},
		"upside down": {gocv.Rotate180Clockwise, track.Box{X: 420, Y: 120, W: 36, H: 46}},
		"small, down": {gocv.Rotate180Clockwise, track.Box{X: 100, Y: 60, W: 24, H: 30}},
		"huge":        {-1, track.Box{X: 180, Y: 40, W: 220, H: 280}},
		"ten pixels":  {-1, track.Box{X: 300, Y: 140, W: 10, H: 13}},
	} {
		t.Run(name, func(t *testing.T) {
			dw, dh := w, h
			if c.how == gocv.Rotate90Clockwise || c.how == gocv.Rotate90CounterClockwise {
				dw, dh = h, w
			}
			mat, pixels := blank(t, dw, dh, 110)
			DrawFace(pixels, dw, dh, c.face)
			want := c.face
			picture := gocv.NewMat()
			defer picture.Close()
			mat.CopyTo(&picture)
			if c.how >= 0 {
				gocv.Rotate(mat, &picture, c.how)
			}
			switch c.how {
			case gocv.Rotate90Clockwise:
				want = track.Box{X: float64(dh) - c.face.Y - c.face.H, Y: c.face.X, W: c.face.H, H: c.face.W}
			case gocv.Rotate90CounterClockwise:
				want = track.Box{X: c.face.Y, Y: float64(dw) - c.face.X - c.face.W, W: c.face.H, H: c.face.W}
			case gocv.Rotate180Clockwise:
				want = track.Box{X: w - c.face.X - c.face.W, Y: h - c.face.Y - c.face.H, W: c.face.W, H: c.face.H}
			}
			s, err := f.Sweep(t.Context(), SweepOptions{Width: w, Height: h, SourceWidth: w, SourceHeight: h})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			p, err := s.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			picture.CopyTo(&p.mat)
			if err := s.Submit(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			s.Done()
			r := <-s.Results()
			best := 0.0
			for _, d := range r.Detections {
				best = max(best, iou(d.Box, want))
			}
			if r.Err != nil || best < 0.4 {
				t.Errorf("best overlap %.2f with %+v: %+v, %v", best, want, r.Detections, r.Err)
			}
		})
	}
}
