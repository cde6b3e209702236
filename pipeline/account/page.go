package account

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"veil/pipeline/decide"
)

// Languages of the printed pages.
const (
	German  = "de"
	English = "en"
)

//go:embed page/*.html
var pageFiles embed.FS

// pages makes the HTML; everything that somebody wrote is escaped for where it stands.
var pages = template.Must(template.ParseFS(pageFiles, "page/*.html"))

// page is what the templates see.
type page struct {
	Lang  string
	Title string
	T     map[string]string

	Log       *Exemptions
	Bars      []bar
	LimitLine float64 // 0: none
	Top       float64 // share at the drawing's upper edge

	List  *Worklist
	Kinds []kindCount
}

// bar is one part of the timeline in a drawing of 1000 by 100.
type bar struct{ X, Y, W, H float64 }

type kindCount struct {
	Name string
	N    int
}

func newPage(lang, title string) (page, error) {
	t := texts[lang]
	if t == nil {
		return page{}, fmt.Errorf("language is %q, must be %q or %q", lang, German, English)
	}
	return page{Lang: lang, Title: t[title], T: t}, nil
}

// HTML is the log as a page for A4, in German ("de") or English ("en").
func (e Exemptions) HTML(lang string) ([]byte, error) {
	p, err := newPage(lang, "exemptions")
	if err != nil {
		return nil, err
	}
	p.Log = &e
	p.Top = topOf(e.Necessity)
	for i, part := range e.Necessity.Timeline {
		h := 100 * part.Share / p.Top
		w := 1000 / float64(len(e.Necessity.Timeline))
		p.Bars = append(p.Bars, bar{X: milli(float64(i) * w), Y: milli(100 - h), W: milli(w * 0.9), H: milli(h)})
	}
	if l := e.Necessity.Limit; l > 0 {
		p.LimitLine = milli(max(100-100*l/p.Top, 0.5))
	}
	return p.execute("exemptions")
}

// topOf is the share at the upper edge of the timeline's drawing: a round one above all that is drawn.
func topOf(n Necessity) float64 {
	most := n.Limit
	for _, part := range n.Timeline {
		most = max(most, part.Share)
	}
	for _, top := range []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5} {
		if most < top {
			return top
		}
	}
	return 1
}

// HTML is the worklist as a page for A4, in German ("de") or English ("en").
func (w Worklist) HTML(lang string) ([]byte, error) {
	p, err := newPage(lang, "worklist")
	if err != nil {
		return nil, err
	}
	p.List = &w
	for _, k := range []string{ItemFinding, ItemLeftVisible, ItemKept, ItemUnsure, ItemSeldom, ItemGap, ItemShortGaps, ItemBirth, ItemDeath, ItemDamage, ItemCut} {
		if n := w.Counts[k]; n > 0 {
			p.Kinds = append(p.Kinds, kindCount{p.T["item_"+k], n})
		}
	}
	return p.execute("worklist")
}

func (p page) execute(name string) ([]byte, error) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, p); err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	return b.Bytes(), nil
}

// decimal writes a number with so many places, as the language does.
func (p page) decimal(v float64, places int) string {
	s := strconv.FormatFloat(v, 'f', places, 64)
	if p.Lang == German {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// Percent writes a share; what is not nothing never reads as 0.
func (p page) Percent(share float64) string {
	if share > 0 && share < 0.00005 {
		return "< " + p.decimal(0.01, 2) + "\u00a0%"
	}
	places := 1
	if share < 0.01 {
		places = 2
	}
	return p.decimal(100*share, places) + "\u00a0%"
}

// Seconds writes a length; a short one to the hundredth.
func (p page) Seconds(s float64) string {
	places := 1
	if s < 1 {
		places = 2
	}
	return p.decimal(s, places) + "\u00a0s"
}

// Timecode writes a moment.
func (p page) Timecode(s float64) string { return Timecode(s) }

// Rect writes a rectangle as its corner and its size.
func (p page) Rect(r [4]int) string {
	return fmt.Sprintf("%d, %d\u00a0/ %d\u00a0×\u00a0%d", r[0], r[1], r[2], r[3])
}

// Word is the language's word for a value of a report.
func (p page) Word(v string) string {
	if t, ok := p.T["word_"+v]; ok {
		return t
	}
	return v
}

// Count is the word for so many of something.
func (p page) Count(n int, what string) string {
	if n == 1 {
		return p.T[what+"_one"]
	}
	return p.T[what+"_many"]
}

// Missing names what lacks a ground.
func (p page) Missing(m decide.MissingGround) string {
	switch m.What {
	case decide.GroundTracks:
		var ids []string
		for _, id := range m.Tracks {
			ids = append(ids, strconv.Itoa(id))
		}
		return p.T["missing_tracks"] + ": " + strings.Join(ids, ", ")
	case decide.GroundSound:
		return p.T["missing_sound"]
	}
	return fmt.Sprintf("%s: %d %s", p.T["missing_"+m.What], m.Frames, p.Count(m.Frames, "frame"))
}

// First and Last are the ends of the timeline.
func (p page) First() string { return p.Log.Necessity.Timeline[0].From.Time }

func (p page) Last() string {
	return Timecode(p.Log.Necessity.Timeline[0].From.Seconds + p.Log.Seconds)
}

// Ranks are the words for the ranks of items, from 1.
func (p page) Ranks() []string { return []string{"", p.T["rank_1"], p.T["rank_2"], p.T["rank_3"]} }

// Item names what an item is.
func (p page) Item(it Item) string {
	if it.Kind == ItemFinding {
		return fmt.Sprintf("%s %s: %s", p.T["item_finding"], it.Finding, p.Word(it.What))
	}
	return p.T["item_"+it.Kind]
}

// Remark tells what else is known of an item.
func (p page) Remark(it Item) string {
	var out []string
	switch it.Kind {
	case ItemSeldom:
		out = append(out, fmt.Sprintf(p.T["seen_in"], it.Count, it.To.Frame-it.From.Frame+1))
	case ItemShortGaps:
		out = append(out, fmt.Sprintf("%d %s", it.Count, p.Count(it.Count, "gap")))
	}
	if it.Score > 0 {
		out = append(out, fmt.Sprintf(p.T["score"], p.decimal(it.Score, 2)))
	}
	// The plan's own words are English; in another language the kind says the same, but for damage and what stays visible.
	if it.Kind == ItemLeftVisible && p.T[it.Text] != "" {
		out = append(out, p.T[it.Text])
	} else if it.Text != "" && (p.Lang == English || it.Kind == ItemDamage) {
		out = append(out, it.Text)
	}
	if it.Decided {
		out = append(out, fmt.Sprintf(p.T["decided"], it.By, it.Reason))
	}
	return strings.Join(out, "; ")
}
