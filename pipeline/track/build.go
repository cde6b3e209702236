package track

import (
	"fmt"
	"math"
	"sort"
)

// Build follows the faces of a clip of width x height pixels through its frames. It returns the tracks that are faces
// for certain, those that may be (Sure is false) and those that would be, but for closer looks (Refuted); what is not
// plausible as a face is left out. Tracks are numbered in order of first appearance. The error names the frame of an
// input that makes no sense.
func Build(width, height int, frames []Frame) ([]Track, error) {
	if err := check(width, height, frames); err != nil {
		return nil, err
	}
	motion := motions(frames)
	ob := newObserver(width, height, frames)
	var out []Track
	for begin := 0; begin < len(frames); {
		end := begin + 1
		for end < len(frames) && !frames[end].Motion.Cut {
			end++
		}
		f := &follower{frames: frames, motion: motion, long: ob.long}
		for i := begin; i < end; i++ {
			if i > begin {
				f.advance(i)
			}
			f.associate(i, ob.observe(frames[i]))
		}
		fill := filler{frames: frames, motion: motion, begin: begin, end: end}
		var faces, refuted []*trail
		for _, t := range append(f.done, f.open...) {
			switch {
			case t.ev.plausible() && t.trim(frames, ob.long):
				faces = append(faces, t)
			case t.ev.refuted() && t.trim(frames, ob.long):
				refuted = append(refuted, t)
			}
		}
		for _, t := range mergeDoubles(faces, ob.long) {
			out = append(out, fill.finish(t, float64(width), float64(height)))
		}
		// Apart, so that what is no face neither makes a face larger nor stronger.
		for _, t := range mergeDoubles(refuted, ob.long) {
			n := fill.finish(t, float64(width), float64(height))
			n.Refuted = !t.ev.plausible() // two that are none may be one together
			out = append(out, n)
		}
		begin = end
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].Samples[0].Frame < out[b].Samples[0].Frame })
	for i := range out {
		out[i].ID = i + 1
	}
	return out, nil
}

// finish makes the track of a trail.
func (f *filler) finish(t *trail, width, height float64) Track {
	first, last := t.seen[0], t.seen[len(t.seen)-1]
	samples := f.samples(t)
	for _, d := range t.doubles {
		samples = overlay(samples, f.samples(d))
		if d.seen[0].frame < first.frame {
			first = d.seen[0]
		}
		if d.last() > last.frame {
			last = d.seen[len(d.seen)-1]
		}
	}
	f.steady(samples)
	seen := 0
	for _, s := range samples {
		if s.Source == Detected {
			seen++
		}
	}
	return Track{
		Samples: samples, Seen: seen, Sure: t.ev.sure(),
		BestFast: t.ev.fast[0], BestSecond: t.ev.best, MeanFast: mean(t.ev.fast),
		BornInside: f.reach(first.frame, -1) > f.begin && !nearEdge(first.face, width, height),
		DiedInside: f.reach(last.frame, +1) < f.end-1 && !nearEdge(last.face, width, height),
	}
}

// nearEdge tells whether a face is within its own side of the picture's edge, where faces come and go.
func nearEdge(b Box, width, height float64) bool {
	s := side(b)
	return b.X < s || b.Y < s || b.X+b.W > width-s || b.Y+b.H > height-s
}

// check refuses input that would make nonsense of a track.
func check(width, height int, frames []Frame) error {
	if width <= 0 || height <= 0 {
		return fmt.Errorf("build tracks: picture is %dx%d", width, height)
	}
	for i, f := range frames {
		if !(f.Time >= 0) || math.IsInf(f.Time, 0) || i > 0 && f.Time < frames[i-1].Time {
			return fmt.Errorf("build tracks: frame %d: time %g does not follow", i, f.Time)
		}
		for _, d := range f.Detections {
			for _, v := range []float64{d.Box.X, d.Box.Y, d.Box.W, d.Box.H, d.Score} {
				if math.IsNaN(v) || math.Abs(v) > 1e6 {
					return fmt.Errorf("build tracks: frame %d: detection %+v is no face", i, d)
				}
			}
			if d.Box.W <= 0 || d.Box.H <= 0 || d.Score < 0 || d.Score > 1 {
				return fmt.Errorf("build tracks: frame %d: detection %+v is no face", i, d)
			}
		}
		for _, l := range f.Looks {
			if !(l.Box.W > 0 && l.Box.H > 0 && l.Score >= 0 && l.Score <= 1) {
				return fmt.Errorf("build tracks: frame %d: closer look %+v is at no face", i, l)
			}
		}
		for _, v := range f.Motion.A {
			if math.IsNaN(v) || math.Abs(v) > 1e6 {
				return fmt.Errorf("build tracks: frame %d: motion %v is no transform", i, f.Motion.A)
			}
		}
	}
	return nil
}
