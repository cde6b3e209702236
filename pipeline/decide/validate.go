package decide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"veil/pipeline/track"
)

// ParsePlan reads and validates a plan, canonical or edited by hand. The error is an *InvalidError that lists all
// faults.
func ParsePlan(data []byte) (Plan, error) {
	if p, ok := parseCanonical(data); ok {
		return p, nil
	}
	var p Plan
	if f := decodeStrict(data, &p); len(f) > 0 {
		return Plan{}, f.err("plan")
	}
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// parseCanonical reads a plan that is written as Encode writes it, to the byte, and is valid: it can hold nothing that a plan has no
// place for. To look at each field's form as well takes three times as long, and the plans of crowds have megabytes.
func parseCanonical(data []byte) (Plan, bool) {
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return Plan{}, false
	}
	b, err := p.Encode()
	return p, err == nil && bytes.Equal(b, data)
}

// Validate returns an *InvalidError that lists everything in the plan that makes no sense.
func (p *Plan) Validate() error {
	var f faults
	f.oneOf("schema", p.Schema, PlanSchema)
	p.Source.check(&f)
	p.checkExcerpt(&f)
	p.Analysis.check(&f)
	p.Policy.check(&f, "policy.")
	states := p.checkTracks(&f)
	p.checkFindings(&f, states)
	p.checkFrames(&f, states)
	p.checkSound(&f)
	decided := p.allDecided()
	if len(decided) > maxDecided {
		f.add("decided is nested more than %d deep", maxDecided)
	}
	for _, d := range decided {
		if !isHex(d.Plan, 64) {
			f.add("decided.plan is %q, must be a SHA-256", d.Plan)
		}
		d.Decisions.check(&f)
	}
	return f.err("plan")
}

// check adds the faults of the source's description.
func (s Source) check(f *faults) {
	if !isHex(s.SHA256, 64) {
		f.add("source.sha256 is %q, must be 64 lower-case hex digits", s.SHA256)
	}
	if s.Bytes < 0 || s.Stream < 0 {
		f.add("source.bytes is %d and source.stream %d, must be 0 or more", s.Bytes, s.Stream)
	}
	if s.Width <= 0 || s.Height <= 0 || s.Width > 1<<16 || s.Height > 1<<16 {
		f.add("source is %dx%d, must be 1 to 65536 pixels each way", s.Width, s.Height)
	}
	if _, err := parseTimeBase(s.TimeBase); err != nil {
		f.add("source.time_base %v", err)
	}
}

// parseTimeBase reads "1/12800" as seconds a tick.
func parseTimeBase(s string) (float64, error) {
	num, den, ok := strings.Cut(s, "/")
	n, err1 := strconv.ParseInt(num, 10, 64)
	d, err2 := strconv.ParseInt(den, 10, 64)
	if !ok || err1 != nil || err2 != nil || n <= 0 || d <= 0 {
		return 0, fmt.Errorf("is %q, must be like \"1/12800\"", s)
	}
	return float64(n) / float64(d), nil
}

func (p *Plan) checkExcerpt(f *faults) {
	e := p.Excerpt
	if e == nil {
		return
	}
	if e.First < 0 || e.Last-e.First+1 != len(p.Frames) {
		f.add("excerpt is frames %d to %d, the plan has %d frames", e.First, e.Last, len(p.Frames))
	}
	if n := len(p.Frames); n > 0 && (e.FirstPTS != p.Frames[0].PTS || e.LastPTS != p.Frames[n-1].PTS) {
		f.add("excerpt is PTS %d to %d, the plan's frames are %d to %d", e.FirstPTS, e.LastPTS, p.Frames[0].PTS, p.Frames[n-1].PTS)
	}
	f.span("excerpt", Span{From: e.From, To: e.To})
}

func (a Analysis) check(f *faults) {
	if a.Width < 0 || a.Height < 0 || a.DecoderThreads < 0 {
		f.add("analysis has a negative size or number of threads")
	}
	for i, t := range a.Turned {
		if t != 90 && t != 180 && t != 270 || slices.Contains(a.Turned[:i], t) {
			f.add("analysis.turned[%d] is %d, must be 90, 180 or 270 and given once", i, t)
		}
	}
	for i, n := range a.Networks {
		if n.Name == "" || !isHex(n.SHA256, 64) || n.Every < 1 || !finite(n.Threshold) || n.Threshold < 0 || n.Threshold > 1 {
			f.add("analysis.networks[%d] lacks a name, a SHA-256, a threshold from 0 to 1 or how often it looked", i)
		}
		for _, l := range n.Longs {
			if l <= 0 {
				f.add("analysis.networks[%d].longs holds %d", i, l)
			}
		}
	}
}

// checkTracks adds the tracks' faults and returns their states by number.
func (p *Plan) checkTracks(f *faults) map[int]string {
	states := make(map[int]string, len(p.Tracks))
	for i, t := range p.Tracks {
		at := fmt.Sprintf("tracks[%d]", i)
		if t.ID <= 0 || states[t.ID] != "" {
			f.add("%s.id is %d, must be positive and given once", at, t.ID)
		}
		states[t.ID] = t.State
		f.oneOf(at+".state", t.State, StateCovered, StateKept, StateDropped)
		if t.First < 0 || t.Last < t.First || t.Last >= len(p.Frames) {
			f.add("%s is frames %d to %d, the plan has %d frames", at, t.First, t.Last, len(p.Frames))
		}
		if t.Best < t.First || t.Best > t.Last {
			f.add("%s.best is %d, must be one of its frames", at, t.Best)
		}
		if t.Seen < 0 || t.Seen > t.Last-t.First+1 {
			f.add("%s.seen is %d of %d frames", at, t.Seen, t.Last-t.First+1)
		}
		if !finite(t.Score) || t.Score < 0 || t.Score > 1 {
			f.add("%s.score is %g, must be 0 to 1", at, t.Score)
		}
		f.rect(at+".best_box", t.BestBox, p.Source.Width, p.Source.Height)
		if t.State == StateKept && (t.By == "" || t.Reason == "") {
			f.add("%s is kept without a reason or a name", at)
		}
		f.ground(at, t.Code, t.Basis, p.Policy.Grounds)
	}
	return states
}

func (p *Plan) checkFindings(f *faults, states map[int]string) {
	seen := map[string]bool{}
	for i, x := range p.Findings {
		at := fmt.Sprintf("findings[%d]", i)
		if !isFindingID(x.ID) || seen[x.ID] {
			f.add("%s.id is %q, must be like \"F1\" and given once", at, x.ID)
		}
		seen[x.ID] = true
		f.oneOf(at+".kind", x.Kind, FindingUnsure, FindingFaceOutside, FindingQuality, FindingKeptLost, FindingNoGround)
		if x.First < 0 || x.Last < x.First || x.Last >= len(p.Frames) {
			f.add("%s is frames %d to %d, the plan has %d frames", at, x.First, x.Last, len(p.Frames))
		}
		f.rect(at+".rect", x.Rect, p.Source.Width, p.Source.Height)
		if x.Track != 0 && states[x.Track] == "" {
			f.add("%s.track %d is not in the plan", at, x.Track)
		}
		if x.Dismissed && (x.By == "" || x.Reason == "") {
			f.add("%s is dismissed without a reason or a name", at)
		}
		if x.Dismissed && x.Kind == FindingNoGround {
			f.add("%s is dismissed, but only the missing grounds make it go", at)
		}
	}
}

func (p *Plan) checkFrames(f *faults, states map[int]string) {
	if len(p.Frames) == 0 {
		f.add("frames is empty")
	}
	last := int64(math.MinInt64)
	for i := range p.Frames {
		fr := &p.Frames[i]
		if !isHex(fr.Digest, 8) {
			f.add("frames[%d].digest is %q, must be 8 lower-case hex digits", i, fr.Digest)
		}
		if fr.PTS <= last && i > 0 && !fr.Whole {
			f.add("frames[%d].pts %d does not follow %d", i, fr.PTS, last)
		}
		last = max(last, fr.PTS)
		if fr.Whole && fr.Why == "" {
			f.add("frames[%d] is covered whole without saying why", i)
		}
		if fr.Code != "" || fr.Basis != "" {
			if !fr.Whole {
				f.add("frames[%d] has a ground but is not covered whole", i)
			}
			f.ground(fmt.Sprintf("frames[%d]", i), fr.Code, fr.Basis, p.Policy.Grounds)
		}
		for j := range fr.Regions {
			p.checkRegion(f, i, j, states)
		}
	}
}

func (p *Plan) checkRegion(f *faults, i, j int, states map[int]string) {
	r := &p.Frames[i].Regions[j]
	if regionFine(r, p.Source, states) && regionGroundFine(r, p.Policy.Grounds) {
		return
	}
	at := fmt.Sprintf("frames[%d].regions[%d]", i, j)
	f.rect(at+".rect", r.Rect, p.Source.Width, p.Source.Height)
	if r.Box != [4]int{} {
		f.rect(at+".box", r.Box, p.Source.Width, p.Source.Height)
	}
	f.oneOf(at+".kind", r.Kind, KindFace, KindHead, KindFixed, KindAdded)
	f.oneOf(at+".source", string(r.Source), "", string(track.Detected), string(track.Filled), string(track.Extended))
	if r.Face < 0 {
		f.add("%s.face is %d", at, r.Face)
	}
	if r.Track != 0 && states[r.Track] == "" {
		f.add("%s.track %d is not in the plan", at, r.Track)
	}
	if r.Kept && states[r.Track] != StateKept {
		f.add("%s is kept, but track %d is not: give the track the state %q, a reason and a name", at, r.Track, StateKept)
	}
	if r.Track != 0 && (r.Code != "" || r.Basis != "") {
		f.add("%s has a ground of its own, but its track %d has one for all of it", at, r.Track)
	}
	f.ground(at, r.Code, r.Basis, p.Policy.Grounds)
}

// regionGroundFine reports whether a region's ground is allowed: a track's stands with the track.
func regionGroundFine(r *Region, g *Grounds) bool {
	if r.Code == "" && r.Basis == "" {
		return true
	}
	return r.Track == 0 && groundFine(r.Code, r.Basis, g)
}

// regionFine is the quick way through a plan of millions of regions: it allocates nothing.
func regionFine(r *Region, s Source, states map[int]string) bool {
	inside := func(b [4]int) bool {
		return b[0] >= 0 && b[1] >= 0 && b[2] > 0 && b[3] > 0 && b[0] <= s.Width-b[2] && b[1] <= s.Height-b[3]
	}
	switch r.Kind {
	case KindFace, KindHead, KindFixed, KindAdded:
	default:
		return false
	}
	switch r.Source {
	case "", track.Detected, track.Filled, track.Extended:
	default:
		return false
	}
	if r.Track != 0 && states[r.Track] == "" || r.Kept && states[r.Track] != StateKept {
		return false
	}
	return inside(r.Rect) && (r.Box == [4]int{} || inside(r.Box)) && r.Face >= 0
}
