package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/track"
)

// still is a camera that does not move.
var still = track.Motion{Known: true, A: [6]float64{0: 1, 4: 1}}

// TestExplain holds each cause against a clip of four frames with one face.
func TestExplain(t *testing.T) {
	face := box{100, 100, 40, 40}
	onFace := decide.Region{Track: 1, Rect: [4]int{96, 96, 48, 48}, Box: [4]int{100, 100, 40, 40}}
	beside := decide.Region{Track: 1, Rect: [4]int{128, 128, 48, 48}, Box: [4]int{132, 132, 40, 40}}
	away := decide.Region{Track: 2, Rect: [4]int{300, 300, 48, 48}, Box: [4]int{310, 310, 40, 40}}
	chance := decide.Region{Track: 2, Rect: [4]int{96, 96, 96, 48}, Box: [4]int{150, 100, 40, 40}}
	kept := onFace
	kept.Kept, kept.Track = true, 0
	for name, c := range map[string]struct {
		seen    [4]bool
		regions [4][]decide.Region
		want    [4]string
	}{
		"covered":   {[4]bool{true, true, true, true}, [4][]decide.Region{{onFace}, {onFace}, {onFace}, {onFace}}, [4]string{}},
		"never":     {[4]bool{}, [4][]decide.Region{{away}, {away}, {away}, {}}, [4]string{causeNever, causeNever, causeNever, causeNever}},
		"dropped":   {[4]bool{true, false, true}, [4][]decide.Region{}, [4]string{causeDropped, causeDropped, causeDropped, causeDropped}},
		"gap":       {[4]bool{true, false, false, true}, [4][]decide.Region{{onFace}, {}, {away}, {onFace}}, [4]string{1: causeGap, 2: causeGap}},
		"end":       {[4]bool{true}, [4][]decide.Region{{onFace}, {onFace}}, [4]string{2: causeGap, 3: causeGap}},
		"misplaced": {[4]bool{true}, [4][]decide.Region{{onFace}, {beside}, {onFace}, {onFace}}, [4]string{1: causeMisplaced}},
		"neighbour": {[4]bool{true, true}, [4][]decide.Region{{chance}, {}, {}, {}}, [4]string{1: causeDropped, 2: causeDropped, 3: causeDropped}},
		"seen here": {[4]bool{true, true}, [4][]decide.Region{{onFace}, {}, {onFace}, {onFace}}, [4]string{1: causeDropped}},
		"kept":      {[4]bool{}, [4][]decide.Region{{kept}, {onFace}, {onFace}, {onFace}}, [4]string{0: causeNever}},
	} {
		t.Run(name, func(t *testing.T) {
			tr, plan := truth{Width: 640, Height: 480}, decide.Plan{Frames: make([]decide.Frame, 4)}
			raw := rawAnalysis{}
			raw.Frames = append(raw.Frames, make([]struct {
				Detections []track.Detection `json:"detections"`
				Motion     track.Motion      `json:"motion"`
			}, 4)...)
			for i := range 4 {
				tr.Frames = append(tr.Frames, truthFrame{Index: i, Boxes: []box{face}})
				plan.Frames[i].Regions = c.regions[i]
				raw.Frames[i].Motion = still
				if c.seen[i] {
					raw.Frames[i].Detections = []track.Detection{{Box: track.Box{X: 102, Y: 98, W: 38, H: 44}, Score: 0.5, Detector: "yunet"}}
				}
			}
			var got [4]string
			for _, m := range explain(tr, plan, raw) {
				got[m.Frame] = m.Cause
				if m.Of != 4 {
					t.Errorf("the face is there in %d frames of 4", m.Of)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestFollowTruth holds that a face stays one through the camera's motion and a frame that ignores it, and not across a cut, and
// that two faces side by side stay two.
func TestFollowTruth(t *testing.T) {
	pan := track.Motion{Known: true, A: [6]float64{0: 1, 2: 60, 4: 1}}
	cut := track.Motion{Cut: true}
	a, b := box{100, 100, 40, 40}, box{145, 100, 40, 40}
	move := func(f box) box { return box{f[0] + 60, f[1], f[2], f[3]} }
	tr := truth{Frames: []truthFrame{
		{Index: 0, Boxes: []box{a, b}},
		{Index: 1, Boxes: []box{move(b)}, Ignore: []box{move(a)}},
		{Index: 2, Boxes: []box{move(move(a)), move(move(b))}},
		{Index: 3, Boxes: []box{move(move(a))}},
		{Index: 5, Boxes: []box{move(move(a))}},
	}}
	raw := rawAnalysis{}
	for _, m := range []track.Motion{still, pan, pan, cut, still, still} {
		raw.Frames = append(raw.Frames, struct {
			Detections []track.Detection `json:"detections"`
			Motion     track.Motion      `json:"motion"`
		}{nil, m})
	}
	l := followTruth(tr, raw)
	if l[0][0] != l[1][1] || l[0][0] != l[2][0] || l[0][1] != l[1][0] || l[0][1] != l[2][1] {
		t.Error("a face was lost in the pan")
	}
	if l[0][0] == l[0][1] || l[2][0] == l[3][0] || l[3][0] == l[4][0] {
		t.Error("two faces became one")
	}
}

func TestCoveredShare(t *testing.T) {
	area := [4]int{10, 10, 10, 10}
	for _, c := range []struct {
		rects [][4]int
		want  float64
	}{
		{nil, 0},
		{[][4]int{{0, 0, 100, 100}}, 1},
		{[][4]int{{0, 0, 15, 100}}, 0.5},
		{[][4]int{{0, 0, 15, 100}, {0, 0, 15, 100}}, 0.5}, // what lies under two counts once
		{[][4]int{{0, 0, 15, 100}, {15, 15, 5, 5}}, 0.75},
		{[][4]int{{20, 10, 5, 5}, {0, 0, 10, 10}}, 0},
	} {
		if got := coveredShare(area, c.rects); got != c.want {
			t.Errorf("%v: %v, want %v", c.rects, got, c.want)
		}
	}
	if core, ok := coreOf(box{-5, 10, 20, 20}, 640, 480); !ok || core != [4]int{0, 12, 13, 16} {
		t.Errorf("core %v %v", core, ok)
	}
	if _, ok := coreOf(box{638.9, 10, 20, 20}, 640, 480); ok {
		t.Error("a face outside the picture has a core")
	}
}

// TestTurnTruth holds a face's corners against the pixels' own way.
func TestTurnTruth(t *testing.T) {
	in := truth{Width: 640, Height: 360, Frames: []truthFrame{{Index: 3, Boxes: []box{{10, 20, 30, 40}}, Ignore: []box{{0, 0, 640, 360}}}}}
	quarter, half := turnTruth(in, 90), turnTruth(in, 180)
	if quarter.Width != 360 || quarter.Height != 640 || quarter.Frames[0].Boxes[0] != (box{300, 10, 40, 30}) || quarter.Frames[0].Ignore[0] != (box{0, 0, 360, 640}) {
		t.Errorf("quarter: %+v", quarter)
	}
	if half.Width != 640 || half.Frames[0].Index != 3 || half.Frames[0].Boxes[0] != (box{600, 300, 30, 40}) {
		t.Errorf("half: %+v", half)
	}
	again := turnTruth(turnTruth(turnTruth(quarter, 90), 90), 90)
	if again.Frames[0].Boxes[0] != in.Frames[0].Boxes[0] || in.Frames[0].Boxes[0] != (box{10, 20, 30, 40}) {
		t.Errorf("four quarters: %+v", again)
	}
}

func TestScorePictures(t *testing.T) {
	no := false
	faces := []truth{
		{Frames: []truthFrame{{Boxes: []box{{10, 10, 30, 30}, {100, 10, 12, 15}}, Ignore: []box{{200, 200, 20, 20}}}}},
		{Frames: []truthFrame{{Ignore: []box{{0, 0, 5, 5}}}}, Complete: &no},
	}
	seen := []found{
		{Boxes: []box{{12, 12, 20, 20}, {104, 15, 6, 6}, {205, 205, 50, 50}, {400, 400, 9, 9}},
			Masks: []box{{0, 0, 48, 48}, {96, 0, 32, 32}, {192, 192, 80, 80}, {390, 390, 32, 32}}},
		{Boxes: []box{{400, 400, 9, 9}}},
	}
	got := scorePictures("fast", faces, seen)
	if got.FalseAlarms != 1 || got.Judged != 1 || got.Pictures != 2 {
		t.Errorf("false alarms: %+v", got)
	}
	if got.BySide["20-40"] != (Found{1, 1, 1}) || got.BySide["10-20"] != (Found{1, 1, 0}) || got.from("20-40") != (Found{1, 1, 1}) {
		t.Errorf("recall: %+v", got)
	}
}

func TestCarry(t *testing.T) {
	if got := carry(box{10, 10, 20, 20}, track.Motion{A: [6]float64{0: 5}}); got != (box{10, 10, 20, 20}) {
		t.Errorf("unknown motion moved it to %v", got)
	}
	got := carry(box{10, 10, 20, 20}, track.Motion{Known: true, A: [6]float64{2, 0, 1, 0, 2, 3}})
	if want := (box{21, 23, 40, 40}); math.Abs(got[0]-want[0])+math.Abs(got[1]-want[1])+math.Abs(got[2]-want[2])+math.Abs(got[3]-want[3]) > 1e-9 {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTurn makes a turned copy and holds that its check sees another turn and a missing frame.
func TestTurn(t *testing.T) {
	dir := t.TempDir()
	c := subject{"a", filepath.Join(dir, "a.mp4"), filepath.Join(dir, "a.gt.json")}
	if err := ffmpeg(t.Context(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=5", "-t", "1", "-pix_fmt", "yuv420p", c.clip); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.truth, []byte(`{"width": 64, "height": 48, "frames": [{"index": 0, "boxes": [[1, 2, 3, 4]]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bench{out: dir}
	for degrees, want := range map[int]box{90: {42, 1, 4, 3}, 180: {60, 42, 3, 4}} {
		got, err := b.turn(t.Context(), c, degrees)
		if err != nil {
			t.Fatal(err)
		}
		faces, err := readTruth(got.truth)
		if err != nil || faces.Frames[0].Boxes[0] != want {
			t.Errorf("turned by %d: %v, %v", degrees, faces.Frames, err)
		}
		if err := samePictures(t.Context(), c.clip, "null", got.clip); err == nil {
			t.Errorf("turned by %d: passes for what was not turned", degrees)
		}
		if err := samePictures(t.Context(), c.clip, turnFilters[degrees]+",trim=end_frame=4", got.clip); err == nil {
			t.Errorf("turned by %d: one frame more was not seen", degrees)
		}
	}
}
