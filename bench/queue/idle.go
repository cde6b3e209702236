package main

import (
	"context"
	"errors"
	"time"
)

// idleShare is how much of a core a worker may use that has nothing to do.
const idleShare = 0.01

// IdleResult is what a worker takes that waits.
type IdleResult struct {
	Seconds float64 `json:"seconds"`
	// Share is the part of one core, of the worker's own process: it has no children then.
	Share  float64 `json:"share_of_a_core"`
	Memory Memory  `json:"memory"`
}

// settling is how long a new worker is left alone before it counts as idle.
const settling = 5 * time.Second

// idle watches a worker that waits.
func (h *house) idle(ctx context.Context, length time.Duration) (res *IdleResult, err error) {
	w, err := h.hire(ctx, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.retire()) }()
	if err := rest(ctx, settling); err != nil {
		return nil, err
	}
	before, err := processor(w.pid())
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := rest(ctx, length); err != nil {
		return nil, err
	}
	took := time.Since(start).Seconds()
	after, err := processor(w.pid())
	if err != nil {
		return nil, err
	}
	ended, stop := context.WithCancel(ctx)
	stop()
	return &IdleResult{Seconds: took, Share: (after - before) / took, Memory: watch(ended, w.pid())}, nil
}

// rest does nothing for a while.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
