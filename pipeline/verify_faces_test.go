package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
)

// A face at the picture's edge gives a finding that a plan may hold: it lies within the picture and is never empty.
func TestFindingsStayWithinThePicture(t *testing.T) {
	const width, height = 1920, 1080
	for _, b := range []track.Box{
		{X: 1659.3, Y: 371.2, W: 269.1, H: 381}, {X: -30, Y: -40, W: 60, H: 80}, {X: 1900, Y: 1070, W: 300, H: 300},
		{X: 1919.7, Y: 1079.7, W: 0.2, H: 0.2}, {X: 1925, Y: 1085, W: 10, H: 10}, {X: -50, Y: -50, W: 10, H: 10},
		{X: 100, Y: 100, W: 50, H: 50},
	} {
		r := rectOf(b, width, height)
		if r[0] < 0 || r[1] < 0 || r[2] < 1 || r[3] < 1 || r[0]+r[2] > width || r[1]+r[3] > height {
			t.Errorf("%+v gives %v", b, r)
		}
	}
	found := []sighting{{frame: 3, face: track.Detection{Box: track.Box{X: 1659, Y: 371, W: 270, H: 382}, Score: 0.9}},
		{frame: 4, face: track.Detection{Box: track.Box{X: 1655, Y: 373, W: 280, H: 382}, Score: 0.8}}}
	fs := findingsOf(found, width, height)
	if len(fs) != 1 || fs[0].Rect != [4]int{1655, 371, 265, 385} || fs[0].First != 3 || fs[0].Last != 4 {
		t.Errorf("findings are %+v", fs)
	}
}

// checked renders a made clip by a plan that covers nothing but a corner, and gives what the check says of it.
func checked(t *testing.T, m made, fill string, change func(*AnalyzeRequest)) (*verifier, VerifyResult) {
	t.Helper()
	policy := shipped(t, "court")
	policy.Fill, policy.Cover, policy.Audio = fill, "face", "drop"
	config, dir := testConfig(t), t.TempDir()
	a := AnalyzeRequest{Config: config, In: m.make(t), SHA256: fmt.Sprintf("%064x", 1), Policy: policy, PlanOut: filepath.Join(dir, "plan.json")}
	if change != nil {
		change(&a)
	}
	if _, err := (Direct{}).Analyze(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	plan, err := readPlan(a.PlanOut)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Frames {
		plan.Frames[i].Regions = []decide.Region{{Rect: [4]int{0, 0, 32, 32}, Kind: decide.KindAdded}}
	}
	plan.Tracks = nil
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.PlanOut, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.mp4")
	r := RenderRequest{Config: config, In: a.In, Plan: a.PlanOut, Out: out, Audio: filepath.Join(dir, "sound.m4a")}
	if _, err := (Direct{}).Render(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	request := VerifyRequest{Config: config, In: a.In, Out: out, Plan: a.PlanOut}
	res, err := Direct{}.Verify(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	source, err := media.Inspect(t.Context(), config.Tools, a.In, config.Limits)
	if err != nil {
		t.Fatal(err)
	}
	derivative, err := media.Inspect(t.Context(), config.Tools, out, media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return &verifier{request: request, plan: plan, source: source, derivative: derivative}, res
}

// TestOpenFacesAreConfirmedByTheSource: a face that no mask covers is found (A31), as the source shows it too; what is sighted where
// the source shows none is dropped.
func TestOpenFacesAreConfirmedByTheSource(t *testing.T) {
	for _, c := range []struct {
		clip   string
		turn   int
		change func(*AnalyzeRequest)
	}{
		{clip: "plain with B-frames"},
		{clip: "plain with B-frames", change: func(a *AnalyzeRequest) { a.From = new(0.2) }},
		{clip: "rotated 90"},
		{clip: "filmed upside down", turn: 2},
		{clip: "dark"},
	} {
		clips := append(slices.Clone(madeClips), made{name: "dark", width: 320, height: 240, filter: "lutyuv=y=16+(val-16)/4"})
		m := clips[slices.IndexFunc(clips, func(m made) bool { return m.name == c.clip })]
		v, res := checked(t, m, "solid", c.change)
		if len(res.Findings) == 0 || res.Findings[0].Kind != decide.FindingFaceOutside {
			t.Errorf("%s: nothing was found: %+v", c.clip, res.Checks)
		}
		i := len(v.plan.Frames) - 4
		_, _, face, _ := m.shown(madeFrames - 4)
		empty := track.Box{X: face.X - 120, Y: face.Y, W: face.W, H: face.H}
		if face.X < 120 {
			empty.X = face.X + 120
		}
		sightings := []sighting{
			{frame: i, face: track.Detection{Box: empty, Score: 0.99, Turn: c.turn}},
			{frame: i, face: track.Detection{Box: face, Score: 0.6, Turn: c.turn}},
			{frame: i + 1, face: track.Detection{Box: empty, Score: 0.99, Turn: c.turn}},
		}
		before := int64(v.passes() * len(v.plan.Frames))
		var told []Event
		v.events = func(e Event) { told = append(told, e) }
		got, err := v.confirm(t.Context(), sightings)
		if err != nil || !slices.Equal(got, sightings[1:2]) {
			t.Errorf("%s: confirmed %+v, %v, want %+v", c.clip, got, err, sightings[1:2])
		}
		if n := len(told); n < 2 || told[0].Done <= before || told[0].Done >= told[0].Total || told[n-1].Done != told[n-1].Total {
			t.Errorf("%s: progress after %d: %+v", c.clip, before, told)
		}
	}
}

// TestConfirmingFailsClosed: a source that is another one by then is an error, and so is a network that can not be had.
func TestConfirmingFailsClosed(t *testing.T) {
	v, _ := checked(t, madeClips[0], "solid", nil)
	open := []sighting{{frame: 3, face: track.Detection{Box: track.Box{X: 50, Y: 50, W: 72, H: 80}, Score: 0.9}}}
	other := *v
	other.request.In = madeClips[1].make(t)
	if _, err := other.confirm(t.Context(), open); err == nil {
		t.Error("confirmed by another source")
	}
	late := slices.Clone(open)
	late[0].frame = len(v.plan.Frames)
	if got, err := v.confirm(t.Context(), late); err != nil || !slices.Equal(got, late) {
		t.Errorf("of a frame that the plan does not have: confirmed %+v, %v", got, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := v.confirm(ended, open); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
	v.request.Config.Models = t.TempDir()
	if _, err := v.confirm(t.Context(), open); err == nil {
		t.Error("confirmed without a network")
	}
}

// TestCancelledCheckPassesNothing: a check that is stopped when all frames are decoded, and not all of them looked at, is no check.
func TestCancelledCheckPassesNothing(t *testing.T) {
	v, _ := checked(t, madeClips[0], "solid", nil)
	v.request.Config.Threads = 1
	for left := range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		v.events = func(e Event) {
			if e.Done >= e.Total-int64(left) {
				cancel()
			}
		}
		if _, _, err := v.search(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped %d frames before the end: %v", left, err)
		}
		if _, err := (Direct{}).Verify(ctx, v.request, v.events); !errors.Is(err, context.Canceled) {
			t.Errorf("verify: %v", err)
		}
		cancel()
	}
}

// TestWhatTheSourceShows: a face in the source speaks for a sighting on it or in it, one that is covered only where it can hide it.
func TestWhatTheSourceShows(t *testing.T) {
	v := &verifier{plan: decide.Plan{Frames: []decide.Frame{{Regions: []decide.Region{{Rect: [4]int{100, 100, 100, 100}}}}}}}
	sighted := sighting{face: track.Detection{Box: track.Box{X: 90, Y: 20, W: 120, H: 140}}}
	for _, c := range []struct {
		source track.Box
		want   bool
	}{
		{track.Box{X: 90, Y: 20, W: 120, H: 140}, true},
		{track.Box{X: 110, Y: 10, W: 60, H: 70}, true},     // smaller, in the open
		{track.Box{X: 0, Y: 0, W: 400, H: 300}, true},      // larger
		{track.Box{X: 110, Y: 110, W: 60, H: 70}, false},   // covered
		{track.Box{X: 100, Y: 100, W: 100, H: 100}, false}, // covered
		{track.Box{X: 100, Y: 85, W: 100, H: 115}, false},  // covered by more than four fifths
		{track.Box{X: 100, Y: 70, W: 100, H: 130}, true},
		{track.Box{X: 205, Y: 20, W: 120, H: 140}, false}, // beside it
	} {
		if got := v.shows([]track.Detection{{Box: c.source}}, sighted); got != c.want {
			t.Errorf("%+v: %v", c.source, got)
		}
	}
}

// TestDismissedFindings: a face that somebody dismissed stays open; who dismissed a dark stretch dismissed no face that is seen in it.
func TestDismissedFindings(t *testing.T) {
	box := track.Box{X: 100, Y: 100, W: 40, H: 50}
	for kind, want := range map[string]int{decide.FindingFaceOutside: placeKept, decide.FindingUnsure: placeKept, decide.FindingQuality: placeOpen} {
		v := &verifier{plan: decide.Plan{Frames: make([]decide.Frame, 10),
			Findings: []decide.Finding{{ID: "F1", Kind: kind, Last: 9, Rect: [4]int{0, 0, 640, 480}, Dismissed: true, Reason: "nobody", By: "A. Officer"}}}}
		if got := v.place(sighting{frame: 5, face: track.Detection{Box: box, Score: 0.9}}); got != want {
			t.Errorf("%s: place %v, want %v", kind, got, want)
		}
	}
}
