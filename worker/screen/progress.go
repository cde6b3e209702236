package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"veil/pipeline"
	"veil/worker/text"
)

// Meter shows progress. Events come from one goroutine; Close ends the display and may be called twice.
type Meter interface {
	Event(pipeline.Event)
	Close()
}

// NewMeter gives the meter for a mode, with the clip's name as it is shown: "auto" is a bar where w is a terminal and silence
// elsewhere.
func NewMeter(mode string, w io.Writer, clip string) Meter {
	switch mode {
	case "json":
		return &lines{enc: json.NewEncoder(w), clip: clip}
	case "auto":
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return &bars{w: f, clip: clip}
		}
	}
	return silence{}
}

type silence struct{}

func (silence) Event(pipeline.Event) {}

func (silence) Close() {}

// phase is one stage of one round.
type phase struct {
	stage string
	round int
}

// bars draws one bar per stage, with rate and time left.
type bars struct {
	w     io.Writer
	clip  string
	phase phase
	bar   *progressbar.ProgressBar
}

func (b *bars) Event(e pipeline.Event) {
	if p := (phase{e.Stage, e.Round}); b.bar == nil || p != b.phase {
		b.Close()
		b.phase, b.bar = p, b.open(e)
		_ = b.bar.Set64(0) // the clock starts here: the first event has no rate
		return
	}
	if e.Total > 0 && e.Total != b.bar.GetMax64() {
		b.bar.ChangeMax64(e.Total)
	}
	// An error here is one of drawing; the work does not depend on it.
	_ = b.bar.Set64(e.Done)
}

// open starts a stage's bar.
func (b *bars) open(e pipeline.Event) *progressbar.ProgressBar {
	total := e.Total
	if total <= 0 {
		total = -1
	}
	text := fmt.Sprintf("%s: %s", text.Printable(b.clip), e.Stage)
	if e.Round > 0 {
		text += fmt.Sprintf(" again (%d)", e.Round)
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(b.w),
		progressbar.OptionSetDescription(text),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	}
	if e.Stage == "digest" || e.Stage == "upload" {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("frames"))
	}
	return progressbar.NewOptions64(total, options...)
}

func (b *bars) Close() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}

// lineEvery bounds how often a stage is told in JSON; its first and last event always are.
const lineEvery = 250 * time.Millisecond

// lines writes progress as JSON lines.
type lines struct {
	enc   *json.Encoder
	clip  string
	phase phase
	begun time.Time
	told  time.Time
	last  *pipeline.Event // not told yet
}

// progressLine is one line. Left is in seconds, 0 where it is not known; rates are frames a second, bytes for "digest".
type progressLine struct {
	Clip string `json:"clip"`
	pipeline.Event
	Rate float64 `json:"rate"`
	Left float64 `json:"left_s"`
}

func (l *lines) Event(e pipeline.Event) {
	now := time.Now()
	p := phase{e.Stage, e.Round}
	if p != l.phase || l.begun.IsZero() {
		l.Close()
		l.phase, l.begun, l.told = p, now, time.Time{}
	}
	if now.Sub(l.told) < lineEvery && (e.Total <= 0 || e.Done < e.Total) {
		l.last = &e
		return
	}
	l.tell(e, now)
}

func (l *lines) tell(e pipeline.Event, now time.Time) {
	out := progressLine{Clip: l.clip, Event: e}
	if s := now.Sub(l.begun).Seconds(); s > 0 {
		rate := float64(e.Done) / s
		out.Rate = math.Round(10*rate) / 10
		if rate > 0 && e.Total > e.Done {
			out.Left = math.Round(10*float64(e.Total-e.Done)/rate) / 10
		}
	}
	l.told, l.last = now, nil
	_ = l.enc.Encode(out)
}

// Close tells the last event of a stage that was held back.
func (l *lines) Close() {
	if l.last != nil {
		l.tell(*l.last, time.Now())
	}
}
