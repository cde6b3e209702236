package track

import (
	"math"
	"sort"
)

// Names of the networks whose scores are evidence.
const (
	fastNetwork   = "yunet"
	secondNetwork = "centerface"
	// Findings of a person or of the check on a derivative count as seen for certain.
	personFinding = "person"
	verifyFinding = "verify"
)

// sameFaceIoU is how far two detections of one frame overlap at least to be one face.
const sameFaceIoU = 0.35

// observation is one face in one frame: the detections of all networks and scales that agree on it.
type observation struct {
	area         Box // around all of them
	face         Box // the best one's
	fast, second float64
	told         bool // by a person or by the check on a derivative
}

// strong tells whether an observation alone suggests a face; weak ones only continue tracks.
func (o observation) strong() bool { return o.told || o.fast >= 0.5 || o.second >= 0.2 }

// weight ranks detections of different networks: the second opinion's scores run lower.
func weight(d Detection) float64 {
	switch d.Detector {
	case personFinding, verifyFinding:
		return 2
	case secondNetwork:
		return math.Min(1, d.Score*1.6)
	}
	return d.Score
}

// observe groups one frame's detections by face. Each detection belongs to exactly one observation, whose area contains
// it.
func observe(detections []Detection) []observation {
	order := make([]int, len(detections))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return weight(detections[order[a]]) > weight(detections[order[b]]) })
	var out []observation
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
			best = len(out) - 1
		}
		o := &out[best]
		o.area = union(o.area, d.Box)
		switch d.Detector {
		case personFinding, verifyFinding:
			o.told = true
		case secondNetwork:
			o.second = math.Max(o.second, d.Score)
		default:
			o.fast = math.Max(o.fast, d.Score)
		}
	}
	return out
}
