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

// TestNearDark: a picture is near-dark where next to all of it is, and something is in it; a burnt-in clock does not make it light.
func TestNearDark(t *testing.T) {
	l := newLightMeter()
	defer l.close()
	for name, c := range map[string]struct {
		light  float64 // of the scenery
		strip  int     // rows at the top that are white
		paint  byte    // in place of the scenery, from 1
		patch  int     // side of a dim square in it
		wanted bool
	}{
		"day":             {light: 1},
		"night":           {light: 0.3},
		"near-dark":       {light: 0.08, wanted: true},
		"burnt-in clock":  {light: 0.08, strip: 8, wanted: true},
		"light in a part": {light: 0.08, strip: 27},
		"black":           {paint: 1},
		"grey":            {paint: 30},
		"flat near-dark":  {paint: 12, wanted: true},
		"patch in black":  {paint: 1, patch: 60, wanted: true},
		"speck in black":  {paint: 1, patch: 20},
		"title on black":  {paint: 1, strip: 10},
	} {
		mat := scenery(t, 480, 270, 1, 0, 0, 1, c.light)
		pixels, err := mat.DataPtrUint8()
		if err != nil {
			t.Fatal(err)
		}
		for i := range pixels {
			switch {
			case i < 480*3*c.strip:
				pixels[i] = 255
			case i/3%480 < c.patch && i/3/480 < c.patch:
				pixels[i] = 15
			case c.paint > 0:
				pixels[i] = c.paint
			}
		}
		if got := l.nearDark(mat); got != c.wanted {
			t.Errorf("%s: near-dark is %t", name, got)
		}
	}
}
