package decide

import (
	"embed"
	"fmt"
)

// PolicySchema names the version of the policy's format.
const PolicySchema = "veil.policy/1"

// Policy says what is covered and how the derivative is made; it says nothing of where things lie (settings do).
// It is versioned JSON; unknown fields and nonsense are refused with all faults listed.
type Policy struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	// Release is "public" or "restricted". Blur and mosaic are refused for public release.
	Release string  `json:"release"`
	Cover   string  `json:"cover"`   // "face", "head" or "frame" (the whole picture)
	Fill    string  `json:"fill"`    // "solid", "surround", "blur" or "mosaic"
	Shape   string  `json:"shape"`   // "rectangle" or "ellipse" (circumscribed)
	Unsure  string  `json:"unsure"`  // "mask", "review" or "ignore"
	Damage  string  `json:"damage"`  // "fail" or "mask"
	Profile string  `json:"profile"` // "press", "court" or "lossless"
	Audio   string  `json:"audio"`   // "drop" or "keep"
	Mute    []Muted `json:"mute,omitempty"`
	// AudioTrack is the number, from 0, of the audio stream to keep.
	AudioTrack int `json:"audio_track,omitempty"`
	// Effort is "thorough" or "fast".
	Effort  string        `json:"effort"`
	Regions []FixedRegion `json:"regions,omitempty"`
	// MaxMasked is the share of the picture area over time, 0 to 1, above which the report warns; 0 means no limit.
	MaxMasked float64 `json:"max_masked,omitempty"`
	// Margin is how much a face's box is grown on each side, as a share of its side; at least 0.1.
	Margin float64 `json:"margin"`
	// Grounds are the codes and provisions under which is withheld; nil: none are asked for, and any may be given.
	Grounds *Grounds `json:"grounds,omitempty"`
}

// Span is a time range in seconds from the first frame of the source, To exclusive.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Muted is a time range without sound, and why.
type Muted struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"` // exclusive
	Code  string  `json:"code,omitempty"`
	Basis string  `json:"basis,omitempty"`
}

// FixedRegion is an area that is covered whatever is found there: burnt-in names, plates, screens.
type FixedRegion struct {
	Rect   [4]int `json:"rect"` // x, y, w, h in upright storage pixels
	Span   *Span  `json:"span,omitempty"`
	Reason string `json:"reason,omitempty"`
	Code   string `json:"code,omitempty"`
	Basis  string `json:"basis,omitempty"`
}

// DefaultMargin is what a policy without a margin gets.
const DefaultMargin = 0.25

// Names of the shipped policies.
const (
	Press      = "press"
	Disclosure = "disclosure"
	Court      = "court"
)

//go:embed policies/*.json
var shipped embed.FS

// Shipped gives one of the policies that come with veil: Press, Disclosure or Court.
func Shipped(name string) (Policy, error) {
	for _, n := range []string{Press, Disclosure, Court} {
		if n != name {
			continue
		}
		data, err := shipped.ReadFile("policies/" + n + ".json")
		if err != nil {
			return Policy{}, fmt.Errorf("read shipped policy %s: %w", n, err)
		}
		return ParsePolicy(data)
	}
	return Policy{}, fmt.Errorf("policy %q is not shipped: there are press, disclosure and court", name)
}

// ParsePolicy reads and validates a policy. A missing margin is DefaultMargin; nothing else has a default. The error is
// an *InvalidError that lists all faults.
func ParsePolicy(data []byte) (Policy, error) {
	p := Policy{Margin: DefaultMargin}
	form := decodeStrict(data, &p)
	var values faults
	if len(form) == 0 || readable(data) {
		p.check(&values, "")
	}
	if f := form.with(values); len(f) > 0 {
		return Policy{}, f.err("policy")
	}
	return p, nil
}

// Validate returns an *InvalidError that lists everything in the policy that makes no sense or is forbidden.
func (p Policy) Validate() error {
	var f faults
	p.check(&f, "")
	return f.err("policy")
}

// check adds the policy's faults; prefix stands before each field's name.
func (p Policy) check(f *faults, prefix string) {
	f.oneOf(prefix+"schema", p.Schema, PolicySchema)
	if p.Name == "" || len(p.Name) > 100 || !printable(p.Name) {
		f.add("%sname is %q, must be 1 to 100 printable characters", prefix, p.Name)
	}
	f.oneOf(prefix+"release", p.Release, "public", "restricted")
	f.oneOf(prefix+"cover", p.Cover, "face", "head", "frame")
	f.oneOf(prefix+"fill", p.Fill, "solid", "surround", "blur", "mosaic")
	f.oneOf(prefix+"shape", p.Shape, "rectangle", "ellipse")
	f.oneOf(prefix+"unsure", p.Unsure, "mask", "review", "ignore")
	f.oneOf(prefix+"damage", p.Damage, "fail", "mask")
	f.oneOf(prefix+"profile", p.Profile, "press", "court", "lossless")
	f.oneOf(prefix+"audio", p.Audio, "drop", "keep")
	f.oneOf(prefix+"effort", p.Effort, "thorough", "fast")
	if p.Release == "public" && (p.Fill == "blur" || p.Fill == "mosaic") {
		f.add("%sfill %s is refused for public release: it keeps traces of the face, use solid or surround", prefix, p.Fill)
	}
	if p.AudioTrack < 0 {
		f.add("%saudio_track is %d, must be 0 or more", prefix, p.AudioTrack)
	}
	for i, s := range p.Mute {
		at := fmt.Sprintf("%smute[%d]", prefix, i)
		f.span(at, Span{From: s.From, To: s.To})
		f.ground(at, s.Code, s.Basis, p.Grounds)
	}
	for i, r := range p.Regions {
		f.rect(fmt.Sprintf("%sregions[%d].rect", prefix, i), r.Rect, 0, 0)
		if r.Span != nil {
			f.span(fmt.Sprintf("%sregions[%d].span", prefix, i), *r.Span)
		}
		f.ground(fmt.Sprintf("%sregions[%d]", prefix, i), r.Code, r.Basis, p.Grounds)
	}
	if !finite(p.MaxMasked) || p.MaxMasked < 0 || p.MaxMasked > 1 {
		f.add("%smax_masked is %g, must be 0 to 1", prefix, p.MaxMasked)
	}
	if !finite(p.Margin) || p.Margin < 0.1 || p.Margin > 2 {
		f.add("%smargin is %g, must be 0.1 to 2", prefix, p.Margin)
	}
	p.Grounds.check(f, prefix)
}

// printable reports whether s holds no control characters.
func printable(s string) bool {
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
