package decide

import (
	"fmt"
	"slices"
)

// Apply gives the plan that a person's decisions make out of another; planDigest is the SHA-256 of that one's bytes. The
// plan handed in is not changed. A kept track stays covered wherever it is not certain who is seen (A27, see keep.go).
// The error is an *InvalidError that lists every decision that does not fit the plan.
func Apply(plan Plan, planDigest string, d Decisions) (Plan, error) {
	times, err := checkDecisions(&plan, planDigest, d)
	if err != nil {
		return Plan{}, err
	}
	p := plan
	p.Tracks = slices.Clone(plan.Tracks)
	p.Findings = slices.Clone(plan.Findings)
	p.Frames = slices.Clone(plan.Frames)
	for i := range p.Frames {
		p.Frames[i].Regions = slices.Clone(plan.Frames[i].Regions)
	}
	for _, k := range d.Keep {
		i := slices.IndexFunc(p.Tracks, func(t Track) bool { return t.ID == k.Track })
		t := &p.Tracks[i]
		t.State, t.Reason, t.By = StateKept, k.Reason, d.By
	}
	for _, x := range d.Dismiss {
		i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.ID == x.Finding })
		f := &p.Findings[i]
		f.Dismissed, f.Reason, f.By = true, x.Reason, d.By
	}
	c := newCoverer(p.Source, &p.Policy)
	for _, r := range d.Cover {
		added := Region{Kind: KindAdded, Rect: c.align(r.Rect)}
		added.Code, added.Basis = p.Policy.Grounds.complete(GroundRegions, r.Code, r.Basis)
		for i := range p.Frames {
			if r.Span == nil || times[i] >= r.Span.From && times[i] < r.Span.To {
				p.Frames[i].Regions = append(p.Frames[i].Regions, added)
			}
		}
	}
	p.applyGrounds(d.Ground, times)
	p.keepTracks(times)
	p.Decided = &Decided{Plan: planDigest, Decisions: d, Before: plan.Decided}
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// checkDecisions holds decisions against the plan and returns the frames' times in seconds from the source's first.
func checkDecisions(p *Plan, planDigest string, d Decisions) ([]float64, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var f faults
	d.check(&f)
	if d.Plan != planDigest {
		f.add("they were made for plan %.12s, this is plan %.12s", d.Plan, planDigest)
	}
	times := p.Times()
	if len(p.allDecided()) >= maxDecided {
		f.add("the plan was decided about %d times, which is as often as it can be", maxDecided)
	}
	for _, k := range d.Keep {
		i := slices.IndexFunc(p.Tracks, func(t Track) bool { return t.ID == k.Track })
		switch {
		case i < 0:
			f.add("track %d is not in the plan", k.Track)
		case p.Policy.Cover == "frame":
			f.add("track %d cannot be kept: the policy covers the whole picture", k.Track)
		case p.Tracks[i].State == StateDropped:
			f.add("track %d is not covered, there is nothing to keep", k.Track)
		}
	}
	for _, x := range d.Dismiss {
		i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.ID == x.Finding })
		switch {
		case i < 0:
			f.add("finding %s is not in the plan", x.Finding)
		case p.Findings[i].Kind == FindingNoGround:
			f.add("finding %s cannot be dismissed: give codes and legal bases with ground", x.Finding)
		}
	}
	for i, c := range d.Cover {
		f.rect(fmt.Sprintf("cover[%d].rect", i), c.Rect, p.Source.Width, p.Source.Height)
		if s := c.Span; s != nil && !slices.ContainsFunc(times, func(t float64) bool { return t >= s.From && t < s.To }) {
			f.add("cover[%d].span from %g to %g holds no frame", i, s.From, s.To)
		}
	}
	p.checkGrounds(&f, d)
	return times, f.err("decisions")
}

// Times gives each frame's time in seconds from the first frame of the source.
func (p *Plan) Times() []float64 {
	times := make([]float64, len(p.Frames))
	tick, err := parseTimeBase(p.Source.TimeBase)
	if err != nil || len(p.Frames) == 0 {
		return times
	}
	origin := p.Frames[0].PTS
	if p.Excerpt != nil {
		origin = p.Excerpt.OriginPTS
	}
	for i := range p.Frames {
		times[i] = float64(p.Frames[i].PTS-origin) * tick
	}
	return times
}

// maxDecided bounds how often a plan may be decided about: each time nests one deeper.
const maxDecided = 16

// allDecided lists the records of decisions, latest first.
func (p *Plan) allDecided() []*Decided {
	var out []*Decided
	for d := p.Decided; d != nil && len(out) <= maxDecided; d = d.Before {
		out = append(out, d)
	}
	return out
}
