package main

import (
	"context"
	"fmt"
	"time"

	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/store"
)

// checkLock refuses a wish for locks that the store cannot keep.
func (w *worker) checkLock() error {
	if w.lockEvidence && !w.trust.Locks {
		return failure.Usagef("make the bucket with object lock, or leave the flag out", "--object-lock: the store keeps no locks")
	}
	return nil
}

// lock keeps a committed result from being deleted before its job's destroy_after, and never longer. What is locked already is
// locked to the same moment.
func (w *worker) lock(ctx context.Context, a *jobs.Attempt) error {
	until := a.Job().DestroyAfter
	if !w.lockEvidence || until == nil || !until.After(time.Now()) {
		return nil
	}
	r := a.Result()
	for o, err := range w.service.Store.List(ctx, store.AttemptPrefix(a.Job().ID, r.Generation, r.Epoch)) {
		if err != nil {
			return fmt.Errorf("lock evidence: %w", err)
		}
		if _, err := w.service.Store.Lock(ctx, o.Key, *until); err != nil {
			return fmt.Errorf("lock evidence: %w", err)
		}
	}
	return nil
}
