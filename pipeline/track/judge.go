package track

import "math"

// What makes a track a face, searched for on clips with ground truth. A face that is large in the picture is easy to see,
// so that weak evidence speaks against it, and a false alarm of that size covers much: it needs more. A small one is hard to see
// and covers little: it needs less, if it was seen several times.
const (
	secondShare = 3.3 // weight of the best agreement of the second network's scales
	sizeShare   = 0.5 // what a face loses each time that it is e times as large as easySide
	smallShare  = 0.2 // and gains each time that it is e times as small, from gainFrom sightings
	mostGain    = 0.3 // at most
	gainFrom    = 4
	easySide    = 32.0   // pixels of a picture whose long side is pictureLong
	pictureLong = 1536.0 // pixels
	leastScore  = 0.785  // from which a track may be a face
	// One frame is enough where the scales of the fast network agree that much; large faces count in full here, lest one
	// that shows up between two looks of the second network is lost.
	leastOnce = 0.67
	// Where closer looks in leastLooks frames and more show too little, a track is no face: closerShare times the best of them and what
	// else speaks for it have to reach closerScore.
	leastLooks  = 6
	closerShare = 2.0
	closerScore = 1.3
	// A sighting at either end of a track belongs to it from leastEnd, by what was seen within backSeconds or backFrames of it.
	leastEnd    = 0.4
	backSeconds = 0.3
	backFrames  = 2
	backFast    = 0.6  // the two best scores of the fast network are enough: there are faces that the second one does not see
	sureSecond  = 0.3  // from which a track that may be a face is one, by the second network
	sureFast    = 0.85 // and by the fast one
)

// EnoughLook is the score of a closer look from which no further ones can speak against a face.
const EnoughLook = (closerScore - leastScore) / closerShare

// evidence is what speaks for a track being a face. One more sighting never makes it weaker, but a closer look may.
type evidence struct {
	seen   int
	fast   [4]float64 // best scores of the fast network, highest first
	agree  [4]float64 // best agreement of its scales, less what the size costs
	gain   float64    // most that the size gains
	once   float64    // best agreement of its scales, whatever the size
	best   float64    // best score of the second network
	second float64    // best agreement of its scales
	looks  int        // frames with a closer look
	closer float64    // best score of these
	told   bool
}

// add takes one more sighting into account; long is the long side of the source's picture.
func (e *evidence) add(o observation, long float64) {
	size := math.Log(side(o.face) * pictureLong / long / easySide)
	cost := math.Max(sizeShare*size, 0)
	for i := range e.agree {
		// Without any score the sighting would be worth -cost: that stands for those that are missing.
		if e.seen == 0 {
			e.agree[i] = -cost
		}
		e.agree[i] = math.Max(e.agree[i], -cost)
	}
	e.seen++
	e.told = e.told || o.told
	e.once = math.Max(e.once, o.agree[fast])
	e.best = math.Max(e.best, o.best[second])
	e.second = math.Max(e.second, o.agree[second])
	if o.looked {
		e.looks++
		e.closer = math.Max(e.closer, o.closer)
	}
	insert(&e.fast, o.best[fast])
	insert(&e.agree, o.agree[fast]-cost)
	e.gain = math.Max(e.gain, math.Min(-smallShare*size, mostGain))
}

// insert keeps the four highest values in falling order.
func insert(best *[4]float64, v float64) {
	for i := range best {
		if v > best[i] {
			v, best[i] = best[i], v
		}
	}
}

func mean(v [4]float64) float64 { return (v[0] + v[1] + v[2] + v[3]) / 4 }

// plausible tells that this may be a face.
func (e *evidence) plausible() bool {
	return e.clear() || e.strength() >= leastScore && !e.unlike()
}

// refuted tells that this might be a face if it had not been looked at closer.
func (e *evidence) refuted() bool {
	return !e.clear() && e.strength() >= leastScore && e.unlike()
}

// clear tells that this may be a face whatever closer looks say.
func (e *evidence) clear() bool {
	return e.told || e.once >= leastOnce || mean(e.fast) >= sureFast
}

// unlike tells that closer looks speak against a face.
func (e *evidence) unlike() bool {
	return e.looks >= leastLooks && e.strength()+closerShare*e.closer < closerScore
}

// strength weighs both networks together.
func (e *evidence) strength() float64 {
	s := secondShare*e.second + mean(e.agree)
	if e.seen >= gainFrom {
		s += e.gain
	}
	return s
}

// sure tells that this is a face.
func (e *evidence) sure() bool {
	return e.told || e.plausible() && (e.second >= sureSecond || mean(e.fast) >= sureFast)
}
