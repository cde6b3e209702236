package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"veil/worker/archive"
	"veil/worker/jobs"
	"veil/worker/store"
)

// publish makes a committed result visible. It needs nothing but the record and the store, and does no harm when it is done
// again, by whomever: derivative and report first, the manifest last, and only where there is none.
func (w *worker) publish(ctx context.Context, a *jobs.Attempt) error {
	r, s := a.Result(), a.State()
	start := time.Now()
	a.Progress("publish", 0)
	prefix := store.AttemptPrefix(s.ID, r.Generation, r.Epoch)
	m, o, err := w.service.Store.Read(ctx, prefix+store.ManifestName, archive.MaxManifest)
	if err == nil && o.SHA256 != r.Envelope {
		err = store.ErrDamaged
	}
	if err != nil {
		return w.lasting(ctx, prefix+store.ManifestName, r.Envelope, fmt.Errorf("read manifest: %w", err))
	}
	if err := w.lock(ctx, a); err != nil {
		return err
	}
	if r.Outcome != jobs.Released {
		return nil // it stays where it is, and restricted
	}
	if err := errors.Join(w.release(ctx, a, m), w.undoLate(ctx, a)); err != nil {
		return err
	}
	took := time.Since(start)
	w.meters.Stage("publish", took)
	w.log.Info("stage", "job_id", s.ID, "attempt", s.Attempts, "stage", "publish", "duration", took.Round(time.Millisecond).String())
	return nil
}

// release copies what goes out, and puts the manifest m last.
func (w *worker) release(ctx context.Context, a *jobs.Attempt, m []byte) error {
	r, s := a.Result(), a.State()
	prefix, to := store.AttemptPrefix(s.ID, r.Generation, r.Epoch), store.ReleasePrefix(s.ID, r.Generation)
	for _, c := range []struct{ piece, name string }{
		{archive.PieceDerivative, store.DerivativeName(a.Job().DerivativeName())}, {archive.PieceReport, store.ReportName},
	} {
		if _, err := w.service.Store.Copy(ctx, prefix+c.name, to+c.name, r.Digests[c.piece]); err != nil {
			return w.lasting(ctx, prefix+c.name, r.Digests[c.piece], fmt.Errorf("copy %s: %w", c.piece, err))
		}
	}
	if _, err := w.service.Store.Create(ctx, to+store.ManifestName, m, "application/json"); err != nil {
		if errors.Is(err, store.ErrExists) {
			err = jobs.Permanent(err) // another result of this generation is out, which cannot be
		}
		return fmt.Errorf("put manifest: %w", err)
	}
	return nil
}

// lasting finds out whether trying again can mend an error about an object of a committed result: not if it is gone or holds
// other bytes.
func (w *worker) lasting(ctx context.Context, key, sha256 string, err error) error {
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	o, again := w.service.Store.Fetch(ctx, key, io.Discard)
	switch {
	case errors.Is(again, store.ErrNotFound), again == nil && o.SHA256 != sha256:
		return jobs.Permanent(err)
	case again != nil:
		return again
	}
	return err
}

// undoLate takes back what a worker put that had slept while another published the same and a person withdrew it, began the job
// anew after that, or had it destroyed. It does so
// even after the attempt's context has ended, which is how the worker hears of it.
func (w *worker) undoLate(ctx context.Context, a *jobs.Attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	s, err := w.service.Queue.State(ctx, a.Job().ID)
	gone := errors.Is(err, jobs.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	generation := a.Result().Generation
	if !gone && s.Phase != jobs.Withdrawn && s.Generation == generation {
		return nil
	}
	if err := archive.Retract(ctx, w.service, store.ReleasePrefix(a.Job().ID, generation)); err != nil {
		return err
	}
	return jobs.ErrEpochLost
}
