// Package policy is what people say about covering: the policy that flags name and change, times and regions as they are typed,
// decisions about a plan, and what an operator lets jobs ask for. What a policy means stands in package decide.
package policy

import (
	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/failure"
)

// Flags name a policy and change a copy of it.
type Flags struct {
	Policy string `group:"policy" default:"press" placeholder:"NAME|FILE" help:"Policy: press, disclosure, court, or a file (./press for a file of that name)."`

	Fill       string   `group:"policy" enum:"solid,surround,blur,mosaic," default:"" placeholder:"solid|surround|blur|mosaic" help:"What covers a face; blur and mosaic not for public release."`
	Cover      string   `group:"policy" enum:"face,head,frame," default:"" placeholder:"face|head|frame" help:"How much is covered; frame is the whole picture."`
	Shape      string   `group:"policy" enum:"rectangle,ellipse," default:"" placeholder:"rectangle|ellipse" help:"Shape of a mask; the ellipse is circumscribed."`
	Audio      string   `group:"policy" enum:"drop,keep," default:"" placeholder:"drop|keep" help:"What becomes of the sound."`
	AudioTrack *int     `group:"policy" placeholder:"N" help:"Which audio stream to keep, from 0."`
	Mute       []span   `group:"policy" sep:";" placeholder:"FROM-TO" help:"Silence a time range of the kept sound; may be repeated."`
	Profile    string   `group:"policy" enum:"press,court,lossless," default:"" placeholder:"press|court|lossless" help:"press plays everywhere, court and lossless change nothing but the masks."`
	Unsure     string   `group:"policy" enum:"mask,review,ignore," default:"" placeholder:"mask|review|ignore" help:"What becomes of doubtful faces."`
	Damage     string   `group:"policy" enum:"fail,mask," default:"" placeholder:"fail|mask" help:"Damaged frames: fail, or mask them whole."`
	Region     []region `group:"policy" sep:";" placeholder:"X,Y,W,H[@FROM-TO]" help:"Cover a fixed rectangle (upright pixels); may be repeated."`
	Effort     string   `group:"policy" enum:"thorough,fast," default:"" placeholder:"thorough|fast" help:"How hard to look."`
}

// Load reads the named policy, applies the flags to a copy, and checks the result.
func (f *Flags) Load() (decide.Policy, error) {
	p, err := readPolicy(f.Policy)
	if err != nil {
		return p, err
	}
	for _, s := range []struct {
		flag  string
		field *string
	}{
		{f.Fill, &p.Fill}, {f.Cover, &p.Cover}, {f.Shape, &p.Shape}, {f.Audio, &p.Audio}, {f.Profile, &p.Profile},
		{f.Unsure, &p.Unsure}, {f.Damage, &p.Damage}, {f.Effort, &p.Effort},
	} {
		if s.flag != "" {
			*s.field = s.flag
		}
	}
	if f.AudioTrack != nil {
		p.AudioTrack = *f.AudioTrack
	}
	if p.Audio != "keep" && (f.AudioTrack != nil || len(f.Mute) > 0) {
		return p, failure.Usagef("add --audio keep, or leave them out", "--mute and --audio-track need sound, and the policy drops it")
	}
	p.Mute = append([]decide.Muted(nil), p.Mute...)
	for _, m := range f.Mute {
		p.Mute = append(p.Mute, decide.Muted{From: m.From, To: m.To})
	}
	p.Regions = append([]decide.FixedRegion(nil), p.Regions...)
	for _, r := range f.Region {
		p.Regions = append(p.Regions, decide.FixedRegion{Rect: r.rect, Span: r.span, Reason: "command line"})
	}
	if err := p.Validate(); err != nil {
		return p, failure.Usagef(policyRemedy(p), "%s", err)
	}
	return p, nil
}

// policyRemedy says what to do about a policy that was refused.
func policyRemedy(p decide.Policy) string {
	if p.Release == "public" && (p.Fill == "blur" || p.Fill == "mosaic") {
		return "use --fill surround or solid, or --policy disclosure for a restricted release"
	}
	return "mend the policy; docs/policy.md tells its fields"
}

// readPolicy gives a shipped policy by its name, or reads a file.
func readPolicy(name string) (decide.Policy, error) {
	switch name {
	case decide.Press, decide.Disclosure, decide.Court:
		return decide.Shipped(name)
	}
	data, err := disk.ReadDocument(name)
	if err != nil {
		return decide.Policy{}, failure.Usagef("name press, disclosure, court or a readable file", "policy %s cannot be read: %s", name, disk.Plain(err))
	}
	p, err := decide.ParsePolicy(data)
	if err != nil {
		return p, failure.Usagef("mend the policy; docs/policy.md tells its fields", "%s", err)
	}
	return p, nil
}
