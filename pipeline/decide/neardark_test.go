package decide

import "testing"

// TestNearDarkIsAskedAbout: what is too dark to be looked at holds the clip, however doubt is covered; only a policy that ignores
// doubt lets it pass, and the plan tells of it. A fade to black is none.
func TestNearDarkIsAskedAbout(t *testing.T) {
	for name, c := range map[string]struct {
		dark          [][2]int // frames, the last one exclusive
		unsure, cover string
		want          [][2]int // of the findings, both inclusive
		open          bool
	}{
		"light":              {unsure: "mask", cover: "face"},
		"a fade":             {dark: [][2]int{{38, 50}}, unsure: "mask", cover: "face"},
		"half a second":      {dark: [][2]int{{10, 23}}, unsure: "mask", cover: "face", want: [][2]int{{10, 22}}, open: true},
		"two stretches":      {dark: [][2]int{{0, 15}, {30, 50}}, unsure: "mask", cover: "face", want: [][2]int{{0, 14}, {30, 49}}, open: true},
		"all of it":          {dark: [][2]int{{0, 50}}, unsure: "review", cover: "head", want: [][2]int{{0, 49}}, open: true},
		"doubt is ignored":   {dark: [][2]int{{0, 50}}, unsure: "ignore", cover: "face", want: [][2]int{{0, 49}}},
		"everything covered": {dark: [][2]int{{0, 50}}, unsure: "mask", cover: "frame"},
	} {
		in := testInput(t, Press)
		in.Policy.Unsure, in.Policy.Cover = c.unsure, c.cover
		for _, span := range c.dark {
			for i := span[0]; i < span[1]; i++ {
				in.FrameStamps[i].NearDark = true
			}
		}
		p := decided(t, in)
		if len(p.Findings) != len(c.want) {
			t.Errorf("%s: findings %+v", name, p.Findings)
			continue
		}
		for i, f := range p.Findings {
			if f.Kind != FindingQuality || [2]int{f.First, f.Last} != c.want[i] || f.Rect != [4]int{0, 0, in.Source.Width, in.Source.Height} || f.Dismissed == c.open {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// TestShortNearDarkClip: one that has not half a second is asked about if all of it is near-dark.
func TestShortNearDarkClip(t *testing.T) {
	in := testInput(t, Press)
	in.FrameStamps = in.FrameStamps[:1]
	in.FrameStamps[0].NearDark = true
	if p := decided(t, in); len(p.Findings) != 1 {
		t.Errorf("%+v", p.Findings)
	}
}

// TestDamagedFramesAreNotNearDark: what is covered whole shows nothing.
func TestDamagedFramesAreNotNearDark(t *testing.T) {
	in := testInput(t, Press)
	in.Policy.Damage = "mask"
	for i := range in.FrameStamps {
		in.FrameStamps[i].NearDark = true
		in.FrameStamps[i].Damaged = i%10 == 9
	}
	if p := decided(t, in); len(p.Findings) != 0 {
		t.Errorf("%+v", p.Findings)
	}
}
