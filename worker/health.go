package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"veil/worker/failure"
)

const (
	healthHeaderLimit = 5 * time.Second
	healthAnswerLimit = 5 * time.Second
)

// serveHealth answers /healthz (the process lives), /readyz (it takes jobs: queue and scratch are there) and /metrics until
// the function that it returns is called.
func (d *daemon) serveHealth(soft context.Context) (stop func(), err error) {
	if d.listen == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", d.listen)
	if err != nil {
		return nil, failure.Usagef("give a free address, as 127.0.0.1:9464", "--listen cannot be used: %s", errors.Unwrap(err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if why := d.unready(soft, r.Context()); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	metrics := promhttp.HandlerFor(d.meters.registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if d.gathered.due(recordsEvery) {
			ctx, cancel := context.WithTimeout(r.Context(), healthAnswerLimit)
			defer cancel()
			if err := d.meters.gather(ctx, d.worker); err != nil {
				d.log.Warn("gather metrics", "error", err)
			}
			d.meters.expiries(d.certs)
		}
		metrics.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: healthHeaderLimit, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("health", "error", err)
		}
	}()
	d.log.Info("listening", "address", l.Addr().String())
	return func() { _ = server.Close(); <-done }, nil
}

// unready says in one word why this worker takes no jobs now.
func (d *daemon) unready(soft, ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, healthAnswerLimit)
	defer cancel()
	if soft.Err() != nil {
		return "stopping"
	}
	if _, err := d.service.Queue.Depth(ctx); err != nil || !d.service.NC.IsConnected() {
		return "queue"
	}
	if free, err := d.room.space(d.room.dir); err != nil || free < d.room.reserve {
		return "scratch"
	}
	return ""
}
