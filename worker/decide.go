package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// Run has a held clip rendered again by what a person decided, without looking for faces anew. What a run before this one decided
// and could not keep is kept now.
func (c *decideCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	state, err := current(ctx, s, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	held := decidable(state)
	if held == nil {
		return failure.Coded(failure.Phase, fmt.Sprintf("job %s is %s, and only held ones wait for a decision", state.ID, state.Phase))
	}
	d, err := c.about(ctx, s, state, *held)
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
	state, err = archive.Kept(ctx, s, c.ID, true)(c.decide(ctx, s, state, encoded))
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

// decide begins the job anew with the decisions. One that was begun anew with the very same ones is told as not in its phase, which
// archive.Kept forgives where that was not kept; with others it is refused.
func (c *decideCmd) decide(ctx context.Context, s *connect.Service, state jobs.State, decisions json.RawMessage) (jobs.State, error) {
	if state.Phase == jobs.Held {
		return s.Queue.Retry(ctx, c.ID, jobs.RetryOptions{Decisions: decisions})
	}
	j, err := state.Decoded()
	if err != nil {
		return state, err
	}
	if have, err := policy.Compact(j.Decisions); err != nil || !bytes.Equal(have, decisions) {
		return state, failure.Coded(failure.Phase, fmt.Sprintf("job %s is %s, by other decisions than these", state.ID, state.Phase))
	}
	return state, fmt.Errorf("job %s is %s: %w", state.ID, state.Phase, jobs.ErrPhase)
}

// decidable is the plan that a job waits with for a decision, or of one that goes on by a decision the plan of that; nil where it is
// neither.
func decidable(state jobs.State) *jobs.Stored {
	if r := state.Result; state.Phase == jobs.Held && r != nil {
		return &jobs.Stored{Generation: r.Generation, Epoch: r.Epoch, SHA256: r.Digests[archive.PiecePlan]}
	}
	if j, err := state.Decoded(); err == nil && len(j.Decisions) > 0 && !state.Phase.Final() {
		return state.Plan
	}
	return nil
}

// about fetches the plan that the job is held with and holds the decisions against it, so that a slip is told here and not by
// a worker.
func (c *decideCmd) about(ctx context.Context, s *connect.Service, state jobs.State, held jobs.Stored) (*decide.Decisions, error) {
	b, o, err := s.Store.Read(ctx, store.AttemptPrefix(state.ID, held.Generation, held.Epoch)+store.PlanName, maxPlan)
	if err != nil {
		return nil, failure.OfJob(state.ID, err)
	}
	if o.SHA256 != held.SHA256 {
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
