package decide

import (
	"fmt"
	"slices"
)

// check adds the faults of a ground that a person gives, by itself.
func (g GroundFor) check(f *faults, at string) {
	f.oneOf(at+".what", g.What, GroundTracks, GroundRegions, GroundFrames, GroundSound)
	if g.Track < 0 || g.Track > 0 && g.What != GroundTracks {
		f.add("%s.track is %d, must be a track's number, and goes with %q only", at, g.Track, GroundTracks)
	}
	if g.Span != nil {
		f.span(at+".span", *g.Span)
		if g.What == GroundTracks {
			f.add("%s.span is given for tracks: a track has one ground for its whole length", at)
		}
	}
	if g.Code == "" {
		f.add("%s.code is \"\", must be a code", at)
	}
	f.ground(at, g.Code, g.Basis, nil)
}

// checkGrounds holds the grounds that a person gives against the plan.
func (p *Plan) checkGrounds(f *faults, d Decisions) {
	list := p.Policy.Grounds
	for i, g := range d.Ground {
		at := fmt.Sprintf("ground[%d]", i)
		f.ground(at, g.Code, g.Basis, list)
		if g.Track > 0 && !slices.ContainsFunc(p.Tracks, func(t Track) bool { return t.ID == g.Track }) {
			f.add("%s.track %d is not in the plan", at, g.Track)
		}
		if g.What == GroundSound && !slices.ContainsFunc(p.WithheldSound(), func(s SoundRange) bool { return meetSpan(g.Span, s.Span) }) {
			f.add("%s is about sound that the policy does not withhold", at)
		}
	}
	for i, c := range d.Cover {
		f.ground(fmt.Sprintf("cover[%d]", i), c.Code, c.Basis, list)
	}
}

// meetSpan reports whether two spans share a moment; nil is all time.
func meetSpan(a, b *Span) bool {
	return a == nil || b == nil || a.From < b.To && b.From < a.To
}

// applyGrounds writes grounds into the plan, in the order given. What names a track or a span replaces; what names neither
// fills where none is.
func (p *Plan) applyGrounds(given []GroundFor, times []float64) {
	for _, g := range given {
		code, basis := p.Policy.Grounds.complete(g.What, g.Code, g.Basis)
		replace := g.Track != 0 || g.Span != nil
		set := func(c, b *string) {
			if replace || *c == "" || *b == "" {
				*c, *b = code, basis
			}
		}
		switch g.What {
		case GroundTracks:
			for i := range p.Tracks {
				if t := &p.Tracks[i]; t.State != StateDropped && (g.Track == 0 || g.Track == t.ID) {
					set(&t.Code, &t.Basis)
				}
			}
		case GroundSound:
			p.Sound = p.WithheldSound()
			for i := range p.Sound {
				if s := &p.Sound[i]; meetSpan(g.Span, s.Span) {
					set(&s.Code, &s.Basis)
				}
			}
		default:
			p.groundFrames(g, times, set)
		}
	}
}

// groundFrames sets the grounds of whole frames, or of the areas of no track.
func (p *Plan) groundFrames(g GroundFor, times []float64, set func(code, basis *string)) {
	for i := range p.Frames {
		if g.Span != nil && (times[i] < g.Span.From || times[i] >= g.Span.To) {
			continue
		}
		f := &p.Frames[i]
		if g.What == GroundFrames {
			if f.Whole {
				set(&f.Code, &f.Basis)
			}
			continue
		}
		for j := range f.Regions {
			if r := &f.Regions[j]; r.Track == 0 {
				set(&r.Code, &r.Basis)
			}
		}
	}
}
