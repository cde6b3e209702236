package main

import (
	"context"
	"fmt"

	"veil/pipeline/decide"
	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/policy"
	"veil/worker/store"
)

// decideCmd is `veil decide`.
type decideCmd struct {
	ID string `arg:"" help:"A held job."`
	connect.Flags
	policy.DecisionFlags
	Wait bool `help:"Wait for the answer; the exit code tells it."`
}

// maxPlan bounds a plan that is read whole, in bytes: hours of crowds fit.
const maxPlan = 1 << 30

// Run has a held clip rendered again by what a person decided, without looking for faces anew.
func (c *decideCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	state, err := s.Queue.State(ctx, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	d, err := c.about(ctx, s, state)
	if err != nil {
		return err
	}
	encoded, err := policy.EncodeDecisions(d)
	if err != nil {
		return err
	}
	if err := s.Note(ctx, access.Entry{Action: access.Alteration, Job: c.ID, Person: d.By, Reason: c.Reason, What: "decided about the plan"}); err != nil {
		return err
	}
	state, err = archive.Kept(ctx, s, c.ID, true)(s.Queue.Retry(ctx, c.ID, jobs.RetryOptions{Decisions: encoded}))
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	rows := []submitted{{ID: state.ID, Phase: state.Phase}}
	if c.Wait {
		if err := awaitAnswers(ctx, s, a, rows); err != nil {
			return err
		}
	}
	return a.tellSubmitted(rows)
}

// about fetches the plan that the job is held with and holds the decisions against it, so that a slip is told here and not by
// a worker.
func (c *decideCmd) about(ctx context.Context, s *connect.Service, state jobs.State) (*decide.Decisions, error) {
	if state.Phase != jobs.Held || state.Result == nil {
		return nil, failure.Coded(failure.Phase, fmt.Sprintf("job %s is %s, and only held ones wait for a decision", state.ID, state.Phase))
	}
	key := store.AttemptPrefix(state.ID, state.Result.Generation, state.Result.Epoch) + store.PlanName
	b, o, err := s.Store.Read(ctx, key, maxPlan)
	if err != nil {
		return nil, failure.OfJob(state.ID, err)
	}
	if o.SHA256 != state.Result.Digests["plan"] {
		return nil, failure.Coded(failure.WrongDigest, "the plan of job "+state.ID+" in the store is not the one that was put there")
	}
	d, err := c.Read(b)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, failure.Usagef("add --keep, --region or --dismiss with --reason and --by, --ground with --by, or --decisions FILE", "nothing is decided")
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return nil, failure.Coded(failure.WrongDigest, "the plan of job "+state.ID+" cannot be read")
	}
	if _, err := decide.Apply(plan, decide.Digest(b), *d); err != nil {
		return nil, failure.Usagef("`veil get --held` fetches the plan that they must fit", "%s", err)
	}
	return d, nil
}
