package main

import (
	"context"

	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
)

// cancelCmd is `veil cancel`.
type cancelCmd struct {
	ID []string `arg:"" help:"Jobs that nobody needs any more: waiting, running or held."`
	connect.Flags
}

// Run cancels the jobs.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	return eachJob(ctx, &c.Flags, a, c.ID, func(s *connect.Service, id string) (jobs.State, error) {
		return archive.Kept(ctx, s, id)(s.Queue.Cancel(ctx, id))
	})
}

// retryCmd is `veil retry`.
type retryCmd struct {
	ID []string `arg:"" help:"Jobs that failed, were cancelled or withdrawn."`
	connect.Flags
	Fresh bool `help:"Look at the clip again instead of going on from the stored plan."`
}

// Run begins the next generation of the jobs.
func (c *retryCmd) Run(ctx context.Context, a *app) error {
	return eachJob(ctx, &c.Flags, a, c.ID, func(s *connect.Service, id string) (jobs.State, error) {
		return archive.Kept(ctx, s, id)(s.Queue.Retry(ctx, id, jobs.RetryOptions{Fresh: c.Fresh}))
	})
}

// eachJob does one thing to several jobs; one that it cannot be done to stops no other.
func eachJob(ctx context.Context, f *connect.Flags, a *app, ids []string, do func(*connect.Service, string) (jobs.State, error)) (err error) {
	s, err := f.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	if len(ids) == 1 {
		state, err := do(s, ids[0])
		if err != nil {
			return failure.OfJob(ids[0], err)
		}
		return a.tellSubmitted([]submitted{{ID: state.ID, Phase: state.Phase}})
	}
	rows := make([]submitted, 0, len(ids))
	for _, id := range ids {
		state, err := do(s, id)
		row := submitted{ID: id, Phase: state.Phase}
		if err != nil {
			row = refused(id, err)
		}
		rows = append(rows, row)
	}
	return a.tellSubmitted(rows)
}

// refused is the row of a job that something could not be done to.
func refused(id string, err error) submitted {
	f := failure.As(failure.OfJob(id, err))
	return submitted{ID: id, Failure: f, Code: f.Code, Cause: f.Detail, Remedy: f.Remedy, exit: f.Exit}
}
