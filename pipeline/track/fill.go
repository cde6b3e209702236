package track

import "math"

const (
	// reachSeconds is how far a track reaches beyond its first and last sighting.
	reachSeconds = 0.5
	// driftPerSecond is how much a face that is not seen is taken to grow each second, as a share of its sides.
	driftPerSecond = 0.15
	// driftUnknown is the same for each frame over which the camera's motion is not known.
	driftUnknown = 0.05
	maxDrift     = 0.5
	// velocityTrust is the share of a face's own velocity that goes on beyond its last sighting.
	velocityTrust = 0.5
	// velocitySightings is how many sightings tell the velocity at the end of a track.
	velocitySightings = 6
)

// filler turns a trail into samples.
type filler struct {
	frames     []Frame
	motion     []affine
	begin, end int // the scene: first frame and the one after its last
}

// samples gives one sample for each frame from before the first to after the last sighting.
func (f *filler) samples(t *trail) []Sample {
	first, last := t.seen[0].frame, t.last()
	from, to := f.reach(first, -1), f.reach(last, +1)
	out := make([]Sample, to-from+1)
	for i := range out {
		out[i] = Sample{Frame: from + i, Source: Extended}
	}
	for k, s := range t.seen {
		out[s.frame-from] = Sample{Frame: s.frame, Box: s.area, Score: s.score(), Source: Detected}
		if k > 0 {
			f.fill(out, from, t.seen[k-1], s)
		}
	}
	f.extend(out, from, t.seen[0], f.velocity(t, true), -1)
	f.extend(out, from, t.seen[len(t.seen)-1], f.velocity(t, false), +1)
	return out
}

// reach is the last frame within reachSeconds of frame i in direction dir, inside the scene.
func (f *filler) reach(i, dir int) int {
	j := i
	for j+dir >= f.begin && j+dir < f.end {
		j += dir
		if math.Abs(f.frames[j].Time-f.frames[i].Time) >= reachSeconds {
			break
		}
	}
	return j
}

// fill covers the gap between two sightings: in each frame the hull of where the first one went, where the second one
// came from, and the way between.
func (f *filler) fill(out []Sample, from int, a, b sighting) {
	if b.frame-a.frame < 2 {
		return
	}
	box := a.area
	drift := 0.0
	for i := a.frame + 1; i < b.frame; i++ {
		box = step(box, f.motion, i-1, i)
		drift += f.drift(i)
		out[i-from] = Sample{Frame: i, Box: grow(box, math.Min(drift, maxDrift)), Source: Filled}
	}
	box, drift = b.area, 0
	for i := b.frame - 1; i > a.frame; i-- {
		box = step(box, f.motion, i+1, i)
		drift += f.drift(i + 1)
		s := &out[i-from]
		s.Box = union(s.Box, grow(box, math.Min(drift, maxDrift)))
	}
}

// drift is the growth of doubt from the frame before i to i.
func (f *filler) drift(i int) float64 {
	d := driftPerSecond * (f.frames[i].Time - f.frames[i-1].Time)
	if !f.motion[i].known {
		d += driftUnknown
	}
	return d
}

// velocity is the face's own velocity at one end of a trail, in pixels a second, the camera's motion left out.
func (f *filler) velocity(t *trail, atStart bool) [2]float64 {
	n := min(len(t.seen), velocitySightings)
	part := t.seen[len(t.seen)-n:]
	if atStart {
		part = t.seen[:n]
	}
	dt := f.frames[part[n-1].frame].Time - f.frames[part[0].frame].Time
	if dt <= 0 || dt > maxGapSeconds {
		return [2]float64{}
	}
	b := part[0].face
	end := part[n-1].face
	for i := part[0].frame + 1; i <= part[n-1].frame; i++ {
		b = step(b, f.motion, i-1, i)
	}
	x0, y0 := center(b)
	x1, y1 := center(end)
	return [2]float64{velocityTrust * (x1 - x0) / dt, velocityTrust * (y1 - y0) / dt}
}

// extend reaches beyond the end of a trail: the hull of a face that stays and of one that goes on at its velocity, which
// fades.
func (f *filler) extend(out []Sample, from int, s sighting, v [2]float64, dir int) {
	stay, goes := s.area, s.area
	drift := 0.0
	for i := s.frame + dir; i-from >= 0 && i-from < len(out) && out[i-from].Source == Extended; i += dir {
		dt := f.frames[i].Time - f.frames[i-dir].Time // negative backwards
		stay = step(stay, f.motion, i-dir, i)
		goes = shift(step(goes, f.motion, i-dir, i), v[0]*dt, v[1]*dt)
		decay := math.Exp2(-math.Abs(dt) / velocityHalfLife)
		v = [2]float64{v[0] * decay, v[1] * decay}
		drift += f.drift(max(i, i-dir))
		out[i-from].Box = grow(union(stay, goes), math.Min(drift, maxDrift))
	}
}
