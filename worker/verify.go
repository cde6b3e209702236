package main

import (
	"context"
	"os"
	"strings"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/screen"
	"veil/worker/text"
)

// verifyCmd is `veil verify`.
type verifyCmd struct {
	Out      string `arg:"" name:"out" help:"The derivative."`
	Original string `required:"" placeholder:"IN" help:"The clip that it was made from."`
	Plan     string `required:"" placeholder:"PLAN" help:"The plan that it was rendered by."`
	Progress string `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// Run checks the derivative: a failed check ends with exit 4, a face outside every mask with exit 3.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	for _, path := range []*string{&c.Out, &c.Original, &c.Plan} {
		if err := disk.CheckInput(path); err != nil {
			return failure.About(*path, err)
		}
	}
	config, err := a.ready()
	if err != nil {
		return err
	}
	m := screen.NewMeter(c.Progress, a.err, disk.Base(c.Out))
	defer m.Close()
	if err := c.belongs(ctx, m); err != nil {
		return failure.About(c.Original, err)
	}
	res, err := a.engine.stages(a.CrashLog).Verify(ctx, pipeline.VerifyRequest{Config: config, In: c.Original, Out: c.Out, Plan: c.Plan}, m.Event)
	if err != nil {
		return failure.About(c.Out, err)
	}
	m.Close()
	if a.JSON {
		if err := a.printJSON(res); err != nil {
			return err
		}
	} else {
		a.printChecks(c.Out, res)
	}
	return ended(verdict(res))
}

// belongs refuses a plan that was made for another clip.
func (c *verifyCmd) belongs(ctx context.Context, m screen.Meter) error {
	b, err := os.ReadFile(c.Plan)
	if err != nil {
		return failure.Usagef("check the file's owner and mode", "plan cannot be read: %s", disk.Plain(err))
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return failure.Usagef("name the plan that the derivative was rendered by", "%s", err)
	}
	src, err := pipeline.DigestFile(ctx, c.Original, m.Event)
	if err != nil {
		return err
	}
	if src.SHA256 != plan.Source.SHA256 {
		return &pipeline.Failure{Code: "verify", Detail: "the plan was made for another clip", Remedy: "name the original that the plan names by its SHA-256", Exit: pipeline.ExitVerify}
	}
	return nil
}

// verdict is the exit code that the checks ask for. A check that was not done is not a check that passed.
func verdict(r pipeline.VerifyResult) int {
	for _, k := range r.Checks {
		if k.Result != "passed" {
			return pipeline.ExitVerify
		}
	}
	if len(r.Checks) == 0 {
		return pipeline.ExitVerify
	}
	if len(r.Findings) > 0 {
		return pipeline.ExitHeld
	}
	return pipeline.ExitReleased
}

// printChecks is the result for people.
func (a *app) printChecks(out string, r pipeline.VerifyResult) {
	words := map[int]string{pipeline.ExitReleased: "passed", pipeline.ExitHeld: "passed, with findings", pipeline.ExitVerify: "failed"}
	a.printf("%s: %s\n", text.Printable(disk.Base(out)), words[verdict(r)])
	for _, k := range r.Checks {
		a.printf("  %-9s %s: %s\n", text.Printable(k.Result), text.Printable(strings.ReplaceAll(k.Name, "_", " ")), text.Printable(k.Text))
	}
	for _, f := range r.Findings {
		a.printf("  %-9s %s (frames %d to %d)\n", "finding", text.Printable(f.Text), f.First, f.Last)
	}
}
