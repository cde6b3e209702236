package track

import (
	"math"
	"sort"
)

const (
	// maxGapSeconds is the longest gap that a track bridges, maxSureGapSeconds that of one that is a face for certain.
	maxGapSeconds     = 0.8
	maxSureGapSeconds = 1.2
	// gateSides is how far, in sides of the face, an observation may lie from where it was expected; it grows with the
	// time since the last sighting and where the camera's motion is not known.
	gateSides        = 0.4
	gateSidesPerSec  = 0.3
	gateSidesUnknown = 0.5
	maxSideRatio     = 2.0
	// A face's own velocity is expected to halve every velocityHalfLife seconds without a sighting; each sighting changes
	// it by velocityNewWeight of the surprise, and it stays below maxVelocitySides sides a second.
	velocityHalfLife  = 0.3
	velocityNewWeight = 0.5
	maxVelocitySides  = 4
	// steadySightings is how many sightings a velocity needs before it counts.
	steadySightings = 4
)

// mostSides bounds every gate, in sides of the larger of the two faces.
const mostSides = gateSides + (gateSidesPerSec+maxVelocitySides*maxSideRatio)*maxSureGapSeconds + gateSidesUnknown

// sighting is an observation that belongs to a trail.
type sighting struct {
	frame int
	observation
}

// trail is a track in the making: what was seen of one face, in frame order.
type trail struct {
	seen []sighting
	// where the face would be in the frame at hand if it had not moved by itself, and its own velocity in pixels a second
	box    Box
	vx, vy float64
	// blind counts the frames since the last sighting over which the camera's motion is unknown
	blind int
	ev    evidence
	// doubles are trails that follow the same face.
	doubles []*trail
}

func (t *trail) last() int { return t.seen[len(t.seen)-1].frame }

// follower associates the observations of one scene.
type follower struct {
	frames []Frame
	motion []affine
	long   float64 // of the source's picture
	open   []*trail
	done   []*trail
}

// advance moves every open trail's expectation to frame i and closes those that were not seen for too long.
func (f *follower) advance(i int) {
	open := f.open[:0]
	for _, t := range f.open {
		limit := maxGapSeconds
		if t.ev.sure() {
			limit = maxSureGapSeconds
		}
		// The very next frame is never a gap, however late it comes.
		if i-t.last() > 1 && f.frames[i].Time-f.frames[t.last()].Time > limit {
			f.done = append(f.done, t)
			continue
		}
		t.box = step(t.box, f.motion, i-1, i)
		if !f.motion[i].known {
			t.blind++
		}
		open = append(open, t)
	}
	clear(f.open[len(open):])
	f.open = open
}

// pair is a possible association.
type pair struct {
	trail, obs int
	cost       float64
}

// associate gives the observations of frame i to the open trails and starts new trails with the rest.
func (f *follower) associate(i int, obs []observation) {
	taken := make([]bool, len(obs))
	used := make([]bool, len(f.open))
	pairs := f.pairs(i, obs)
	for _, strong := range []bool{true, false} {
		for _, p := range pairs {
			if taken[p.obs] || used[p.trail] || obs[p.obs].strong() != strong {
				continue
			}
			taken[p.obs], used[p.trail] = true, true
			f.see(f.open[p.trail], i, obs[p.obs])
		}
	}
	for j, o := range obs {
		if !taken[j] {
			t := &trail{seen: []sighting{{i, o}}, box: o.face}
			t.ev.add(o, f.long)
			f.open = append(f.open, t)
		}
	}
}

// see adds a sighting to a trail.
func (f *follower) see(t *trail, i int, o observation) {
	dt := f.frames[i].Time - f.frames[t.last()].Time
	x, y := center(o.face)
	px, py := center(t.box)
	if dt > 0 {
		t.vx += velocityNewWeight * ((x-px)/dt - t.vx)
		t.vy += velocityNewWeight * ((y-py)/dt - t.vy)
	}
	most := maxVelocitySides * side(o.face)
	if v := math.Hypot(t.vx, t.vy); v > most {
		t.vx, t.vy = t.vx*most/v, t.vy*most/v
	}
	t.box, t.blind = o.face, 0
	t.seen = append(t.seen, sighting{i, o})
	t.ev.add(o, f.long)
}

// pairs lists the associations within the gate, cheapest first. Trails are sorted by their middle's x, so that a crowd
// does not cost the product of both numbers.
func (f *follower) pairs(i int, obs []observation) []pair {
	order := make([]int, len(f.open))
	widest := 0.0
	for k, t := range f.open {
		order[k] = k
		widest = math.Max(widest, side(t.box))
	}
	mid := func(k int) float64 { return f.open[k].box.X + f.open[k].box.W/2 }
	sort.Slice(order, func(a, b int) bool { return mid(order[a]) < mid(order[b]) })
	var out []pair
	for j, o := range obs {
		x, _ := center(o.face)
		reach := mostSides * math.Min(widest, maxSideRatio*side(o.face))
		from := sort.Search(len(order), func(k int) bool { return mid(order[k]) >= x-reach })
		for _, k := range order[from:] {
			if mid(k) > x+reach {
				break
			}
			if cost, ok := f.cost(f.open[k], i, o.face); ok {
				out = append(out, pair{k, j, cost})
			}
		}
	}
	sort.Slice(out, func(a, b int) bool {
		if out[a].cost != out[b].cost {
			return out[a].cost < out[b].cost
		}
		if out[a].trail != out[b].trail {
			return out[a].trail < out[b].trail
		}
		return out[a].obs < out[b].obs
	})
	return out
}

// cost tells how badly a face fits what a trail expects; false beyond the gate. The gate is around the way from where the
// face would be if it had stopped to where it would be had it gone on; the cost counts from where its fading velocity
// would have brought it.
func (f *follower) cost(t *trail, i int, face Box) (float64, bool) {
	a, b := side(t.box), side(face)
	ratio := math.Max(a, b) / math.Min(a, b)
	if ratio > maxSideRatio {
		return 0, false
	}
	gap := math.Min(f.frames[i].Time-f.frames[t.last()].Time, maxSureGapSeconds)
	x, y := center(face)
	px, py := center(t.box)
	x, y = x-px, y-py
	gate := gateSides + gateSidesPerSec*gap
	if t.blind > 0 {
		gate += gateSidesUnknown
	}
	vx, vy := t.vx, t.vy
	if len(t.seen) < steadySightings {
		vx, vy = 0, 0
	}
	if distance(x, y, vx*gap, vy*gap) > gate*math.Sqrt(a*b) {
		return 0, false
	}
	way := velocityHalfLife / math.Ln2 * (1 - math.Exp2(-gap/velocityHalfLife))
	d := math.Hypot(x-vx*way, y-vy*way) / math.Sqrt(a*b)
	return d + 0.5*math.Log(ratio) + 0.2*gap, true
}

// distance is that of the point (x, y) from the way between the origin and (wx, wy).
func distance(x, y, wx, wy float64) float64 {
	share := 0.0
	if length := wx*wx + wy*wy; length > 0 {
		share = math.Min(math.Max((x*wx+y*wy)/length, 0), 1)
	}
	return math.Hypot(x-share*wx, y-share*wy)
}
