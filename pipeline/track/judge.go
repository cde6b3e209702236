package track

import "math"

// evidence is what speaks for a track being a face.
type evidence struct {
	seen   int
	fast   [4]float64 // best scores of the fast network, highest first
	second float64
	proof  float64 // greatest score of the second opinion as a share of what a face of that size has to reach
	told   bool
}

const (
	// sureFast is what the fast network's best four scores have to reach on average.
	sureFast = 0.85
	// sureSecondSmall and sureSecondLarge are what the second opinion has to reach once, for faces of up to smallSide and
	// from largeSide on (in pixels of a picture of referenceLong). A large face is easy to see and scores high; a large mask
	// for nothing costs most.
	sureSecondSmall = 0.22
	sureSecondLarge = 0.45
	smallSide       = 24
	largeSide       = 72
	referenceLong   = 1536
)

// needed is the second opinion's score that makes a face in a picture with that long side sure.
func needed(face Box, long float64) float64 {
	side := math.Min(face.W, face.H) * referenceLong / long
	share := math.Min(math.Max((side-smallSide)/(largeSide-smallSide), 0), 1)
	return sureSecondSmall + share*(sureSecondLarge-sureSecondSmall)
}

// add takes one more sighting in a picture with that long side into account; evidence never gets weaker by it.
func (e *evidence) add(o observation, long float64) {
	e.seen++
	e.proof = math.Max(e.proof, o.second/needed(o.face, long))
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
func (e *evidence) sure() bool { return e.told || e.proof >= 1 || e.mean() >= sureFast }

// plausible tells that this may be a face.
func (e *evidence) plausible() bool { return e.sure() }
