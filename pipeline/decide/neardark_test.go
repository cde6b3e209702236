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
		"a fade":             {dark: [][2]int{{113, 125}}, unsure: "mask", cover: "face"},
		"half a second":      {dark: [][2]int{{10, 23}}, unsure: "mask", cover: "face", want: [][2]int{{10, 22}}, open: true},
		"two near stretches": {dark: [][2]int{{0, 8}, {30, 38}}, unsure: "mask", cover: "face", want: [][2]int{{0, 37}}, open: true},
		"apart":              {dark: [][2]int{{0, 12}, {12, 13}, {100, 113}}, unsure: "mask", cover: "face", want: [][2]int{{0, 12}, {100, 112}}, open: true},
		"two fades apart":    {dark: [][2]int{{0, 8}, {90, 98}}, unsure: "mask", cover: "face"},
		"flickers":           {dark: [][2]int{{0, 4}, {5, 9}, {10, 14}, {15, 19}}, unsure: "mask", cover: "face", want: [][2]int{{0, 18}}, open: true},
		"all of it":          {dark: [][2]int{{0, 125}}, unsure: "review", cover: "head", want: [][2]int{{0, 124}}, open: true},
		"doubt is ignored":   {dark: [][2]int{{0, 125}}, unsure: "ignore", cover: "face", want: [][2]int{{0, 124}}},
		"everything covered": {dark: [][2]int{{0, 125}}, unsure: "mask", cover: "frame"},
	} {
		in := longInput(t, 125)
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

// TestWholeFramesAreNotNearDark: what is covered whole shows nothing, and what lies between such frames is asked about.
func TestWholeFramesAreNotNearDark(t *testing.T) {
	in := testInput(t, Press)
	in.Policy.Damage = "mask"
	for i := range in.FrameStamps {
		in.FrameStamps[i].NearDark, in.FrameStamps[i].Damaged = true, i%10 == 9
	}
	if p := decided(t, in); len(p.Findings) != 1 || p.Findings[0].First != 0 || p.Findings[0].Last != 48 {
		t.Errorf("every tenth frame is covered: %+v", p.Findings)
	}
	for i := range in.FrameStamps {
		in.FrameStamps[i].Damaged = true
	}
	if p := decided(t, in); len(p.Findings) != 0 {
		t.Errorf("every frame is covered: %+v", p.Findings)
	}
}

// longInput is testInput of another number of frames.
func longInput(t *testing.T, frames int) Input {
	in := testInput(t, Press)
	in.FrameStamps = nil
	for i := range frames {
		in.FrameStamps = append(in.FrameStamps, FrameStamp{PTS: int64(512 * i), Digest: "0badcafe", Time: float64(i) / 25})
	}
	return in
}
