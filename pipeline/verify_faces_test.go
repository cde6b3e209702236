package pipeline

import (
	"testing"

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
