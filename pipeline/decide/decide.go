// Package decide turns a policy, tracks and a person's decisions into a plan: which area of which frame is covered, why,
// and by whom that was decided.
//
// It is pure and owns the formats of policy, plan and decisions, their validation and their canonical bytes. It never
// looks at a pixel and imports the standard library and package track only.
package decide

import (
	"fmt"
	"math"
	"slices"

	"veil/pipeline/track"
)

// Input is what a plan is made of.
type Input struct {
	Source   Source
	Excerpt  *Excerpt // nil: the whole clip
	Analysis Analysis
	Policy   Policy
	// Tracks are track.Build's, over the frames below.
	Tracks []track.Track
	// FrameStamps has one entry for each frame of the plan, in presentation order.
	FrameStamps []FrameStamp
	// Extra are findings from elsewhere (the check on an earlier derivative); their ids are given anew.
	Extra []Finding
}

// FrameStamp is what the decoder told of one frame.
type FrameStamp struct {
	PTS     int64
	Digest  string // Adler-32 over the decoded planes, eight hex digits
	Damaged bool   // decoded with an error, concealed, or with a stamp that repeats or runs backwards
	Why     string // what is wrong with it
	Cut     bool   // first frame of a new scene
	// NearDark says that the frame is too dark for what was found in it to be trusted.
	NearDark bool
	Time     float64 // seconds from the first frame of the source (not of the excerpt)
}

// Decide builds the plan. It returns a *DamageError where a frame is damaged and the policy does not say mask, and an
// *InvalidError where policy or input make no sense; a plan that it returns is valid.
func Decide(in Input) (Plan, error) {
	if err := checkInput(in); err != nil {
		return Plan{}, err
	}
	p := Plan{
		Schema: PlanSchema, Source: in.Source, Excerpt: excerpt(in), Analysis: in.Analysis, Policy: in.Policy,
		Tracks: []Track{}, Findings: []Finding{}, Frames: make([]Frame, len(in.FrameStamps)),
	}
	for i, s := range in.FrameStamps {
		p.Frames[i] = Frame{PTS: s.PTS, Digest: s.Digest, Cut: s.Cut}
		switch {
		case s.Damaged && in.Policy.Damage != "mask":
			return Plan{}, &DamageError{Frame: i, Why: orElse(s.Why, "it decodes with errors")}
		case s.Damaged:
			p.Frames[i].Whole, p.Frames[i].Why = true, orElse(s.Why, "it decodes with errors")
		case in.Policy.Cover == "frame":
			p.Frames[i].Whole, p.Frames[i].Why = true, WhyPolicy
		}
		if f := &p.Frames[i]; f.Whole {
			f.Code, f.Basis = p.Policy.Grounds.complete(GroundFrames, "", "")
		}
	}
	c := newCoverer(in.Source, &p.Policy)
	p.addFixed(c, in.FrameStamps)
	// What stays visible comes last, as masks of others may cover it.
	for _, left := range []bool{false, true} {
		for _, t := range in.Tracks {
			if p.leaves(t) == left {
				p.addTrack(c, t)
			}
		}
	}
	slices.SortStableFunc(p.Tracks, func(a, b Track) int { return a.ID - b.ID })
	p.addNearDark(in.FrameStamps)
	for _, x := range in.Extra {
		p.addFinding(x)
	}
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// checkInput refuses what would make Decide build nonsense; the rest is seen by the plan's own validation.
func checkInput(in Input) error {
	var f faults
	in.Policy.check(&f, "policy.")
	for i, r := range in.Policy.Regions {
		f.rect(fmt.Sprintf("policy.regions[%d].rect", i), r.Rect, in.Source.Width, in.Source.Height)
	}
	in.Source.check(&f)
	for i, s := range in.FrameStamps {
		if !finite(s.Time) {
			f.add("frame %d has no time", i)
		}
	}
	ids := map[int]bool{}
	for _, t := range in.Tracks {
		if t.ID <= 0 || ids[t.ID] || len(t.Samples) == 0 {
			f.add("track %d has no samples, or its number is not positive or given twice", t.ID)
		}
		ids[t.ID] = true
		for j, s := range t.Samples {
			b := s.Box
			if !finite(b.X) || !finite(b.Y) || !finite(b.W) || !finite(b.H) || b.W < 0 || b.H < 0 {
				f.add("track %d has no box in frame %d", t.ID, s.Frame)
			}
			if s.Frame < 0 || s.Frame >= len(in.FrameStamps) || s.Frame != t.Samples[0].Frame+j {
				f.add("track %d names frame %d, the clip has %d", t.ID, s.Frame, len(in.FrameStamps))
				break
			}
		}
	}
	return f.err("plan")
}

// excerpt completes the excerpt with the source's first PTS, told by a frame's own stamp and time.
func excerpt(in Input) *Excerpt {
	if in.Excerpt == nil || len(in.FrameStamps) == 0 {
		return in.Excerpt
	}
	e := *in.Excerpt
	tick, err := parseTimeBase(in.Source.TimeBase)
	if err == nil && e.OriginPTS == 0 {
		e.OriginPTS = in.FrameStamps[0].PTS - int64(math.Round(in.FrameStamps[0].Time/tick))
	}
	return &e
}

// addFixed covers the policy's own regions, for their spans.
func (p *Plan) addFixed(c coverer, stamps []FrameStamp) {
	for _, fixed := range p.Policy.Regions {
		r := Region{Kind: KindFixed, Rect: c.align(fixed.Rect)}
		r.Code, r.Basis = p.Policy.Grounds.complete(GroundRegions, fixed.Code, fixed.Basis)
		for i, s := range stamps {
			if fixed.Span == nil || s.Time >= fixed.Span.From && s.Time < fixed.Span.To {
				p.Frames[i].Regions = append(p.Frames[i].Regions, r)
			}
		}
	}
}

// addTrack adds a track and the regions that cover it.
func (p *Plan) addTrack(c coverer, t track.Track) {
	pt := Track{
		ID: t.ID, Seen: t.Seen, Score: clamp01(t.BestSecond), Sure: t.Sure, State: StateCovered, By: ByPolicy,
		BornInside: t.BornInside, DiedInside: t.DiedInside, First: -1,
	}
	if t.BestSecond <= 0 {
		pt.Score = clamp01(t.BestFast)
	}
	if p.leaves(t) {
		pt.State, pt.Reason = StateDropped, ReasonIgnored
		if t.Refuted {
			pt.Reason = ReasonRefuted
		}
	} else if p.Policy.Cover != "frame" {
		pt.Code, pt.Basis = p.Policy.Grounds.complete(GroundTracks, "", "")
	}
	best := -1.0
	seen := 0
	for _, s := range t.Samples {
		r, ok := c.region(s)
		if !ok {
			continue
		}
		if pt.First < 0 {
			pt.First = s.Frame
		}
		pt.Last = s.Frame
		if s.Source == track.Detected {
			seen++
		}
		score := scoreOf(s)
		if pt.State == StateDropped && s.Source == track.Detected && !p.Frames[s.Frame].covers(r.Box) {
			score += openFirst
		}
		if score > best {
			best, pt.Best, pt.BestBox = score, s.Frame, r.Box
		}
		if pt.State == StateCovered && p.Policy.Cover != "frame" {
			r.Track = t.ID
			p.Frames[s.Frame].Regions = append(p.Frames[s.Frame].Regions, r)
		}
	}
	if pt.First < 0 {
		return // never inside the picture
	}
	pt.Seen = seen
	p.Tracks = append(p.Tracks, pt)
	if !t.Sure && p.Policy.Unsure == "review" && p.Policy.Cover != "frame" {
		text := "may be a face; it is covered, and the policy wants a person to look"
		if t.Refuted {
			text = "may be a face, though closer looks saw none; it is covered, and the policy wants a person to look"
		}
		p.addFinding(Finding{Kind: FindingUnsure, First: pt.First, Last: pt.Last, Rect: pt.BestBox, Track: t.ID, Text: text})
	}
}

// leaves tells that the policy leaves a track visible.
func (p *Plan) leaves(t track.Track) bool {
	return !t.Sure && (p.Policy.Unsure == "ignore" || t.Refuted && p.Policy.Unsure != "review")
}

// openFirst has what stands for a track that stays visible be a picture in which no mask holds it, if there is one.
const openFirst = 3

// scoreOf ranks samples for the picture that stands for a track: detections before all else.
func scoreOf(s track.Sample) float64 {
	if s.Source == track.Detected {
		return 1 + clamp01(s.Score)
	}
	return clamp01(s.Score) / 2
}

// addFinding adds a finding under the next free number.
func (p *Plan) addFinding(x Finding) {
	x.ID = fmt.Sprintf("F%d", len(p.Findings)+1)
	x.Dismissed, x.Reason, x.By = false, "", ""
	p.Findings = append(p.Findings, x)
}

func clamp01(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return math.Min(v, 1)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
