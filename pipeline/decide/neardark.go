package decide

const (
	// nearDarkSeconds is how much of a stretch is near-dark before a person is asked: a fade to black is over by then.
	nearDarkSeconds = 0.5
	// nearDarkGap is how far apart near-dark frames may lie and still be one question, in seconds.
	nearDarkGap = 2.0
)

// addNearDark asks a person about the stretches that are too dark for faces to be found for certain, as whoever brightens the
// derivative may see some. Frames that are covered whole show nothing. Where the policy ignores doubt, it is told all the same, as
// dismissed.
func (p *Plan) addNearDark(stamps []FrameStamp) {
	shown, dark := 0, []int{}
	for i, s := range stamps {
		if p.Frames[i].Whole {
			continue
		}
		shown++
		if s.NearDark {
			dark = append(dark, i)
		}
	}
	for k := 0; k < len(dark); {
		begin, seconds := k, 0.0
		for ; k < len(dark); k++ {
			if k > begin && stamps[dark[k]].Time-stamps[dark[k-1]].Time > nearDarkGap {
				break
			}
			seconds += secondsOf(stamps, dark[k])
		}
		if k-begin < shown && seconds < nearDarkSeconds-roundingSeconds {
			continue
		}
		p.addFinding(Finding{Kind: FindingQuality, First: dark[begin], Last: dark[k-1], Rect: [4]int{0, 0, p.Source.Width, p.Source.Height},
			Text: "too dark for faces to be found for certain: look at it brightened, and cover what it shows"})
		if p.Policy.Unsure == "ignore" {
			f := &p.Findings[len(p.Findings)-1]
			f.Dismissed, f.Reason, f.By = true, ReasonIgnored, ByPolicy
		}
	}
}

// secondsOf is how long a frame lasts; the clip's last one lasts as long as the one before it.
func secondsOf(stamps []FrameStamp, i int) float64 {
	switch {
	case i+1 < len(stamps):
		return stamps[i+1].Time - stamps[i].Time
	case i > 0:
		return stamps[i].Time - stamps[i-1].Time
	}
	return 0
}
