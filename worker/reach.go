package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Pauses between two tries to reach queue and store: doubled each time.
const (
	firstReachWait = time.Second
	mostReachWait  = 30 * time.Second
)

// reaching waits, at the start of a worker, for servers that do not answer yet.
type reaching struct {
	flags   *connect.Flags
	options jobs.Options
	log     *slog.Logger
	first   time.Duration // pause after the first try; a test puts its own

	lacks atomic.Pointer[string] // what is waited for: "queue" or "store"
}

// word tells what is waited for.
func (r *reaching) word() string {
	if w := r.lacks.Load(); w != nil {
		return *w
	}
	return failure.Queue
}

// reach connects to queue and store and asks the store whether it keeps what veil needs. What waiting cannot mend (wrong
// credentials, a bucket that is not there, a store that is not safe) is an error at once.
func (r *reaching) reach(ctx context.Context) (*connect.Service, store.Trust, error) {
	for pause := r.first; ; pause = min(2*pause, mostReachWait) {
		s, trust, err := r.try(ctx)
		if err == nil || ctx.Err() != nil || !failure.Away(err) {
			return s, trust, err
		}
		f := failure.As(err)
		r.lacks.Store(&f.Code)
		r.log.Warn("waiting for the "+f.Code, "code", f.Code, "detail", f.Detail, "again_in", pause.String())
		select {
		case <-ctx.Done():
			return nil, trust, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// try is one try; the service is the caller's to close.
func (r *reaching) try(ctx context.Context) (*connect.Service, store.Trust, error) {
	flags := *r.flags // connecting fills in what a veil dev's folder tells
	s, err := flags.Connect(ctx, r.options)
	if err != nil {
		return nil, store.Trust{}, err
	}
	trust, err := s.CheckStore(ctx)
	if err != nil {
		return nil, trust, errors.Join(err, s.Close())
	}
	return s, trust, nil
}
