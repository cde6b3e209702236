// Package metrics counts what a worker does and answers for its health: /healthz, /readyz and /metrics, on a registry of its
// own. No figure and no label tells anything of a job.
package metrics

import (
	"math"
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

	slots   prometheus.Gauge
	reserve prometheus.Gauge
	build   *prometheus.GaugeVec

	depth     *prometheus.GaugeVec
	oldest    prometheus.Gauge
	deadline  prometheus.Gauge
	held      prometheus.Gauge
	heldAge   prometheus.Gauge
	dead      prometheus.Gauge
	overdue   prometheus.Gauge
	free      prometheus.Gauge
	expiry    *prometheus.GaugeVec
	keyExpiry prometheus.Gauge
	connected prometheus.Gauge
	reachable prometheus.Gauge
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
	m.slots = gauge("job_slots", "Jobs that this worker works on at once, at most.")
	m.reserve = gauge("scratch_reserve_bytes", "Scratch space that has to stay free: below it this worker takes no job.")
	m.build = gauges("build_info", "1, with the build of veil as label.", "revision")
	m.depth = gauges("queue_depth", "Jobs that wait or are being worked on.", "priority")
	m.oldest = gauge("oldest_job_age_seconds", "Age of the oldest unfinished job; 0 without one.")
	m.deadline = gauge("nearest_deadline_seconds", "Time to the nearest deadline of an unfinished job; negative once it has passed, +Inf without one.")
	m.held = gauge("held_jobs", "Jobs that wait for a person.")
	m.heldAge = gauge("held_oldest_age_seconds", "How long the one has waited that waits longest.")
	m.dead = gauge("dead_letters", "Dead letters: jobs that failed for good and that nobody has looked after.")
	m.overdue = gauge("retention_overdue_seconds", "How long ago the job whose destroy_after passed first should have been destroyed; 0 without one. Jobs under a legal hold do not count.")
	m.free = gauge("scratch_free_bytes", "Free space of the scratch folder.")
	m.expiry = gauges("certificate_expiry_timestamp_seconds", "When a certificate that is in use here ends.", "certificate")
	m.keyExpiry = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "veil", Name: "signing_key_expiry_timestamp_seconds",
		Help: "Until when the signing key is good, as the trust file says."}) // registered once it is known
	m.connected = gauge("queue_connected", "1 while NATS is connected.")
	m.reachable = gauge("store_reachable", "1 where the store answered when it was last asked.")
	for _, unknown := range []prometheus.Gauge{m.oldest, m.deadline, m.held, m.heldAge, m.dead, m.overdue, m.free} {
		unknown.Set(math.NaN()) // until it was read: no figure is no zero
	}
	return m
}

// Worker tells what this worker is: its build, how many jobs it takes at once, and the scratch space that it keeps free, in
// bytes.
func (m *Meters) Worker(revision string, slots int, reserve int64) {
	m.build.WithLabelValues(revision).Set(1)
	m.slots.Set(float64(slots))
	m.reserve.Set(float64(reserve))
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
