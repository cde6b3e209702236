package track

import "math"

// evidence is what speaks for a track being a face.
type evidence struct {
	seen   int
	fast   [4]float64 // best scores of the fast network, highest first
	second float64
	told   bool
}

const (
	sureSecond = 0.22
	sureFast   = 0.85
)

// add takes one more sighting into account; evidence never gets weaker by it.
func (e *evidence) add(o observation) {
	e.seen++
	e.told = e.told || o.told
	e.second = math.Max(e.second, o.second)
	v := o.fast
	for i := range e.fast {
		if v > e.fast[i] {
			v, e.fast[i] = e.fast[i], v
		}
	}
}

// mean is the mean of the best four scores of the fast network; missing ones count as 0.
func (e *evidence) mean() float64 {
	return (e.fast[0] + e.fast[1] + e.fast[2] + e.fast[3]) / 4
}

// sure tells that this is a face.
func (e *evidence) sure() bool { return e.told || e.second >= sureSecond || e.mean() >= sureFast }

// plausible tells that this may be a face.
func (e *evidence) plausible() bool { return e.sure() }
