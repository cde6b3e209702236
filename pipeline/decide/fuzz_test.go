package decide

import (
	"encoding/binary"
	"math"
	"testing"

	"veil/pipeline/track"
)

func FuzzParsePolicy(f *testing.F) {
	for _, name := range []string{Press, Disclosure, Court} {
		data, err := shipped.ReadFile("policies/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy(data)
		if err != nil {
			return
		}
		stable(t, p.Encode, func(b []byte) (func() ([]byte, error), error) { q, err := ParsePolicy(b); return q.Encode, err })
	})
}

func FuzzParseDecisions(f *testing.F) {
	data, err := keep(1, 2).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDecisions(data)
		if err != nil {
			return
		}
		stable(t, d.Encode, func(b []byte) (func() ([]byte, error), error) { q, err := ParseDecisions(b); return q.Encode, err })
	})
}

func FuzzParsePlan(f *testing.F) {
	in := testInput(f, Press, still(1, 0, 2, track.Box{X: 100, Y: 50, W: 40, H: 50}))
	in.FrameStamps = in.FrameStamps[:3]
	p := decided(f, in)
	data, err := p.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePlan(data)
		if err != nil {
			return
		}
		stable(t, p.Encode, func(b []byte) (func() ([]byte, error), error) { q, err := ParsePlan(b); return q.Encode, err })
	})
}

// stable encodes a document, reads it back and finds the same bytes.
func stable(t *testing.T, encode func() ([]byte, error), parse func([]byte) (func() ([]byte, error), error)) {
	t.Helper()
	once, err := encode()
	if err != nil {
		t.Fatalf("a document that was read cannot be written: %v", err)
	}
	again, err := parse(once)
	if err != nil {
		t.Fatalf("a document that was written cannot be read: %v\n%s", err, once)
	}
	if twice, err := again(); err != nil || string(once) != string(twice) {
		t.Fatalf("%v\n%s\n%s", err, once, twice)
	}
}

// FuzzDecide finds every sample of a covered track inside a region of its frame, grown by eight pixels, as far as it lies
// in the picture.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint16(640), uint16(360), true, true, uint8(0))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x01abcdefghijklmnop"), uint16(1), uint16(1), false, false, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, width, height uint16, interlaced, ellipse bool, cover uint8) {
		in := testInput(t, Court)
		in.Source.Width, in.Source.Height, in.Source.Interlaced = int(width), int(height), interlaced
		in.Policy.Cover = []string{"face", "head"}[cover%2]
		if ellipse {
			in.Policy.Shape = "ellipse"
		}
		tr := track.Track{ID: 1, Sure: true}
		for i := 0; len(data) >= 8 && i < len(in.FrameStamps); i++ {
			v := [4]float64{}
			for k := range v {
				v[k] = float64(int16(binary.LittleEndian.Uint16(data[2*k:]))) / 8
			}
			data = data[8:]
			tr.Samples = append(tr.Samples, track.Sample{Frame: i, Box: track.Box{X: v[0], Y: v[1], W: math.Abs(v[2]), H: math.Abs(v[3])}, Source: track.Detected})
		}
		if len(tr.Samples) > 0 {
			in.Tracks = []track.Track{tr}
		}
		p, err := Decide(in)
		if err != nil {
			if width > 0 && height > 0 {
				t.Fatal(err)
			}
			return
		}
		for _, s := range tr.Samples {
			checkCovered(t, &p, s)
		}
	})
}

func checkCovered(t *testing.T, p *Plan, s track.Sample) {
	t.Helper()
	w, h := float64(p.Source.Width), float64(p.Source.Height)
	x0, y0 := math.Max(0, s.Box.X-8), math.Max(0, s.Box.Y-8)
	x1, y1 := math.Min(w, s.Box.X+s.Box.W+8), math.Min(h, s.Box.Y+s.Box.H+8)
	regions := p.Frames[s.Frame].Regions
	if x1 <= x0 || y1 <= y0 {
		return
	}
	if len(regions) != 1 {
		t.Fatalf("frame %d: %d regions", s.Frame, len(regions))
	}
	r := regions[0].Rect
	rx0, ry0, rx1, ry1 := float64(r[0]), float64(r[1]), float64(r[0]+r[2]), float64(r[1]+r[3])
	if rx0 > x0 || ry0 > y0 || rx1 < x1 || ry1 < y1 {
		t.Fatalf("frame %d: %v does not cover %+v", s.Frame, r, s.Box)
	}
	if r[0]%16 != 0 || r[1]%16 != 0 || rx1 != w && int(rx1)%16 != 0 || ry1 != h && int(ry1)%16 != 0 {
		t.Fatalf("frame %d: %v is not aligned", s.Frame, r)
	}
	if regions[0].Ellipse {
		cx, cy := (rx0+rx1)/2, (ry0+ry1)/2
		dx, dy := math.Max(cx-x0, x1-cx)/(rx1-rx0)*2, math.Max(cy-y0, y1-cy)/(ry1-ry0)*2
		if dx*dx+dy*dy > 1+1e-9 {
			t.Fatalf("frame %d: the ellipse in %v cuts %+v", s.Frame, r, s.Box)
		}
	}
}
