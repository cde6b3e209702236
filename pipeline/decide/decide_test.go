package decide

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/track"
)

// testInput is a clip of 50 frames, 25 a second, with odd sides.
func testInput(t testing.TB, policy string, tracks ...track.Track) Input {
	t.Helper()
	p, err := Shipped(policy)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Source: Source{
			SHA256: "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab", Bytes: 1000,
			Width: 639, Height: 361, TimeBase: "1/12800",
		},
		Policy: p, Tracks: tracks,
	}
	for i := range 50 {
		in.FrameStamps = append(in.FrameStamps, FrameStamp{PTS: int64(512 * i), Digest: "0badcafe", Time: float64(i) / 25})
	}
	return in
}

// still is a track that stands still, seen in every frame from first to last.
func still(id, first, last int, b track.Box) track.Track {
	t := track.Track{ID: id, Sure: true, BestFast: 0.9, Seen: last - first + 1}
	for i := first; i <= last; i++ {
		t.Samples = append(t.Samples, track.Sample{Frame: i, Box: b, Score: 0.9, Source: track.Detected})
	}
	return t
}

func decided(t testing.TB, in Input) Plan {
	t.Helper()
	p, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCanonicalPlanIsReadAtOnce: what Encode writes is read without a second look at each field, and as with one; what is written
// otherwise is not, and where it has no place in a plan it is refused as ever.
func TestCanonicalPlanIsReadAtOnce(t *testing.T) {
	p := fullPlan(t)
	b := mustEncode(t, &p)
	fast, ok := parseCanonical(b)
	var strict Plan
	if f := decodeStrict(b, &strict); !ok || len(f) > 0 {
		t.Fatalf("canonical %v, faults %v", ok, f)
	}
	if diff := cmp.Diff(strict, fast); diff != "" {
		t.Error(diff)
	}
	for name, change := range map[string]struct {
		from, to string
		refused  bool
	}{
		"a space":          {`"schema":`, `"schema": `, false},
		"an escape":        {`"schema"`, `"\u0073chema"`, false},
		"a field twice":    {`"schema":`, `"schema":"x","schema":`, true},
		"an unknown field": {`"schema":`, `"secret":1,"schema":`, true},
		"another case":     {`"schema":`, `"Schema":`, true},
		"something more":   {"{", "{}{", true},
	} {
		other := bytes.Replace(b, []byte(change.from), []byte(change.to), 1)
		if bytes.Equal(other, b) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, ok := parseCanonical(other); ok {
			t.Errorf("%s: taken for canonical", name)
		}
		if _, err := ParsePlan(other); (err != nil) != change.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlanReadsBackAsWritten(t *testing.T) {
	for name, p := range map[string]Plan{
		"plain": decided(t, testInput(t, Press, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}))),
		"full":  fullPlan(t),
	} {
		data := mustEncode(t, &p)
		back, err := ParsePlan(data)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		if diff := cmp.Diff(p.Frames, back.Frames); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(string(data), string(mustEncode(t, &back))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if lines := strings.Count(string(data), "\n"); lines < len(p.Frames) {
			t.Errorf("%s: %d lines for %d frames", name, lines, len(p.Frames))
		}
	}
}

func TestRegionsAreGrownAlignedAndClipped(t *testing.T) {
	for _, c := range []struct {
		name       string
		cover      string
		interlaced bool
		box        track.Box
		want       [4]int
	}{
		{"quarter of the face", "face", false, track.Box{X: 100, Y: 100, W: 80, H: 100}, [4]int{80, 64, 128, 176}},
		{"eight pixels at least", "face", false, track.Box{X: 104, Y: 104, W: 8, H: 8}, [4]int{96, 96, 32, 32}},
		{"interlaced", "face", true, track.Box{X: 104, Y: 104, W: 8, H: 8}, [4]int{96, 96, 32, 32}},
		{"head", "head", false, track.Box{X: 200, Y: 100, W: 80, H: 100}, [4]int{176, 48, 128, 80 + 48 + 0*3}},
		{"last row and column", "face", false, track.Box{X: 630, Y: 355, W: 8, H: 5}, [4]int{608, 336, 31, 25}},
		{"first row and column", "face", false, track.Box{X: -3, Y: -3, W: 8, H: 5}, [4]int{0, 0, 16, 16}},
		{"all of it", "face", false, track.Box{X: -30, Y: -30, W: 2000, H: 2000}, [4]int{0, 0, 639, 361}},
	} {
		in := testInput(t, Court, still(1, 0, 0, c.box))
		in.Policy.Cover, in.Source.Interlaced = c.cover, c.interlaced
		r := decided(t, in).Frames[0].Regions[0]
		if c.name == "head" {
			c.want = [4]int{176, 48, 128, 192}
		}
		if r.Rect != c.want || r.Kind != c.cover {
			t.Errorf("%s: %v %s, want %v", c.name, r.Rect, r.Kind, c.want)
		}
	}
}

// TestBoxKeepsItsSize: a small box must not breathe with the grid of pixels that it moves over.
func TestBoxKeepsItsSize(t *testing.T) {
	for x := 100.0; x < 102; x += 0.13 {
		b := track.Box{X: x, Y: 100 + x/3, W: 11.4, H: 13.2}
		r := decided(t, testInput(t, Press, still(1, 0, 0, b))).Frames[0].Regions[0]
		if r.Box[2] != 12 || r.Box[3] != 14 {
			t.Errorf("box %+v is told as %v", b, r.Box)
		}
		if math.Abs(float64(r.Box[0])+6-b.X-b.W/2) > 0.5 || math.Abs(float64(r.Box[1])+7-b.Y-b.H/2) > 0.5 {
			t.Errorf("box %+v is told as %v: the middle strays", b, r.Box)
		}
		if r.Rect[0] > r.Box[0] || r.Rect[1] > r.Box[1] {
			t.Errorf("%v lies outside %v", r.Box, r.Rect)
		}
	}
}

func TestHeadsOfTurnedFacesAreWide(t *testing.T) {
	in := testInput(t, Press, still(1, 0, 0, track.Box{X: 300, Y: 100, W: 50, H: 100}))
	r := decided(t, in).Frames[0].Regions[0].Rect
	if r[0] > 265 || r[0]+r[2] < 385 {
		t.Errorf("%v is not 1.2 face heights wide", r)
	}
}

func TestOutsideThePictureIsNoRegion(t *testing.T) {
	in := testInput(t, Press, still(1, 0, 9, track.Box{X: -500, Y: 10, W: 40, H: 40}), still(2, 0, 9, track.Box{X: 50, Y: 10, W: 40, H: 40}))
	p := decided(t, in)
	if len(p.Tracks) != 1 || p.Tracks[0].ID != 2 || len(p.Frames[0].Regions) != 1 {
		t.Errorf("%+v %+v", p.Tracks, p.Frames[0])
	}
}

func TestEllipseHoldsTheGrownBox(t *testing.T) {
	for x := 60.0; x < 560; x += 7.3 {
		in := testInput(t, Court, still(1, 0, 0, track.Box{X: x, Y: 60 + x/4, W: 10 + x/20, H: 20 + x/30}))
		in.Policy.Shape = "ellipse"
		r := decided(t, in).Frames[0].Regions[0]
		if !r.Ellipse {
			if r.Rect[0] > 64 && r.Rect[1] > 64 && r.Rect[0]+r.Rect[2] < 570 && r.Rect[1]+r.Rect[3] < 290 {
				t.Errorf("%v: no ellipse in mid-picture", r.Rect)
			}
			continue
		}
		b := in.Tracks[0].Samples[0].Box
		gx, gy := math.Max(8, b.W/4), math.Max(8, b.H/4)
		cx, cy := float64(r.Rect[0])+float64(r.Rect[2])/2, float64(r.Rect[1])+float64(r.Rect[3])/2
		for _, corner := range [][2]float64{{b.X - gx, b.Y - gy}, {b.X + b.W + gx, b.Y - gy}, {b.X - gx, b.Y + b.H + gy}, {b.X + b.W + gx, b.Y + b.H + gy}} {
			dx, dy := (corner[0]-cx)/float64(r.Rect[2])*2, (corner[1]-cy)/float64(r.Rect[3])*2
			if dx*dx+dy*dy > 1+1e-9 {
				t.Errorf("%v: corner %v of the grown box lies outside", r.Rect, corner)
			}
		}
	}
}

func TestDoubtIsTreatedAsThePolicySays(t *testing.T) {
	for unsure, want := range map[string]struct {
		state             string
		regions, findings int
	}{
		"mask": {StateCovered, 1, 0}, "review": {StateCovered, 1, 1}, "ignore": {StateDropped, 0, 0},
	} {
		in := testInput(t, Press, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}))
		in.Tracks[0].Sure, in.Policy.Unsure = false, unsure
		p := decided(t, in)
		if p.Tracks[0].State != want.state || len(p.Frames[5].Regions) != want.regions || len(p.Findings) != want.findings {
			t.Errorf("%s: %+v, %d regions, findings %+v", unsure, p.Tracks[0], len(p.Frames[5].Regions), p.Findings)
		}
	}
}

// TestRefutedTracksAreToldOf: what closer looks speak against is left visible and listed, unless a person is to look at what is
// doubtful; where masks of others hold it, it is not called visible.
func TestRefutedTracksAreToldOf(t *testing.T) {
	box := track.Box{X: 100, Y: 50, W: 40, H: 50}
	around := track.Box{X: 90, Y: 40, W: 60, H: 70}
	for name, c := range map[string]struct {
		unsure, cover, shape string
		others               []track.Track
		best, findings       int
		visible              bool
	}{
		"mask":                {unsure: "mask", best: 3, visible: true},
		"ignore":              {unsure: "ignore", best: 3, visible: true},
		"review":              {unsure: "review", best: 3, findings: 1},
		"whole frames":        {unsure: "mask", cover: "frame", best: 3},
		"in another mask":     {unsure: "mask", others: []track.Track{still(2, 0, 24, around)}, best: 3},
		"in another's oval":   {unsure: "mask", shape: "ellipse", others: []track.Track{still(2, 0, 24, around)}, best: 3},
		"at first in one":     {unsure: "mask", others: []track.Track{still(2, 0, 12, around)}, best: 13, visible: true},
		"in part in a mask":   {unsure: "mask", others: []track.Track{still(2, 0, 24, track.Box{X: 130, Y: 50, W: 40, H: 50})}, best: 3, visible: true},
		"in one of the other": {unsure: "review", others: []track.Track{still(2, 0, 24, around)}, best: 3, findings: 1},
	} {
		in := testInput(t, Press, append([]track.Track{still(1, 3, 20, box)}, c.others...)...)
		in.Tracks[0].Sure, in.Tracks[0].Refuted = false, true
		in.Policy.Unsure, in.Policy.Cover, in.Policy.Shape = c.unsure, orElse(c.cover, "face"), orElse(c.shape, "rectangle")
		p := decided(t, in)
		if len(p.Tracks) != 1+len(c.others) || p.Tracks[0].ID != 1 || len(p.Findings) != c.findings {
			t.Errorf("%s: tracks %+v, findings %+v", name, p.Tracks, p.Findings)
			continue
		}
		got := p.Tracks[0]
		if c.unsure == "review" {
			if r := p.Frames[10].Regions[0]; got.State != StateCovered || r.Track != 1 {
				t.Errorf("%s: %+v, region %+v", name, got, r)
			}
			continue
		}
		if got.State != StateDropped || got.Reason != ReasonRefuted || got.Seen != 18 || got.Best != c.best || p.LeftVisible(got) != c.visible {
			t.Errorf("%s: %+v, visible %t", name, got, p.LeftVisible(got))
		}
		for _, r := range p.Frames[10].Regions {
			if r.Track == 1 {
				t.Errorf("%s: %+v is covered", name, r)
			}
		}
	}
}

// TestKeepingMayLeaveOthersVisible: what only the mask of somebody held who is then kept is visible, and what a person covers is not.
func TestKeepingMayLeaveOthersVisible(t *testing.T) {
	in := testInput(t, Press, still(1, 3, 20, track.Box{X: 110, Y: 60, W: 40, H: 50}), still(2, 0, 24, track.Box{X: 100, Y: 50, W: 60, H: 70}))
	in.Tracks[0].Sure, in.Tracks[0].Refuted = false, true
	p := decided(t, in)
	kept, err := Apply(p, testDigest, Decisions{Schema: DecisionsSchema, Plan: testDigest, By: "me", Keep: []KeepTrack{{Track: 2, Reason: "agreed"}}})
	if err != nil {
		t.Fatal(err)
	}
	if p.LeftVisible(p.Tracks[0]) || !kept.LeftVisible(kept.Tracks[0]) {
		t.Errorf("visible before %t, after %t", p.LeftVisible(p.Tracks[0]), kept.LeftVisible(kept.Tracks[0]))
	}
	covered, err := Apply(kept, testDigest, Decisions{Schema: DecisionsSchema, Plan: testDigest, By: "me",
		Cover: []CoverRegion{{Rect: [4]int{100, 50, 80, 80}, Reason: "a face after all"}}})
	if err != nil {
		t.Fatal(err)
	}
	if covered.LeftVisible(covered.Tracks[0]) {
		t.Error("what a person covers is called visible")
	}
}

func TestDamage(t *testing.T) {
	in := testInput(t, Press)
	in.FrameStamps[7].Damaged, in.FrameStamps[7].Why = true, "corrupt decoded frame"
	var damage *DamageError
	if _, err := Decide(in); !errors.As(err, &damage) || damage.Frame != 7 {
		t.Errorf("damage: fail gives %v", err)
	}
	in.Policy.Damage = "mask"
	in.FrameStamps[7].PTS = in.FrameStamps[6].PTS // repeats
	p := decided(t, in)
	if f := p.Frames[7]; !f.Whole || f.Why != "corrupt decoded frame" || p.Frames[6].Whole || p.Frames[8].Whole {
		t.Errorf("damage: mask gives %+v", f)
	}
}

func TestWholeFramesAndFixedRegions(t *testing.T) {
	in := testInput(t, Press, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}))
	in.Policy.Regions = []FixedRegion{{Rect: [4]int{10, 10, 20, 20}, Span: &Span{From: 0.4, To: 0.8}}, {Rect: [4]int{600, 350, 39, 11}}}
	p := decided(t, in)
	for i, want := range map[int]int{9: 2, 10: 3, 19: 3, 20: 2, 21: 1} {
		if got := len(p.Frames[i].Regions); got != want {
			t.Errorf("frame %d: %d regions, want %d", i, got, want)
		}
	}
	if r := p.Frames[12].Regions[0]; r.Rect != [4]int{0, 0, 32, 32} || r.Kind != KindFixed {
		t.Errorf("%+v", r)
	}
	in.Policy.Cover = "frame"
	for i, f := range decided(t, in).Frames {
		if !f.Whole || f.Why == "" {
			t.Fatalf("frame %d is not covered whole", i)
		}
	}
	in.Policy.Regions[0].Rect = [4]int{630, 10, 20, 20}
	if _, err := Decide(in); !errors.Is(err, ErrInvalid) {
		t.Errorf("a region that reaches beyond the picture: %v", err)
	}
}

func TestExcerptKnowsTheSourcesFirstStamp(t *testing.T) {
	p := fullPlan(t)
	if p.Excerpt.OriginPTS != 0 {
		t.Errorf("origin %d", p.Excerpt.OriginPTS)
	}
	var added []int
	for i, f := range p.Frames {
		for _, r := range f.Regions {
			if r.Kind == KindAdded {
				added = append(added, i)
				break
			}
		}
	}
	// The span 1 to 2 s counts from the source's first frame, the excerpt begins at 0.4 s.
	if len(added) != 25 || added[0] != 15 {
		t.Errorf("added in frames %v", added)
	}
}

func TestAllFaultsAreListed(t *testing.T) {
	_, err := ParsePolicy([]byte(`{"schema":"veil.policy/1","name":"x","release":"public","cover":"hat","fill":"blur","shape":"rectangle",
		"unsure":"mask","damage":"fail","profile":"press","audio":"drop","effort":"fast","mute":[{"from":2,"to":1}],"margin":0.01}`))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Faults) != 4 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	_, err = ParsePolicy([]byte(`{"schema":"veil.policy/1","nom":"x","Name":"y","release":"public","release":"restricted"}`))
	// Two fields that are unknown, one that stands there twice, and the eight that are missing.
	if !errors.As(err, &invalid) || len(invalid.Faults) != 11 {
		t.Errorf("%v", err)
	}
	_, err = ParsePolicy([]byte(`{"schema":"veil.policy/1","name":7,"release":null,"cover":"hat","fill":"blur","shape":"rectangle",
		"unsure":"mask","damage":"fail","profile":"press","audio":"drop","effort":"fast","more":1,"margin":0.01}`))
	if !errors.As(err, &invalid) || len(invalid.Faults) != 5 {
		t.Errorf("%v", err)
	}
	_, err = ParseDecisions([]byte(`{"schema":"veil.decisions/1","by":"","plan":"x","cover":[{"rect":[1,2,0,4],"why":"x"}]}`))
	if !errors.As(err, &invalid) || len(invalid.Faults) != 5 {
		t.Errorf("%v", err)
	}
	for _, text := range []string{``, `{`, `[]`, `null`, `{} {}`, `{"schema":1}`, strings.Repeat("[", 1000), `{"mute":` + strings.Repeat("[", 1000)} {
		if _, err := ParsePolicy([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

func TestPlanRefusesNonsense(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"region outside":        func(p *Plan) { p.Frames[4].Regions[0].Rect[2] = 5000 },
		"region empty":          func(p *Plan) { p.Frames[4].Regions[0].Rect[2] = 0 },
		"region without track":  func(p *Plan) { p.Frames[4].Regions[0].Track = 99 },
		"kept by nobody":        func(p *Plan) { p.Frames[4].Regions[0].Kept = true },
		"stamps that fall back": func(p *Plan) { p.Frames[4].PTS = 1 },
		"digest":                func(p *Plan) { p.Frames[4].Digest = "x" },
		"no frames":             func(p *Plan) { p.Frames = nil },
		"track twice":           func(p *Plan) { p.Tracks = append(p.Tracks, p.Tracks[0]) },
		"track too long":        func(p *Plan) { p.Tracks[0].Last = 1000 },
		"score NaN":             func(p *Plan) { p.Tracks[0].Score = math.NaN() },
		"whole without a why":   func(p *Plan) { p.Frames[4].Whole = true },
		"source":                func(p *Plan) { p.Source.SHA256 = "" },
		"time base":             func(p *Plan) { p.Source.TimeBase = "0/1" },
		"policy":                func(p *Plan) { p.Policy.Fill = "blur" },
		"finding":               func(p *Plan) { p.Findings = []Finding{{ID: "F0"}} },
		"excerpt":               func(p *Plan) { p.Excerpt = &Excerpt{Last: 3, To: 1} },
	} {
		p := decided(t, testInput(t, Press, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50})))
		change(&p)
		if err := p.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Encode(); err == nil {
			t.Errorf("%s: is written", name)
		}
	}
}

func TestRegionAddedByHandIsRead(t *testing.T) {
	p := decided(t, testInput(t, Press))
	data := strings.Replace(string(mustEncode(t, &p)), `{"pts":512,"digest":"0badcafe"}`,
		`{"pts":512,"digest":"0badcafe", "regions": [ {"rect": [5, 6, 7, 8], "kind": "added"} ] }`, 1)
	edited, err := ParsePlan([]byte(data))
	if err != nil || len(edited.Frames[1].Regions) != 1 || edited.Frames[1].Regions[0].Rect != [4]int{5, 6, 7, 8} {
		t.Errorf("%v %+v", err, edited.Frames[1])
	}
}
