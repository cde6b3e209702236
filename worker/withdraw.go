package main

import (
	"context"
	"strings"

	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
)

// withdrawCmd is `veil withdraw`.
type withdrawCmd struct {
	ID string `arg:"" help:"A released job."`
	connect.Flags
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept with the case."`
	By     string `required:"" placeholder:"NAME" help:"Who decides."`
}

// Run takes a release back: first the record, so that nobody begins to publish, then the log, then the objects. Whoever is
// interrupted runs it again.
func (c *withdrawCmd) Run(ctx context.Context, a *app) (err error) {
	if strings.TrimSpace(c.Reason) == "" || strings.TrimSpace(c.By) == "" {
		return failure.Usagef("give both", "--reason and --by must say something")
	}
	key, err := a.signingKey(false)
	if err != nil {
		return err
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	if _, err := current(ctx, s, c.ID); err != nil {
		return failure.OfJob(c.ID, err)
	}
	state, err := s.Queue.Withdraw(ctx, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if err := s.Note(ctx, access.Entry{Action: access.Deletion, Job: c.ID, Person: c.By, Reason: c.Reason, What: "release withdrawn"}); err != nil {
		return err
	}
	removed, err := archive.TakeBack(ctx, s, state, archive.Withdrawal{Reason: c.Reason, By: c.By, Sign: key})
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if a.JSON {
		return a.printJSON(map[string]any{"id": state.ID, "phase": state.Phase, "removed": removed})
	}
	a.printf("%s %s, %d objects removed from the release\n", state.ID, state.Phase, removed)
	a.printf("whoever has a copy still has it\n")
	return nil
}
