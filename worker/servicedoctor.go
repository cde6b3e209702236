package main

import (
	"cmp"
	"context"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
)

// service shows how queue and store are reached, where the settings name any, and tries them.
func (h *machine) service(ctx context.Context, f connect.Flags) {
	if f.Nats == "" && f.Dir == "" && f.Store == "" {
		return
	}
	c := connect.Describe(f)
	h.Service = &c
	s, err := f.Connect(ctx, jobs.Options{Validator: intake.Validator()})
	if err != nil {
		h.unreached(err)
		return
	}
	defer func() { _ = s.Close() }()
	if _, err := s.CheckStore(ctx); err != nil {
		h.unreached(err)
	}
}

func (h *machine) unreached(err error) {
	f := failure.As(err)
	h.lacks(cmp.Or(f.Remedy, "see docs/worker.md"), "%s", f.Detail)
}
