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
