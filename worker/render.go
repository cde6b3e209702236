package main

import (
	"context"
	"os"

	"veil/pipeline"
	"veil/pipeline/decide"
)

// renderCmd is `veil render`.
type renderCmd struct {
	In   string `arg:"" name:"in" help:"The clip that the plan was made for."`
	Plan string `required:"" placeholder:"PLAN" help:"The plan."`
	Out  string `short:"o" required:"" placeholder:"OUT" help:"The derivative (NAME.mp4)."`

	Keep      []int    `placeholder:"N,..." help:"Leave these tracks visible."`
	Region    []region `sep:";" placeholder:"X,Y,W,H[@FROM-TO]" help:"Cover this rectangle too; may be repeated."`
	Dismiss   []string `placeholder:"F1,..." help:"These findings are no reason to hold the clip."`
	Reason    string   `placeholder:"TEXT" help:"Why; needed with any of the three."`
	By        string   `placeholder:"NAME" help:"Who decides; needed with any of the three."`
	Decisions string   `placeholder:"FILE" help:"Decisions as a document, instead of the five flags."`

	outputFlags
}

// Run renders the plan and verifies the derivative.
func (c *renderCmd) Run(ctx context.Context, a *app) error {
	decisions, err := c.decisions()
	if err != nil {
		return err
	}
	p := paths{in: c.In, out: c.Out, plan: c.PlanOut, report: c.Report, sheet: c.ContactSheet}
	plan := c.Plan
	for _, out := range []string{c.Out, c.PlanOut, c.Report, c.ContactSheet} {
		if out != "" && same(out, plan) {
			return usagef("choose another name", "an output is the plan itself")
		}
	}
	r := pipeline.Request{Plan: plan, Decisions: decisions, OnHold: c.OnHold}
	return about(c.In, a.single(ctx, r, p, c.Progress))
}

// decisions gives what a person decided: from the document, from the flags, or nil. They name the plan by its digest.
func (c *renderCmd) decisions() (*decide.Decisions, error) {
	plan, err := os.ReadFile(c.Plan)
	if err != nil {
		return nil, usagef("name the file that `veil analyze` wrote", "plan cannot be read: %s", plain(err))
	}
	flags := len(c.Keep)+len(c.Region)+len(c.Dismiss) > 0
	if c.Decisions != "" {
		if flags || c.Reason != "" || c.By != "" {
			return nil, usagef("put everything into the document, or leave it out", "--decisions stands beside flags that decide")
		}
		b, err := readDocument(c.Decisions)
		if err != nil {
			return nil, usagef("name a readable file", "decisions cannot be read: %s", plain(err))
		}
		d, err := decide.ParseDecisions(b)
		if err != nil {
			return nil, usagef("mend the document; docs/decisions.md tells its fields", "%s", err)
		}
		return &d, nil
	}
	if !flags {
		if c.Reason != "" || c.By != "" {
			return nil, usagef("add --keep, --region or --dismiss", "--reason and --by say nothing alone")
		}
		return nil, nil
	}
	if c.Reason == "" || c.By == "" {
		return nil, usagef("add --reason TEXT and --by NAME", "a decision needs its reason and who made it")
	}
	d := &decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(plan), By: c.By}
	for _, track := range c.Keep {
		d.Keep = append(d.Keep, decide.KeepTrack{Track: track, Reason: c.Reason})
	}
	for _, r := range c.Region {
		d.Cover = append(d.Cover, decide.CoverRegion{Rect: r.rect, Span: r.span, Reason: c.Reason})
	}
	for _, id := range c.Dismiss {
		d.Dismiss = append(d.Dismiss, decide.DismissFinding{Finding: id, Reason: c.Reason})
	}
	return d, nil
}
