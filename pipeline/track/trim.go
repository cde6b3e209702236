package track

import "math"

// trim cuts a trail back to what lies between its first and its last backed sighting, and says whether there is any. What is seen
// weakly some time after a face was lost is more often something else that lies where the face might have gone. One more sighting
// never trims more.
func (t *trail) trim(frames []Frame, long float64) bool {
	first, last := 0, len(t.seen)-1
	for first <= last && !t.backed(first, frames, long) {
		first++
	}
	for last > first && !t.backed(last, frames, long) {
		last--
	}
	t.seen = t.seen[first : last+1]
	return len(t.seen) > 0
}

// backed tells whether a sighting and those near it in time speak for a face, with less than a track needs.
func (t *trail) backed(i int, frames []Frame, long float64) bool {
	here := t.seen[i].frame
	near := func(j int) bool {
		there := t.seen[j].frame
		return math.Abs(frames[there].Time-frames[here].Time) <= backSeconds || max(there-here, here-there) <= backFrames
	}
	var e evidence
	for j := i; j >= 0 && near(j); j-- {
		e.add(t.seen[j].observation, long)
	}
	for j := i + 1; j < len(t.seen) && near(j); j++ {
		e.add(t.seen[j].observation, long)
	}
	return e.plausible() || e.strength() >= leastEnd || (e.fast[0]+e.fast[1])/2 >= backFast
}
