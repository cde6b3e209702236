package main

import (
	"context"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/policy"
	"veil/worker/screen"
	"veil/worker/text"
)

// analyzeCmd is `veil analyze`.
type analyzeCmd struct {
	In  string `arg:"" name:"in" help:"The clip. A name with a leading dash goes after --."`
	Out string `short:"o" required:"" placeholder:"PLAN" help:"The plan (JSON)."`

	policy.Flags
	From     *policy.Seconds `placeholder:"TIME" help:"Begin here: seconds or [HH:]MM:SS[.mmm] from the first frame."`
	To       *policy.Seconds `placeholder:"TIME" help:"End before this time."`
	People   string          `placeholder:"FILE" help:"Write a PNG with a numbered picture of each track. It shows faces."`
	Progress string          `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// analyzed is what analyze answers.
type analyzed struct {
	Plan   string              `json:"plan"`
	SHA256 string              `json:"sha256"` // of the plan, as decisions name it
	Source pipeline.FileDigest `json:"source"`
	Frames int                 `json:"frames"`
	Tracks int                 `json:"tracks"`
	People string              `json:"people,omitempty"`
	Took   float64             `json:"seconds"`
}

// Run writes the plan.
func (c *analyzeCmd) Run(ctx context.Context, a *app) error {
	policy, err := c.Load()
	if err != nil {
		return err
	}
	if c.From != nil && c.To != nil && *c.To <= *c.From {
		return failure.Usagef("give a later --to", "the excerpt ends before it begins")
	}
	p := disk.Paths{In: c.In, Plan: c.Out, Sheet: c.People}
	if err := p.CheckPlan(); err != nil {
		return failure.About(c.In, err)
	}
	config, err := a.ready()
	if err != nil {
		return err
	}
	m := screen.NewMeter(c.Progress, a.err, disk.Base(p.In))
	answer, err := a.analyze(ctx, pipeline.AnalyzeRequest{Config: config, In: p.In, Policy: policy, From: c.From.Value(), To: c.To.Value()}, p, m)
	m.Close()
	if err != nil {
		return failure.About(c.In, err)
	}
	if a.JSON {
		return a.printJSON(answer)
	}
	a.printf("%s: %d tracks in %d frames\n  plan        %s\n", text.Printable(disk.Base(p.In)), answer.Tracks, answer.Frames, text.Printable(answer.Plan))
	if answer.People != "" {
		a.printf("  people      %s\n", text.Printable(answer.People))
	}
	return nil
}

// analyze runs the first pass in scratch and puts plan and sheet in their places.
func (a *app) analyze(ctx context.Context, r pipeline.AnalyzeRequest, p disk.Paths, m screen.Meter) (analyzed, error) {
	src, err := pipeline.DigestFile(ctx, p.In, m.Event)
	if err != nil {
		return analyzed{}, err
	}
	s, err := disk.OpenScratch(r.Config.Scratch)
	if err != nil {
		return analyzed{}, err
	}
	defer s.Close()
	r.SHA256, r.PlanOut = src.SHA256, s.Path("plan.json")
	res, err := a.engine.stages(a.CrashLog).Analyze(ctx, r, m.Event)
	if err != nil {
		return analyzed{}, err
	}
	if again, err := pipeline.DigestFile(ctx, p.In, nil); err != nil || again != src {
		return analyzed{}, failure.Newf("source_changed", "analyze it again once it is whole", "the clip was changed while it was read")
	}
	plan, err := pipeline.DigestFile(ctx, r.PlanOut, nil)
	if err != nil {
		return analyzed{}, err
	}
	if p.Sheet != "" {
		if err := a.engine.people(ctx, r.Config, pipeline.SheetRequest{In: p.In, Plan: r.PlanOut, PNG: p.Sheet}); err != nil {
			return analyzed{}, err
		}
	}
	if err := disk.Copy(r.PlanOut, p.Plan); err != nil {
		return analyzed{}, err
	}
	return analyzed{Plan: p.Plan, SHA256: plan.SHA256, Source: src, Frames: res.Frames, Tracks: res.Tracks, People: p.Sheet, Took: res.Seconds}, nil
}
