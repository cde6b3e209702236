package decide

import (
	"fmt"
	"strings"
)

// DecisionsSchema names the version of the decisions' format.
const DecisionsSchema = "veil.decisions/1"

// Decisions is what a person decided about one plan, named by the SHA-256 of its bytes.
type Decisions struct {
	Schema  string           `json:"schema"`
	Plan    string           `json:"plan"`
	By      string           `json:"by"`
	Keep    []KeepTrack      `json:"keep,omitempty"`
	Dismiss []DismissFinding `json:"dismiss,omitempty"`
	Cover   []CoverRegion    `json:"cover,omitempty"`
	Ground  []GroundFor      `json:"ground,omitempty"`
}

// KeepTrack leaves one track of this clip visible (R17: by track, never by face).
type KeepTrack struct {
	Track  int    `json:"track"`
	Reason string `json:"reason"`
}

// DismissFinding says that a finding is no reason to hold the clip.
type DismissFinding struct {
	Finding string `json:"finding"`
	Reason  string `json:"reason"`
}

// CoverRegion covers a rectangle for a time range.
type CoverRegion struct {
	Rect   [4]int `json:"rect"`
	Span   *Span  `json:"span,omitempty"` // nil: the whole clip
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"`
	Basis  string `json:"basis,omitempty"`
}

// GroundFor gives the ground for something that the plan withholds. With a track or a span it replaces what is there, without
// it fills where there is none.
type GroundFor struct {
	What  string `json:"what"`            // "tracks", "regions" (areas of no track), "frames" (covered whole) or "sound"
	Track int    `json:"track,omitempty"` // of tracks: this one alone
	Span  *Span  `json:"span,omitempty"`  // of regions, frames and sound: only there
	Code  string `json:"code"`
	Basis string `json:"basis,omitempty"` // empty: what the policy's list has for the code
}

// ParseDecisions reads and validates decisions. The error is an *InvalidError that lists all faults.
func ParseDecisions(data []byte) (Decisions, error) {
	var d Decisions
	form := decodeStrict(data, &d)
	var values faults
	if len(form) == 0 || readable(data) {
		d.check(&values)
	}
	if f := form.with(values); len(f) > 0 {
		return Decisions{}, f.err("decisions")
	}
	return d, nil
}

// Validate returns an *InvalidError that lists everything in the decisions that makes no sense by itself; Apply holds
// them against the plan.
func (d Decisions) Validate() error {
	var f faults
	d.check(&f)
	return f.err("decisions")
}

func (d Decisions) check(f *faults) {
	f.oneOf("schema", d.Schema, DecisionsSchema)
	if !isHex(d.Plan, 64) {
		f.add("plan is %q, must be the SHA-256 of the plan's bytes", d.Plan)
	}
	if strings.TrimSpace(d.By) == "" || !printable(d.By) {
		f.add("by is %q, must name who decided", d.By)
	}
	if len(d.Keep)+len(d.Dismiss)+len(d.Cover)+len(d.Ground) == 0 {
		f.add("nothing is decided: keep, dismiss, cover and ground are all empty")
	}
	kept := map[int]bool{}
	for i, k := range d.Keep {
		if k.Track <= 0 {
			f.add("keep[%d].track is %d, must be a track's number", i, k.Track)
		} else if kept[k.Track] {
			f.add("keep[%d] names track %d again", i, k.Track)
		}
		kept[k.Track] = true
		f.reason(fmt.Sprintf("keep[%d].reason", i), k.Reason)
	}
	dismissed := map[string]bool{}
	for i, x := range d.Dismiss {
		if !isFindingID(x.Finding) {
			f.add("dismiss[%d].finding is %q, must be like \"F1\"", i, x.Finding)
		} else if dismissed[x.Finding] {
			f.add("dismiss[%d] names finding %s again", i, x.Finding)
		}
		dismissed[x.Finding] = true
		f.reason(fmt.Sprintf("dismiss[%d].reason", i), x.Reason)
	}
	for i, c := range d.Cover {
		f.rect(fmt.Sprintf("cover[%d].rect", i), c.Rect, 0, 0)
		if c.Span != nil {
			f.span(fmt.Sprintf("cover[%d].span", i), *c.Span)
		}
		f.reason(fmt.Sprintf("cover[%d].reason", i), c.Reason)
		f.ground(fmt.Sprintf("cover[%d]", i), c.Code, c.Basis, nil)
	}
	for i, g := range d.Ground {
		g.check(f, fmt.Sprintf("ground[%d]", i))
	}
}

// reason adds a fault where a person gave none.
func (f *faults) reason(name, text string) {
	if strings.TrimSpace(text) == "" {
		f.add("%s is empty", name)
	}
}

// isFindingID reports whether s is F and a number from 1 without leading zeros.
func isFindingID(s string) bool {
	if len(s) < 2 || len(s) > 10 || s[0] != 'F' || s[1] == '0' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
