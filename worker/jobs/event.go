package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// EventSchema names the version of the event's format (docs/schema/event.schema.json).
const EventSchema = "veil.event/1"

// Kind is what an event tells.
type Kind string

// The kinds of events.
const (
	EventAccepted  Kind = "accepted"
	EventRejected  Kind = "rejected"
	EventStarted   Kind = "started"
	EventStage     Kind = "stage"
	EventRetrying  Kind = "retrying" // an attempt ended without an answer, the job is queued again
	EventHeld      Kind = "held"
	EventReleased  Kind = "released"
	EventFailed    Kind = "failed"
	EventCancelled Kind = "cancelled"
	EventWithdrawn Kind = "withdrawn"
)

// Kinds lists them all.
func Kinds() []Kind {
	return []Kind{EventAccepted, EventRejected, EventStarted, EventStage, EventRetrying, EventHeld, EventReleased, EventFailed,
		EventCancelled, EventWithdrawn}
}

// Event is one thing that happened to a job, on the subject event.ID. It holds nothing of the job's content. Events come at
// least once; ID, Generation and Event together tell a repeated answer from a new one.
type Event struct {
	Schema     string    `json:"schema"`
	ID         string    `json:"id"`
	Event      Kind      `json:"event"`
	Generation int       `json:"generation"`
	Attempt    int       `json:"attempt,omitempty"`
	Time       time.Time `json:"time"`
	Stage      string    `json:"stage,omitempty"`
	Percent    *int      `json:"percent,omitempty"`  // 0 to 100 of the stage
	Code       string    `json:"code,omitempty"`     // why: of retrying, failed and rejected
	Remedy     string    `json:"remedy,omitempty"`   // what to do about it
	Faults     []string  `json:"faults,omitempty"`   // of rejected: names of fields, never what stood in them
	Findings   []string  `json:"findings,omitempty"` // of held: neutral codes
}

// event begins an event about s.
func (q *Queue) event(s State, k Kind) Event {
	return Event{Schema: EventSchema, ID: s.ID, Event: k, Generation: s.Generation, Attempt: s.Attempts, Time: q.o.Now().UTC()}
}

// answer is the event of a final phase.
func (q *Queue) answer(s State) Event {
	e := q.event(s, Kind(s.Phase))
	switch s.Phase {
	case Failed:
		e.Code, e.Remedy = s.Code, s.Remedy
	case Rejected:
		e.Code, e.Faults = s.Code, s.Faults
	case Held:
		if s.Result != nil {
			e.Findings = s.Result.Findings
		}
	}
	return e
}

// publish stores an event. Within the duplicate window the same answer is stored once.
func (q *Queue) publish(ctx context.Context, e Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	var opts []jetstream.PublishOpt
	switch e.Event {
	case EventStarted, EventStage, EventRetrying:
	default:
		opts = append(opts, jetstream.WithMsgID(fmt.Sprintf("%s.%d.%s", e.ID, e.Generation, e.Event)))
	}
	if _, err := q.js.Publish(ctx, eventSubject(e.ID), data, opts...); err != nil {
		return fmt.Errorf("publish event %s of %s: %w", e.Event, e.ID, err)
	}
	return nil
}

// tell publishes an event whose loss does no harm.
func (q *Queue) tell(ctx context.Context, e Event) {
	if err := q.publish(ctx, e); err != nil {
		q.o.Log.Warn("publish event", "job_id", e.ID, "event", string(e.Event), "error", err)
	}
}

// ensureAnswer publishes the event of a final phase unless the job's last event is just that.
func (q *Queue) ensureAnswer(ctx context.Context, s State) error {
	want := q.answer(s)
	m, err := q.events.GetLastMsgForSubject(ctx, eventSubject(s.ID))
	if err == nil {
		var have Event
		if json.Unmarshal(m.Data, &have) == nil && have.Event == want.Event && have.Generation == want.Generation {
			return nil
		}
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("read last event of %s: %w", s.ID, err)
	}
	return q.publish(ctx, want)
}

// Follow calls each for the events of one job, or of all with an empty id, first those stored since, then the new ones, until
// each returns false or ctx ends, whose error it then returns. A zero since means all that are kept.
func (q *Queue) Follow(ctx context.Context, id string, since time.Time, each func(Event) bool) error {
	subject := "event.*"
	if id != "" {
		if !ValidID(id) {
			return fmt.Errorf("follow events: %w", ErrNotFound)
		}
		subject = eventSubject(id)
	}
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}
	if !since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	c, err := q.events.OrderedConsumer(ctx, cfg)
	if err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	it, err := c.Messages()
	if err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	defer it.Stop()
	for {
		m, err := it.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("follow events: %w", err)
		}
		var e Event
		if json.Unmarshal(m.Data(), &e) != nil {
			continue
		}
		if !each(e) {
			return nil
		}
	}
}

// sayStage sends progress without waiting for the server: one that gets lost is overtaken by the next.
func (q *Queue) sayStage(e Event) {
	data, err := json.Marshal(e)
	if err != nil {
		return
	}
	_ = q.nc.PublishMsg(&nats.Msg{Subject: eventSubject(e.ID), Data: data})
}
