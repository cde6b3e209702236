package main

import (
	"context"

	"veil/worker/access"
	"veil/worker/casepage"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/intake"
)

// caseCmd is `veil case`.
type caseCmd struct {
	Case string `arg:"" help:"The case reference."`
	connect.Flags
	Out string `short:"o" required:"" placeholder:"FOLDER" help:"Where index.html and cases.csv go. They name the case: restricted."`
}

// Run writes the page of a case.
func (c *caseCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	v, err := casepage.Gather(ctx, s, c.Case)
	if err != nil {
		return failure.OfJob("", err)
	}
	if err := s.Note(ctx, access.Entry{Action: access.Query, Case: c.Case, What: "page of a case", Count: len(v.Rows)}); err != nil {
		return err
	}
	if err := disk.Make(c.Out); err != nil {
		return err
	}
	if err := v.Write(c.Out); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(map[string]any{"case": v.Case, "time": v.Time, "clips": v.Rows})
	}
	for _, n := range v.Counts {
		a.printf("%d %s\n", n.N, n.Phase)
	}
	return nil
}
