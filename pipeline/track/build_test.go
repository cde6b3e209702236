package track

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testWidth, testHeight = 1280, 720

// clip makes n frames of 25 a second without detections; pan is the camera's motion in pixels a frame.
func clip(n int, pan float64) []Frame {
	frames := make([]Frame, n)
	for i := range frames {
		frames[i] = Frame{
			Time: float64(i) / 25, Searched: []string{"yunet"},
			Motion: Motion{A: [6]float64{1, 0, pan, 0, 1, 0}, Known: i > 0},
		}
	}
	return frames
}

// seen is a face as the fast network reports it at both scales.
func seen(b Box, score float64) []Detection {
	return []Detection{
		{Box: b, Score: score, Detector: "yunet", Long: 1536},
		{Box: grow(b, 0.03), Score: score, Detector: "yunet", Long: 640},
	}
}

func build(t testing.TB, frames []Frame) []Track {
	t.Helper()
	tracks, err := Build(testWidth, testHeight, frames)
	if err != nil {
		t.Fatal(err)
	}
	checkShape(t, tracks, frames)
	return tracks
}

// checkShape holds what every answer of Build promises.
func checkShape(t testing.TB, tracks []Track, frames []Frame) {
	t.Helper()
	for i, tr := range tracks {
		if tr.ID != i+1 || len(tr.Samples) == 0 || tr.Seen == 0 {
			t.Fatalf("track %d of %d: id %d, %d samples, seen %d", i, len(tracks), tr.ID, len(tr.Samples), tr.Seen)
		}
		if i > 0 && tr.Samples[0].Frame < tracks[i-1].Samples[0].Frame {
			t.Fatalf("track %d begins before the one before it", tr.ID)
		}
		detected := 0
		for j, s := range tr.Samples {
			if s.Frame != tr.Samples[0].Frame+j || s.Frame >= len(frames) {
				t.Fatalf("track %d: sample %d is of frame %d", tr.ID, j, s.Frame)
			}
			if !(s.Box.W > 0) || !(s.Box.H > 0) || math.IsNaN(s.Box.X+s.Box.Y) || math.IsInf(s.Box.W+s.Box.H, 0) {
				t.Fatalf("track %d: frame %d: box %v", tr.ID, s.Frame, s.Box)
			}
			if j > 0 && frames[s.Frame].Motion.Cut {
				t.Fatalf("track %d runs over the cut at frame %d", tr.ID, s.Frame)
			}
			if s.Source == Detected {
				detected++
			}
		}
		if detected != tr.Seen {
			t.Fatalf("track %d: seen %d, %d samples are detected", tr.ID, tr.Seen, detected)
		}
	}
}

// held is by how much a sample is grown to hold its detection, as a share of its sides; every policy grows it by more.
const held = steadySpare / (1 - 2*steadySpare)

// covered tells whether a box lies in one track's sample of the frame, grown by what it lacks at most.
func covered(tracks []Track, frame int, b Box) bool {
	for _, tr := range tracks {
		k := frame - tr.Samples[0].Frame
		if !tr.Refuted && k >= 0 && k < len(tr.Samples) && contains(grow(tr.Samples[k].Box, held), b) {
			return true
		}
	}
	return false
}

func contains(outer, inner Box) bool {
	const eps = 1e-6
	return outer.X <= inner.X+eps && outer.Y <= inner.Y+eps &&
		outer.X+outer.W >= inner.X+inner.W-eps && outer.Y+outer.H >= inner.Y+inner.H-eps
}

func TestGapIsFilledWithTheHullOfBothEnds(t *testing.T) {
	frames := clip(60, 0)
	for i := range frames {
		if i < 20 || i >= 40 {
			frames[i].Detections = seen(Box{X: 300 + 6*float64(i), Y: 200, W: 60, H: 70}, 0.9)
		}
	}
	tracks := build(t, frames)
	if len(tracks) != 1 || !tracks[0].Sure {
		t.Fatalf("tracks %+v", tracks)
	}
	for i := 20; i < 40; i++ {
		s := tracks[0].Samples[i]
		if s.Source != Filled || !contains(s.Box, Box{X: 300 + 6*float64(i), Y: 200, W: 60, H: 70}) {
			t.Errorf("frame %d: %+v", i, s)
		}
	}
}

func TestGapFollowsTheCamera(t *testing.T) {
	const pan = 14.0
	frames := clip(50, pan)
	at := func(i int) Box { return Box{X: 100 + pan*float64(i), Y: 200, W: 40, H: 50} }
	for i := range frames {
		if i < 15 || i >= 35 {
			frames[i].Detections = seen(at(i), 0.9)
		}
	}
	tracks := build(t, frames)
	if len(tracks) != 1 {
		t.Fatalf("%d tracks", len(tracks))
	}
	for i := 15; i < 35; i++ {
		b := tracks[0].Samples[i].Box
		if !contains(b, at(i)) || b.W > 70 {
			t.Errorf("frame %d: %v does not follow %v", i, b, at(i))
		}
	}
}

func TestReachBeyondBirthAndDeath(t *testing.T) {
	const pan = -5.0
	at := func(i int) Box { return Box{X: 900 + pan*float64(i), Y: 200, W: 40, H: 50} }
	frames := clip(100, pan)
	for i := 40; i < 60; i++ {
		frames[i].Detections = seen(at(i), 0.9)
	}
	tracks := build(t, frames)
	if len(tracks) != 1 {
		t.Fatalf("%d tracks", len(tracks))
	}
	tr := tracks[0]
	first, last := tr.Samples[0].Frame, tr.Samples[len(tr.Samples)-1].Frame
	if frames[40].Time-frames[first].Time < 0.5 || frames[last].Time-frames[59].Time < 0.5 {
		t.Errorf("reaches from frame %d to %d", first, last)
	}
	for _, s := range tr.Samples {
		if !contains(s.Box, at(s.Frame)) {
			t.Errorf("frame %d: %v leaves %v", s.Frame, s.Box, at(s.Frame))
		}
	}
	if !tr.BornInside || !tr.DiedInside {
		t.Errorf("born inside %v, died inside %v", tr.BornInside, tr.DiedInside)
	}
	frames[35].Motion.Cut, frames[65].Motion.Cut = true, true
	tr = build(t, frames)[0]
	if tr.Samples[0].Frame != 35 || tr.Samples[len(tr.Samples)-1].Frame != 64 || tr.BornInside || tr.DiedInside {
		t.Errorf("between cuts: frames %d to %d", tr.Samples[0].Frame, tr.Samples[len(tr.Samples)-1].Frame)
	}
}

func TestNoiseIsLeftOut(t *testing.T) {
	for name, d := range map[string]struct {
		each   []Detection
		tracks int
	}{
		"weak":               {[]Detection{{Box: Box{X: 300, Y: 300, W: 40, H: 50}, Score: 0.35, Detector: "yunet", Long: 1536}}, 0},
		"large at one scale": {[]Detection{{Box: Box{X: 300, Y: 300, W: 200, H: 250}, Score: 0.8, Detector: "yunet", Long: 640}}, 0},
		"large at both":      {seen(Box{X: 300, Y: 300, W: 100, H: 120}, 0.95), 2}, // with the strong one below
		"second opinion":     {[]Detection{{Box: Box{X: 300, Y: 300, W: 40, H: 50}, Score: 0.4, Detector: "centerface", Long: 1536}}, 2},
		"told by a person":   {[]Detection{{Box: Box{X: 300, Y: 300, W: 40, H: 50}, Score: 0, Detector: "person"}}, 2},
	} {
		frames := clip(40, 0)
		for i := range frames {
			frames[i].Detections = append(seen(Box{X: 800, Y: 100, W: 50, H: 60}, 0.95), d.each...)
		}
		if got, want := len(build(t, frames)), max(d.tracks, 1); got != want {
			t.Errorf("%s: %d tracks, want %d", name, got, want)
		}
	}
}

// TestCloserLooksSpeakAgainst: what never looks like a face by itself is none, unless it was looked at too seldom, showed a face once, or
// is seen for certain.
func TestCloserLooksSpeakAgainst(t *testing.T) {
	box := Box{X: 300, Y: 300, W: 60, H: 70}
	weak := []Detection{{Box: box, Score: 0.4, Detector: "centerface", Long: 1536}}
	for name, c := range map[string]struct {
		each   []Detection
		looks  []float64 // scores, one in each fifth frame
		beside float64   // how far beside the face they were
		tracks int       // that are not refuted
	}{
		"no looks":            {each: weak, tracks: 1},
		"none shows a face":   {each: weak, looks: []float64{0, 0.1, 0, 0, 0.05, 0}, tracks: 0},
		"too few":             {each: weak, looks: []float64{0, 0, 0, 0, 0}, tracks: 1},
		"one shows a face":    {each: weak, looks: []float64{0, 0, EnoughLook, 0, 0, 0, 0}, tracks: 1},
		"at something else":   {each: weak, looks: []float64{0, 0, 0, 0, 0, 0}, beside: 40, tracks: 1},
		"certain":             {each: []Detection{{Box: box, Score: 0.95, Detector: "yunet", Long: 640}}, looks: []float64{0, 0, 0, 0, 0, 0}, tracks: 1},
		"told by a person":    {each: []Detection{{Box: box, Detector: "person"}}, looks: []float64{0, 0, 0, 0, 0, 0}, tracks: 1},
		"second sees it well": {each: []Detection{{Box: box, Score: 0.7, Detector: "centerface", Long: 1536}}, looks: []float64{0, 0, 0, 0, 0, 0}, tracks: 1},
	} {
		frames := clip(40, 0)
		for i := range frames {
			frames[i].Detections = c.each
			if i%5 == 0 && i/5 < len(c.looks) {
				frames[i].Looks = []Look{{Box: shift(box, c.beside, 0), Score: c.looks[i/5]}}
			}
		}
		got := build(t, frames)
		if len(got) != 1 || got[0].Refuted == (c.tracks == 1) || got[0].Refuted && got[0].Sure {
			t.Errorf("%s: %d tracks, want one, refuted: %t", name, len(got), c.tracks == 0)
		}
	}
}

// TestRefutedTracksStayApart: what is refuted neither joins the face that it lies in nor is anything of it covered.
func TestRefutedTracksStayApart(t *testing.T) {
	face := Box{X: 300, Y: 300, W: 60, H: 70}
	cloth := shift(face, 400, 0)
	frames := clip(40, 0)
	for i := range frames {
		frames[i].Detections = append(seen(face, 0.95), Detection{Box: cloth, Score: 0.4, Detector: "centerface", Long: 1536})
		frames[i].Looks = []Look{{Box: cloth}}
	}
	alone := clip(40, 0)
	for i := range alone {
		alone[i].Detections = seen(face, 0.95)
	}
	got, want := build(t, frames), build(t, alone)
	if len(got) != 2 || len(want) != 1 || got[0].Refuted || !got[1].Refuted {
		t.Fatalf("%d tracks, %d without what is refuted", len(got), len(want))
	}
	if diff := cmp.Diff(want[0], got[0]); diff != "" {
		t.Errorf("the face beside it (-alone +got):\n%s", diff)
	}
	if covered(got, 20, cloth) {
		t.Error("what is refuted is covered")
	}
}

// TestRefutedTracksOfOneFace: two trails of one face, large and small, each seen well too seldom to stand against closer looks, are a
// face together.
func TestRefutedTracksOfOneFace(t *testing.T) {
	large := Box{X: 500, Y: 200, W: 44, H: 50}
	small := Box{X: 507, Y: 208, W: 29, H: 33}
	shown := func(boxes ...Box) []Frame {
		frames := clip(40, 0)
		for i := range frames {
			for k, b := range boxes {
				score := 0.35
				if i == 10*k+3 || i == 10*k+7 { // each is seen well in two frames of its own
					score = 0.92
				}
				frames[i].Detections = append(frames[i].Detections, Detection{Box: b, Score: score, Detector: "yunet", Long: 1536},
					Detection{Box: b, Score: 0.28, Detector: "centerface", Long: 1536})
				frames[i].Looks = append(frames[i].Looks, Look{Box: b})
			}
			// The smaller scale has looked as well, and agrees to none of this.
			frames[i].Detections = append(frames[i].Detections, Detection{Box: Box{X: 60, Y: 60, W: 20, H: 24}, Score: 0.3, Detector: "yunet", Long: 640})
		}
		return frames
	}
	for name, c := range map[string]struct {
		boxes   []Box
		refuted bool
	}{"the large one": {[]Box{large}, true}, "the small one": {[]Box{small}, true}, "both": {[]Box{large, small}, false}} {
		got := build(t, shown(c.boxes...))
		if len(got) != 1 || got[0].Refuted != c.refuted || got[0].Sure == c.refuted {
			t.Errorf("%s: %d tracks, refuted, sure %v", name, len(got), func() (out [][2]bool) {
				for _, tr := range got {
					out = append(out, [2]bool{tr.Refuted, tr.Sure})
				}
				return out
			}())
		}
	}
}

// TestTurnedScalesAreWeighedApart: a face that lies is seen when the picture is turned, and no scale that looks upright speaks
// against it; nor does a turned scale speak against a face that stands.
func TestTurnedScalesAreWeighedApart(t *testing.T) {
	turned := func(d []Detection, turn int) []Detection {
		for i := range d {
			d[i].Turn = turn
		}
		return d
	}
	upright, lying, small := Box{X: 800, Y: 100, W: 100, H: 120}, Box{X: 300, Y: 300, W: 100, H: 120}, Box{X: 900, Y: 600, W: 30, H: 30}
	for name, c := range map[string]struct {
		each   []Detection
		tracks int
	}{
		"seen at both scales": {turned(seen(lying, 0.95), 2), 3},
		"seen at one scale":   {turned(seen(lying, 0.8), 2)[:1], 2},
		"one scale each":      {append(seen(lying, 0.8)[:1], turned(seen(lying, 0.8), 2)[1:]...), 2},
	} {
		frames := clip(40, 0)
		for i := range frames {
			frames[i].Detections = slices.Concat(seen(upright, 0.95), turned(seen(small, 0.95), 2), c.each)
		}
		if got := len(build(t, frames)); got != c.tracks {
			t.Errorf("%s: %d tracks, want %d", name, got, c.tracks)
		}
	}
}

func TestDoublesAreOneTrack(t *testing.T) {
	frames := clip(40, 0)
	for i := range frames {
		frames[i].Detections = append(seen(Box{X: 300, Y: 300, W: 40, H: 50}, 0.95),
			Detection{Box: Box{X: 285, Y: 280, W: 68, H: 82}, Score: 0.5, Detector: "centerface", Long: 1536})
	}
	tracks := build(t, frames)
	if len(tracks) != 1 {
		t.Fatalf("%d tracks", len(tracks))
	}
	if !contains(tracks[0].Samples[5].Box, Box{X: 285, Y: 280, W: 68, H: 82}) {
		t.Errorf("the double is not covered: %v", tracks[0].Samples[5].Box)
	}
}

func TestBuildRefusesNonsense(t *testing.T) {
	for name, change := range map[string]func([]Frame){
		"time backwards": func(f []Frame) { f[3].Time = 0 },
		"time NaN":       func(f []Frame) { f[3].Time = math.NaN() },
		"box NaN":        func(f []Frame) { f[3].Detections = seen(Box{X: math.NaN(), W: 1, H: 1}, 1) },
		"box empty":      func(f []Frame) { f[3].Detections = seen(Box{X: 1, W: 0, H: 1}, 1) },
		"score":          func(f []Frame) { f[3].Detections = seen(Box{W: 10, H: 10}, 2) },
		"motion":         func(f []Frame) { f[3].Motion.A[2] = math.Inf(1) },
		"look NaN":       func(f []Frame) { f[3].Looks = []Look{{Box: Box{W: 10, H: 10}, Score: math.NaN()}} },
		"look empty":     func(f []Frame) { f[3].Looks = []Look{{Box: Box{W: 10}, Score: 0.5}} },
	} {
		frames := clip(10, 0)
		change(frames)
		if _, err := Build(testWidth, testHeight, frames); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Build(0, 10, nil); err == nil {
		t.Error("no picture: no error")
	}
}

// walk is a face that wanders over a panned picture.
type walk struct{ boxes []Box }

func newWalk(r *rand.Rand, n int, pan float64) walk {
	w := walk{}
	b := Box{X: 100 + 1000*r.Float64(), Y: 80 + 500*r.Float64(), W: 20 + 80*r.Float64()}
	b.H = 1.25 * b.W
	vx, vy := r.NormFloat64(), r.NormFloat64()
	for range n {
		w.boxes = append(w.boxes, b)
		vx, vy = 0.9*vx+0.5*r.NormFloat64(), 0.9*vy+0.5*r.NormFloat64()
		b = shift(b, pan+vx, vy)
	}
	return w
}

func (w walk) show(r *rand.Rand, frames []Frame, chance float64) {
	for i := range frames {
		if r.Float64() < chance {
			jitter := shift(w.boxes[i], r.NormFloat64(), r.NormFloat64())
			frames[i].Detections = append(frames[i].Detections, seen(jitter, 0.6+0.39*r.Float64())...)
		}
	}
}

// TestDroppedDetectionsStayCovered is A1: whichever tenth of the detections is missing, each face lies in its frame's
// samples, grown by the eight pixels that a mask grows at least.
func TestDroppedDetectionsStayCovered(t *testing.T) {
	for seed := range int64(40) {
		r := rand.New(rand.NewSource(seed))
		pan := 8 * r.NormFloat64()
		frames := clip(75, pan)
		var walks []walk
		for lane := range 1 + r.Intn(4) {
			w := newWalk(r, len(frames), pan)
			down := 170*float64(lane) - w.boxes[0].Y
			for i := range w.boxes { // one above the other: a face behind another is not seen by any network either
				w.boxes[i].Y += down
			}
			w.show(r, frames, 0.9)
			walks = append(walks, w)
		}
		tracks := build(t, frames)
		for k := range tracks {
			for j := range tracks[k].Samples {
				b := &tracks[k].Samples[j].Box
				*b = Box{X: b.X - 8, Y: b.Y - 8, W: b.W + 16, H: b.H + 16}
			}
		}
		for _, w := range walks {
			for i, b := range w.boxes {
				if !covered(tracks, i, b) {
					t.Fatalf("seed %d: frame %d: %v is not covered", seed, i, b)
				}
			}
		}
	}
}

// TestOneMoreDetectionUncoversNone adds a detection anywhere and finds every detection covered that was.
func TestOneMoreDetectionUncoversNone(t *testing.T) {
	for seed := range int64(150) {
		r := rand.New(rand.NewSource(seed))
		pan := 4 * r.NormFloat64()
		frames := clip(50, pan)
		for range 1 + r.Intn(4) {
			newWalk(r, len(frames), pan).show(r, frames, 0.6)
		}
		for i := range frames { // some of what is seen was seen turned
			for k := range frames[i].Detections {
				frames[i].Detections[k].Turn = max(0, r.Intn(5)-1) * (int(seed) % 2)
			}
		}
		for i := 0; i < len(frames); i += 5 { // and half of it was looked at closer
			for _, f := range Faces(frames[i].Detections) {
				if r.Intn(2) == 0 {
					frames[i].Looks = append(frames[i].Looks, Look{Box: f.Box, Score: max(0, 0.2*r.NormFloat64())})
				}
			}
		}
		before := build(t, frames)
		i := r.Intn(len(frames))
		old := frames[i].Detections
		d := seen(newWalk(r, 1, 0).boxes[0], 0.3+0.7*r.Float64())[0]
		d.Turn = max(0, r.Intn(5)-1) * (int(seed) % 2)
		if len(old) > 0 && r.Intn(2) == 0 {
			d.Box = shift(old[r.Intn(len(old))].Box, 20*r.NormFloat64(), 20*r.NormFloat64())
		}
		frames[i].Detections = append(append([]Detection{}, old...), d)
		after := build(t, frames)
		frames[i].Detections = old
		for j, f := range frames {
			for _, e := range f.Detections {
				if covered(before, j, e.Box) && !covered(after, j, e.Box) {
					t.Fatalf("seed %d: %+v in frame %d uncovers %v in frame %d", seed, d, i, e.Box, j)
				}
			}
		}
	}
}

func TestLongClipsAndCrowdsAreQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("needs seconds")
	}
	r := rand.New(rand.NewSource(1))
	frames := clip(20000, 0)
	for from := 0; from < len(frames); from += 500 {
		for range 6 {
			newWalk(r, 500, 0).show(r, frames[from:from+500], 0.8)
		}
	}
	crowd := clip(100, 0)
	for range 250 {
		newWalk(r, len(crowd), 0).show(r, crowd, 0.8)
	}
	for _, f := range [][]Frame{frames, crowd} {
		if n := len(build(t, f)); n < 100 {
			t.Errorf("%d tracks", n)
		}
	}
}

// TestWeakEndsAreTrimmed: what is seen weakly where a face was lost some time ago does not belong to it, unless it is seen well
// or the face comes back behind it.
func TestWeakEndsAreTrimmed(t *testing.T) {
	face := Box{X: 300, Y: 300, W: 60, H: 72}
	weak := []Detection{{Box: face, Score: 0.45, Detector: "yunet", Long: 1536}}
	for name, c := range map[string]struct {
		later []Detection // in frames 55 to 60
		back  bool        // the face is there again from frame 72
		last  int         // frame with the last sighting
	}{
		"nothing":         {nil, false, 39},
		"weak":            {weak, false, 39},
		"seen well":       {seen(face, 0.95), false, 60},
		"told":            {[]Detection{{Box: face, Detector: "person"}}, false, 60},
		"weak, then back": {weak, true, 99},
	} {
		for _, backwards := range []bool{false, true} {
			frames := clip(100, 0)
			for i := range frames {
				if i < 40 || c.back && i >= 72 {
					frames[i].Detections = seen(face, 0.95)
				}
				if i >= 55 && i <= 60 {
					frames[i].Detections = c.later
				}
			}
			if backwards {
				for i, j := 0, len(frames)-1; i < j; i, j = i+1, j-1 {
					frames[i].Detections, frames[j].Detections = frames[j].Detections, frames[i].Detections
				}
			}
			tracks := build(t, frames)
			if len(tracks) != 1 {
				t.Fatalf("%s: %d tracks", name, len(tracks))
			}
			last := -1
			for _, s := range tracks[0].Samples {
				if s.Source != Detected {
					continue
				}
				if !backwards {
					last = max(last, s.Frame)
				} else {
					last = max(last, len(frames)-1-s.Frame)
				}
			}
			if last != c.last {
				t.Errorf("%s, backwards %v: seen up to frame %d, want %d", name, backwards, last, c.last)
			}
		}
	}
}

// TestSmallFacesNeedLess: the same scores make a face of nine pixels and no face of forty.
func TestSmallFacesNeedLess(t *testing.T) {
	for w, want := range map[float64]int{9: 1, 40: 0} {
		frames := clip(40, 0)
		for i := range frames {
			frames[i].Detections = seen(Box{X: 300, Y: 300, W: w, H: 1.2 * w}, 0.59)
		}
		if got := len(build(t, frames)); got != want {
			t.Errorf("%g pixels: %d tracks, want %d", w, got, want)
		}
	}
}

// TestOneMoreSightingTrimsNone: of a face that one network sees now and then, at the pace at which the scales take turns, no sighting
// more makes a track shorter.
func TestOneMoreSightingTrimsNone(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		frames := clip(100, 0)
		box := Box{X: 400, Y: 300, W: 12 + 80*r.Float64()}
		box.H = 1.2 * box.W
		for i := range frames {
			if i%2 == 0 && r.Float64() < 0.8 {
				d := seen(box, math.Min(0.65+0.3*r.Float64(), 0.95))
				frames[i].Detections = d[i/2%2 : i/2%2+1]
			}
		}
		before := build(t, frames)
		i := r.Intn(len(frames))
		old := frames[i].Detections
		more := Detection{Box: box, Score: 0.12 + 0.5*r.Float64(), Detector: "centerface", Long: 1536}
		if r.Intn(2) == 0 {
			more = seen(box, 0.3+0.6*r.Float64())[0]
		}
		frames[i].Detections = append(slices.Clone(old), more)
		after := build(t, frames)
		for j := range frames {
			if covered(before, j, box) && !covered(after, j, box) {
				t.Fatalf("seed %d: %+v in frame %d uncovers frame %d", seed, more, i, j)
			}
		}
	}
}

// TestFacesOfOneNetworkAreKept: a large face that the second network never sees stays covered for as long as the first one does.
func TestFacesOfOneNetworkAreKept(t *testing.T) {
	frames := clip(150, 0)
	box := Box{X: 400, Y: 300, W: 90, H: 108}
	for i := range frames {
		score := 0.72
		if i%30 == 0 {
			score = 0.9
		}
		if i%2 == 0 {
			frames[i].Detections = seen(box, score)[i/2%2 : i/2%2+1]
		}
	}
	tracks := build(t, frames)
	for i := range frames {
		if !covered(tracks, i, box) {
			t.Fatalf("frame %d is bare: %d tracks", i, len(tracks))
		}
	}
}
