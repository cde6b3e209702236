package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/decide"
)

func TestSeconds(t *testing.T) {
	good := map[string]float64{
		"0": 0, "12": 12, "12.5": 12.5, ".5": 0.5, "90": 90, "1:02": 62, "1:02.25": 62.25, "01:00:00": 3600, "1:59:59.999": 7199.999,
	}
	for text, want := range good {
		var s Seconds
		if err := s.UnmarshalText([]byte(text)); err != nil || float64(s) != want {
			t.Errorf("%q: %v, %v; want %v", text, s, err, want)
		}
	}
	for _, text := range []string{"", ":", "1:", ":1", "-1", "1e3", "nan", "inf", "1:60", "1:2:3:4", "1.5:00", "x", "1 ", "0x1", "1..2", "1_000", "+1"} {
		var s Seconds
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %v", text, s)
		}
	}
}

func TestSpan(t *testing.T) {
	var s span
	if err := s.UnmarshalText([]byte("0.4-1:02")); err != nil || s != (span{From: 0.4, To: 62}) {
		t.Errorf("%v, %v", s, err)
	}
	for _, text := range []string{"", "1", "-", "1-", "-1", "2-1", "1-1", "1-2-3", "a-b"} {
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %v", text, s)
		}
	}
}

func TestRegion(t *testing.T) {
	good := map[string]region{
		"1,2,3,4":          {rect: [4]int{1, 2, 3, 4}},
		"0,0,16,16@1-1:00": {rect: [4]int{0, 0, 16, 16}, span: &decide.Span{From: 1, To: 60}},
	}
	for text, want := range good {
		var r region
		if err := r.UnmarshalText([]byte(text)); err != nil || !cmp.Equal(r, want, cmp.AllowUnexported(region{})) {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "1,2,3", "1,2,3,4,5", "1,2,0,4", "1,2,3,0", "-1,2,3,4", "1,2,3,4@", "1,2,3,4@5", "a,b,c,d", "1.5,2,3,4"} {
		var r region
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %+v", text, r)
		}
	}
}

func TestGround(t *testing.T) {
	good := map[string]decide.GroundFor{
		"tracks=§ 22 KUG":          {What: "tracks", Code: "§ 22 KUG"},
		"track:12=6.1|Art. 6 = x":  {What: "tracks", Track: 12, Code: "6.1", Basis: "Art. 6 = x"},
		"sound@0.4-1:02 = (b)(6) ": {What: "sound", Span: &decide.Span{From: 0.4, To: 62}, Code: "(b)(6)"},
		"regions@0:30-0:45=6C":     {What: "regions", Span: &decide.Span{From: 30, To: 45}, Code: "6C"},
	}
	for text, want := range good {
		var g ground
		if err := g.UnmarshalText([]byte(text)); err != nil || !cmp.Equal(decide.GroundFor(g), want) {
			t.Errorf("%q: %+v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "tracks", "track:0=6C", "track:x=6C", "sound@1=6C"} {
		var g ground
		if err := g.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %+v", text, g)
		}
	}
}

func TestDecisionsOfGrounds(t *testing.T) {
	f := DecisionFlags{Ground: []ground{{What: "tracks", Code: "6C"}}, By: "J. Doe"}
	d, err := f.Read([]byte("plan"))
	if err != nil || len(d.Ground) != 1 || d.By != "J. Doe" {
		t.Errorf("%+v, %v", d, err)
	}
	for name, f := range map[string]DecisionFlags{
		"nobody": {Ground: []ground{{What: "tracks", Code: "6C"}}}, "no reason": {Keep: []int{1}, Ground: []ground{{What: "tracks", Code: "6C"}}, By: "me"},
		"nothing": {By: "me"},
	} {
		if _, err := f.Read([]byte("plan")); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
