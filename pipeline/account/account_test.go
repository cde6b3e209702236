package account

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/decide"
	"veil/pipeline/track"
)

const digest = "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"

// input is a clip of 100 frames of 160x100 pixels, 25 a second.
func input(t testing.TB, tracks ...track.Track) decide.Input {
	t.Helper()
	p, err := decide.Shipped(decide.Disclosure)
	if err != nil {
		t.Fatal(err)
	}
	p.Cover, p.Damage, p.Unsure, p.MaxMasked = "face", "mask", "mask", 0.1
	in := decide.Input{Source: decide.Source{SHA256: digest, Bytes: 1000, Width: 160, Height: 100, TimeBase: "1/25"}, Policy: p, Tracks: tracks}
	for i := range 100 {
		in.FrameStamps = append(in.FrameStamps, decide.FrameStamp{PTS: int64(i), Digest: "0badcafe", Time: float64(i) / 25})
	}
	return in
}

// following is a track over frames first to last that covers 32x32 pixels at x, 32; unseen frames are filled.
func following(id, first, last, x int, unseen ...int) track.Track {
	t := track.Track{ID: id, Sure: true, BestSecond: 0.8}
	for i := first; i <= last; i++ {
		t.Samples = append(t.Samples, track.Sample{Frame: i, Box: track.Box{X: float64(x + 10), Y: 42, W: 12, H: 12}, Score: 0.8, Source: track.Detected})
	}
	for _, i := range unseen {
		t.Samples[i-first].Source = track.Filled
	}
	return t
}

func decided(t testing.TB, in decide.Input) *decide.Plan {
	t.Helper()
	p, err := decide.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func grounds() *decide.Grounds {
	return &decide.Grounds{Codes: []decide.Code{
		{Code: "§ 22", Basis: "§ 22 KUG", Text: "Recht am eigenen Bild"}, {Code: "6.1", Basis: "Art. 6 Abs. 1 DSGVO"}},
		Tracks: "§ 22", Regions: "6.1", Sound: "6.1"}
}

func TestTimecode(t *testing.T) {
	for s, want := range map[float64]string{0: "00:00:00.000", 0.04: "00:00:00.040", 59.9996: "00:01:00.000", 3661.5: "01:01:01.500", 360000: "100:00:00.000", -1.5: "-00:00:01.500"} {
		if got := Timecode(s); got != want {
			t.Errorf("%g: %s, want %s", s, got, want)
		}
	}
}

func TestExemptions(t *testing.T) {
	in := input(t, following(1, 10, 29, 0), following(2, 50, 50, 64))
	in.Policy.Grounds = grounds()
	in.Policy.Regions = []decide.FixedRegion{{Rect: [4]int{96, 0, 64, 48}, Span: &decide.Span{From: 0.4, To: 0.8}}}
	in.Policy.Mute = []decide.Muted{{From: 1, To: 2}, {From: 3, To: 100, Code: "§ 22"}, {From: 200, To: 201}}
	in.FrameStamps[20].Damaged = true
	e := NewExemptions(decided(t, in), digest, Facts{})
	type row struct {
		What, From, To, Code string
		Track, Frames        int
		Area                 [4]int
		Share, Seconds       float64
	}
	var got []row
	for i, x := range e.Entries {
		if x.Number != i+1 {
			t.Errorf("entry %d has number %d", i, x.Number)
		}
		got = append(got, row{x.What, x.From.Time, x.To.Time, x.Code, x.Track, x.Frames, x.Area, x.Share, x.Seconds})
	}
	want := []row{
		{"fixed", "00:00:00.400", "00:00:00.760", "6.1", 0, 10, [4]int{96, 0, 64, 48}, 64 * 48 * 10.0 / 16000 / 100, 0.4},
		// Frame 20 is covered whole: the track goes on behind it.
		{"face", "00:00:00.400", "00:00:01.160", "§ 22", 1, 19, [4]int{0, 32, 32, 32}, 32 * 32 * 19.0 / 16000 / 100, 0.76},
		{"frame", "00:00:00.800", "00:00:00.800", "", 0, 1, [4]int{0, 0, 160, 100}, 0.01, 0.04},
		{"muted", "00:00:01.000", "00:00:02.000", "6.1", 0, 0, [4]int{}, 0, 1},
		{"face", "00:00:02.000", "00:00:02.000", "§ 22", 2, 1, [4]int{64, 32, 32, 32}, 0.00064, 0.04},
		{"muted", "00:00:03.000", "00:00:04.000", "§ 22", 0, 0, [4]int{}, 0, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	n := e.Necessity
	wantShare := micro((64*48*10 + 32*32*20 + 16000) / 16000.0 / 100)
	if n.Share != wantShare || n.Exceeded || n.Limit != 0.1 || n.MaskedFrames != 21 || n.WholeFrames != 1 || n.SoundSeconds != 2 || !n.SoundUnknown {
		t.Errorf("%+v, want a share of %g", n, wantShare)
	}
	if n.Peak.Frame != 20 || n.Peak.Share != 1 || len(n.Timeline) != maxParts || e.Seconds != 4 {
		t.Errorf("%+v, %g s", n, e.Seconds)
	}
	wantCodes := []CodeTotal{
		{Code: "§ 22", Basis: "§ 22 KUG", Text: "Recht am eigenen Bild", Entries: 3, Frames: 20, Share: micro(32 * 32 * 20 / 16000.0 / 100), Seconds: 1},
		{Code: "6.1", Basis: "Art. 6 Abs. 1 DSGVO", Entries: 2, Frames: 10, Share: micro(64 * 48 * 10 / 16000.0 / 100), Seconds: 1},
		{Entries: 1, Frames: 1, Share: 0.01},
	}
	if diff := cmp.Diff(wantCodes, e.Codes); diff != "" {
		t.Error(diff)
	}
}

// TestOverlapsAreCountedOnce: areas on top of each other are one share, and each its own entry.
func TestOverlapsAreCountedOnce(t *testing.T) {
	in := input(t, following(1, 0, 99, 0))
	in.Policy.Regions = []decide.FixedRegion{{Rect: [4]int{0, 32, 32, 32}}}
	e := NewExemptions(decided(t, in), digest, Facts{Sound: SoundNone})
	if share := 32 * 32 / 16000.0; e.Necessity.Share != share || e.Entries[0].Share != share || e.Entries[1].Share != share || e.Codes[0].Share != share {
		t.Errorf("%+v", e)
	}
	if e.Necessity.SoundSeconds != 0 || e.Necessity.SoundUnknown || len(e.Entries) != 2 {
		t.Errorf("sound of a clip without: %+v", e.Necessity)
	}
	in.Policy.MaxMasked = 0.05
	if e := NewExemptions(decided(t, in), digest, Facts{}); !e.Necessity.Exceeded {
		t.Errorf("%+v", e.Necessity)
	}
}

// TestExcerptTellsTimesOfTheSource: frames and times count from the source's first frame.
func TestExcerptTellsTimesOfTheSource(t *testing.T) {
	in := input(t, following(1, 0, 9, 0))
	in.Policy.Audio, in.Policy.Mute = "drop", nil
	for i := range in.FrameStamps {
		in.FrameStamps[i].PTS += 1000
		in.FrameStamps[i].Time += 40
	}
	in.Excerpt = &decide.Excerpt{First: 1000, Last: 1099, FirstPTS: 1000, LastPTS: 1099, From: 40, To: 44}
	p := decided(t, in)
	e := NewExemptions(p, digest, Facts{Sound: SoundPresent})
	face, sound := e.Entries[0], e.Entries[1]
	if face.From != (Moment{1000, 40, "00:00:40.000"}) || face.To != (Moment{1009, 40.36, "00:00:40.360"}) {
		t.Errorf("%+v", face)
	}
	if sound.What != WhatDropped || sound.From.Time != "00:00:40.000" || sound.To.Time != "00:00:44.000" || sound.Seconds != 4 {
		t.Errorf("%+v", sound)
	}
}

func TestMissingGroundsAreTold(t *testing.T) {
	in := input(t, following(7, 0, 9, 0))
	in.Policy.Grounds = grounds()
	in.Policy.Grounds.Required, in.Policy.Grounds.Tracks = true, ""
	e := NewExemptions(decided(t, in), digest, Facts{})
	if diff := cmp.Diff([]decide.MissingGround{{What: decide.GroundTracks, Tracks: []int{7}}}, e.Missing); diff != "" {
		t.Error(diff)
	}
	for lang, want := range map[string]string{German: "Spuren: 7", English: "tracks: 7"} {
		if page := html(t, e, lang); !strings.Contains(page, want) {
			t.Errorf("%s page does not tell %q", lang, want)
		}
	}
}

func html(t testing.TB, v interface{ HTML(string) ([]byte, error) }, lang string) string {
	t.Helper()
	b, err := v.HTML(lang)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// worklistPlan has one of everything that a reviewer should see.
func worklistPlan(t testing.TB) *decide.Plan {
	in := input(t, following(1, 10, 49, 0, 20, 21, 30, 31, 32, 33, 34, 35, 40), following(2, 50, 60, 64), following(3, 61, 70, 96),
		following(4, 71, 90, 0, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88), following(5, 92, 99, 64))
	in.Tracks[0].BornInside, in.Tracks[0].DiedInside = true, true
	in.Tracks[1].Sure, in.Policy.Unsure = false, "review"
	in.FrameStamps[20+25].Cut = true
	in.FrameStamps[5].Damaged, in.FrameStamps[5].Why = true, "corrupt"
	in.FrameStamps[6].Damaged, in.FrameStamps[6].Why = true, "corrupt"
	p := decided(t, in)
	after, err := decide.Apply(*p, digest, decide.Decisions{Schema: decide.DecisionsSchema, Plan: digest, By: "J. Groß",
		Keep: []decide.KeepTrack{{Track: 5, Reason: "hat eingewilligt <b>"}}})
	if err != nil {
		t.Fatal(err)
	}
	return &after
}

func TestWorklist(t *testing.T) {
	w := NewWorklist(worklistPlan(t), digest)
	var got []string
	for _, it := range w.Items {
		got = append(got, fmt.Sprintf("%d %s %d-%d track %d count %d", it.Rank, it.Kind, it.From.Frame, it.To.Frame, it.Track, it.Count))
	}
	want := []string{
		"2 damage 5-6 track 0 count 0",
		"2 birth 10-10 track 1 count 0",
		"3 short_gaps 20-40 track 1 count 2",
		"2 gap 30-35 track 1 count 0",
		"3 cut 45-45 track 0 count 0",
		"2 death 49-49 track 1 count 0",
		"1 finding 50-60 track 2 count 0",
		"2 seldom_seen 71-90 track 4 count 4",
		"2 gap 73-88 track 4 count 0",
		"2 kept 92-99 track 5 count 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Where every second frame is looked at, one that lies between two of those is no gap, and a track is seen half as often.
	half := *worklistPlan(t)
	half.Analysis.Networks = []decide.Network{{Name: "a", Every: 10}, {Name: "b", Every: 2}}
	if w := NewWorklist(&half, digest); w.Counts[ItemSeldom] != 0 || w.Counts[ItemGap] != 2 || w.Counts[ItemShortGaps] != 1 || w.Items[2].Count != 1 {
		t.Errorf("every second frame: %+v", w.Items)
	}
	doubtful := *worklistPlan(t)
	doubtful.Findings = nil
	if w := NewWorklist(&doubtful, digest); w.Counts[ItemUnsure] != 1 || w.Open != 0 {
		t.Errorf("%d open, %v", w.Open, w.Counts)
	}
	if w.Open != 1 || w.Counts[ItemGap] != 2 {
		t.Errorf("%d open, %v", w.Open, w.Counts)
	}
	if page := html(t, w, German); !strings.Contains(page, "J. Groß: hat eingewilligt &lt;b&gt;") || strings.Contains(page, "eingewilligt <b>") {
		t.Error("the German page does not tell the decision, or as markup")
	}
}

// TestWorklistTellsWhyATrackStaysVisible, in the reader's language, unless it is covered after all.
func TestWorklistTellsWhyATrackStaysVisible(t *testing.T) {
	for reason, want := range map[string]map[string]string{
		decide.ReasonRefuted: {German: "kein Gesicht", English: "saw no face"},
		decide.ReasonIgnored: {German: "Richtlinie", English: "policy ignores"},
	} {
		p := *worklistPlan(t)
		p.Tracks = slices.Clone(p.Tracks)
		dropped := &p.Tracks[3]
		dropped.State, dropped.Reason, dropped.By = decide.StateDropped, reason, decide.ByPolicy
		p.Frames = slices.Clone(p.Frames)
		p.Frames[dropped.Best].Regions = nil
		w := NewWorklist(&p, digest)
		if w.Counts[ItemLeftVisible] != 1 {
			t.Fatalf("%s: %v", reason, w.Counts)
		}
		for lang, words := range want {
			if page := html(t, w, lang); !strings.Contains(page, words) {
				t.Errorf("%s in %s: the page does not say %q", reason, lang, words)
			}
		}
		if i := slices.IndexFunc(w.Items, func(it Item) bool { return it.Kind == ItemLeftVisible }); w.Items[i].Text != reason {
			t.Errorf("%+v", w.Items[i])
		}
		p.Frames[dropped.Best].Whole = true
		if w := NewWorklist(&p, digest); w.Counts[ItemLeftVisible] != 0 {
			t.Errorf("%s: what is covered is listed: %v", reason, w.Counts)
		}
	}
}

func TestPagesAreTheSameInBothLanguages(t *testing.T) {
	for key := range texts[German] {
		if texts[English][key] == "" {
			t.Errorf("English lacks %s", key)
		}
	}
	for key := range texts[English] {
		if texts[German][key] == "" {
			t.Errorf("German lacks %s", key)
		}
	}
	p := worklistPlan(t)
	for _, v := range []interface{ HTML(string) ([]byte, error) }{NewExemptions(p, digest, Facts{}), NewWorklist(p, digest)} {
		for _, lang := range []string{German, English} {
			page := html(t, v, lang)
			for _, bad := range []string{"no value", "%!", "ZgotmplZ", "<nil>"} {
				if strings.Contains(page, bad) {
					t.Errorf("%s page of %T holds %q", lang, v, bad)
				}
			}
			if again := html(t, v, lang); again != page {
				t.Errorf("%T gives another page each time", v)
			}
		}
		if _, err := v.HTML("fr"); err == nil {
			t.Errorf("%T speaks French", v)
		}
	}
}

func TestTables(t *testing.T) {
	in := input(t, following(1, 0, 9, 0))
	in.Policy.Grounds = grounds()
	p := decided(t, in)
	p.Tracks[0].Basis = "=HYPERLINK(\"x\")"
	b, err := NewExemptions(p, digest, Facts{Sound: SoundNone}).CSV()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte(ByteOrderMark)))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	want := strings.Split(`1|video|face|1|0|00:00:00.000|0|9|00:00:00.360|0.36|0|32|32|32|§ 22|'=HYPERLINK("x")|10|0.0064|0.4`, "|")
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Error(diff)
	}
	b, err = NewWorklist(worklistPlan(t), digest).CSV()
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll(); err != nil || len(rows) != 11 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestFactsBelongToThePlan(t *testing.T) {
	report := `{"schema":"veil.report/1","state":"released","derivative":{"sha256":"` + digest + `","bytes":7},"plan":"` + digest + `","audio":%q,"more":1}`
	for audio, want := range map[string]Sound{"none in the source": SoundNone, "dropped": SoundPresent, "kept: aac": SoundPresent} {
		f, err := ParseFacts(fmt.Appendf(nil, report, audio), digest)
		if err != nil || f.Sound != want || f.State != "released" || f.Derivative.Bytes != 7 {
			t.Errorf("%s: %+v, %v", audio, f, err)
		}
	}
	if _, err := ParseFacts(fmt.Appendf(nil, report, "dropped"), strings.Repeat("0", 64)); !errors.Is(err, ErrOtherPlan) {
		t.Errorf("another plan's report: %v", err)
	}
	for _, bad := range []string{`{}`, `[`, `{"schema":"veil.plan/1"}`} {
		if _, err := ParseFacts([]byte(bad), digest); err == nil {
			t.Errorf("took %s", bad)
		}
	}
}

func TestDossier(t *testing.T) {
	plan, err := worklistPlan(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	report := `{"schema":"veil.report/1","state":"held","derivative":{"sha256":"` + digest + `","bytes":7},"plan":%q,"audio":"dropped"}`
	docs, err := Dossier(plan, fmt.Appendf(nil, report, decide.Digest(plan)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range docs {
		names = append(names, d.Name)
		if len(d.Data) == 0 || d.ContentType == "" {
			t.Errorf("%s is empty", d.Name)
		}
	}
	if diff := cmp.Diff(DocumentNames(), names); diff != "" || len(names) != 8 {
		t.Error(diff)
	}
	if !bytes.Contains(docs[2].Data, []byte("Schwärzungsverzeichnis")) || !bytes.Contains(docs[7].Data, []byte("Worklist")) {
		t.Error("a page has another's name")
	}
	if _, err := Dossier(plan, fmt.Appendf(nil, report, digest)); !errors.Is(err, ErrOtherPlan) {
		t.Errorf("another plan's report: %v", err)
	}
	if _, err := Dossier([]byte("{}"), nil); !errors.Is(err, decide.ErrInvalid) {
		t.Errorf("no plan: %v", err)
	}
}
