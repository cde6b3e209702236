package decide

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Grounds says under which codes and provisions the policy withholds, and whether anything may be withheld without.
type Grounds struct {
	// Required holds every result in which something is covered or silenced without a code or a legal basis.
	Required bool `json:"required,omitempty"`
	// Codes is the agency's list. No other code may be given with this policy.
	Codes []Code `json:"codes"`
	// Tracks, Regions, Frames and Sound are the codes for what has none of its own: faces, areas that the policy or a person
	// covers, frames that are covered whole, and sound.
	Tracks  string `json:"tracks,omitempty"`
	Regions string `json:"regions,omitempty"`
	Frames  string `json:"frames,omitempty"`
	Sound   string `json:"sound,omitempty"`
	// Label draws the code of each covered area on its fill.
	Label bool `json:"label,omitempty"`
}

// Code is one entry of the list: the code, the provision that it stands for, and what it means in words.
type Code struct {
	Code  string `json:"code"`
	Basis string `json:"basis"`
	Text  string `json:"text,omitempty"`
}

// SoundRange is sound that is withheld: within a span, or all of it.
type SoundRange struct {
	Span  *Span  `json:"span,omitempty"` // nil: all
	Code  string `json:"code,omitempty"`
	Basis string `json:"basis,omitempty"`
}

// What a GroundFor can be about.
const (
	GroundTracks  = "tracks"
	GroundRegions = "regions"
	GroundFrames  = "frames"
	GroundSound   = "sound"
)

const (
	maxCodeLetters  = 16
	maxLettersInRow = 5
	maxBasisLetters = 200
)

// isCode reports whether s can be a code: 1 to 16 of letters, digits, blanks and §().,/-, with a digit in it and no more than
// five letters in a row. Codes are drawn on the picture, and a name of a person is none.
func isCode(s string) bool {
	n, row, digit := 0, 0, false
	for _, c := range s {
		n++
		switch {
		case c >= '0' && c <= '9':
			digit, row = true, 0
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			row++
		case strings.ContainsRune(" §().,/-", c):
			row = 0
		default:
			return false
		}
		if row > maxLettersInRow {
			return false
		}
	}
	return digit && n <= maxCodeLetters && strings.TrimSpace(s) == s
}

// isBasis reports whether s can name a provision.
func isBasis(s string) bool {
	return strings.TrimSpace(s) != "" && len([]rune(s)) <= maxBasisLetters && !strings.ContainsFunc(s, unicode.IsControl)
}

// basisOf is the provision that the list has for a code; empty where it is not listed.
func (g *Grounds) basisOf(code string) string {
	if g == nil || code == "" {
		return ""
	}
	for _, c := range g.Codes {
		if c.Code == code {
			return c.Basis
		}
	}
	return ""
}

// complete fills a ground: the code with what the policy has for its kind, the basis with what the list has for the code.
func (g *Grounds) complete(kind, code, basis string) (string, string) {
	if g == nil {
		return code, basis
	}
	if code == "" {
		code = map[string]string{GroundTracks: g.Tracks, GroundRegions: g.Regions, GroundFrames: g.Frames, GroundSound: g.Sound}[kind]
	}
	if basis == "" {
		basis = g.basisOf(code)
	}
	return code, basis
}

// check adds the faults of the policy's grounds.
func (g *Grounds) check(f *faults, prefix string) {
	if g == nil {
		return
	}
	if len(g.Codes) == 0 {
		f.add("%sgrounds.codes is empty: list the codes that may be given", prefix)
	}
	seen := map[string]bool{}
	for i, c := range g.Codes {
		at := fmt.Sprintf("%sgrounds.codes[%d]", prefix, i)
		f.code(at+".code", c.Code)
		if seen[c.Code] {
			f.add("%s.code is %q, which is listed before", at, c.Code)
		}
		seen[c.Code] = true
		f.basis(at+".basis", c.Basis)
		if len(c.Text) > 500 || strings.ContainsFunc(c.Text, unicode.IsControl) {
			f.add("%s.text is longer than 500 bytes or holds control characters", at)
		}
	}
	for _, d := range []struct{ name, code string }{
		{GroundTracks, g.Tracks}, {GroundRegions, g.Regions}, {GroundFrames, g.Frames}, {GroundSound, g.Sound},
	} {
		if d.code != "" && !seen[d.code] {
			f.add("%sgrounds.%s is %q, which is not in grounds.codes", prefix, d.name, d.code)
		}
	}
}

func (f *faults) code(name, code string) {
	if !isCode(code) {
		f.add("%s is %q, must be at most %d letters, digits, blanks and §().,/-, with a digit and no word of more than %d letters",
			name, code, maxCodeLetters, maxLettersInRow)
	}
}

func (f *faults) basis(name, basis string) {
	if !isBasis(basis) {
		f.add("%s is %q, must name a provision in at most %d printable characters", name, basis, maxBasisLetters)
	}
}

// ground adds the faults of one ground; each half may be empty. With a list, only its codes may be given.
func (f *faults) ground(at, code, basis string, g *Grounds) {
	if code != "" {
		f.code(at+".code", code)
		if isCode(code) && g != nil && g.basisOf(code) == "" {
			f.add("%s.code is %q, which the policy does not list", at, code)
		}
	}
	if basis != "" {
		f.basis(at+".basis", basis)
	}
}

// groundFine is ground without words.
func groundFine(code, basis string, g *Grounds) bool {
	return (code == "" || isCode(code) && (g == nil || g.basisOf(code) != "")) && (basis == "" || isBasis(basis))
}

// WithheldSound lists the sound that the plan withholds, with its grounds: all of it where the policy drops it, else what it
// mutes. Whether the source has any sound, the plan does not know.
func (p *Plan) WithheldSound() []SoundRange {
	out := p.Policy.withheldSound()
	for i := range out {
		if i < len(p.Sound) {
			out[i].Code, out[i].Basis = p.Sound[i].Code, p.Sound[i].Basis
		}
	}
	return out
}

// withheldSound lists the sound that the policy withholds.
func (p *Policy) withheldSound() []SoundRange {
	if p.Audio != "keep" {
		code, basis := p.Grounds.complete(GroundSound, "", "")
		return []SoundRange{{Code: code, Basis: basis}}
	}
	var out []SoundRange
	for _, m := range p.Mute {
		code, basis := p.Grounds.complete(GroundSound, m.Code, m.Basis)
		out = append(out, SoundRange{Span: &Span{From: m.From, To: m.To}, Code: code, Basis: basis})
	}
	return out
}

// checkSound adds the faults of the plan's grounds for sound: they follow the policy's ranges one by one.
func (p *Plan) checkSound(f *faults) {
	if p.Sound == nil {
		return
	}
	want := p.Policy.withheldSound()
	if len(p.Sound) != len(want) {
		f.add("sound has %d ranges, the policy withholds %d", len(p.Sound), len(want))
		return
	}
	for i, s := range p.Sound {
		if (s.Span == nil) != (want[i].Span == nil) || s.Span != nil && *s.Span != *want[i].Span {
			f.add("sound[%d].span is not what the policy withholds", i)
		}
		f.ground(fmt.Sprintf("sound[%d]", i), s.Code, s.Basis, p.Policy.Grounds)
	}
}

// MissingGround is what is withheld of one kind without a code or a legal basis.
type MissingGround struct {
	What   string `json:"what"` // "tracks", "regions", "frames" or "sound"
	Tracks []int  `json:"tracks,omitempty"`
	Frames int    `json:"frames,omitempty"` // of regions and frames
}

// maxTracksShown bounds the text of a MissingGround, not its list.
const maxTracksShown = 12

// String says what is missing and what to do, in one line.
func (m MissingGround) String() string {
	const rest = " withheld without reason code or legal basis: give them with ground in the decisions"
	switch m.What {
	case GroundTracks:
		var shown []string
		for _, id := range m.Tracks[:min(len(m.Tracks), maxTracksShown)] {
			shown = append(shown, strconv.Itoa(id))
		}
		more := ""
		if n := len(m.Tracks) - len(shown); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return "tracks " + strings.Join(shown, ", ") + more + rest
	case GroundRegions:
		return fmt.Sprintf("areas of no track, in %d frames,%s", m.Frames, rest)
	case GroundFrames:
		return fmt.Sprintf("frames covered whole, %d,%s", m.Frames, rest)
	}
	return "sound" + rest
}

// MissingGrounds lists by kind what is withheld without a code or a legal basis; sound says whether the source has any. It is
// empty where the policy asks for no grounds.
func (p *Plan) MissingGrounds(sound bool) []MissingGround {
	if p.Policy.Grounds == nil || !p.Policy.Grounds.Required {
		return nil
	}
	tracks, regions, frames := p.ungrounded()
	var out []MissingGround
	if len(tracks) > 0 {
		out = append(out, MissingGround{What: GroundTracks, Tracks: tracks})
	}
	if regions > 0 {
		out = append(out, MissingGround{What: GroundRegions, Frames: regions})
	}
	if frames > 0 {
		out = append(out, MissingGround{What: GroundFrames, Frames: frames})
	}
	if sound && slices.ContainsFunc(p.WithheldSound(), func(s SoundRange) bool { return s.Code == "" || s.Basis == "" }) {
		out = append(out, MissingGround{What: GroundSound})
	}
	return out
}

// ungrounded lists the covered tracks that lack a ground, and counts the frames with an area of no track, and those covered
// whole, that do.
func (p *Plan) ungrounded() (tracks []int, regions, frames int) {
	covered := map[int]bool{}
	for i := range p.Frames {
		f := &p.Frames[i]
		if f.Whole {
			if f.Code == "" || f.Basis == "" {
				frames++
			}
			continue
		}
		lacking := false
		for j := range f.Regions {
			switch r := &f.Regions[j]; {
			case r.Kept:
			case r.Track != 0:
				covered[r.Track] = true
			case r.Code == "" || r.Basis == "":
				lacking = true
			}
		}
		if lacking {
			regions++
		}
	}
	for _, t := range p.Tracks {
		if covered[t.ID] && (t.Code == "" || t.Basis == "") {
			tracks = append(tracks, t.ID)
		}
	}
	return tracks, regions, frames
}

// Labels gives what is to be drawn on the fill of a region, empty where nothing is.
func (p *Plan) Labels() func(*Region) string {
	if p.Policy.Grounds == nil || !p.Policy.Grounds.Label {
		return func(*Region) string { return "" }
	}
	codes := make(map[int]string, len(p.Tracks))
	for _, t := range p.Tracks {
		codes[t.ID] = t.Code
	}
	return func(r *Region) string {
		if r.Track != 0 {
			return codes[r.Track]
		}
		return r.Code
	}
}
