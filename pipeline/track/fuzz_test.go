package track

import (
	"encoding/binary"
	"math"
	"testing"
)

// framesFrom reads frames from a fuzzer's bytes, eight for each detection or motion.
func framesFrom(data []byte) []Frame {
	frames := []Frame{{}}
	for len(data) >= 8 {
		v := [4]float64{}
		for i := range v {
			v[i] = float64(int16(binary.LittleEndian.Uint16(data[2*i:])))
		}
		kind := data[0] % 8
		data = data[8:]
		f := &frames[len(frames)-1]
		switch {
		case kind < 2: // the next frame, 0 to half a second later
			frames = append(frames, Frame{Time: f.Time + math.Abs(v[1])/65536, Motion: Motion{
				A: [6]float64{1 + v[2]/100000, v[3] / 100000, v[1] / 100, -v[3] / 100000, 1 + v[2]/100000, v[2] / 100}, Known: kind == 1,
			}})
		case kind == 2:
			frames = append(frames, Frame{Time: f.Time + 0.04, Motion: Motion{A: still.fwd, Cut: int(v[1])%4 == 0}})
		default:
			d := Detection{
				Box:   Box{X: v[1] / 16, Y: v[2] / 16, W: 1 + math.Abs(v[3])/64, H: 1 + math.Abs(v[3])/50},
				Score: math.Abs(v[1]) / 32768, Detector: "yunet", Long: 640, Turn: int(v[2]) % 4,
			}
			if kind == 3 {
				d.Detector = "centerface"
			}
			f.Detections = append(f.Detections, d)
			if kind == 4 {
				f.Looks = append(f.Looks, Look{Box: d.Box, Score: d.Score / 4})
			}
		}
	}
	return frames
}

// FuzzBuild holds for any input: the shape of the answer, and that each sample grown by a tenth holds a detection.
func FuzzBuild(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x04\x00\x00\x7f\x00\x10\x00\x20\x00\x00\x00\x06\x00\x00\x00\x00\x04\x00\x00\x7f\x00\x10\x00\x20"))
	f.Fuzz(func(t *testing.T, data []byte) {
		frames := framesFrom(data)
		tracks, err := Build(testWidth, testHeight, frames)
		if err != nil {
			return
		}
		checkShape(t, tracks, frames)
		for _, tr := range tracks {
			for _, s := range tr.Samples {
				if s.Source == Detected && !holdsOne(grow(s.Box, held), frames[s.Frame].Detections) {
					t.Fatalf("track %d: frame %d: %v holds no detection", tr.ID, s.Frame, s.Box)
				}
			}
		}
		for i, fr := range frames {
			for _, d := range fr.Detections {
				if d.Detector == "centerface" && d.Score > 0.95 && d.Box.W < 30 && !covered(tracks, i, d.Box) {
					t.Fatalf("frame %d: %+v is not covered", i, d)
				}
			}
		}
	})
}

func holdsOne(b Box, detections []Detection) bool {
	for _, d := range detections {
		if contains(b, d.Box) {
			return true
		}
	}
	return false
}
