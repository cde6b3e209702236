package vision

import (
	"bytes"
	"errors"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"veil/models"
)

// TestEnginesAgree: on a real picture both engines find the same faces, at a size that takes one tile and one that takes more.
func TestEnginesAgree(t *testing.T) {
	path := filepath.Join(footage(t, "images", "misc"), "azure_identification1.jpg")
	img := readPicture(t, path)
	defer img.Close()
	sizes := []image.Point{{640, 427}, {960, 641}, {640, 427}}
	found := map[string][][]found{}
	forEachDetector(t, func(t *testing.T, d *netDetector) {
		for _, size := range sizes {
			faces, err := d.detect(img, size, 0.3)
			if err != nil {
				t.Fatal(err)
			}
			found[d.net.name] = append(found[d.net.name], faces)
		}
	})
	for name, runs := range found {
		for i := range sizes {
			a, b := runs[i], runs[len(sizes)+i]
			if len(a) != len(b) || len(a) < 4 {
				t.Errorf("%s at %v: %d faces and %d", name, sizes[i], len(a), len(b))
				continue
			}
			for k := range a {
				if math.Abs(a[k].score-b[k].score) > 1e-3 || iou(a[k].box, b[k].box) < 0.99 {
					t.Errorf("%s at %v: %+v and %+v", name, sizes[i], a[k], b[k])
				}
			}
		}
	}
}

// TestOutputsAreChecked: what is no number, or not what was promised, is an error.
func TestOutputsAreChecked(t *testing.T) {
	g := &graph{name: "net", outputs: []string{"out"}}
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		shape, want []int
		data        []float32
		ok          bool
	}{
		"good":      {[]int{1, 2}, []int{1, 2}, []float32{0, -3e38}, true},
		"nan":       {[]int{1, 2}, []int{1, 2}, []float32{0, nan}, false},
		"infinite":  {[]int{1, 2}, []int{1, 2}, []float32{inf, 0}, false},
		"too short": {[]int{1, 2}, []int{1, 3}, []float32{0, 0}, false},
		"cut off":   {[]int{1, 3}, []int{1, 3}, []float32{0, 0}, false},
	} {
		if err := checkOutput(g, 0, c.shape, c.want, c.data); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNaNInput: a network that computes NaN is an error of the run, with either engine.
func TestNaNInput(t *testing.T) {
	forEachDetector(t, func(t *testing.T, d *netDetector) {
		b, err := newBlob(64, 64)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		for i := range b.data {
			b.data[i] = float32(math.NaN())
		}
		if err := d.session.forward(b, func([][]float32) error { return nil }); err == nil {
			t.Error("no error")
		}
	})
}

func TestFreeDimensions(t *testing.T) {
	onnx, err := models.Open(weights(t), models.CenterFace)
	if err != nil {
		t.Fatal(err)
	}
	net := networks[CenterFace]
	freed, err := freeDimensions(onnx, net.input, net.outputs)
	if err != nil {
		t.Fatal(err)
	}
	for text, stays := range map[string]bool{"head.off_conv.weight": true, "head.lm_conv.weight": false} {
		if !bytes.Contains(onnx, []byte(text)) || bytes.Contains(freed, []byte(text)) != stays {
			t.Errorf("%s: kept is not %v, or the file lacks it", text, stays)
		}
	}
	for name, edit := range map[string]func() ([]byte, error){
		"other input":  func() ([]byte, error) { return freeDimensions(onnx, "other", net.outputs) },
		"other output": func() ([]byte, error) { return freeDimensions(onnx, net.input, []string{"537", "nothing"}) },
		"cut off":      func() ([]byte, error) { return freeDimensions(onnx[:len(onnx)/2], net.input, net.outputs) },
		"no protobuf": func() ([]byte, error) {
			return freeDimensions([]byte(strings.Repeat("\xff", 99)), net.input, net.outputs)
		},
		"nothing":       func() ([]byte, error) { return freeDimensions(nil, net.input, net.outputs) },
		"first 64 only": func() ([]byte, error) { return freeDimensions(onnx[:64], net.input, net.outputs) },
	} {
		if _, err := edit(); !errors.Is(err, errONNX) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFreeDimensions(f *testing.F) {
	f.Add([]byte{0x3a, 4, 0x5a, 2, 0x0a, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := freeDimensions(data, "in", nil); err == nil && len(out) == 0 {
			t.Error("nothing, and no error")
		}
	})
}

func TestTiles(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {640, 360}, {1536, 864}, {864, 1536}, {1536, 1536}, {1536, 10}, {1920, 1080}, {1537, 863}} {
		whole := image.Rectangle{Max: size}
		list := tiles(size)
		x := 0
		for _, r := range list {
			if !r.In(whole) || r.Empty() {
				t.Errorf("%v: tile %v", size, r)
			}
			lo, hi, end := r.Min.X, r.Max.X, size.X
			if size.Y > size.X {
				lo, hi, end = r.Min.Y, r.Max.Y, size.Y
			}
			if lo > 0 && x-lo < tileOverlap {
				t.Errorf("%v: tiles share %d px at %d", size, x-lo, lo)
			}
			x = hi
			if slices.Index(list, r) == len(list)-1 && hi != end {
				t.Errorf("%v: the last tile ends at %d", size, hi)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		p    pass
		w, h int
		want []image.Point
	}{
		{pass{looks: [][]int{{1536, 640}}, maxGrow: 2}, 1920, 1080, []image.Point{{1536, 864}, {640, 360}}},
		{pass{looks: [][]int{{1536, 640}}, maxGrow: 2}, 400, 300, []image.Point{{800, 600}, {640, 480}}},
		{pass{looks: [][]int{{1536, 640, 256}}, maxGrow: 2}, 160, 100, []image.Point{{320, 200}, {256, 160}}},
		{pass{looks: [][]int{{640}}, maxGrow: 1}, 1, 1, []image.Point{{1, 1}}},
		{pass{looks: [][]int{{640}}, maxGrow: 1}, 4096, 1, []image.Point{{640, 1}}},
	} {
		if got := c.p.sizes(c.p.longs(), c.w, c.h); !slices.Equal(got, c.want) {
			t.Errorf("%dx%d: %v, want %v", c.w, c.h, got, c.want)
		}
	}
}
