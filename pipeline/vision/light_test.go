package vision

import (
	"testing"

	"gocv.io/x/gocv"
)

// TestLightIsAsWanted: a picture is equalised if it is dark, unless something else is asked for.
func TestLightIsAsWanted(t *testing.T) {
	l := newLightMeter()
	defer l.close()
	for _, c := range []struct {
		base  float64
		light Light
		want  bool
	}{
		{0, LightAuto, true}, {120, LightAuto, false},
		{0, LightAsItIs, false}, {120, LightAsItIs, false},
		{0, LightEqualised, true}, {120, LightEqualised, true},
	} {
		mat := gocv.NewMatWithSize(120, 160, gocv.MatTypeCV8UC3)
		for y := range 120 {
			for x := range 160 * 3 {
				mat.SetUCharAt(y, x, byte(c.base+float64(x+y)/5))
			}
		}
		before := mat.ToBytes()
		if got := l.normalise(&mat, c.light); got != c.want {
			t.Errorf("grey from %g, light %d: equalised %v", c.base, c.light, got)
		}
		if changed := string(before) != string(mat.ToBytes()); changed != c.want {
			t.Errorf("grey from %g, light %d: changed %v", c.base, c.light, changed)
		}
		mat.Close()
	}
}
