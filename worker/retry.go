package main

import (
	"context"

	"veil/worker/connect"
	"veil/worker/jobs"
)

// retryCmd is `veil retry`.
type retryCmd struct {
	ID []string `arg:"" help:"Jobs that failed, were cancelled or withdrawn."`
	connect.Flags
	Fresh bool `help:"Look at the clip again instead of going on from the stored plan."`
}

// Run begins the next generation of the jobs.
func (c *retryCmd) Run(ctx context.Context, a *app) error {
	return changeEach(ctx, &c.Flags, a, changing{"job begun anew", c.ID, true}, func(q *jobs.Queue, id string) (jobs.State, error) {
		return q.Retry(ctx, id, jobs.RetryOptions{Fresh: c.Fresh})
	})
}
