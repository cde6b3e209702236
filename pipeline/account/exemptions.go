package account

import (
	"cmp"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/vision/obscure"
)

// ExemptionsSchema names the version of the exemption log's format (docs/schema/exemptions.schema.json).
const ExemptionsSchema = "veil.exemptions/1"

// Exemptions is the exemption log: what was withheld where, under which code and provision, and how much.
type Exemptions struct {
	Schema     string          `json:"schema"`
	Source     Source          `json:"source"`
	Derivative *File           `json:"derivative,omitempty"` // nil: not known
	State      string          `json:"state,omitempty"`      // "released" or "held"; empty: not known
	Plan       string          `json:"plan"`                 // SHA-256 of the plan's bytes
	Policy     string          `json:"policy"`               // its name
	Release    string          `json:"release"`              // "public" or "restricted"
	Excerpt    *decide.Excerpt `json:"excerpt,omitempty"`
	Frames     int             `json:"frames"`
	Seconds    float64         `json:"seconds"`
	Entries    []Entry         `json:"entries"`
	Codes      []CodeTotal     `json:"codes"`
	Necessity  Necessity       `json:"necessity"`
	// Missing is what the policy wants grounds for and has none.
	Missing []decide.MissingGround `json:"missing"`
}

// Kinds of entries.
const (
	Video = "video"
	Audio = "audio"
)

// What an entry withholds, beside the kinds of regions.
const (
	WhatFrame   = "frame"   // the whole picture
	WhatDropped = "dropped" // all sound
	WhatMuted   = "muted"
)

// Entry is one thing that was withheld: a track, an area or whole frames without interruption, or a range of sound.
type Entry struct {
	Number int    `json:"number"` // from 1
	Kind   string `json:"kind"`   // "video" or "audio"
	What   string `json:"what"`   // "face", "head", "fixed", "added", "frame", "dropped" or "muted"
	Track  int    `json:"track,omitempty"`
	From   Moment `json:"from"`
	To     Moment `json:"to"` // of video its last frame, of audio the range's end
	// Area is the smallest rectangle around everything that the entry covers, x, y, w, h; all zero for sound.
	Area  [4]int `json:"area,omitzero"`
	Code  string `json:"code"`
	Basis string `json:"basis"`
	// Frames is how many frames it covers something of, Share its part of the picture area over the whole clip, and Seconds how
	// long it lasts.
	Frames  int     `json:"frames"`
	Share   float64 `json:"share"`
	Seconds float64 `json:"seconds"`
}

// CodeTotal sums up the entries of one code and provision.
type CodeTotal struct {
	Code    string  `json:"code"`
	Basis   string  `json:"basis"`
	Text    string  `json:"text,omitempty"` // of the policy's list
	Entries int     `json:"entries"`
	Frames  int     `json:"frames"`  // with something under this code
	Share   float64 `json:"share"`   // of the picture area over time, areas that overlap counted once
	Seconds float64 `json:"seconds"` // of sound
}

// Necessity tells how much of the clip is withheld, against what the policy takes for much.
type Necessity struct {
	Share        float64 `json:"share"`           // of the picture area over time
	Limit        float64 `json:"limit,omitempty"` // of the policy; 0: none
	Exceeded     bool    `json:"exceeded"`
	MaskedFrames int     `json:"masked_frames"` // with anything covered
	WholeFrames  int     `json:"whole_frames"`
	Peak         Peak    `json:"peak"`
	SoundSeconds float64 `json:"sound_seconds"`
	// SoundUnknown says that nobody looked whether the source has sound: its seconds are what would be withheld.
	SoundUnknown bool   `json:"sound_unknown,omitempty"`
	Timeline     []Part `json:"timeline"` // at most 40 parts of equally many frames
}

// Peak is the frame of which most is covered.
type Peak struct {
	Moment
	Share float64 `json:"share"`
}

// Part is one stretch of the timeline.
type Part struct {
	From  Moment  `json:"from"`
	Share float64 `json:"share"`
}

// maxParts bounds the timeline.
const maxParts = 40

// NewExemptions makes the exemption log of a valid plan; digest is the SHA-256 of the plan's bytes.
func NewExemptions(p *decide.Plan, digest string, f Facts) Exemptions {
	c := newClock(p)
	e := Exemptions{
		Schema: ExemptionsSchema, Source: Source{SHA256: p.Source.SHA256, Bytes: p.Source.Bytes, Width: p.Source.Width, Height: p.Source.Height},
		State: f.State, Plan: digest, Policy: p.Policy.Name, Release: p.Policy.Release, Excerpt: p.Excerpt,
		Frames: len(p.Frames), Seconds: milli(c.seconds()), Entries: []Entry{}, Missing: []decide.MissingGround{},
	}
	if f.Derivative.SHA256 != "" {
		e.Derivative = &f.Derivative
	}
	a := newAdder(p, c)
	for i := range p.Frames {
		a.frame(i)
	}
	e.Entries = append(a.entries(), soundEntries(p, c, f.Sound)...)
	slices.SortStableFunc(e.Entries, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.From.Seconds, y.From.Seconds), cmp.Compare(x.To.Seconds, y.To.Seconds), cmp.Compare(y.Kind, x.Kind), x.Track-y.Track)
	})
	for i := range e.Entries {
		e.Entries[i].Number = i + 1
	}
	e.Codes = a.codes(e.Entries)
	e.Necessity = a.necessity(e.Entries, f.Sound)
	e.Missing = append(e.Missing, p.MissingGrounds(f.Sound != SoundNone)...)
	return e
}

// JSON is the log's bytes.
func (e Exemptions) JSON() ([]byte, error) { return indented(e) }

// ground is a code with its provision.
type ground struct{ code, basis string }

// runKey is what may go on from one frame to the next as one entry.
type runKey struct {
	what  string
	track int
	rect  [4]int // of areas that belong to no track
	ground
}

// run is an entry under way.
type run struct {
	entry  Entry
	next   int // frame that would continue it
	pixels float64
}

// adder goes through a plan's frames and gathers what is covered.
type adder struct {
	plan    *decide.Plan
	clock   clock
	grounds map[int]ground // of tracks
	open    map[runKey]*run
	all     []*run

	shares  []float64 // of each frame
	masked  int
	whole   int
	byCode  map[ground]*CodeTotal
	areas   []obscure.Area
	sameFor map[ground][]obscure.Area
}

func newAdder(p *decide.Plan, c clock) *adder {
	a := &adder{plan: p, clock: c, grounds: map[int]ground{}, open: map[runKey]*run{}, byCode: map[ground]*CodeTotal{},
		sameFor: map[ground][]obscure.Area{}}
	for _, t := range p.Tracks {
		a.grounds[t.ID] = ground{t.Code, t.Basis}
	}
	return a
}

// frame adds one frame of the plan.
func (a *adder) frame(i int) {
	f := &a.plan.Frames[i]
	s := a.plan.Source
	if f.Whole {
		g := ground{f.Code, f.Basis}
		// What goes on behind a covered frame is not interrupted by it.
		for _, r := range a.open {
			if r.next == i {
				r.next++
			}
		}
		a.add(i, runKey{what: WhatFrame, ground: g}, obscure.Area{W: s.Width, H: s.Height})
		a.total(g, 1)
		a.shares = append(a.shares, 1)
		a.masked, a.whole = a.masked+1, a.whole+1
		return
	}
	a.areas = a.areas[:0]
	clear(a.sameFor)
	for j := range f.Regions {
		r := &f.Regions[j]
		if r.Kept {
			continue
		}
		key := runKey{what: r.Kind, track: r.Track, ground: a.grounds[r.Track]}
		if r.Track == 0 {
			key.rect, key.ground = r.Rect, ground{r.Code, r.Basis}
		}
		area := obscure.Area{X: r.Rect[0], Y: r.Rect[1], W: r.Rect[2], H: r.Rect[3], Ellipse: r.Ellipse}
		a.add(i, key, area)
		a.areas = append(a.areas, area)
		a.sameFor[key.ground] = append(a.sameFor[key.ground], area)
	}
	for g, areas := range a.sameFor {
		a.total(g, obscure.Share(areas, s.Width, s.Height))
	}
	a.shares = append(a.shares, obscure.Share(a.areas, s.Width, s.Height))
	if len(a.areas) > 0 {
		a.masked++
	}
}

// add puts one area of a frame into its entry. A track with two regions in one frame is counted there once.
func (a *adder) add(i int, key runKey, area obscure.Area) {
	r := a.open[key]
	if r == nil || r.next < i {
		r = &run{entry: Entry{Kind: Video, What: key.what, Track: key.track, Code: key.code, Basis: key.basis, From: a.clock.at(i)}}
		a.open[key] = r
		a.all = append(a.all, r)
	}
	e := &r.entry
	if r.next <= i {
		e.Frames++
		e.Seconds += a.clock.length(i)
		e.To = a.clock.at(i)
	}
	r.next = i + 1
	e.Area = hull(e.Area, [4]int{area.X, area.Y, area.W, area.H})
	r.pixels += obscure.Share([]obscure.Area{area}, a.plan.Source.Width, a.plan.Source.Height)
}

// total adds one frame's share to a code.
func (a *adder) total(g ground, share float64) {
	t := a.byCode[g]
	if t == nil {
		t = &CodeTotal{Code: g.code, Basis: g.basis}
		a.byCode[g] = t
	}
	t.Frames++
	t.Share += share
}

// entries are the entries of the picture, in no order of note.
func (a *adder) entries() []Entry {
	out := make([]Entry, len(a.all))
	for i, r := range a.all {
		out[i] = r.entry
		out[i].Seconds = milli(r.entry.Seconds)
		out[i].Share = micro(r.pixels / float64(len(a.plan.Frames)))
	}
	return out
}

// codes sums up by code and provision, the most entries first.
func (a *adder) codes(entries []Entry) []CodeTotal {
	for _, e := range entries {
		g := ground{e.Code, e.Basis}
		if a.byCode[g] == nil {
			a.byCode[g] = &CodeTotal{Code: e.Code, Basis: e.Basis}
		}
		a.byCode[g].Entries++
		if e.Kind == Audio {
			a.byCode[g].Seconds = milli(a.byCode[g].Seconds + e.Seconds)
		}
	}
	out := []CodeTotal{}
	for _, t := range a.byCode {
		t.Share = micro(t.Share / float64(len(a.plan.Frames)))
		if l := a.plan.Policy.Grounds; l != nil {
			for _, c := range l.Codes {
				if c.Code == t.Code {
					t.Text = c.Text
				}
			}
		}
		out = append(out, *t)
	}
	slices.SortFunc(out, func(x, y CodeTotal) int {
		return cmp.Or(y.Entries-x.Entries, cmp.Compare(x.Code, y.Code), cmp.Compare(x.Basis, y.Basis))
	})
	return out
}

// necessity sums up the clip.
func (a *adder) necessity(entries []Entry, sound Sound) Necessity {
	n := Necessity{Limit: a.plan.Policy.MaxMasked, MaskedFrames: a.masked, WholeFrames: a.whole, Timeline: []Part{},
		SoundUnknown: sound == SoundUnknown, Peak: Peak{Moment: a.clock.at(0)}}
	sum := 0.0
	for i, s := range a.shares {
		sum += s
		if s > n.Peak.Share {
			n.Peak = Peak{Moment: a.clock.at(i), Share: s}
		}
	}
	n.Peak.Share = micro(n.Peak.Share)
	n.Share = micro(sum / float64(len(a.shares)))
	n.Exceeded = n.Limit > 0 && n.Share > n.Limit
	for _, e := range entries {
		if e.Kind == Audio {
			n.SoundSeconds += e.Seconds
		}
	}
	n.SoundSeconds = milli(n.SoundSeconds)
	parts := min(maxParts, len(a.shares))
	for k := range parts {
		from, to := k*len(a.shares)/parts, (k+1)*len(a.shares)/parts
		sum := 0.0
		for _, s := range a.shares[from:to] {
			sum += s
		}
		n.Timeline = append(n.Timeline, Part{From: a.clock.at(from), Share: micro(sum / float64(to-from))})
	}
	return n
}

// soundEntries are the ranges of sound within the plan's part of the source; none where the source has no sound.
func soundEntries(p *decide.Plan, c clock, sound Sound) []Entry {
	if sound == SoundNone {
		return nil
	}
	var out []Entry
	begin, end := c.times[0], c.after(len(c.times)-1)
	for _, s := range p.WithheldSound() {
		e := Entry{Kind: Audio, What: WhatDropped, Code: s.Code, Basis: s.Basis}
		from, to := begin, end
		if s.Span != nil {
			e.What = WhatMuted
			from, to = max(begin, s.Span.From), min(end, s.Span.To)
		}
		if to <= from {
			continue
		}
		e.From, e.To, e.Seconds = c.moment(from), c.moment(to), milli(to-from)
		out = append(out, e)
	}
	return out
}

// moment is a time within the plan, with the frame that is shown then.
func (c clock) moment(seconds float64) Moment {
	i, found := slices.BinarySearch(c.times, seconds)
	if !found && i > 0 {
		i--
	}
	i = min(i, len(c.times)-1)
	return Moment{Frame: c.first + i, Seconds: milli(seconds), Time: Timecode(seconds)}
}

// hull is the smallest rectangle around both; an empty one counts for nothing.
func hull(a, b [4]int) [4]int {
	if a[2] == 0 {
		return b
	}
	x, y := min(a[0], b[0]), min(a[1], b[1])
	return [4]int{x, y, max(a[0]+a[2], b[0]+b[2]) - x, max(a[1]+a[3], b[1]+b[3]) - y}
}
