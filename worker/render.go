package main

import (
	"context"
	"os"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/policy"
)

// renderCmd is `veil render`.
type renderCmd struct {
	In   string `arg:"" name:"in" help:"The clip that the plan was made for."`
	Plan string `required:"" placeholder:"PLAN" help:"The plan."`
	Out  string `short:"o" required:"" placeholder:"OUT" help:"The derivative (NAME.mp4)."`

	policy.DecisionFlags
	outputFlags
}

// Run renders the plan and verifies the derivative.
func (c *renderCmd) Run(ctx context.Context, a *app) error {
	b, err := os.ReadFile(c.Plan)
	if err != nil {
		return failure.Usagef("name the file that `veil analyze` wrote", "plan cannot be read: %s", disk.Plain(err))
	}
	decisions, err := c.Read(b)
	if err != nil {
		return err
	}
	p := disk.Paths{In: c.In, Out: c.Out, Plan: c.PlanOut, Report: c.Report, Sheet: c.ContactSheet}
	plan := c.Plan
	for _, out := range []string{c.Out, c.PlanOut, c.Report, c.ContactSheet} {
		if out != "" && disk.Same(out, plan) {
			return failure.Usagef("choose another name", "an output is the plan itself")
		}
	}
	r := pipeline.Request{Plan: plan, Decisions: decisions, OnHold: c.OnHold}
	return failure.About(c.In, a.single(ctx, r, p, c.Progress))
}
