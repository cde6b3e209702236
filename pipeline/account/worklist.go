package account

import (
	"cmp"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/track"
)

// WorklistSchema names the version of the worklist's format (docs/schema/worklist.schema.json).
const WorklistSchema = "veil.worklist/1"

// Worklist is what a reviewer should look at, in order of time.
type Worklist struct {
	Schema string          `json:"schema"`
	Source Source          `json:"source"`
	Plan   string          `json:"plan"` // SHA-256 of the plan's bytes
	Policy string          `json:"policy"`
	Frames int             `json:"frames"`
	Items  []Item          `json:"items"`
	Counts map[string]int  `json:"counts"` // items by kind
	Open   int             `json:"open"`   // findings that nobody has decided about
	Part   *decide.Excerpt `json:"excerpt,omitempty"`
}

// Kinds of items.
const (
	ItemFinding     = "finding"      // somebody has to decide about it, or has
	ItemLeftVisible = "left_visible" // a track that may be a face and stays visible: the policy ignores doubt, or closer looks saw none
	ItemKept        = "kept"         // a track that a person leaves visible
	ItemUnsure      = "unsure"       // a covered track that may be no face
	ItemSeldom      = "seldom_seen"  // a covered track that was seen in few of its frames
	ItemGap         = "gap"          // a stretch between two sightings, covered by the way between them
	ItemShortGaps   = "short_gaps"   // several short stretches of one track
	ItemBirth       = "birth"        // a track that begins in mid-picture
	ItemDeath       = "death"        // a track that ends in mid-picture
	ItemDamage      = "damage"       // frames that are covered whole because they are damaged
	ItemCut         = "cut"          // a new scene
)

// Ranks of items.
const (
	RankDecide = 1 // nothing is released before it is decided
	RankLook   = 2
	RankNote   = 3
)

// Item is one thing to look at.
type Item struct {
	Number int    `json:"number"`
	Rank   int    `json:"rank"` // 1: decide, 2: look, 3: good to know
	Kind   string `json:"kind"`
	From   Moment `json:"from"`
	To     Moment `json:"to"` // its last frame
	Track  int    `json:"track,omitempty"`
	Rect   [4]int `json:"rect,omitzero"` // x, y, w, h; all zero: the whole picture
	// Count is a number that belongs to the kind: short gaps, or frames with a sighting.
	Count   int     `json:"count,omitempty"`
	Score   float64 `json:"score,omitempty"`   // of an unsure track
	Finding string  `json:"finding,omitempty"` // its id
	What    string  `json:"what,omitempty"`    // the finding's kind
	Text    string  `json:"text,omitempty"`    // of a finding, of damage, or why a track stays visible, as the plan has it
	// Decided, Reason and By tell what a person decided.
	Decided bool   `json:"decided,omitempty"`
	Reason  string `json:"reason,omitempty"`
	By      string `json:"by,omitempty"`
}

const (
	// shortGapSeconds is the longest stretch without a sighting that is told with others of its track.
	shortGapSeconds = 0.2
	// seldomShare is the share of the frames that were looked at in which a track must have been seen.
	seldomShare = 1.0 / 3
	// alwaysSeconds is the time between two frames from which every one is looked at.
	alwaysSeconds = 0.06
)

// NewWorklist lists what of a valid plan a person should look at; digest is the SHA-256 of the plan's bytes.
func NewWorklist(p *decide.Plan, digest string) Worklist {
	w := Worklist{Schema: WorklistSchema, Source: Source{SHA256: p.Source.SHA256, Bytes: p.Source.Bytes, Width: p.Source.Width, Height: p.Source.Height},
		Plan: digest, Policy: p.Policy.Name, Frames: len(p.Frames), Items: []Item{}, Counts: map[string]int{}, Part: p.Excerpt}
	l := lister{plan: p, clock: newClock(p), every: 1}
	if seconds := l.clock.seconds() / float64(max(len(p.Frames), 1)); seconds < alwaysSeconds {
		l.every = lookedAt(p.Analysis.Networks)
	}
	l.findings()
	l.tracks()
	l.frames()
	w.Items = append(w.Items, l.items...)
	slices.SortStableFunc(w.Items, func(a, b Item) int {
		return cmp.Or(a.From.Frame-b.From.Frame, a.Rank-b.Rank, a.Track-b.Track)
	})
	for i := range w.Items {
		w.Items[i].Number = i + 1
		w.Counts[w.Items[i].Kind]++
		if w.Items[i].Kind == ItemFinding && !w.Items[i].Decided {
			w.Open++
		}
	}
	return w
}

// JSON is the worklist's bytes.
func (w Worklist) JSON() ([]byte, error) { return indented(w) }

// lookedAt says that at least every n-th frame was looked at.
func lookedAt(networks []decide.Network) int {
	n := 0
	for _, net := range networks {
		if net.Every > 0 && (n == 0 || net.Every < n) {
			n = net.Every
		}
	}
	return max(n, 1)
}

// lister goes through a plan.
type lister struct {
	plan  *decide.Plan
	clock clock
	every int // at least every n-th frame was looked at
	items []Item
}

// add lists one item between two frames of the plan.
func (l *lister) add(first, last int, it Item) {
	it.From, it.To = l.clock.at(first), l.clock.at(last)
	l.items = append(l.items, it)
}

func (l *lister) findings() {
	states := map[int]string{}
	for _, t := range l.plan.Tracks {
		states[t.ID] = t.State
	}
	for _, f := range l.plan.Findings {
		it := Item{Rank: RankDecide, Kind: ItemFinding, Finding: f.ID, What: f.Kind, Track: f.Track, Rect: f.Rect, Text: f.Text,
			Decided: f.Dismissed || states[f.Track] == decide.StateKept, Reason: f.Reason, By: f.By}
		if it.Decided {
			it.Rank = RankNote
		}
		l.add(f.First, f.Last, it)
	}
}

func (l *lister) tracks() {
	places := map[int][]spot{}
	for i := range l.plan.Frames {
		for j := range l.plan.Frames[i].Regions {
			if r := &l.plan.Frames[i].Regions[j]; r.Track != 0 {
				places[r.Track] = append(places[r.Track], spot{i, r})
			}
		}
	}
	for _, t := range l.plan.Tracks {
		base := Item{Track: t.ID, Rect: t.BestBox, Rank: RankLook}
		switch {
		case t.State == decide.StateDropped:
			if l.plan.LeftVisible(t) {
				base.Kind, base.Score, base.Text, base.Reason, base.By = ItemLeftVisible, t.Score, t.Reason, t.Reason, t.By
				l.add(t.First, t.Last, base)
			}
			continue
		case t.State == decide.StateKept:
			l.kept(t, places[t.ID])
			continue
		case !t.Sure && !l.asked(t.ID):
			base.Kind, base.Score = ItemUnsure, t.Score
			l.add(t.First, t.Last, base)
		case float64(t.Seen*l.every) < seldomShare*float64(t.Last-t.First+1):
			base.Kind, base.Count = ItemSeldom, t.Seen
			l.add(t.First, t.Last, base)
		}
		base.Score, base.Count = 0, 0
		if t.BornInside {
			base.Kind, base.Rect = ItemBirth, l.firstSeen(places[t.ID], t.BestBox)
			l.add(t.First, t.First, base)
		}
		if t.DiedInside {
			base.Kind, base.Rect = ItemDeath, l.lastSeen(places[t.ID], t.BestBox)
			l.add(t.Last, t.Last, base)
		}
		l.gaps(t, places[t.ID])
	}
}

// asked reports whether a finding asks about a doubtful track already.
func (l *lister) asked(id int) bool {
	return slices.ContainsFunc(l.plan.Findings, func(f decide.Finding) bool { return f.Kind == decide.FindingUnsure && f.Track == id })
}

// spot is one region of a track.
type spot struct {
	frame  int
	region *decide.Region
}

func (l *lister) firstSeen(at []spot, other [4]int) [4]int {
	for _, s := range at {
		if s.region.Source == track.Detected {
			return s.region.Box
		}
	}
	return other
}

func (l *lister) lastSeen(at []spot, other [4]int) [4]int {
	for _, s := range slices.Backward(at) {
		if s.region.Source == track.Detected {
			return s.region.Box
		}
	}
	return other
}

// kept lists the stretches in which a track is left visible.
func (l *lister) kept(t decide.Track, at []spot) {
	begin := -1
	for i, s := range at {
		if !s.region.Kept {
			continue
		}
		if begin < 0 {
			begin = i
		}
		if i+1 == len(at) || !at[i+1].region.Kept || at[i+1].frame != s.frame+1 {
			l.add(at[begin].frame, s.frame, Item{Kind: ItemKept, Rank: RankLook, Track: t.ID, Rect: at[begin].region.Rect, Decided: true,
				Reason: t.Reason, By: t.By})
			begin = -1
		}
	}
}

// gaps lists the stretches between two sightings of a track; short ones are counted together. Frames that nobody looked at are
// none.
func (l *lister) gaps(t decide.Track, at []spot) {
	short := Item{Kind: ItemShortGaps, Rank: RankNote, Track: t.ID}
	first, last := 0, 0
	for i := 0; i < len(at); i++ {
		if at[i].region.Source != track.Filled {
			continue
		}
		begin := i
		area := at[i].region.Rect
		for i+1 < len(at) && at[i+1].region.Source == track.Filled {
			i++
			area = hull(area, at[i].region.Rect)
		}
		if i-begin+1 < l.every {
			continue
		}
		if l.clock.after(at[i].frame)-l.clock.times[at[begin].frame] > shortGapSeconds {
			l.add(at[begin].frame, at[i].frame, Item{Kind: ItemGap, Rank: RankLook, Track: t.ID, Rect: area})
			continue
		}
		if short.Count == 0 {
			first = at[begin].frame
		}
		last = at[i].frame
		short.Count++
		short.Rect = hull(short.Rect, area)
	}
	if short.Count > 0 {
		l.add(first, last, short)
	}
}

// frames lists scene cuts and damage.
func (l *lister) frames() {
	for i := range l.plan.Frames {
		f := &l.plan.Frames[i]
		if f.Cut && i > 0 {
			l.add(i, i, Item{Kind: ItemCut, Rank: RankNote})
		}
		if !f.Whole || l.plan.Policy.Cover == "frame" && f.Why == "policy" {
			continue
		}
		if n := len(l.items); n > 0 && l.items[n-1].Kind == ItemDamage && l.items[n-1].Text == f.Why && l.items[n-1].To.Frame == l.clock.first+i-1 {
			l.items[n-1].To = l.clock.at(i)
			continue
		}
		l.add(i, i, Item{Kind: ItemDamage, Rank: RankLook, Text: f.Why})
	}
}
