package decide

// nearDarkSeconds is how long the picture is near-dark before a person is asked: a fade to black is over by then.
const nearDarkSeconds = 0.5

// addNearDark asks a person about the stretches that are too dark for faces to be found for certain, as whoever brightens the
// derivative may see some. Where the policy ignores doubt, it is told all the same, as dismissed.
func (p *Plan) addNearDark(stamps []FrameStamp) {
	dark := func(i int) bool { return stamps[i].NearDark && !p.Frames[i].Whole }
	for first := 0; first < len(stamps); first++ {
		if !dark(first) {
			continue
		}
		last := first
		for last+1 < len(stamps) && dark(last+1) {
			last++
		}
		if all := last-first+1 == len(stamps); all || secondsOf(stamps, first, last) >= nearDarkSeconds {
			p.addFinding(Finding{Kind: FindingQuality, First: first, Last: last, Rect: [4]int{0, 0, p.Source.Width, p.Source.Height},
				Text: "too dark for faces to be found for certain: look at it brightened, and cover what it shows"})
			if p.Policy.Unsure == "ignore" {
				f := &p.Findings[len(p.Findings)-1]
				f.Dismissed, f.Reason, f.By = true, "the policy ignores doubt", "policy"
			}
		}
		first = last
	}
}

// secondsOf is how long some frames last; the clip's last frame lasts as long as the one before it.
func secondsOf(stamps []FrameStamp, first, last int) float64 {
	switch {
	case last+1 < len(stamps):
		return stamps[last+1].Time - stamps[first].Time
	case last > 0:
		return stamps[last].Time - stamps[first].Time + stamps[last].Time - stamps[last-1].Time
	}
	return 0
}
