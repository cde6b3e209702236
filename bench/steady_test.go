package main

import (
	"testing"

	"veil/pipeline/decide"
)

// TestSteadiness has a face that moves by 3 px a frame for twenty frames, with a mask that does the same but where the case
// says otherwise.
func TestSteadiness(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(i int, r *decide.Region) bool // false leaves the region out
		want  Steady
	}{
		"even":   {func(int, *decide.Region) bool { return true }, Steady{Pairs: 19}},
		"jumps":  {func(i int, r *decide.Region) bool { r.Box[0] += 9 * (i % 2); return true }, Steady{Pairs: 19, Uneven: 19}},
		"grows":  {func(i int, r *decide.Region) bool { r.Box[2], r.Box[3] = 50+i/10*20, 50; return true }, Steady{Pairs: 19, Uneven: 1}},
		"goes":   {func(i int, _ *decide.Region) bool { return i < 10 }, Steady{Pairs: 10, Uneven: 1}},
		"blinks": {func(i int, _ *decide.Region) bool { return i != 5 && i != 6 }, Steady{Pairs: 17, Uneven: 1, Blinks: 1}},
		"rests":  {func(i int, _ *decide.Region) bool { return i < 3 || i > 17 }, Steady{Pairs: 4, Uneven: 1}},
	} {
		truth := truth{Width: 640, Height: 360}
		plan := decide.Plan{Source: decide.Source{TimeBase: "1/25"}}
		for i := range 20 {
			x := 100 + 3*i
			truth.Frames = append(truth.Frames, truthFrame{Index: i, Boxes: []box{{float64(x), 100, 40, 50}}})
			f := decide.Frame{PTS: int64(i)}
			r := decide.Region{Track: 1, Rect: [4]int{x - 16, 80, 96, 96}, Box: [4]int{x, 100, 40, 50}}
			if c.spoil(i, &r) {
				f.Regions = append(f.Regions, r)
			}
			plan.Frames = append(plan.Frames, f)
		}
		got, err := steadiness(truth, plan)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if _, err := steadiness(truth{}, decide.Plan{Source: decide.Source{TimeBase: "x"}}); err == nil {
		t.Error("a plan without a time base was taken")
	}
}
