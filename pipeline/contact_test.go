package pipeline

import (
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veil/pipeline/decide"
)

func TestPickFrames(t *testing.T) {
	plan := func(frames int, covered ...int) decide.Plan {
		p := decide.Plan{Frames: make([]decide.Frame, frames)}
		for _, i := range covered {
			p.Frames[i].Whole = true
		}
		return p
	}
	for name, c := range map[string]struct {
		plan decide.Plan
		want []int
	}{
		"spread over all":         {plan(60), []int{5, 15, 25, 35, 45, 55}},
		"spread over the covered": {plan(600, 100, 101, 102, 103, 104, 105), []int{100, 101, 102, 103, 104, 105}},
		"too few are covered":     {plan(12, 3), []int{1, 3, 5, 7, 9, 11}},
		"a short clip":            {plan(2), []int{0, 1}},
	} {
		if got := pickFrames(c.plan); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestContactSheetShowsBoth: on the sheet every picture of the source has the drawn face and its neighbour has the fill, in the
// shape in which a viewer sees them.
func TestContactSheetShowsBoth(t *testing.T) {
	for _, name := range []string{"plain with B-frames", "rotated 90", "anamorphic", "ten bit"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := madeClips[slices.IndexFunc(madeClips, func(m made) bool { return m.name == name })]
			policy, err := decide.Shipped("press")
			if err != nil {
				t.Fatal(err)
			}
			policy.Fill, policy.Effort = "solid", "fast"
			dir := t.TempDir()
			path := filepath.Join(dir, "sheet.png")
			if _, err := Redact(t.Context(), Direct{}, Request{Config: testConfig(t), In: m.make(t), Out: filepath.Join(dir, "out.mp4"),
				Policy: policy, SheetOut: path}, nil); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v", info, err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := png.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			var skin, fill int
			for y := range img.Bounds().Dy() {
				for x := range img.Bounds().Dx() {
					c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
					switch {
					case c.R > c.G+25 && c.G > c.B+10:
						skin++
					case max(c.R, c.G, c.B) < 70 && max(c.R, c.G, c.B)-min(c.R, c.G, c.B) < 6:
						fill++
					}
				}
			}
			// The drawn face is nearly all of the skin's colour and about a fifteenth of the picture; its mask is larger.
			if face := img.Bounds().Dx() * img.Bounds().Dy() / 50; skin < face/2 || fill < skin {
				t.Errorf("%d pixels of skin and %d of the fill on a sheet of %v", skin, fill, img.Bounds())
			}
		})
	}
}
