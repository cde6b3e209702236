package vision

import (
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// turning is a look at the picture turned by quarters, for faces that lie or hang upside down: the networks saw few of them in
// training, and miss a third of those under 40 px.
type turning struct {
	long      int
	threshold float64 // higher than upright: what is no face should not get four chances
	every     int     // frames; 0: never
	// wide is a further long side, for small faces, at every wideEvery-th frame.
	wide, wideEvery int
}

// longs are the long sides at which a frame is looked at turned; always wants a look whatever the frame.
func (t turning) longs(frame int, always bool) []int {
	switch {
	case t.every == 0 || !always && frame%t.every != 0:
		return nil
	case t.wideEvery > 0 && frame%t.wideEvery == 0:
		return []int{t.wide, t.long}
	}
	return []int{t.long}
}

// Turns counts the faces that were seen clearly by how the picture was turned, in quarters clockwise; a face counts at the turn at
// which it is seen best.
type Turns [4]int

const (
	// clearScore is the score of a face that is seen clearly.
	clearScore = 0.7
	// turnedShare and turnedLeast say when a clip is searched turned: from that many faces which are clearest so, beside those
	// that are clearest at the turn with most of them.
	turnedShare = 0.5
	turnedLeast = 2
)

// Add counts what another picture showed.
func (t *Turns) Add(o Turns) {
	for i := range t {
		t[i] += o[i]
	}
}

// Worth gives the turns at which the whole clip should be searched once more, rising.
func (t Turns) Worth() []int {
	var worth []int
	least := max(turnedLeast, int(math.Ceil(turnedShare*float64(slices.Max(t[:])))))
	for turn := 1; turn < len(t); turn++ {
		if t[turn] >= least {
			worth = append(worth, turn)
		}
	}
	return worth
}

// clearest counts a picture's faces, seen upright and turned, each at the turn with its best score. One face alone that is clearest
// at another turn than those beside it says nothing of the camera: it is a person who lies, or a pattern. Of two such that are
// alone with each other, the clearer one counts.
func clearest(faces []found, maxIoU float64) Turns {
	var clear []found
	for _, f := range faces {
		if f.score >= clearScore {
			clear = append(clear, f)
		}
	}
	var t Turns
	var best [len(t)]float64
	for _, f := range suppress(clear, maxIoU) {
		t[f.turn]++
		best[f.turn] = max(best[f.turn], f.score)
	}
	most := 0
	for turn := range t {
		if t[turn] > t[most] || t[turn] == t[most] && best[turn] > best[most] {
			most = turn
		}
	}
	for turn := range t {
		if turn != most && t[turn] == 1 {
			t[turn] = 0
		}
	}
	return t
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
	for i, turn := range turns {
		gocv.Rotate(small, &turned, turn.how)
		faces, err := d.detect(turned, image.Pt(turned.Cols(), turned.Rows()), t.threshold)
		if err != nil {
			return nil, err
		}
		for _, f := range faces {
			b := turn.back(f.box, float64(size.X), float64(size.Y))
			f.box = track.Box{X: b.X * sx, Y: b.Y * sy, W: b.W * sx, H: b.H * sy}
			f.long, f.turn = max(size.X, size.Y), i+1
			all = append(all, f)
		}
	}
	return all, nil
}
