package track

import "math"

const (
	// steadySeconds is how far to each side a box's place and size are evened out; steadyFrames bounds it where frames are many.
	steadySeconds = 0.28
	steadyFrames  = 16
	// steadySpare is the share of a box's sides that may stick out on each side of the evened one: what the networks and
	// their scales differ by about where a face ends. Every policy grows a box by more (0.1 at least).
	steadySpare = 0.05
)

// sides are how far a box reaches from a point: left, up, right, down.
type sides [4]float64

// steady evens out the way of a track, so that its mask goes with the face and does not jump with each network's idea of
// where a face ends. The middle of a box moves to a straight line through the middles near it in time, and its sides to
// their mean, the camera's motion left out of both. A side is never so short that more than steadySpare of a box near it
// sticks out.
func (f *filler) steady(samples []Sample) {
	near := make([][2]int, len(samples))
	middle, reach := make([][2]float64, len(samples)), make([]sides, len(samples))
	for i, s := range samples {
		near[i] = f.near(samples, i)
		x, y := f.line(samples, i, near[i])
		middle[i] = [2]float64{x, y}
		reach[i] = sides{x - s.Box.X, y - s.Box.Y, s.Box.X + s.Box.W - x, s.Box.Y + s.Box.H - y}
	}
	scale := f.scales(samples)
	// Every i that is near j has j near it, so that least, and with it the mean of least, holds each box but its spare.
	least := make([]sides, len(samples))
	for i := range samples {
		for k := range least[i] {
			least[i][k] = math.Inf(-1)
			for j := near[i][0]; j <= near[i][1]; j++ {
				own := [2]float64{samples[j].Box.W, samples[j].Box.H}[k%2]
				least[i][k] = math.Max(least[i][k], (reach[j][k]-steadySpare*own)*scale[i]/scale[j])
			}
		}
	}
	for i := range samples {
		var to sides
		for k := range to {
			sum, sumLeast := 0.0, 0.0
			for j := near[i][0]; j <= near[i][1]; j++ {
				sum += reach[j][k] * scale[i] / scale[j]
				sumLeast += least[j][k] * scale[i] / scale[j]
			}
			to[k] = math.Max(sum, sumLeast) / float64(near[i][1]-near[i][0]+1)
		}
		x, y := middle[i][0], middle[i][1]
		samples[i].Box = Box{X: x - to[0], Y: y - to[1], W: to[0] + to[2], H: to[1] + to[3]}
	}
}

// near is the first and the last sample that is near sample i in time.
func (f *filler) near(samples []Sample, i int) [2]int {
	at := f.frames[samples[i].Frame].Time
	a, b := i, i
	for a > 0 && i-a < steadyFrames && at-f.frames[samples[a-1].Frame].Time <= steadySeconds {
		a--
	}
	for b < len(samples)-1 && b-i < steadyFrames && f.frames[samples[b+1].Frame].Time-at <= steadySeconds {
		b++
	}
	return [2]int{a, b}
}

// line is where sample i's middle lies on the straight line that fits the middles of the samples from near[0] to near[1]
// best, as they are seen from its frame; those further off in time count less.
func (f *filler) line(samples []Sample, i int, near [2]int) (x, y float64) {
	var s0, s1, s2, x0, x1, y0, y1 float64
	for j := near[0]; j <= near[1]; j++ {
		cx, cy := center(samples[j].Box)
		for k := j; k < i; k++ {
			cx, cy = move(f.motion[samples[k+1].Frame].fwd, cx, cy)
		}
		for k := j; k > i; k-- {
			cx, cy = move(f.motion[samples[k].Frame].inv, cx, cy)
		}
		t := f.frames[samples[j].Frame].Time - f.frames[samples[i].Frame].Time
		w := 1.25 - math.Abs(t)/steadySeconds
		s0, s1, s2 = s0+w, s1+w*t, s2+w*t*t
		x0, x1, y0, y1 = x0+w*cx, x1+w*t*cx, y0+w*cy, y1+w*t*cy
	}
	d := s0*s2 - s1*s1
	if d <= 1e-6*s0*s0*steadySeconds*steadySeconds { // all at one time
		return x0 / s0, y0 / s0
	}
	return (s2*x0 - s1*x1) / d, (s2*y0 - s1*y1) / d
}

// scales is how much larger the camera shows a thing at each sample than at the first.
func (f *filler) scales(samples []Sample) []float64 {
	out := make([]float64, len(samples))
	out[0] = 1
	for i := 1; i < len(samples); i++ {
		out[i] = out[i-1] * f.motion[samples[i].Frame].scale
	}
	return out
}
