package vision

import (
	"image"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// turning is a look at the picture turned by quarters, for faces that lie or hang upside down: the networks saw few of them in
// training, and miss a third of those under 40 px.
type turning struct {
	long      int
	threshold float64 // higher than upright: what is no face should not get four chances
	every     int     // frames; 0: never
}

// turns are the three quarters, each with what takes a box back. W and H are the sides of the picture before it was turned.
var turns = []struct {
	how  gocv.RotateFlag
	back func(b track.Box, w, h float64) track.Box
}{
	{gocv.Rotate90Clockwise, func(b track.Box, _, h float64) track.Box {
		return track.Box{X: b.Y, Y: h - b.X - b.W, W: b.H, H: b.W}
	}},
	{gocv.Rotate180Clockwise, func(b track.Box, w, h float64) track.Box {
		return track.Box{X: w - b.X - b.W, Y: h - b.Y - b.H, W: b.W, H: b.H}
	}},
	{gocv.Rotate90CounterClockwise, func(b track.Box, w, _ float64) track.Box {
		return track.Box{X: w - b.Y - b.H, Y: b.X, W: b.H, H: b.W}
	}},
}

// findTurned shows the picture to the detector three times, turned. Boxes are in the picture's pixels, as seen upright.
func findTurned(d *netDetector, picture gocv.Mat, t turning, size image.Point) ([]found, error) {
	small := d.scale(picture, size) // not touched by detect, which does not scale what has its size
	turned := gocv.NewMat()
	defer turned.Close()
	sx, sy := float64(picture.Cols())/float64(size.X), float64(picture.Rows())/float64(size.Y)
	var all []found
	for _, turn := range turns {
		gocv.Rotate(small, &turned, turn.how)
		faces, err := d.detect(turned, image.Pt(turned.Cols(), turned.Rows()), t.threshold)
		if err != nil {
			return nil, err
		}
		for _, f := range faces {
			b := turn.back(f.box, float64(size.X), float64(size.Y))
			f.box = track.Box{X: b.X * sx, Y: b.Y * sy, W: b.W * sx, H: b.H * sy}
			f.long = max(size.X, size.Y)
			all = append(all, f)
		}
	}
	return all, nil
}
