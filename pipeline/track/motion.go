package track

import "math"

// affine is a camera motion with its inverse and the change of scale it brings.
type affine struct {
	fwd, inv [6]float64
	scale    float64
	known    bool
}

var still = affine{fwd: [6]float64{1, 0, 0, 0, 1, 0}, inv: [6]float64{1, 0, 0, 0, 1, 0}, scale: 1}

// Motions whose scale from one frame to the next lies beyond these are errors of the measurement.
const minFrameScale, maxFrameScale = 0.5, 2.0

// motions reads the frames' motions; one that is unknown or cannot be is still and not known.
func motions(frames []Frame) []affine {
	out := make([]affine, len(frames))
	for i, f := range frames {
		out[i] = still
		a := f.Motion.A
		det := a[0]*a[4] - a[1]*a[3]
		if !f.Motion.Known || f.Motion.Cut || det < minFrameScale*minFrameScale || det > maxFrameScale*maxFrameScale {
			continue
		}
		out[i] = affine{fwd: a, scale: math.Sqrt(det), known: true}
		out[i].inv = [6]float64{
			a[4] / det, -a[1] / det, (a[1]*a[5] - a[4]*a[2]) / det,
			-a[3] / det, a[0] / det, (a[3]*a[2] - a[0]*a[5]) / det,
		}
	}
	return out
}

// move moves a point by a motion.
func move(m [6]float64, x, y float64) (float64, float64) {
	return m[0]*x + m[1]*y + m[2], m[3]*x + m[4]*y + m[5]
}

// carry moves a box by a motion: its middle goes where the motion takes it, its sides keep their ratio.
func carry(b Box, m [6]float64, scale float64) Box {
	x, y := center(b)
	x, y = move(m, x, y)
	w, h := b.W*scale, b.H*scale
	return Box{X: x - w/2, Y: y - h/2, W: w, H: h}
}

// step carries a box one frame onwards (to frame `to`) or one frame back (to frame `to`).
func step(b Box, m []affine, from, to int) Box {
	if to > from {
		return carry(b, m[to].fwd, m[to].scale)
	}
	return carry(b, m[from].inv, 1/m[from].scale)
}
