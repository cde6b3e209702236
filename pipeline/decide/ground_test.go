package decide

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/track"
)

// testGrounds has a list, and defaults for faces alone.
func testGrounds() *Grounds {
	return &Grounds{Required: true, Label: true, Tracks: "§ 22", Codes: []Code{
		{Code: "§ 22", Basis: "§ 22 KUG", Text: "Recht am eigenen Bild"}, {Code: "G2", Basis: "§ 45 StVG"},
	}}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]bool{
		"6C": true, "(b)(7)(C)": true, "§ 22 KUG": true, "VwVfG 29": true, "7": true, "§ 3 Nr. 1 IFG": true,
		"": false, "KUG": false, " 6C": false, "6C ": false, "Schmidt 1": false, "Müller 1": false, "6C\n": false,
		"12345678901234567": false, "§§§§§§§§§§§§§§§1": true, "§§§§§§§§§§§§§§§§1": false,
	} {
		if isCode(code) != want {
			t.Errorf("%q: %t", code, !want)
		}
	}
}

func TestPolicyRefusesGroundsThatDoNotFit(t *testing.T) {
	p, err := Shipped(Press)
	if err != nil {
		t.Fatal(err)
	}
	p.Grounds = &Grounds{Codes: []Code{{Code: "6", Basis: "x"}, {Code: "6", Basis: ""}, {Code: "six", Basis: "x"}}, Tracks: "7"}
	p.Mute = []Muted{{From: 1, To: 2, Code: "8"}}
	p.Regions = []FixedRegion{{Rect: [4]int{0, 0, 8, 8}, Basis: "\n"}}
	var invalid *InvalidError
	if err := p.Validate(); !errors.As(err, &invalid) || len(invalid.Faults) != 6 {
		t.Errorf("%v", err)
	}
}

// groundedInput has a face, a region and a damaged frame, and mutes a range.
func groundedInput(t *testing.T) Input {
	in := testInput(t, Disclosure, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}), still(2, 30, 40, track.Box{X: 400, Y: 200, W: 40, H: 50}))
	in.Policy.Grounds, in.Policy.Damage = testGrounds(), "mask"
	in.Policy.Regions = []FixedRegion{{Rect: [4]int{0, 300, 100, 61}, Span: &Span{From: 1, To: 1.2}}}
	in.Policy.Mute = []Muted{{From: 0.5, To: 1}, {From: 1.5, To: 2, Code: "G2"}}
	in.FrameStamps[7].Damaged = true
	return in
}

func TestGroundsComeFromThePolicy(t *testing.T) {
	p := decided(t, groundedInput(t))
	if tr := p.Tracks[0]; tr.Code != "§ 22" || tr.Basis != "§ 22 KUG" {
		t.Errorf("%+v", tr)
	}
	want := []MissingGround{{What: GroundRegions, Frames: 5}, {What: GroundFrames, Frames: 1}, {What: GroundSound}}
	if diff := cmp.Diff(want, p.MissingGrounds(true)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:2], p.MissingGrounds(false)); diff != "" {
		t.Error(diff)
	}
	p.Policy.Grounds.Required = false
	if len(p.MissingGrounds(true)) != 0 {
		t.Error("nothing is required, and something is missing")
	}
	in := groundedInput(t)
	in.Policy.Grounds.Tracks, in.Policy.Audio, in.Policy.Mute = "", "drop", nil
	p = decided(t, in)
	if miss := p.MissingGrounds(true); !slices.Equal(miss[0].Tracks, []int{1, 2}) || len(miss) != 4 {
		t.Errorf("%+v", miss)
	}
	if s := (MissingGround{What: GroundTracks, Tracks: span(1, 15)}).String(); !strings.HasPrefix(s, "tracks 1, 2, ") || !strings.Contains(s, " 12 and 3 more withheld") {
		t.Error(s)
	}
}

func TestGroundsAreGivenByDecisions(t *testing.T) {
	p := decided(t, groundedInput(t))
	d := Decisions{Schema: DecisionsSchema, Plan: testDigest, By: "A. Officer", Ground: []GroundFor{
		{What: GroundTracks, Code: "G2"}, // all have one: changes nothing
		{What: GroundTracks, Track: 2, Code: "G2", Basis: "§ 1"},
		{What: GroundRegions, Code: "G2"}, {What: GroundFrames, Code: "§ 22"},
		{What: GroundSound, Code: "§ 22"},
	}}
	after, err := Apply(p, testDigest, d)
	if err != nil {
		t.Fatal(err)
	}
	if miss := after.MissingGrounds(true); len(miss) != 0 {
		t.Errorf("still missing: %+v", miss)
	}
	if a, b := after.Tracks[0], after.Tracks[1]; a.Code != "§ 22" || b.Code != "G2" || b.Basis != "§ 1" {
		t.Errorf("%+v %+v", a, b)
	}
	want := []SoundRange{{Span: &Span{From: 0.5, To: 1}, Code: "§ 22", Basis: "§ 22 KUG"}, {Span: &Span{From: 1.5, To: 2}, Code: "G2", Basis: "§ 45 StVG"}}
	if diff := cmp.Diff(want, after.WithheldSound()); diff != "" {
		t.Error(diff)
	}
	if len(p.Sound) != 0 || p.Frames[7].Code != "" {
		t.Error("Apply changed the plan it was given")
	}
	label := after.Labels()
	if got := label(&Region{Track: 2}); got != "G2" {
		t.Errorf("label %q", got)
	}
	if i := slices.IndexFunc(after.Frames[27].Regions, func(r Region) bool { return r.Kind == KindFixed }); i < 0 || label(&after.Frames[27].Regions[i]) != "G2" {
		t.Errorf("%+v", after.Frames[27])
	}
	after.Sound[0].Span.To = 3
	if err := after.Validate(); !errors.Is(err, ErrInvalid) {
		t.Errorf("sound that the policy does not withhold: %v", err)
	}
}

func TestGroundsThatDoNotFitAreRefused(t *testing.T) {
	p := decided(t, groundedInput(t))
	p.Findings = []Finding{{ID: "F1", Kind: FindingNoGround, Last: 49, Rect: [4]int{0, 0, 639, 361}, Text: "x"}}
	d := Decisions{Schema: DecisionsSchema, Plan: testDigest, By: "A. Officer",
		Dismiss: []DismissFinding{{Finding: "F1", Reason: "no"}},
		Cover:   []CoverRegion{{Rect: [4]int{0, 0, 8, 8}, Reason: "r", Code: "9"}},
		Ground: []GroundFor{
			{What: "faces", Code: "G2"}, {What: GroundTracks, Track: 9, Code: "G2"}, {What: GroundTracks, Code: "9"},
			{What: GroundTracks, Code: ""}, {What: GroundRegions, Track: 1, Code: "G2"}, {What: GroundTracks, Span: &Span{To: 1}, Code: "G2"},
			{What: GroundSound, Span: &Span{From: 1.1, To: 1.2}, Code: "G2"},
		}}
	_, err := Apply(p, testDigest, d)
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Faults) != 9 {
		t.Errorf("%v", err)
	}
	for name, change := range map[string]func(*Plan){
		"dismissed by hand":         func(p *Plan) { p.Findings[0].Dismissed, p.Findings[0].By, p.Findings[0].Reason = true, "me", "r" },
		"code of a tracked region":  func(p *Plan) { p.Frames[4].Regions[0].Code = "G2" },
		"code that is not listed":   func(p *Plan) { p.Tracks[0].Code = "9" },
		"code of a frame not whole": func(p *Plan) { p.Frames[4].Code = "G2" },
		"region's code":             func(p *Plan) { p.Frames[27].Regions[0].Code = "Schmidt" },
	} {
		p := decided(t, groundedInput(t))
		p.Findings = []Finding{{ID: "F1", Kind: FindingNoGround, Last: 49, Rect: [4]int{0, 0, 639, 361}, Text: "x"}}
		change(&p)
		if err := p.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
