package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
)

// Causes of a face that a plan leaves bare, from the first stage that could have failed to the last.
const (
	causeNever     = "never detected" // no network saw this face in any frame
	causeDropped   = "track dropped"  // it was seen, and nothing that was seen of it led to a mask
	causeMisplaced = "mask misplaced" // its mask is in the frame, but covers too little of it
	causeGap       = "gap not filled" // it has a mask in another frame where it was seen, and none here
	bareShare      = 0.25             // of a face's core without a mask, from which it counts as bare: as leakcheck has it
	coreShare      = 0.1              // what is taken off each side of a face for its core: as leakcheck has it
	sameFace       = 0.3              // intersection over union from which two boxes are of one face
	withinFace     = 0.6              // share of the smaller box within the larger, where sizes differ by up to withinSize
	withinSize     = 4.0              // areas
)

var causes = []string{causeNever, causeDropped, causeMisplaced, causeGap}

// Miss is a face of one frame that the plan does not cover, with what was seen of the same face over the whole clip.
type Miss struct {
	Frame int     `json:"frame"`
	Box   box     `json:"box"`
	Cause string  `json:"cause"`
	Bare  float64 `json:"bare"`        // share of the face's core
	Seen  int     `json:"seen_frames"` // frames in which any network saw this face
	Of    int     `json:"of_frames"`   // frames in which it is there
	// Best is the highest score by network.
	Best map[string]float64 `json:"best,omitempty"`
}

// rawAnalysis is what bench reads of a raw analysis.
type rawAnalysis struct {
	Frames []struct {
		Detections []track.Detection `json:"detections"`
		Motion     track.Motion      `json:"motion"`
	} `json:"frames"`
}

// why lists the faces that a plan leaves bare, and says how steady its masks are. Only where faces are bare the clip is looked
// at once more for the raw analysis.
func (b *bench) why(ctx context.Context, c subject, planPath, effort string) ([]Miss, Steady, error) {
	t, err := readTruth(c.truth)
	if err != nil {
		return nil, Steady{}, err
	}
	var plan decide.Plan
	if err := readJSON(planPath, &plan); err != nil {
		return nil, Steady{}, err
	}
	steady, err := steadiness(t, plan)
	if err != nil {
		return nil, Steady{}, err
	}
	if len(bareFaces(t, plan)) == 0 {
		return nil, steady, nil
	}
	raw := filepath.Join(b.out, "raw.analysis.json")
	if _, err := b.analyze(ctx, c.clip, effort, "raw", 0); err != nil {
		return nil, Steady{}, fmt.Errorf("analyze for the causes of leaks: %w", err)
	}
	var seen rawAnalysis
	if err := readJSON(raw, &seen); err != nil {
		return nil, Steady{}, err
	}
	list, err := missed(t, plan, seen)
	return list, steady, err
}

// missed lists the faces that a plan leaves bare, each with its cause.
func missed(t truth, plan decide.Plan, seen rawAnalysis) ([]Miss, error) {
	if len(seen.Frames) != len(plan.Frames) {
		return nil, fmt.Errorf("analyze for the causes of leaks: %d frames, the plan has %d", len(seen.Frames), len(plan.Frames))
	}
	return explain(t, plan, seen), nil
}

// analyze runs the first pass in this process, as `veil redact --cover face` would, and writes NAME.plan.json and
// NAME.analysis.json. threads is 0 for all cores.
func (b *bench) analyze(ctx context.Context, clip, effort, name string, threads int) (decide.Plan, error) {
	r, err := b.request(ctx, clip, effort, name, threads)
	if err != nil {
		return decide.Plan{}, err
	}
	return makePlan(ctx, r)
}

// request asks for the first pass over a clip; what an earlier one of that name wrote is removed.
func (b *bench) request(ctx context.Context, clip, effort, name string, threads int) (pipeline.AnalyzeRequest, error) {
	policy, err := decide.Shipped(decide.Press)
	if err != nil {
		return pipeline.AnalyzeRequest{}, err
	}
	policy.Effort, policy.Cover, policy.Fill = effort, "face", "solid"
	planOut, raw := filepath.Join(b.out, name+".plan.json"), filepath.Join(b.out, name+".analysis.json")
	if err := forget(planOut, raw); err != nil {
		return pipeline.AnalyzeRequest{}, err
	}
	digest, err := pipeline.DigestFile(ctx, clip, nil)
	if err != nil {
		return pipeline.AnalyzeRequest{}, err
	}
	config := pipeline.Config{Tools: b.tools, Limits: media.DefaultLimits(), Models: filepath.Join(b.root, "models", "weights"),
		Engine: "auto", Threads: threads, Scratch: b.out, Build: "bench"}
	return pipeline.AnalyzeRequest{Config: config, In: clip, SHA256: digest.SHA256, Policy: policy, PlanOut: planOut, AnalysisOut: raw}, nil
}

// bareFaces lists the faces of the truth whose core the plan leaves bare, with frame, box and share only.
func bareFaces(t truth, plan decide.Plan) []Miss {
	var bare []Miss
	for _, f := range t.Frames {
		if f.Index >= len(plan.Frames) {
			continue
		}
		rects, whole := masksOf(plan.Frames[f.Index])
		for _, face := range f.Boxes {
			core, ok := coreOf(face, t.Width, t.Height)
			if !ok || whole {
				continue
			}
			if share := 1 - coveredShare(core, rects); share > bareShare {
				bare = append(bare, Miss{Frame: f.Index, Box: face, Bare: math.Round(100*share) / 100})
			}
		}
	}
	return bare
}

// masksOf gives the rectangles that a frame's plan covers; whole says that it covers everything.
func masksOf(f decide.Frame) (rects [][4]int, whole bool) {
	for _, r := range f.Regions {
		if !r.Kept {
			rects = append(rects, r.Rect)
		}
	}
	return rects, f.Whole
}

// coreOf is the part of a face that leakcheck judges, in whole pixels; false where it is too small.
func coreOf(f box, width, height int) ([4]int, bool) {
	x0, y0 := int(math.Max(0, f[0]+f[2]*coreShare)), int(math.Max(0, f[1]+f[3]*coreShare))
	x1 := int(math.Min(float64(width), f[0]+f[2]*(1-coreShare)+0.999))
	y1 := int(math.Min(float64(height), f[1]+f[3]*(1-coreShare)+0.999))
	return [4]int{x0, y0, x1 - x0, y1 - y0}, x1-x0 >= 2 && y1-y0 >= 2
}

// coveredShare is the share of an area's pixels that lie under any of the rectangles.
func coveredShare(area [4]int, rects [][4]int) float64 {
	covered := make([]bool, area[2]*area[3])
	n := 0
	for _, r := range rects {
		x0, y0 := max(r[0]-area[0], 0), max(r[1]-area[1], 0)
		x1, y1 := min(r[0]+r[2]-area[0], area[2]), min(r[1]+r[3]-area[1], area[3])
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				if !covered[y*area[2]+x] {
					covered[y*area[2]+x] = true
					n++
				}
			}
		}
	}
	return float64(n) / float64(len(covered))
}

// life is one face through the clip, as the truth and the camera's motion tell.
type life struct {
	frames int
	seen   map[int]bool // frames with a detection
	kept   bool         // its own mask is in a frame where it was seen
	best   map[string]float64
}

// explain lists the faces that the plan leaves bare, with causes.
func explain(t truth, plan decide.Plan, seen rawAnalysis) []Miss {
	lives := followTruth(t, seen)
	for i, f := range t.Frames {
		if f.Index >= len(plan.Frames) {
			continue
		}
		faces := f.all()
		p := plan.Frames[f.Index]
		for k, l := range lives[i] {
			l.frames++
			for _, d := range seen.Frames[f.Index].Detections {
				if owner(boxOf(d.Box), faces) != k {
					continue
				}
				l.seen[f.Index] = true
				l.best[d.Detector] = math.Max(l.best[d.Detector], math.Round(1000*d.Score)/1000)
			}
			// Its own mask counts: a neighbour's may cover it by chance.
			if l.seen[f.Index] && (p.Whole || hasMask(p, f, k)) {
				l.kept = true
			}
		}
	}
	at := map[int]int{} // index of a frame in the truth
	for i, f := range t.Frames {
		at[f.Index] = i
	}
	bare := bareFaces(t, plan)
	for i := range bare {
		m := &bare[i]
		f := t.Frames[at[m.Frame]]
		k := indexOf(f.Boxes, m.Box)
		l := lives[at[m.Frame]][k]
		m.Seen, m.Of, m.Best = len(l.seen), l.frames, l.best
		m.Cause = causeOf(l, m.Frame, hasMask(plan.Frames[m.Frame], f, k))
	}
	return bare
}

// causeOf names the first stage that failed.
func causeOf(l *life, frame int, masked bool) string {
	switch {
	case masked:
		return causeMisplaced
	case len(l.seen) == 0:
		return causeNever
	case l.seen[frame] || !l.kept:
		return causeDropped
	}
	return causeGap
}

// hasMask says whether a mask of the frame is meant for face k: its track's own box lies on that face more than on any other.
func hasMask(p decide.Frame, f truthFrame, k int) bool {
	faces := f.all()
	for _, r := range p.Regions {
		b := box{float64(r.Box[0]), float64(r.Box[1]), float64(r.Box[2]), float64(r.Box[3])}
		if r.Track > 0 && nearest(b, faces) == k {
			return true
		}
	}
	return false
}

// followTruth gives each box of each frame of the truth (those to ignore after the others) the life that it is part of: boxes
// of neighbouring frames belong together where the camera's motion carries one onto the other.
func followTruth(t truth, seen rawAnalysis) [][]*life {
	lives := make([][]*life, len(t.Frames))
	var before []box
	for i, f := range t.Frames {
		faces := f.all()
		lives[i] = make([]*life, len(faces))
		if i > 0 && t.Frames[i-1].Index+1 == f.Index && f.Index < len(seen.Frames) && !seen.Frames[f.Index].Motion.Cut {
			moved := make([]box, len(before))
			for j, b := range before {
				moved[j] = carry(b, seen.Frames[f.Index].Motion)
			}
			for k, face := range faces {
				// Both must be each other's best, lest two faces become one.
				if j := owner(face, moved); j >= 0 && owner(moved[j], faces) == k {
					lives[i][k] = lives[i-1][j]
				}
			}
		}
		for k := range faces {
			if lives[i][k] == nil {
				lives[i][k] = &life{seen: map[int]bool{}, best: map[string]float64{}}
			}
		}
		before = faces
	}
	return lives
}

// carry moves a box with the camera.
func carry(b box, m track.Motion) box {
	if !m.Known {
		return b
	}
	x, y := b[0]+b[2]/2, b[1]+b[3]/2
	scale := math.Sqrt(math.Abs(m.A[0]*m.A[4] - m.A[1]*m.A[3]))
	w, h := b[2]*scale, b[3]*scale
	return box{m.A[0]*x + m.A[1]*y + m.A[2] - w/2, m.A[3]*x + m.A[4]*y + m.A[5] - h/2, w, h}
}

// owner is the face that a box is of: the nearest one, if it is near enough; else -1.
func owner(b box, faces []box) int {
	k := nearest(b, faces)
	if k < 0 {
		return -1
	}
	f := faces[k]
	shared, a, o := overlap(b, f), b[2]*b[3], f[2]*f[3]
	if shared/(a+o-shared) >= sameFace || shared/min(a, o) >= withinFace && max(a, o) <= withinSize*min(a, o) {
		return k
	}
	return -1
}

// nearest is the face that shares most with a box (intersection over union); -1 if none shares anything.
func nearest(b box, faces []box) int {
	best, at := 0.0, -1
	for k, f := range faces {
		shared := overlap(b, f)
		if v := shared / (b[2]*b[3] + f[2]*f[3] - shared); v > best {
			best, at = v, k
		}
	}
	return at
}

// overlap is the area that two boxes share.
func overlap(a, b box) float64 {
	w := min(a[0]+a[2], b[0]+b[2]) - max(a[0], b[0])
	h := min(a[1]+a[3], b[1]+b[3]) - max(a[1], b[1])
	return max(w, 0) * max(h, 0)
}

func boxOf(b track.Box) box { return box{b.X, b.Y, b.W, b.H} }

func indexOf(boxes []box, b box) int {
	for k := range boxes {
		if boxes[k] == b {
			return k
		}
	}
	return -1
}
