package track

import (
	"math"
	"math/rand/v2"
	"testing"
)

// stroll is a track of n samples whose box drifts by dx a frame and breathes by up to jitter pixels on each side.
func stroll(n int, dx, jitter float64) (*filler, []Sample) {
	r := rand.New(rand.NewPCG(1, 2))
	f := &filler{end: n}
	var out []Sample
	for i := range n {
		f.frames = append(f.frames, Frame{Time: float64(i) / 25})
		f.motion = append(f.motion, still)
		j := func() float64 { return (2*r.Float64() - 1) * jitter }
		b := Box{X: 100 + dx*float64(i) + j(), Y: 100 + j(), W: 40 + j(), H: 50 + j()}
		out = append(out, Sample{Frame: i, Box: b, Source: Detected})
	}
	return f, out
}

func TestSteadyGoesWithTheFace(t *testing.T) {
	for _, dx := range []float64{0, 1, 5} {
		f, samples := stroll(100, dx, 4)
		f.steady(samples)
		for i := 1; i < len(samples); i++ {
			ax, ay := center(samples[i-1].Box)
			bx, by := center(samples[i].Box)
			if d := math.Hypot(bx-ax-dx, by-ay); d > 2 {
				t.Errorf("%g px a frame: frame %d: the middle strays by %.1f px", dx, i, d)
			}
			a, b := samples[i-1].Box, samples[i].Box
			if r := b.W * b.H / (a.W * a.H); r < 0.9 || r > 1.1 {
				t.Errorf("%g px a frame: frame %d: the area changes by a factor of %.2f", dx, i, r)
			}
		}
	}
}

// TestSteadyKeepsWhatSticksOut gives one box that lies elsewhere: it is held but for the spare.
func TestSteadyKeepsWhatSticksOut(t *testing.T) {
	for _, at := range []int{0, 1, 30, 59} {
		f, samples := stroll(60, 2, 1)
		samples[at].Box = Box{X: samples[at].Box.X - 60, Y: 40, W: 90, H: 140}
		before := make([]Sample, len(samples))
		copy(before, samples)
		f.steady(samples)
		for i, s := range samples {
			if !contains(grow(s.Box, 1e-9), grow(before[i].Box, -steadySpare)) {
				t.Errorf("odd box at %d: frame %d: %+v does not hold %+v", at, i, s.Box, before[i].Box)
			}
		}
	}
}

// TestSteadyLeavesTheCameraOut pans and zooms: what stays on a still scene stays on it.
func TestSteadyLeavesTheCameraOut(t *testing.T) {
	f, samples := stroll(50, 0, 0)
	b := samples[0].Box
	for i := 1; i < len(samples); i++ {
		a := [6]float64{1.01, 0, 7 * math.Sin(float64(i)), 0, 1.01, -3}
		f.frames[i].Motion = Motion{A: a, Known: true}
		f.motion = motions(f.frames)
		b = step(b, f.motion, i-1, i)
		samples[i].Box = b
	}
	want := make([]Sample, len(samples))
	copy(want, samples)
	f.steady(samples)
	for i, s := range samples {
		ax, ay := center(s.Box)
		bx, by := center(want[i].Box)
		if math.Hypot(ax-bx, ay-by) > 0.2*side(want[i].Box)/40 || math.Abs(s.Box.W/want[i].Box.W-1) > 0.01 {
			t.Errorf("frame %d: %+v, want %+v", i, s.Box, want[i].Box)
		}
	}
}
