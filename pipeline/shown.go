package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/media"
)

// Shown names every decoded frame of a derivative, in the order in which they are shown: with it anybody who decodes the file can
// tell later whether its pictures are still the same.
type Shown struct {
	Width    int      `json:"width"`
	Height   int      `json:"height"`
	Format   string   `json:"format"`    // ffmpeg's name of the pixel format, "yuv420p"
	TimeBase string   `json:"time_base"` // the tick of PTS in seconds, "1/12800"
	PTS      []int64  `json:"pts"`
	SHA256   []string `json:"sha256"` // of the samples, plane after plane without padding, as `ffmpeg -f framehash` takes it
}

// newShown begins the account of a derivative with this video stream.
func newShown(v media.VideoStream, l media.Layout) *Shown {
	return &Shown{Width: l.Width, Height: l.Height, Format: string(l.Format), TimeBase: v.TimeBase.String()}
}

// add takes the next frame. What it costs is a small part of decoding.
func (s *Shown) add(pts int64, pixels []byte) {
	sum := sha256.Sum256(pixels)
	s.PTS, s.SHA256 = append(s.PTS, pts), append(s.SHA256, hex.EncodeToString(sum[:]))
}

// Account is what the maker of a manifest needs to know of a clip besides the report.
type Account struct {
	Shown     Shown
	Concealed [][2]int // spans of frames, first and last, that were not decoded as they were recorded, and are covered whole
	PSNR      float64  // of the untouched area, dB; 100 where it is exact
	Persons   []string // who decided about the plan: restricted
	Plan      []byte   // the plan's bytes: restricted
	Decided   bool     // a person decided about the plan
}

// account gathers it.
func (c *clip) account() (*Account, error) {
	a := &Account{PSNR: c.verified.PSNR, Plan: c.planBytes, Decided: c.plan.Decided != nil, Concealed: concealed(c.plan.Frames)}
	if err := readJSON(c.scratch.path("frames.json"), &a.Shown); err != nil {
		return nil, err
	}
	for d := c.plan.Decided; d != nil; d = d.Before {
		if !slices.Contains(a.Persons, d.Decisions.By) {
			a.Persons = append(a.Persons, d.Decisions.By)
		}
	}
	slices.Sort(a.Persons)
	return a, nil
}

// concealed gives the spans of frames that are covered whole for another reason than the policy.
func concealed(frames []decide.Frame) [][2]int {
	spans := [][2]int{}
	for i, f := range frames {
		if !f.Whole || f.Why == decide.WhyPolicy {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1][1] == i-1 {
			spans[n-1][1] = i
		} else {
			spans = append(spans, [2]int{i, i})
		}
	}
	return spans
}

// published are the findings as the report tells them: who decided about them, and why, stands in the plan, which is restricted.
func published(list []decide.Finding) []decide.Finding {
	list = slices.Clone(list)
	for i := range list {
		list[i].By, list[i].Reason = "", ""
	}
	return list
}
