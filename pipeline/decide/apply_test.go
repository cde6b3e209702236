package decide

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/track"
)

var testDigest = Digest([]byte("plan"))

func keep(ids ...int) Decisions {
	d := Decisions{Schema: DecisionsSchema, Plan: testDigest, By: "A. Officer"}
	for _, id := range ids {
		d.Keep = append(d.Keep, KeepTrack{Track: id, Reason: "gave consent"})
	}
	return d
}

// moving is a track that moves by dx a frame; the frames that unseen names are filled.
func moving(id int, b track.Box, dx float64, unseen ...int) track.Track {
	t := still(id, 0, 49, b)
	for i := range t.Samples {
		t.Samples[i].Box.X += dx * float64(i)
	}
	for _, i := range unseen {
		t.Samples[i].Source = track.Filled
	}
	return t
}

func span(from, to int) []int {
	var out []int
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// visible lists the frames in which a track is uncovered.
func visible(p Plan, id int) []int {
	var out []int
	for i, f := range p.Frames {
		for _, r := range f.Regions {
			if r.Track == id && r.Kept {
				out = append(out, i)
			}
		}
	}
	return out
}

func TestKeptTracksAreCoveredInDoubt(t *testing.T) {
	face := track.Box{X: 100, Y: 100, W: 40, H: 50}
	far := track.Box{X: 500, Y: 250, W: 40, H: 50}
	cut := func(from, to int) []int { return append(span(0, from-1), span(to+1, 49)...) }
	for _, c := range []struct {
		name   string
		tracks []track.Track
		want   []int
	}{
		{"alone", []track.Track{moving(1, face, 0)}, span(0, 49)},
		{"short gap", []track.Track{moving(1, face, 0, 20, 21, 22)}, span(0, 49)},
		{"lost, nobody near", []track.Track{moving(1, face, 0, span(20, 29)...), moving(2, far, 0)}, cut(15, 34)},
		// 1 and 2 touch in frames 19 to 31, where the region of 2, grown to the head and aligned, meets the face of 1.
		{"crossing, both seen", []track.Track{moving(1, face, 0), moving(2, track.Box{X: -100, Y: 100, W: 40, H: 50}, 8)}, cut(14, 36)},
		{"lost, the other near and lost too", []track.Track{moving(1, face, 0, span(20, 29)...), moving(2, track.Box{X: 170, Y: 100, W: 40, H: 50}, 0, span(18, 31)...)}, span(0, 14)},
	} {
		p, err := Apply(decided(t, testInput(t, Press, c.tracks...)), testDigest, keep(1))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, visible(p, 1)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if len(visible(p, 2)) > 0 {
			t.Errorf("%s: track 2 is uncovered", c.name)
		}
	}
}

func TestExtendedEndsOfKeptTracksStayCovered(t *testing.T) {
	tr := moving(1, track.Box{X: 100, Y: 100, W: 40, H: 50}, 0)
	for _, i := range append(span(0, 9), span(40, 49)...) {
		tr.Samples[i].Source = track.Extended
	}
	p, err := Apply(decided(t, testInput(t, Press, tr)), testDigest, keep(1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(span(15, 34), visible(p, 1)); diff != "" {
		t.Error(diff)
	}
}

func TestKeepingTwiceIsKeepingAtOnce(t *testing.T) {
	tracks := []track.Track{moving(1, track.Box{X: 100, Y: 100, W: 40, H: 50}, 0), moving(2, track.Box{X: -100, Y: 100, W: 40, H: 50}, 8)}
	plan := decided(t, testInput(t, Press, tracks...))
	once, err := Apply(plan, testDigest, keep(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	twice, err := Apply(plan, testDigest, keep(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(visible(plan, 1)) > 0 {
		t.Error("Apply changed the plan it was given")
	}
	if twice, err = Apply(twice, testDigest, keep(2)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once.Frames, twice.Frames); diff != "" {
		t.Error(diff)
	}
	if len(visible(twice, 1)) != 50 || twice.Decided.Before == nil || twice.Decided.Before.Decisions.Keep[0].Track != 1 {
		t.Errorf("track 1 is visible in %v, record %+v", visible(twice, 1), twice.Decided)
	}
}

func TestDecisionsAreRecorded(t *testing.T) {
	p := fullPlan(t)
	if f := p.Findings[0]; !f.Dismissed || f.By != "A. Officer" || f.Reason == "" {
		t.Errorf("finding %+v", f)
	}
	if tr := p.Tracks[0]; tr.State != StateKept || tr.By != "A. Officer" || tr.Reason != "gave consent" {
		t.Errorf("track %+v", tr)
	}
	if p.Decided == nil || p.Decided.Before == nil || p.Decided.Before.Before != nil {
		t.Errorf("record %+v", p.Decided)
	}
}

func TestApplyRefusesWhatDoesNotFit(t *testing.T) {
	plan := decided(t, testInput(t, Press, still(1, 0, 9, track.Box{X: 100, Y: 100, W: 40, H: 50})))
	d := keep(1, 7)
	d.Plan = Digest(nil)
	d.Dismiss = []DismissFinding{{Finding: "F9", Reason: "r"}}
	d.Cover = []CoverRegion{{Rect: [4]int{600, 0, 100, 10}, Reason: "r"}, {Rect: [4]int{0, 0, 10, 10}, Span: &Span{From: 50, To: 60}, Reason: "r"}}
	_, err := Apply(plan, testDigest, d)
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Faults) != 5 {
		t.Errorf("%v", err)
	}
	dropped := testInput(t, Press, still(1, 0, 9, track.Box{X: 100, Y: 100, W: 40, H: 50}))
	dropped.Tracks[0].Sure, dropped.Policy.Unsure = false, "ignore"
	if _, err := Apply(decided(t, dropped), testDigest, keep(1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a track that is not covered: %v", err)
	}
	p := plan
	for range maxDecided {
		if p, err = Apply(p, testDigest, keep(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Apply(p, testDigest, keep(1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("decided too often: %v", err)
	}
	if _, err := ParsePlan(mustEncode(t, &p)); err != nil {
		t.Errorf("a plan decided about %d times: %v", maxDecided, err)
	}
}
