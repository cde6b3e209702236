package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors about a job as a whole.
var (
	// ErrNotFound says that there is no such job, or no dead letter of it.
	ErrNotFound = errors.New("no such job")
	// ErrConflict says that the id is taken by a job with other content.
	ErrConflict = errors.New("the id belongs to a job with other content")
	// ErrPhase says that the job's phase does not allow what was asked.
	ErrPhase = errors.New("not possible in the job's phase")
	// ErrSubmitOnly says that this account may hand jobs in and read their records, and nothing else.
	ErrSubmitOnly = errors.New("this account of the queue may only hand jobs in")
	// ErrNotSetUp says that the server lacks a stream, a consumer or the bucket: run Setup.
	ErrNotSetUp = errors.New("the queue is not set up on this server")
)

// Options are a queue's settings; the zero value serves a submitter. Workers give Validator and Classify.
type Options struct {
	// Worker names this worker in the state record; default the host's name and the process id.
	Worker string
	// Validator is what the operator allows; it is asked at Submit and again at each claim.
	Validator Validator
	// MessageOnly is for an account that may not write records: Submit sends the job's message, and a worker makes the record.
	// What such an account may ask of JetStream lies under veil.api.
	MessageOnly bool
	// MaxFailures is how many errors of its own a job may have before it fails; default 3. MaxDeaths is how many workers may
	// die over it; default 10.
	MaxFailures, MaxDeaths int
	// RetryDelay is the wait after the n-th failure, n from 1; default 15 s, doubled each time, at most 10 minutes.
	RetryDelay func(n int) time.Duration
	// NewerDelay is the wait of a job whose version this build does not read; default 30 s.
	NewerDelay time.Duration
	// Classify gives the public code of an error; default CodeInternal.
	Classify func(error) Cause
	// CheckEvery is how often a running attempt looks whether it still owns its job, default 2 s; a third of AckWait at most.
	CheckEvery time.Duration
	// PollEvery is how often an idle worker looks for redelivered messages; default 2 s. New jobs wake it at once.
	PollEvery time.Duration
	// ProgressEvery is the least time between two percentages of one stage; default 1 s.
	ProgressEvery time.Duration
	// FinalLimit bounds the writes that settle an attempt; default 30 s, less than AckWait.
	FinalLimit time.Duration
	Now        func() time.Time // the clock of what is recorded; default time.Now
	Log        *slog.Logger     // default: nothing is logged
}

// Queue is one connection's view of the jobs. It is safe for several goroutines.
type Queue struct {
	o         Options
	nc        *nats.Conn
	js        jetstream.JetStream
	kv        jetstream.KeyValue
	jobs      jetstream.Stream
	events    jetstream.Stream
	dead      jetstream.Stream
	state     jetstream.Stream     // below the bucket
	consumers []jetstream.Consumer // in the order of Priorities
	ackWait   time.Duration
	woken     chan struct{}
	turn      chan struct{} // holds one token: who has it polls
}

// Open binds to what Setup made; AckWait is what the server has. The connection stays the caller's; a worker's should be made
// with nats.MaxReconnects(-1), and with nats.ReconnectBufSize(-1), so that no word waits in a buffer until it is stale.
func Open(ctx context.Context, nc *nats.Conn, o Options) (*Queue, error) {
	q := &Queue{nc: nc, woken: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	q.turn <- struct{}{}
	var err error
	if o.MessageOnly {
		q.js, err = jetstream.NewWithAPIPrefix(nc, submitterAPI)
	} else {
		q.js, err = jetstream.New(nc)
	}
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	if err := q.bind(ctx); err != nil {
		return nil, err
	}
	q.o = o.withDefaults(q.ackWait)
	return q, nil
}

func (q *Queue) bind(ctx context.Context) (err error) {
	for name, s := range map[string]*jetstream.Stream{StreamJobs: &q.jobs, StreamEvents: &q.events, StreamDead: &q.dead, streamState: &q.state} {
		if *s, err = q.js.Stream(ctx, name); err != nil {
			return notSetUp("stream "+name, err)
		}
	}
	if q.kv, err = q.js.KeyValue(ctx, BucketState); err != nil {
		return notSetUp("bucket "+BucketState, err)
	}
	for _, p := range Priorities() {
		c, err := q.js.Consumer(ctx, StreamJobs, string(p))
		if err != nil {
			return notSetUp("consumer "+string(p), err)
		}
		q.consumers = append(q.consumers, c)
		if w := c.CachedInfo().Config.AckWait; q.ackWait == 0 || w < q.ackWait {
			q.ackWait = w
		}
	}
	return nil
}

func notSetUp(what string, err error) error {
	for _, missing := range []error{jetstream.ErrStreamNotFound, jetstream.ErrBucketNotFound, jetstream.ErrConsumerNotFound} {
		if errors.Is(err, missing) {
			return fmt.Errorf("open %s: %w", what, ErrNotSetUp)
		}
	}
	return fmt.Errorf("open %s: %w", what, err)
}

func (o Options) withDefaults(ackWait time.Duration) Options {
	if o.Worker == "" {
		host, _ := os.Hostname()
		o.Worker = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	if o.MaxFailures <= 0 {
		o.MaxFailures = 3
	}
	if o.MaxDeaths <= 0 {
		o.MaxDeaths = 10
	}
	if o.RetryDelay == nil {
		o.RetryDelay = retryDelay
	}
	if o.Classify == nil {
		o.Classify = func(error) Cause { return Cause{Code: CodeInternal} }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&o.NewerDelay, 30*time.Second)
	orElse(&o.CheckEvery, 2*time.Second)
	orElse(&o.PollEvery, 2*time.Second)
	orElse(&o.ProgressEvery, time.Second)
	orElse(&o.FinalLimit, 30*time.Second)
	o.CheckEvery = min(o.CheckEvery, ackWait/3)
	o.FinalLimit = min(o.FinalLimit, ackWait/2)
	return o
}

func orElse(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

func retryDelay(n int) time.Duration {
	const first, most = 15 * time.Second, 10 * time.Minute
	return min(first<<min(max(n-1, 0), 10), most)
}

// AckWait is how long a silent worker keeps its job, as the server has it.
func (q *Queue) AckWait() time.Duration { return q.ackWait }

// wake tells an idle worker to look. Where it finds the job taken or does not come, others look PollEvery later at most.
func (q *Queue) wake() { _ = q.nc.Publish(wakeSubject, nil) }

// listen hears wake-ups until the returned function is called. Only who is idle listens: each wake-up wakes one listener, so
// that a hundred idle workers do not ask for the one job that came.
func (q *Queue) listen() (stop func(), err error) {
	s, err := q.nc.QueueSubscribe(wakeSubject, wakeGroup, func(*nats.Msg) {
		select {
		case q.woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to wake-ups: %w", err)
	}
	return func() { _ = s.Unsubscribe() }, nil
}

// final gives writes that must not be cut off by a shutdown their own, bounded time.
func (q *Queue) final(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), q.o.FinalLimit)
}
