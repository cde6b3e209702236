package vision

import (
	"image"
	"slices"
	"testing"

	"veil/pipeline/track"
)

// TestPeaks: only the strongest cell of a neighbourhood is a face, at the borders too, and two peaks stay two.
func TestPeaks(t *testing.T) {
	heat := []float32{
		.9, .5, .1, .1,
		.5, .4, .1, .3,
		.1, .1, .2, .6,
	}
	var got []image.Point
	for i := range heat {
		if heat[i] >= .3 && peak(heat, 4, i) {
			got = append(got, image.Pt(i%4, i/4))
		}
	}
	if !slices.Equal(got, []image.Point{{0, 0}, {3, 2}}) {
		t.Errorf("peaks at %v", got)
	}
}

// TestAgree: scales that see the same face keep their scores and agree on the strongest one's box; one scale counts once.
func TestAgree(t *testing.T) {
	at := func(x float64) track.Box { return track.Box{X: x, Y: 10, W: 20, H: 20} }
	got := agree([]found{
		{box: at(2), score: .5, long: 640},
		{box: at(0), score: .9, long: 1536},
		{box: at(3), score: .4, long: 640},
		{box: at(100), score: .7, long: 640},
		{box: at(101), score: .6, long: 256},
	}, 0.35)
	want := []found{
		{box: at(0), score: .9, long: 1536},
		{box: at(100), score: .7, long: 640},
		{box: at(100), score: .6, long: 256},
		{box: at(0), score: .5, long: 640},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	// What a tile's border cut off leads nobody, however strong: the whole face's box counts.
	whole, part := track.Box{X: 0, Y: 0, W: 40, H: 50}, track.Box{X: 0, Y: 0, W: 20, H: 50}
	got = agree([]found{{box: part, score: .9, long: 1536, cut: true}, {box: whole, score: .6, long: 640}}, 0.35)
	if len(got) != 2 || got[0].box != whole || got[1].box != whole || got[1].score != .9 {
		t.Errorf("cut by a tile: %+v", got)
	}
}

// TestScalesTakeTurns: the scales of a pass come by turns, all of them where a scene begins, and each within a few frames.
func TestScalesTakeTurns(t *testing.T) {
	for _, effort := range []string{EffortThorough, EffortFast} {
		r, err := recipeFor(PurposeAnalyze, effort)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.passes {
			lp := &lookPass{pass: p, all: p.sizes(p.longs(), 1920, 1080)}
			for _, longs := range p.looks {
				lp.turns = append(lp.turns, p.sizes(longs, 1920, 1080))
			}
			if got := lp.sizesAt(0, true); len(got) != len(p.longs()) {
				t.Errorf("%s %s: a scene begins with %v", effort, p.network, got)
			}
			seen := map[image.Point]bool{}
			for frame := 0; frame < p.every*len(p.looks); frame += p.every {
				for _, size := range lp.sizesAt(frame, false) {
					seen[size] = true
				}
			}
			if len(seen) != len(p.longs()) {
				t.Errorf("%s %s: %d of %d scales in one round", effort, p.network, len(seen), len(p.longs()))
			}
		}
	}
}

// TestSchedule: at 25 frames a second the recipes' counts of frames hold; where frames are further apart, by low rate or by a
// gap, every scale looks at each and the second network comes as often as it does otherwise.
func TestSchedule(t *testing.T) {
	r, err := recipeFor(PurposeAnalyze, EffortThorough)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		times  []float64
		fast   []int // frames that the fast network looks at
		second []int // and the second one
		sparse []int
	}{
		{"25 a second", []float64{0, .04, .08, .12, .16, .2, .24, .28, .32, .36, .4}, []int{0, 2, 4, 6, 8, 10}, []int{0, 5, 10}, nil},
		{"50 a second", []float64{0, .02, .04, .06, .08, .1, .12}, []int{0, 2, 4, 6}, []int{0, 5}, nil},
		{"one a second", []float64{0, 1, 2, 3}, []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, []int{1, 2, 3}},
		{"ten a second", []float64{0, .1, .2, .3, .4, .5}, []int{0, 1, 2, 3, 4, 5}, []int{0, 2, 4, 5}, []int{1, 2, 3, 4, 5}},
		{"a gap", []float64{0, .04, .9, .94, .98}, []int{0, 2, 4}, []int{0, 2}, []int{2}},
		{"no times", []float64{0, 0, 0, 0, 0, 0}, []int{0, 2, 4}, []int{0, 5}, nil},
	} {
		s := &Sweep{looked: make([]float64, len(r.passes))}
		for _, p := range r.passes {
			s.passes = append(s.passes, &lookPass{pass: p})
		}
		var first, second, sparse []int
		for i, at := range c.times {
			due, far := s.schedule(at)
			s.advance(at, due)
			if due[0] {
				first = append(first, i)
			}
			if due[1] {
				second = append(second, i)
			}
			if far {
				sparse = append(sparse, i)
			}
		}
		if !slices.Equal(first, c.fast) || !slices.Equal(second, c.second) || !slices.Equal(sparse, c.sparse) {
			t.Errorf("%s: fast at %v, second at %v, all scales at %v", c.name, first, second, sparse)
		}
	}
}
