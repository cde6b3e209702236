package track

import (
	"fmt"
	"math"
)

// Build follows the faces of a clip of width x height pixels through its frames.
func Build(width, height int, frames []Frame) ([]Track, error) {
	if err := check(width, height, frames); err != nil {
		return nil, err
	}
	var open, done []*Track
	for i, f := range frames {
		if f.Motion.Cut {
			done, open = append(done, open...), nil
		}
		for _, d := range f.Detections {
			var best *Track
			bestIoU := 0.2
			for _, t := range open {
				if v := iou(t.Samples[len(t.Samples)-1].Box, d.Box); v > bestIoU {
					best, bestIoU = t, v
				}
			}
			if best == nil {
				best = &Track{ID: len(open) + len(done) + 1, Sure: true}
				open = append(open, best)
			}
			last := len(best.Samples) - 1
			if last >= 0 && best.Samples[last].Frame == i {
				best.Samples[last].Box = union(best.Samples[last].Box, d.Box)
				continue
			}
			for last >= 0 && best.Samples[len(best.Samples)-1].Frame < i-1 {
				n := best.Samples[len(best.Samples)-1]
				best.Samples = append(best.Samples, Sample{Frame: n.Frame + 1, Box: union(n.Box, d.Box), Source: Filled})
			}
			best.Samples = append(best.Samples, Sample{Frame: i, Box: d.Box, Score: d.Score, Source: Detected})
			best.Seen++
		}
		var still []*Track
		for _, t := range open {
			if f.Time-frames[t.Samples[len(t.Samples)-1].Frame].Time > 1 {
				done = append(done, t)
			} else {
				still = append(still, t)
			}
		}
		open = still
	}
	var out []Track
	for _, t := range append(done, open...) {
		out = append(out, *t)
	}
	return out, nil
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
		for _, v := range f.Motion.A {
			if math.IsNaN(v) || math.Abs(v) > 1e6 {
				return fmt.Errorf("build tracks: frame %d: motion %v is no transform", i, f.Motion.A)
			}
		}
	}
	return nil
}
