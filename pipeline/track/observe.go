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
	sameFaceIoU = 0.35
	// strongFast and strongSecond are the scores from which a detection alone suggests a face.
	strongFast, strongSecond = 0.5, 0.2
	// secondWeight makes scores of the second network, which run lower, comparable for picking the best box.
	secondWeight = 1.6
	// The fast network sees faces of these sides, in pixels of the picture that it is shown.
	minSeenSide, maxSeenSide = 9, 350
	// maxScales bounds how many scales of the fast network are told apart.
	maxScales = 8
)

// observation is one face in one frame: the detections of all networks and scales that agree on it.
type observation struct {
	area         Box // around all of them
	face         Box // the best one's
	fast, second float64
	// agree is the mean score of the fast network over the scales at which it can see a face of this size; a scale that
	// saw nothing counts 0. A false alarm is seldom seen at more than one scale.
	agree float64
	told  bool // by a person or by the check on a derivative
}

// strong tells whether an observation alone suggests a face; weak ones only continue tracks when strong ones are placed.
func (o observation) strong() bool {
	return o.told || o.fast >= strongFast || o.second >= strongSecond
}

// score is an observation's score as samples carry it.
func (o observation) score() float64 {
	if o.told {
		return 1
	}
	return math.Max(o.fast, o.second)
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

// isFast tells whether a detection is the fast network's.
func isFast(d Detection) bool {
	return d.Detector != secondNetwork && d.Detector != personFinding && d.Detector != verifyFinding
}

// observer groups detections by face.
type observer struct {
	long   float64 // of the source's picture
	scales []int   // long sides at which the fast network saw anything in this clip, rising
}

func newObserver(width, height int, frames []Frame) *observer {
	o := &observer{long: float64(max(width, height))}
	for _, f := range frames {
		for _, d := range f.Detections {
			if !isFast(d) || d.Long <= 0 || len(o.scales) == maxScales {
				continue
			}
			if i, found := slices.BinarySearch(o.scales, d.Long); !found {
				o.scales = slices.Insert(o.scales, i, d.Long)
			}
		}
	}
	return o
}

// observe groups one frame's detections. Each belongs to exactly one observation, whose area contains it.
func (ob *observer) observe(detections []Detection) []observation {
	order := make([]int, len(detections))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return weight(detections[order[a]]) > weight(detections[order[b]]) })
	var out []observation
	var scores [][maxScales]float64
	for _, i := range order {
		d := detections[i]
		best, bestIoU := -1, sameFaceIoU
		for j := range out {
			if v := iou(out[j].face, d.Box); v >= bestIoU {
				best, bestIoU = j, v
			}
		}
		if best < 0 {
			out = append(out, observation{area: d.Box, face: d.Box})
			scores = append(scores, [maxScales]float64{})
			best = len(out) - 1
		}
		o := &out[best]
		o.area = union(o.area, d.Box)
		switch {
		case isFast(d):
			o.fast = math.Max(o.fast, d.Score)
			if k, found := slices.BinarySearch(ob.scales, d.Long); found {
				scores[best][k] = math.Max(scores[best][k], d.Score)
			}
		case d.Detector == secondNetwork:
			o.second = math.Max(o.second, d.Score)
		default:
			o.told = true
		}
	}
	for i := range out {
		out[i].agree = ob.agree(&out[i], scores[i])
	}
	return out
}

// agree is the mean of an observation's scores over the scales at which the fast network can see it.
func (ob *observer) agree(o *observation, scores [maxScales]float64) float64 {
	sum, n := 0.0, 0.0
	for k, long := range ob.scales {
		shown := side(o.face) * float64(long) / ob.long
		if scores[k] > 0 || shown >= minSeenSide && shown <= maxSeenSide {
			sum += scores[k]
			n++
		}
	}
	if sum == 0 {
		return o.fast // seen at no scale that is known
	}
	return sum / n
}
