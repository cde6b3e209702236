package vision

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// scenery draws a scene of many grey rectangles, as seen through a camera that is shifted and zoomed.
func scenery(t *testing.T, w, h int, seed uint64, shiftX, shiftY, zoom, light float64) gocv.Mat {
	t.Helper()
	mat, pixels := blank(t, w, h, 0)
	r := rand.New(rand.NewPCG(seed, seed))
	type rect struct{ x, y, w, h, v float64 }
	var rects []rect
	for range 300 {
		rects = append(rects, rect{r.Float64()*900 - 200, r.Float64()*600 - 150, 8 + r.Float64()*60, 8 + r.Float64()*60, r.Float64() * 255})
	}
	for _, q := range rects {
		x0, y0 := int(q.x*zoom+shiftX), int(q.y*zoom+shiftY)
		x1, y1 := int((q.x+q.w)*zoom+shiftX), int((q.y+q.h)*zoom+shiftY)
		for y := max(y0, 0); y < min(y1, h); y++ {
			for x := max(x0, 0); x < min(x1, w); x++ {
				v := byte(min(q.v*light, 255))
				p := pixels[3*(y*w+x):]
				p[0], p[1], p[2] = v, v, v
			}
		}
	}
	gocv.GaussianBlur(mat, &mat, image.Pt(5, 5), 1, 1, gocv.BorderDefault)
	return mat
}

// between measures the motion between two pictures of 480x270 in a source of 960x540.
func between(t *testing.T, a, b gocv.Mat) track.Motion {
	t.Helper()
	m := newMotionMeter(SweepOptions{Width: 480, Height: 270, SourceWidth: 960, SourceHeight: 540})
	defer m.close()
	before := m.shrink(a)
	return m.measure(before, m.shrink(b))
}

func TestMotionFollowsTheCamera(t *testing.T) {
	for _, c := range []struct{ dx, dy, zoom float64 }{{0, 0, 1}, {12, -5, 1}, {-30, 18, 1}, {-10, -6, 1.05}} {
		got := between(t, scenery(t, 480, 270, 1, 0, 0, 1, 1), scenery(t, 480, 270, 1, c.dx, c.dy, c.zoom, 1))
		if !got.Known || got.Cut {
			t.Errorf("%+v: %+v", c, got)
			continue
		}
		for _, p := range [][2]float64{{100, 100}, {800, 90}, {480, 500}} {
			wantX, wantY := p[0]*c.zoom+2*c.dx, p[1]*c.zoom+2*c.dy
			x, y := got.A[0]*p[0]+got.A[1]*p[1]+got.A[2], got.A[3]*p[0]+got.A[4]*p[1]+got.A[5]
			if d := math.Hypot(x-wantX, y-wantY); d > 4 {
				t.Errorf("%+v: point %v comes to (%.1f, %.1f), %.1f px from (%.1f, %.1f)", c, p, x, y, d, wantX, wantY)
			}
		}
	}
}

func TestCuts(t *testing.T) {
	a := scenery(t, 480, 270, 1, 0, 0, 1, 1)
	flat, _ := blank(t, 480, 270, 40)
	for name, c := range map[string]struct {
		a, b gocv.Mat
		cut  bool
	}{
		"other scene":      {a, scenery(t, 480, 270, 2, 0, 0, 1, 1), true},
		"another":          {scenery(t, 480, 270, 3, 0, 0, 1, 1), scenery(t, 480, 270, 4, 0, 0, 1, 1), true},
		"same":             {a, a, false},
		"flash":            {a, scenery(t, 480, 270, 1, 0, 0, 1, 1.7), false},
		"after a flash":    {scenery(t, 480, 270, 1, 0, 0, 1, 1.7), a, false},
		"fade":             {a, scenery(t, 480, 270, 1, 0, 0, 1, 0.7), false},
		"jerk":             {a, scenery(t, 480, 270, 1, 60, 25, 1, 1), false},
		"to black":         {a, flat, false},
		"nothing to see":   {flat, flat, false},
		"pan with a flash": {a, scenery(t, 480, 270, 1, 15, 0, 1, 1.4), false},
	} {
		if got := between(t, c.a, c.b); got.Cut != c.cut {
			t.Errorf("%s: cut %v", name, got.Cut)
		}
	}
}

func TestMotionOfNothing(t *testing.T) {
	flat, _ := blank(t, 480, 270, 90)
	if got := between(t, flat, flat); got != still {
		t.Errorf("a flat picture moves: %+v", got)
	}
}

func TestLight(t *testing.T) {
	l := newLightMeter()
	defer l.close()
	for name, c := range map[string]struct {
		light float64
		want  bool
	}{"day": {1, false}, "night": {0.2, true}} {
		mat := scenery(t, 480, 270, 1, 0, 0, 1, c.light)
		before := mat.Mean().Val1
		if got := l.normalise(&mat, LightAuto); got != c.want {
			t.Errorf("%s: changed %v", name, got)
		}
		if after := mat.Mean().Val1; (after > before+5) != c.want {
			t.Errorf("%s: mean %.0f before, %.0f after", name, before, after)
		}
	}
}
