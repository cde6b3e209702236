// Package account tells from a plan, and from the report of its render where there is one, what was withheld from a clip and
// what a person should look at: the exemption log with its figures of how much is covered, and the reviewer's worklist, each
// as JSON, CSV and a printable page.
//
// It is pure: the same plan and report give the same bytes, and it reads no file, clock, clip or setting. It decides nothing
// and changes no plan. An exemption log names nobody, because it goes out with the derivative; a worklist tells what persons
// decided and belongs with the plan.
package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"veil/pipeline/decide"
)

// ErrOtherPlan says that a report is of another plan's render.
var ErrOtherPlan = errors.New("the report belongs to another plan")

// reportSchema is the report's format that this package reads.
const reportSchema = "veil.report/1"

// Facts is what a report tells that its plan does not. The zero value is what is known of a plan that was not rendered.
type Facts struct {
	State      string // "released" or "held"; empty: unknown
	Derivative File
	Sound      Sound
}

// File names bytes.
type File struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Sound is what is known of the source's sound.
type Sound int

// Whether the source has sound.
const (
	SoundUnknown Sound = iota
	SoundNone
	SoundPresent
)

// ParseFacts reads a report (docs/schema/report.schema.json) and holds it against the digest of the plan's bytes.
func ParseFacts(report []byte, planDigest string) (Facts, error) {
	var r struct {
		Schema     string `json:"schema"`
		State      string `json:"state"`
		Derivative File   `json:"derivative"`
		Plan       string `json:"plan"`
		Audio      string `json:"audio"`
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return Facts{}, fmt.Errorf("read report: %w", err)
	}
	if r.Schema != reportSchema {
		return Facts{}, fmt.Errorf("read report: format is %q, must be %q", r.Schema, reportSchema)
	}
	if r.Plan != planDigest {
		return Facts{}, fmt.Errorf("read report: %w", ErrOtherPlan)
	}
	f := Facts{State: r.State, Derivative: r.Derivative, Sound: SoundPresent}
	if r.Audio == "none in the source" {
		f.Sound = SoundNone
	}
	return f, nil
}

// Source is what a report of this package is about.
type Source struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Width  int    `json:"width"` // upright storage pixels
	Height int    `json:"height"`
}

// Moment is a place in the source.
type Moment struct {
	Frame   int     `json:"frame"`   // number in the source, from 0 in presentation order
	Seconds float64 `json:"seconds"` // from the source's first frame, to the millisecond
	Time    string  `json:"time"`    // the same as HH:MM:SS.mmm
}

// clock turns a plan's frames into moments of its source.
type clock struct {
	plan  *decide.Plan
	times []float64 // of each frame, seconds from the source's first
	first int       // source number of the plan's first frame
}

func newClock(p *decide.Plan) clock {
	c := clock{plan: p, times: p.Times()}
	if p.Excerpt != nil {
		c.first = p.Excerpt.First
	}
	return c
}

// at is the moment of a frame of the plan.
func (c clock) at(i int) Moment {
	s := milli(c.times[i])
	return Moment{Frame: c.first + i, Seconds: s, Time: Timecode(s)}
}

// after is the moment at which a frame of the plan ends.
func (c clock) after(i int) float64 { return c.times[i] + c.length(i) }

// length is how long a frame of the plan is shown: until the next, the last as long as the one before it.
func (c clock) length(i int) float64 {
	switch n := len(c.times); {
	case i+1 < n:
		return max(c.times[i+1]-c.times[i], 0)
	case n > 1:
		return max(c.times[n-1]-c.times[n-2], 0)
	}
	return 0
}

// seconds is the length of the plan's part of the source.
func (c clock) seconds() float64 { return c.after(len(c.times)-1) - c.times[0] }

// Timecode writes seconds as HH:MM:SS.mmm.
func Timecode(seconds float64) string {
	sign := ""
	ms := int64(math.Round(seconds * 1000))
	if ms < 0 {
		sign, ms = "-", -ms
	}
	return fmt.Sprintf("%s%02d:%02d:%02d.%03d", sign, ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// milli rounds to the thousandth, micro to the millionth: what a report tells is no more exact than that.
func milli(v float64) float64 { return math.Round(v*1e3) / 1e3 }
func micro(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// indented encodes a report, two blanks deep, with a line feed at its end.
func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return append(b, '\n'), nil
}
