package main

import (
	"context"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
)

// sheetCmd is `veil sheet`.
type sheetCmd struct {
	In   string `arg:"" name:"in" help:"The derivative."`
	Plan string `placeholder:"PLAN" help:"The plan that it was rendered by (default: NAME.plan.json beside it)."`
	Out  string `short:"o" required:"" placeholder:"PNG" help:"The picture."`
}

// Run draws a contact sheet of a derivative.
func (c *sheetCmd) Run(ctx context.Context, a *app) error {
	if c.Plan == "" {
		c.Plan = evidence.Stem(c.In) + evidence.PlanEnding
	}
	for _, path := range []*string{&c.In, &c.Plan} {
		if err := disk.CheckInput(path); err != nil {
			return failure.About(*path, err)
		}
	}
	if err := disk.CheckOutput("contact sheet", &c.Out, c.In); err != nil {
		return err
	}
	if disk.Same(c.Out, c.Plan) {
		return failure.Usagef("choose another name", "the contact sheet is the plan itself")
	}
	config, err := a.ready()
	if err != nil {
		return err
	}
	return failure.About(c.In, a.engine.sheet(ctx, config, pipeline.SheetRequest{In: c.In, Plan: c.Plan, PNG: c.Out}))
}
