package jobs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Defaults of SetupOptions.
const (
	DefaultAckWait   = 2 * time.Minute
	DefaultEventsAge = 90 * 24 * time.Hour

	duplicateWindow  = 2 * time.Minute
	maxEventsPerJob  = 2000
	maxStateBytes    = 2 * MaxJobBytes
	setupAnswerLimit = 20 * time.Second
)

// SetupOptions says how the streams are to be. The zero value is for a single server.
type SetupOptions struct {
	Replicas int           // copies of everything; default 1, a cluster wants 3
	AckWait  time.Duration // how long a silent worker keeps its job; default two minutes
	// EventsAge is how long events are kept; default 90 days.
	EventsAge time.Duration
	// Monitor is the address of the server's monitoring port, as http://127.0.0.1:8222: only there it tells whether each
	// write is synced to disk. Empty: not asked.
	Monitor string
}

// Report says what Setup did and found.
type Report struct {
	Created     []string     `json:"created,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Sync is "always", "interval" (a power cut can take the last writes), or "unknown" where the server does not tell.
	Sync string `json:"sync"`
}

// Difference is a setting on the server that is not as it should be. Setup changes nothing that exists.
type Difference struct {
	Where string `json:"where"`
	Field string `json:"field"`
	Have  string `json:"have"`
	Want  string `json:"want"`
}

// Setup creates the streams, the consumers and the state bucket where they are missing, and holds those that exist against
// what the queue needs. It can be run at any time, by several at once.
func Setup(ctx context.Context, nc *nats.Conn, o SetupOptions) (Report, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, setupAnswerLimit)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return Report{}, fmt.Errorf("open JetStream: %w", err)
	}
	s := setup{js: js}
	for _, c := range o.streams() {
		if err := s.stream(ctx, c); err != nil {
			return Report{}, err
		}
	}
	for _, c := range o.consumers() {
		if err := s.consumer(ctx, c); err != nil {
			return Report{}, err
		}
	}
	if s.report.Sync, err = syncMode(ctx, o.Monitor); err != nil {
		return Report{}, err
	}
	if s.report.Sync == SyncInterval && o.Replicas == 1 {
		s.differs("server", "jetstream.sync_interval", s.report.Sync, SyncAlways)
	}
	return s.report, nil
}

func (o SetupOptions) withDefaults() SetupOptions {
	if o.Replicas <= 0 {
		o.Replicas = 1
	}
	if o.AckWait <= 0 {
		o.AckWait = DefaultAckWait
	}
	if o.EventsAge <= 0 {
		o.EventsAge = DefaultEventsAge
	}
	return o
}

// streams are the work queue, the events, the dead letters and the stream below the state bucket. The bucket is made as a
// stream, because only so its reads can be bound to the leader: a copy that lags would tell a worker of an old epoch.
func (o SetupOptions) streams() []jetstream.StreamConfig {
	base := jetstream.StreamConfig{Storage: jetstream.FileStorage, Replicas: o.Replicas, MaxMsgs: -1, MaxBytes: -1,
		MaxConsumers: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, Duplicates: duplicateWindow}
	work, events, dead, state := base, base, base, base

	work.Name, work.Description = StreamJobs, "veil: wake-ups of redaction jobs"
	work.Subjects = []string{"job.urgent.*", "job.normal.*", "job.bulk.*"}
	work.Retention, work.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
	work.MaxMsgsPerSubject, work.DiscardNewPerSubject = 1, true
	work.MaxMsgSize = maxStateBytes

	events.Name, events.Description = StreamEvents, "veil: what happens to each job"
	events.Subjects, events.MaxAge, events.MaxMsgsPerSubject = []string{"event.*"}, o.EventsAge, maxEventsPerJob
	events.AllowDirect = true

	dead.Name, dead.Description = StreamDead, "veil: jobs that failed for good"
	dead.Subjects, dead.MaxMsgsPerSubject = []string{"dead.*"}, 1

	state.Name, state.Description = streamState, "veil: state of each job"
	state.Subjects, state.MaxMsgsPerSubject = []string{stateSubject(">")}, 1
	state.Discard, state.AllowRollup, state.DenyDelete = jetstream.DiscardNew, true, true
	state.MaxMsgSize = 2 * maxStateBytes
	return []jetstream.StreamConfig{state, events, dead, work}
}

// consumers are three with disjoint filters, one per priority, without any limit that could stall or drop a job.
func (o SetupOptions) consumers() (all []jetstream.ConsumerConfig) {
	for _, p := range Priorities() {
		all = append(all, jetstream.ConsumerConfig{
			Durable: string(p), FilterSubject: "job." + string(p) + ".*",
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: o.AckWait, DeliverPolicy: jetstream.DeliverAllPolicy,
			MaxDeliver: -1, MaxAckPending: -1, ReplayPolicy: jetstream.ReplayInstantPolicy,
		})
	}
	return all
}

type setup struct {
	js     jetstream.JetStream
	report Report
}

func (s *setup) differs(where, field string, have, want any) {
	s.report.Differences = append(s.report.Differences,
		Difference{Where: where, Field: field, Have: fmt.Sprint(have), Want: fmt.Sprint(want)})
}

func (s *setup) stream(ctx context.Context, want jetstream.StreamConfig) error {
	have, err := s.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if have, err = s.js.CreateStream(ctx, want); err == nil {
			s.report.Created = append(s.report.Created, "stream "+want.Name)
		} else if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			have, err = s.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("set up stream %s: %w", want.Name, err)
	}
	c := have.CachedInfo().Config
	c.Subjects, want.Subjects = slices.Sorted(slices.Values(c.Subjects)), slices.Sorted(slices.Values(want.Subjects))
	s.compare("stream "+want.Name, c, want, "Subjects", "Retention", "Discard", "DiscardNewPerSubject", "MaxMsgs", "MaxBytes",
		"MaxAge", "MaxMsgsPerSubject", "MaxMsgSize", "Storage", "Replicas", "Duplicates", "AllowDirect", "AllowRollup",
		"DenyPurge", "Sealed")
	return nil
}

func (s *setup) consumer(ctx context.Context, want jetstream.ConsumerConfig) error {
	have, err := s.js.Consumer(ctx, StreamJobs, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if have, err = s.js.CreateConsumer(ctx, StreamJobs, want); err == nil {
			s.report.Created = append(s.report.Created, "consumer "+want.Durable)
		} else if errors.Is(err, jetstream.ErrConsumerExists) {
			have, err = s.js.Consumer(ctx, StreamJobs, want.Durable)
		}
	}
	if err != nil {
		return fmt.Errorf("set up consumer %s: %w", want.Durable, err)
	}
	s.compare("consumer "+want.Durable, have.CachedInfo().Config, want, "FilterSubject", "AckPolicy", "AckWait", "DeliverPolicy",
		"MaxDeliver", "MaxAckPending", "BackOff", "InactiveThreshold", "MemoryStorage")
	return nil
}

// compare reports the fields in which two configurations of the same type differ.
func (s *setup) compare(where string, have, want any, fields ...string) {
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for _, f := range fields {
		a, b := h.FieldByName(f), w.FieldByName(f)
		if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			s.differs(where, f, a.Interface(), b.Interface())
		}
	}
}
