package main

import (
	"context"

	"veil/worker/connect"
	"veil/worker/jobs"
)

// cancelCmd is `veil cancel`.
type cancelCmd struct {
	ID []string `arg:"" help:"Jobs that nobody needs any more: waiting, running or held."`
	connect.Flags
}

// Run cancels the jobs.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	return changeEach(ctx, &c.Flags, a, changing{"job cancelled", c.ID, false}, func(q *jobs.Queue, id string) (jobs.State, error) { return q.Cancel(ctx, id) })
}
