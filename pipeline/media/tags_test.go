package media

import (
	"path/filepath"
	"slices"
	"testing"

	"veil/pipeline/media/tagtest"
)

// TestTagReadersShowNothingElse holds what exiftool and mediainfo find in a derivative against the page, in each profile, with
// sound and without.
func TestTagReadersShowNothingElse(t *testing.T) {
	check := func(t *testing.T, path string) {
		t.Helper()
		tagtest.Check(t, filepath.Join("..", "..", "docs", "container.md"), path, canary)
	}
	tl := tools(t)
	for _, name := range []string{"vfr with B-frames", "interlaced bff", "4:2:2 ten bit", "anamorphic", "HDR"} {
		i := slices.IndexFunc(sourceClips, func(c sourceClip) bool { return c.name == name })
		path := sourceClips[i].make(t)
		p, err := Inspect(t.Context(), tl, path, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range []string{Press, Court, Lossless} {
			target, err := NewTarget(p, profile)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name+" "+profile, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "out.mp4")
				encodeView(t, tl, EncodeOptions{Target: target, Probe: p, Out: out}, decodeView(t, tl, path, p, target.View))
				check(t, out)
			})
		}
	}
	for _, c := range soundCases[2:8] {
		t.Run(c.name, func(t *testing.T) {
			out, _ := render(t, c.make(t, signal), AudioOptions{})
			check(t, out)
		})
	}
}
