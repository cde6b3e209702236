package main

import (
	"context"
	"log/slog"
	"time"

	"veil/pipeline"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/metrics"
	"veil/worker/policy"
	"veil/worker/room"
	"veil/worker/seal"
	"veil/worker/store"
)

// worker is what the processing of every job shares.
type worker struct {
	engine   engine
	crashLog string
	config   pipeline.Config // Scratch is the root; each job gets a folder of its own below it
	service  *connect.Service
	policies policy.Set
	room     *room.Room
	meters   *metrics.Meters
	log      *slog.Logger
	trust    store.Trust
	key      *seal.Key     // signs the evidence; nil: it stays unsigned
	sandbox  string        // what the children are denied, for the log
	stall    time.Duration // how long a stage may go without progress
	// lockEvidence keeps results from being deleted before their jobs' destroy_after.
	lockEvidence bool
}

// process is one attempt at one job. What comes before the commit writes nowhere but under the attempt's own prefix; what comes
// after it follows from the record alone and can be repeated by any worker.
func (w *worker) process(ctx context.Context, a *jobs.Attempt) error {
	if err := w.forward(ctx, a.State().ID); err != nil {
		return w.fate(err)
	}
	if a.Result() == nil {
		if err := w.make(ctx, a); err != nil {
			return w.fate(err)
		}
	}
	return w.fate(w.publish(ctx, a))
}

// forward leaves a job of which the store knows more than its record did (the queue was set back) to whoever reads the mended
// record: its answer, and a person's later word, stand.
func (w *worker) forward(ctx context.Context, id string) error {
	behind, err := archive.Forward(ctx, w.service, id)
	if err != nil {
		return err
	}
	if behind {
		w.log.Warn("the record was older than the store, and was brought forward", "job_id", id)
		return jobs.ErrEpochLost
	}
	return nil
}

// make takes the clip from its source to a committed result.
func (w *worker) make(ctx context.Context, a *jobs.Attempt) (err error) {
	t, err := w.begin(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = t.close(err) }()
	if err := t.fetch(ctx); err != nil {
		return err
	}
	if err := t.checkDigest(); err != nil {
		return err
	}
	if err := t.earlierPlan(ctx); err != nil {
		return err
	}
	if err := t.redact(ctx); err != nil { // analyze, render, verify
		return err
	}
	if err := t.sameSource(ctx); err != nil {
		return err
	}
	result, err := t.put(ctx)
	if err != nil {
		return err
	}
	return a.Commit(ctx, result)
}
