package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Health is what a worker answers over HTTP.
type Health struct {
	Listen  string                       // HOST:PORT; empty: nowhere
	Unready func(context.Context) string // one word for why the worker takes no jobs now; empty where it does
	Sources func() (Sources, bool)       // false as long as there are none
	Certs   []Certificate
	// KeyUntil tells until when the signing key is good, if that is known; nil where nobody can know.
	KeyUntil func() (time.Time, bool)
	Log      *slog.Logger
}

// Serve answers /healthz (the process lives), /readyz (it takes jobs) and /metrics until the function that it returns is
// called.
func (m *Meters) Serve(h Health) (stop func(), err error) {
	if h.Listen == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", h.Listen)
	if err != nil {
		return nil, failure.Usagef("give a free address, as 127.0.0.1:9464", "--listen cannot be used: %s", errors.Unwrap(err))
	}
	var gathered once
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthAnswerLimit)
		defer cancel()
		if why := h.Unready(ctx); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	metrics := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := h.Sources(); gathered.due(recordsEvery) {
			m.expiries(h.Certs)
			m.keyUntil(h.KeyUntil)
			ctx, cancel := context.WithTimeout(r.Context(), healthAnswerLimit)
			defer cancel()
			if ok {
				if err := m.gather(ctx, s); err != nil {
					h.Log.Warn("gather metrics", "error", err)
				}
			}
		}
		metrics.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: healthHeaderLimit, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			h.Log.Error("health", "error", err)
		}
	}()
	h.Log.Info("listening", "address", l.Addr().String())
	return func() { _ = server.Close(); <-done }, nil
}
