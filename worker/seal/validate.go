package seal

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var timeBase = regexp.MustCompile(`^[1-9][0-9]{0,15}/[1-9][0-9]{0,15}$`)

// checks gathers what is wrong with a document; the first fault is told.
type checks struct{ fault string }

func (c *checks) need(ok bool, field string) {
	if !ok && c.fault == "" {
		c.fault = field
	}
}

func (c *checks) digests(field string, list ...string) {
	for _, s := range list {
		c.need(IsDigest(s), field)
	}
}

func (c *checks) file(field string, f File) {
	c.need(IsDigest(f.SHA256) && f.Bytes >= 0, field)
}

func (c *checks) decimal(field, s string) { c.need(decimal.MatchString(s) && s != "-0", field) }

func (c *checks) times(field string, list ...time.Time) {
	for _, t := range list {
		c.need(isSecond(t), field)
	}
}

func (c *checks) err() error {
	if c.fault == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrContent, c.fault)
}

func (m *Manifest) validate() error {
	var c checks
	c.need(m.Outcome == Released || m.Outcome == Held, "outcome")
	if j := m.Job; j != nil {
		c.need(j.ID != "" && j.Generation > 0 && j.Epoch > 0 && j.Attempt > 0, "job")
	}
	c.need(m.Supersedes == "" || IsDigest(m.Supersedes), "supersedes")
	c.file("original", File{m.Original.SHA256, m.Original.Bytes})
	c.file("derivative", File{m.Derivative.SHA256, m.Derivative.Bytes})
	m.Derivative.Frames.validate(&c)
	c.file("report", m.Report)
	m.Withheld.validate(&c)
	c.digests("policy.sha256", m.Policy.SHA256)
	m.Redaction.validate(&c)
	m.Concealed.validate(&c, m.Redaction.Frames)
	c.need(m.Redaction.Frames == len(m.Derivative.Frames.PTS), "redaction.frames")
	for _, r := range m.Removed {
		c.need(r.Kind != "" && r.Count > 0, "removed")
	}
	c.decimal("verified.psnr", m.Verified.PSNR)
	for _, k := range m.Verified.Checks {
		c.need(k.Name != "" && k.Result != "", "verified.checks")
	}
	for _, n := range m.Software.Networks {
		c.digests("software.networks", n.SHA256)
		c.decimal("software.networks", n.Threshold)
	}
	t := m.Times
	c.times("times", t.Started, t.Ended, t.Sealed)
	c.need(!t.Ended.Before(t.Started) && !t.Sealed.Before(t.Ended), "times")
	return c.err()
}

func (f *Frames) validate(c *checks) {
	c.need(f.Algorithm == frameAlgorithm, "derivative.frames.algorithm")
	c.need(f.Width > 0 && f.Height > 0 && f.PixelFormat != "", "derivative.frames")
	c.need(timeBase.MatchString(f.TimeBase), "derivative.frames.time_base")
	c.need(len(f.PTS) > 0 && len(f.PTS) == len(f.Digests), "derivative.frames.pts")
	c.digests("derivative.frames.digests", f.Digests...)
	for i := 1; i < len(f.PTS); i++ {
		c.need(f.PTS[i] > f.PTS[i-1], "derivative.frames.pts")
	}
}

// Tick is the time base as numerator and denominator.
func (f *Frames) Tick() (num, den int64) {
	n, d, _ := strings.Cut(f.TimeBase, "/")
	num, _ = strconv.ParseInt(n, 10, 64)
	den, _ = strconv.ParseInt(d, 10, 64)
	return num, den
}

func (w *Withheld) validate(c *checks) {
	c.file("withheld.plan", w.Plan)
	c.file("withheld.log", File{w.Log.SHA256, w.Log.Bytes})
	c.need(IsDigest(w.Log.Head) && w.Log.Entries > 0, "withheld.log")
	c.digests("withheld.annex", w.Annex)
	if w.Contact != nil {
		c.file("withheld.contact", *w.Contact)
	}
}

func (r *Redaction) validate(c *checks) {
	c.need(r.Frames > 0 && r.Tracks >= 0 && r.Kept >= 0 && r.WholeFrames >= 0, "redaction")
	c.decimal("redaction.masked", r.Masked)
	for _, list := range [][]string{r.Notes, r.Warnings} {
		for _, s := range list {
			c.need(len(s) <= maxText, "redaction")
		}
	}
}

func (d *Concealed) validate(c *checks, frames int) {
	sum, next := 0, 0
	for _, s := range d.Spans {
		c.need(s[0] >= next && s[1] >= s[0] && s[1] < frames, "concealed.spans")
		sum += s[1] - s[0] + 1
		next = s[1] + 1
	}
	c.need(sum == d.Frames, "concealed.frames")
}
