package track

import (
	"math"
	"slices"
	"sort"
)

// Names of the networks whose scores are weighed apart, and of findings that count as seen for certain. Any other name
// counts as the fast network.
const (
	secondNetwork = "centerface"
	personFinding = "person"
	verifyFinding = "verify"
)

const (
	// sameFaceIoU is how far two detections of one frame overlap at least to be one face.
	sameFaceIoU = 0.5
	// strongFast and strongSecond are the scores from which a detection alone suggests a face.
	strongFast, strongSecond = 0.5, 0.2
	// secondWeight makes scores of the second network, which run lower, comparable for picking the best box.
	secondWeight = 1.6
	// maxScales bounds how many scales of a network are told apart.
	maxScales = 8
	// turnCount is how many ways a clip may be turned, upright included.
	turnCount = 4
)

// The networks whose scales are told apart, and the sides of the faces that each sees for certain, in pixels of the picture
// that it is shown.
const (
	fast = iota
	second
	networkCount
)

var seenSides = [networkCount][2]float64{fast: {9, 350}, second: {20, 250}}

// observation is one face in one frame: the detections of all networks and scales that agree on it.
type observation struct {
	area Box                   // around all of them
	face Box                   // the best one's
	best [networkCount]float64 // highest score of each network
	// agree is each network's mean score over the scales at which it sees a face of this size; a scale that saw nothing
	// counts 0. A false alarm is seldom seen at more than one scale. Of a clip that was also searched turned, the turn
	// counts at which the scales agree best: a face is not expected to be seen both upright and turned.
	agree [networkCount]float64
	told  bool // by a person or by the check on a derivative
	// looked says that there was a closer look, closer is its score.
	looked bool
	closer float64
}

// strong tells whether an observation alone suggests a face; weak ones only continue tracks when strong ones are placed.
func (o observation) strong() bool {
	return o.told || o.best[fast] >= strongFast || o.best[second] >= strongSecond
}

// score is an observation's score as samples carry it.
func (o observation) score() float64 {
	if o.told {
		return 1
	}
	return math.Max(o.best[fast], o.best[second])
}

// weight ranks detections of different networks.
func weight(d Detection) float64 {
	switch d.Detector {
	case personFinding, verifyFinding:
		return 2
	case secondNetwork:
		return math.Min(1, d.Score*secondWeight)
	}
	return d.Score
}

// networkOf tells whose a detection is; false where a person or the check on a derivative told it.
func networkOf(d Detection) (int, bool) {
	switch d.Detector {
	case personFinding, verifyFinding:
		return 0, false
	case secondNetwork:
		return second, true
	}
	return fast, true
}

// observer groups detections by face.
type observer struct {
	long float64 // of the source's picture
	// scales are the long sides at which each network saw anything in this clip at each turn, rising.
	scales [turnCount][networkCount][]int
}

// turnOf is a detection's turn, as an index.
func turnOf(d Detection) int { return min(max(d.Turn, 0), turnCount-1) }

func newObserver(width, height int, frames []Frame) *observer {
	o := &observer{long: float64(max(width, height))}
	for _, f := range frames {
		for _, d := range f.Detections {
			n, ok := networkOf(d)
			if !ok || d.Long <= 0 {
				continue
			}
			scales := &o.scales[turnOf(d)][n]
			if i, found := slices.BinarySearch(*scales, d.Long); !found && len(*scales) < maxScales {
				*scales = slices.Insert(*scales, i, d.Long)
			}
		}
	}
	return o
}

// scoreCard holds the scores of one observation by turn, network and scale.
type scoreCard [turnCount][networkCount][maxScales]float64

// Face is one face in one frame, as the detections of all networks and scales agree on it.
type Face struct {
	Box Box // the best detection's
	// Second is the highest score of the second network, 0 to 1; 0 where it saw nothing.
	Second float64
}

// Faces groups one frame's detections by face, as Build does.
func Faces(detections []Detection) []Face {
	boxes, of := group(detections)
	faces := make([]Face, len(boxes))
	for k, b := range boxes {
		faces[k].Box = b
	}
	for i, d := range detections {
		if n, ok := networkOf(d); ok && n == second {
			f := &faces[of[i]]
			f.Second = math.Max(f.Second, d.Score)
		}
	}
	return faces
}

// group puts the detections of one frame together that are of one face. It gives the boxes of the best of each, and to each detection
// the index of its face.
func group(detections []Detection) (faces []Box, of []int) {
	order := make([]int, len(detections))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return weight(detections[order[a]]) > weight(detections[order[b]]) })
	of = make([]int, len(detections))
	for _, i := range order {
		k := closest(faces, detections[i].Box)
		if k < 0 {
			k = len(faces)
			faces = append(faces, detections[i].Box)
		}
		of[i] = k
	}
	return faces, of
}

// closest is the index of the face that a box overlaps most, and enough to be the same; -1 where there is none.
func closest(faces []Box, b Box) int {
	k, most := -1, sameFaceIoU
	for j := range faces {
		if v := iou(faces[j], b); v >= most {
			k, most = j, v
		}
	}
	return k
}

// observe groups one frame's detections. Each belongs to exactly one observation, whose area contains it. A closer look belongs to the
// observation whose face it was at.
func (ob *observer) observe(f Frame) []observation {
	faces, of := group(f.Detections)
	out := make([]observation, len(faces))
	cards := make([]scoreCard, len(faces))
	for k, b := range faces {
		out[k] = observation{area: b, face: b}
	}
	for i, d := range f.Detections {
		o := &out[of[i]]
		o.area = union(o.area, d.Box)
		n, ok := networkOf(d)
		if !ok {
			o.told = true
			continue
		}
		o.best[n] = math.Max(o.best[n], d.Score)
		turn := turnOf(d)
		if s, found := slices.BinarySearch(ob.scales[turn][n], d.Long); found {
			card := &cards[of[i]][turn][n][s]
			*card = math.Max(*card, d.Score)
		}
	}
	for k := range out {
		for n := range networkCount {
			out[k].agree[n] = ob.agree(&out[k], n, &cards[k])
		}
	}
	for _, l := range f.Looks {
		if k := closest(faces, l.Box); k >= 0 {
			out[k].looked = true
			out[k].closer = math.Max(out[k].closer, l.Score)
		}
	}
	return out
}

// agree is the mean of an observation's scores over the scales at which a network sees it, at the turn where that is best.
func (ob *observer) agree(o *observation, network int, card *scoreCard) float64 {
	best := 0.0
	for turn, scales := range ob.scales {
		sum, n := 0.0, 0.0
		for s, long := range scales[network] {
			score := card[turn][network][s]
			shown := side(o.face) * float64(long) / ob.long
			if score > 0 || shown >= seenSides[network][0] && shown <= seenSides[network][1] {
				sum += score
				n++
			}
		}
		if sum > 0 {
			best = math.Max(best, sum/n)
		}
	}
	if best == 0 {
		return o.best[network] // seen at no scale that is known
	}
	return best
}
