package vision

import (
	"slices"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// TestTurnedFaces: a face that lies, hangs upside down or fills most of the picture is found by the look at a first frame.
func TestTurnedFaces(t *testing.T) {
	f := open(t, Options{Threads: 1})
	const w, h = 640, 360
	for name, c := range map[string]struct {
		how  gocv.RotateFlag
		face track.Box // in the picture before it is turned
	}{
		"lying left":  {gocv.Rotate90CounterClockwise, track.Box{X: 120, Y: 200, W: 44, H: 58}},
		"lying right": {gocv.Rotate90Clockwise, track.Box{X: 90, Y: 420, W: 44, H: 58}},
		"upside down": {gocv.Rotate180Clockwise, track.Box{X: 420, Y: 120, W: 36, H: 46}},
		"small, down": {gocv.Rotate180Clockwise, track.Box{X: 100, Y: 60, W: 24, H: 30}},
		"huge":        {-1, track.Box{X: 180, Y: 40, W: 220, H: 280}},
		"ten pixels":  {-1, track.Box{X: 300, Y: 140, W: 10, H: 13}},
	} {
		t.Run(name, func(t *testing.T) {
			dw, dh := w, h
			if c.how == gocv.Rotate90Clockwise || c.how == gocv.Rotate90CounterClockwise {
				dw, dh = h, w
			}
			mat, pixels := blank(t, dw, dh, 110)
			DrawFace(pixels, dw, dh, c.face)
			want := c.face
			picture := gocv.NewMat()
			defer picture.Close()
			mat.CopyTo(&picture)
			if c.how >= 0 {
				gocv.Rotate(mat, &picture, c.how)
			}
			switch c.how {
			case gocv.Rotate90Clockwise:
				want = track.Box{X: float64(dh) - c.face.Y - c.face.H, Y: c.face.X, W: c.face.H, H: c.face.W}
			case gocv.Rotate90CounterClockwise:
				want = track.Box{X: c.face.Y, Y: float64(dw) - c.face.X - c.face.W, W: c.face.H, H: c.face.W}
			case gocv.Rotate180Clockwise:
				want = track.Box{X: w - c.face.X - c.face.W, Y: h - c.face.Y - c.face.H, W: c.face.W, H: c.face.H}
			}
			r := lookOnce(t, f, SweepOptions{Width: w, Height: h, SourceWidth: w, SourceHeight: h}, picture)
			best := 0.0
			for _, d := range r.Detections {
				best = max(best, iou(d.Box, want))
			}
			if r.Err != nil || best < 0.4 {
				t.Errorf("best overlap %.2f with %+v: %+v, %v", best, want, r.Detections, r.Err)
			}
		})
	}
}

// TestTurnedSweep: a sweep that turns its pictures finds a face that lies, with both networks, and says where it is upright.
func TestTurnedSweep(t *testing.T) {
	f := open(t, Options{Threads: 2})
	face := track.Box{X: 90, Y: 60, W: 60, H: 78}
	for turn := range 4 {
		// The face stands in a picture that is then turned back, as a camera does that hangs wrongly.
		w, h := 400, 300
		if turn%2 == 1 {
			w, h = h, w
		}
		stands, pixels := blank(t, w, h, 110)
		DrawFace(pixels, w, h, face)
		filmed, want := gocv.NewMat(), face
		defer filmed.Close()
		switch turn {
		case 0:
			stands.CopyTo(&filmed)
		default:
			gocv.Rotate(stands, &filmed, turns[len(turns)-turn].how)
			want = turns[turn-1].back(face, float64(filmed.Cols()), float64(filmed.Rows()))
		}
		o := SweepOptions{Width: filmed.Cols(), Height: filmed.Rows(), SourceWidth: 2 * filmed.Cols(), SourceHeight: 2 * filmed.Rows(), Turn: turn}
		r := lookOnce(t, f, o, filmed)
		want = track.Box{X: 2 * want.X, Y: 2 * want.Y, W: 2 * want.W, H: 2 * want.H}
		best := map[string]float64{}
		for _, d := range r.Detections {
			if d.Turn != turn {
				t.Errorf("a face seen when turned %d times is said to be turned %d times", turn, d.Turn)
			}
			best[d.Detector] = max(best[d.Detector], iou(d.Box, want))
		}
		if r.Err != nil || best[YuNet] < 0.6 || best[CenterFace] < 0.6 {
			t.Errorf("turned %d times: best overlap with %+v is %v: %+v, %v", turn, want, best, r.Detections, r.Err)
		}
		if worth := r.Turns.Worth(); r.Turns != (Turns{}) != (turn == 0) || len(worth) != 0 {
			t.Errorf("turned %d times: counted %v, worth %v", turn, r.Turns, worth)
		}
	}
}

func TestTurnsWorthASearch(t *testing.T) {
	for _, c := range []struct {
		counted Turns
		want    []int
	}{
		{Turns{}, nil},
		{Turns{0, 1, 0, 1}, nil},            // a false alarm in a clip without a face
		{Turns{120, 3, 6, 0}, nil},          // and some beside people who stand
		{Turns{0, 0, 40, 0}, []int{2}},      // everybody upside down
		{Turns{20, 0, 11, 12}, []int{2, 3}}, // the camera was turned over in mid-clip
		{Turns{0, 3, 40, 2}, []int{2}},      // false alarms beside people upside down
	} {
		if got := c.counted.Worth(); !slices.Equal(got, c.want) {
			t.Errorf("%v: worth %v, want %v", c.counted, got, c.want)
		}
	}
}

// TestClearestTurnsOfAPicture: faces count where they are seen best, and one alone at another turn than the others does not.
func TestClearestTurnsOfAPicture(t *testing.T) {
	face := func(x, score float64, turn int) found {
		return found{box: track.Box{X: x, Y: 50, W: 40, H: 50}, score: score, turn: turn}
	}
	for _, c := range []struct {
		name  string
		faces []found
		want  Turns
	}{
		{"nobody", nil, Turns{}},
		{"seen twice", []found{face(0, 0.8, 0), face(2, 0.9, 2)}, Turns{0, 0, 1, 0}},
		{"not clear", []found{face(0, 0.69, 2), face(100, 0.7, 1)}, Turns{0, 1, 0, 0}},
		{"a pattern beside one who stands", []found{face(0, 0.9, 0), face(100, 0.8, 2)}, Turns{1, 0, 0, 0}},
		{"one upside down beside a pattern", []found{face(0, 0.8, 0), face(100, 0.9, 2)}, Turns{0, 0, 1, 0}},
		{"a pattern beside two who stand", []found{face(0, 0.8, 0), face(100, 0.9, 2), face(200, 0.8, 0)}, Turns{2, 0, 0, 0}},
		{"a pattern beside people upside down", []found{face(0, 0.8, 0), face(100, 0.9, 2), face(200, 0.9, 2)}, Turns{0, 0, 2, 0}},
		{"two lie beside three who stand",
			[]found{face(0, 0.8, 0), face(100, 0.9, 1), face(200, 0.9, 1), face(300, 0.8, 0), face(400, 0.8, 0)}, Turns{3, 2, 0, 0}},
	} {
		if got := clearest(c.faces, networks[YuNet].maxIoU); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestCloseUpsStandUpright: a face that is too large for the scale whose turn it is upright, and not for the turned looks, is not
// taken for one that hangs upside down.
func TestCloseUpsStandUpright(t *testing.T) {
	f := open(t, Options{Threads: 2, Effort: EffortFast})
	o := SweepOptions{Width: 1536, Height: 864, SourceWidth: 1536, SourceHeight: 864}
	picture, pixels := blank(t, o.Width, o.Height, 110)
	DrawFace(pixels, o.Width, o.Height, track.Box{X: 500, Y: 60, W: 560, H: 720})
	s, err := f.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		defer s.Done()
		for i := range 26 {
			p, err := s.Get(t.Context())
			if err != nil {
				return
			}
			p.Time = float64(i) / 25
			picture.CopyTo(&p.mat)
			if s.Submit(t.Context(), p) != nil {
				return
			}
		}
	}()
	var turns Turns
	for r := range s.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		turns.Add(r.Turns)
	}
	if turns[0] < 2 || len(turns.Worth()) > 0 {
		t.Errorf("counted %v, worth a search at %v", turns, turns.Worth())
	}
}

// TestTurnedLooksAreDue: a turned look that falls between the frames of its pass would come later than the recipe says, or never.
func TestTurnedLooksAreDue(t *testing.T) {
	for effort, r := range recipes[PurposeAnalyze] {
		for _, p := range r.passes {
			if p.turning.every%p.every != 0 || p.turning.wideEvery%max(p.turning.every, 1) != 0 {
				t.Errorf("%s: %s looks at every frame of %d, turned of %d, wide of %d", effort, p.network, p.every, p.turning.every, p.turning.wideEvery)
			}
		}
	}
}
