// Package metrics counts what a worker does and answers for its health: /healthz, /readyz and /metrics, on a registry of its
// own. No figure and no label tells anything of a job.
package metrics

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"math"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/jobs"
)

// Meters are what /metrics tells. Labels are priorities, phases, stages and codes: nothing of any job.
type Meters struct {
	registry *prometheus.Registry
	outcomes *prometheus.CounterVec
	stages   *prometheus.HistogramVec
	seconds  *prometheus.CounterVec // of video and of work
	lost     prometheus.Counter
	crashes  prometheus.Counter
	running  prometheus.Gauge

	depth     *prometheus.GaugeVec
	oldest    prometheus.Gauge
	deadline  prometheus.Gauge
	held      prometheus.Gauge
	heldAge   prometheus.Gauge
	free      prometheus.Gauge
	expiry    *prometheus.GaugeVec
	connected prometheus.Gauge
}

// New registers everything on a registry of its own.
func New() *Meters {
	m := &Meters{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "veil", Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "veil", Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "veil", Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "veil", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.outcomes = counters("attempts_total", "Attempts that this worker ended, by outcome and code.", "outcome", "code")
	m.stages = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "veil", Name: "stage_seconds",
		Help: "Time of each finished stage.", Buckets: prometheus.ExponentialBuckets(0.1, 3, 11)}, []string{"stage"})
	m.registry.MustRegister(m.stages)
	m.seconds = counters("seconds_total", "Seconds of video that were redacted, and seconds that took.", "of")
	m.lost = counter("epochs_lost_total", "Attempts that another worker took over.")
	m.crashes = counter("child_crashes_total", "Attempts that ended because a stage's process died.")
	m.running = gauge("jobs_running", "Jobs that this worker works on.")
	m.depth = gauges("queue_depth", "Jobs that wait or are being worked on.", "priority")
	m.oldest = gauge("oldest_job_age_seconds", "Age of the oldest unfinished job; 0 without one.")
	m.deadline = gauge("nearest_deadline_seconds", "Time to the nearest deadline of an unfinished job; negative once it has passed, +Inf without one.")
	m.held = gauge("held_jobs", "Jobs that wait for a person.")
	m.heldAge = gauge("held_oldest_age_seconds", "How long the one has waited that waits longest.")
	m.free = gauge("scratch_free_bytes", "Free space of the scratch folder.")
	m.expiry = gauges("certificate_expiry_timestamp_seconds", "When a certificate that is in use here ends.", "certificate")
	m.connected = gauge("queue_connected", "1 while NATS is connected.")
	return m
}

// Stage counts a finished stage.
func (m *Meters) Stage(name string, took time.Duration) {
	m.stages.WithLabelValues(name).Observe(took.Seconds())
}

// Video counts what was redacted against the time it took.
func (m *Meters) Video(seconds float64, took time.Duration) {
	m.seconds.WithLabelValues("video").Add(seconds)
	m.seconds.WithLabelValues("work").Add(took.Seconds())
}

// Settled counts how an attempt ended.
func (m *Meters) Settled(s jobs.State, fate jobs.Fate, err error) {
	outcome := string(fate)
	if fate == jobs.FateAnswered {
		outcome = string(s.Phase)
	}
	m.outcomes.WithLabelValues(outcome, s.Code).Inc()
	if fate == jobs.FateLost {
		m.lost.Inc()
	}
	if err != nil && pipeline.AsFailure(err).Code == failure.Crashed {
		m.crashes.Inc()
	}
}

// Working counts one more job that this worker works on, until the function that it returns is called.
func (m *Meters) Working() (end func()) {
	m.running.Inc()
	return m.running.Dec
}

// Sources are what is asked for figures that change by themselves.
type Sources struct {
	Queue     *jobs.Queue
	Connected func() bool
	Free      func() (int64, error) // bytes of scratch space
}

// gather reads what changes by itself: queue, records, scratch space.
func (m *Meters) gather(ctx context.Context, s Sources) error {
	m.connected.Set(0)
	if s.Connected() {
		m.connected.Set(1)
	}
	if free, err := s.Free(); err == nil {
		m.free.Set(float64(free))
	}
	depth, err := s.Queue.Depth(ctx)
	if err != nil {
		return err
	}
	for p, n := range depth {
		m.depth.WithLabelValues(string(p)).Set(float64(n))
	}
	return m.records(ctx, s.Queue)
}

// Certificate is a file whose certificate this worker shows or trusts.
type Certificate struct{ Name, Path string }

// expiries reads when certificates end; a file that cannot be read has no figure.
func (m *Meters) expiries(certs []Certificate) {
	for _, c := range certs {
		b, err := os.ReadFile(c.Path)
		if err != nil {
			continue
		}
		var first time.Time
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			if x, err := x509.ParseCertificate(block.Bytes); err == nil && (first.IsZero() || x.NotAfter.Before(first)) {
				first = x.NotAfter
			}
		}
		if !first.IsZero() {
			m.expiry.WithLabelValues(c.Name).Set(float64(first.Unix()))
		}
	}
}

// recordsEvery is how long figures about all records serve: reading them costs the server something.
const recordsEvery = 15 * time.Second

// once lets one reader at a time gather, and the others have what it found.
type once struct {
	mu   sync.Mutex
	last time.Time
}

// due reports whether it is time again.
func (o *once) due(every time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.last) < every {
		return false
	}
	o.last = time.Now()
	return true
}

// records reads the figures that stand in the records of all jobs.
func (m *Meters) records(ctx context.Context, q *jobs.Queue) error {
	now := time.Now()
	var oldest, heldSince, deadline time.Time
	held := 0
	before := func(t *time.Time, other time.Time) {
		if t.IsZero() || other.Before(*t) {
			*t = other
		}
	}
	err := q.States(ctx, func(s jobs.State) bool {
		switch {
		case s.Phase == jobs.Held:
			held++
			before(&heldSince, s.Updated)
		case !s.Phase.Final():
			before(&oldest, s.Submitted)
			if j, err := s.Decoded(); err == nil && j.Deadline != nil {
				before(&deadline, *j.Deadline)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	age := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return max(now.Sub(t).Seconds(), 0)
	}
	m.held.Set(float64(held))
	m.heldAge.Set(age(heldSince))
	m.oldest.Set(age(oldest))
	m.deadline.Set(math.Inf(1))
	if !deadline.IsZero() {
		m.deadline.Set(deadline.Sub(now).Seconds())
	}
	return nil
}
