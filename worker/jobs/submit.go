package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Submit takes a job in: the record first, then the wake-up, then the event. When it returns without an error the job will be
// answered; where it dies after the record, a worker's reconciler sends the wake-up. The same job again changes nothing and
// returns how it stands; the same id with other content is ErrConflict; nonsense is an *InvalidError.
func (q *Queue) Submit(ctx context.Context, j Job) (State, error) {
	if q.o.MessageOnly {
		return q.send(ctx, j)
	}
	s, err := q.accept(ctx, j)
	if err != nil || s.Phase.Final() {
		return s, err
	}
	if s.Phase == Queued && s.Attempts == 0 {
		q.tell(ctx, q.event(s, EventAccepted)) // before a worker can tell of its first stage
	}
	return s, q.publishJob(ctx, s, fmt.Sprintf("%s.%d", s.ID, s.Generation))
}

// draft is the record of a valid job, not written yet.
func (q *Queue) draft(j Job) (State, error) {
	v := q.o.Validator
	v.Now = q.o.Now
	j = j.withDefaults()
	if err := v.Validate(j); err != nil {
		return State{}, err
	}
	data, err := j.Encode()
	if err != nil {
		return State{}, err
	}
	if len(data) > MaxJobBytes {
		return State{}, &InvalidError{Document: "job", Faults: []string{fmt.Sprintf("is larger than %d bytes", MaxJobBytes)}}
	}
	digest, err := j.Digest()
	if err != nil {
		return State{}, err
	}
	return State{ID: j.ID, Phase: Queued, Generation: 1, Submission: digest, Job: data, Priority: j.Priority, Submitted: q.o.Now().UTC()}, nil
}

// accept makes the record of a valid job, or finds the one that an earlier submission of the same job has made.
func (q *Queue) accept(ctx context.Context, j Job) (State, error) {
	s, err := q.draft(j)
	if err != nil {
		return State{}, err
	}
	_, err = q.create(ctx, &s)
	if !errors.Is(err, errSwapped) {
		return s, err
	}
	have, err := q.State(ctx, s.ID)
	if err != nil {
		return State{}, err
	}
	if have.Submission != s.Submission {
		return State{}, fmt.Errorf("submit %s: %w", s.ID, ErrConflict)
	}
	return have, nil
}

// publishJob puts the wake-up into the queue. One that lies there already serves as well: it says only that there is
// something to do. An empty msgID escapes the window in which the server swallows repeated ids.
func (q *Queue) publishJob(ctx context.Context, s State, msgID string) error {
	var opts []jetstream.PublishOpt
	if msgID != "" {
		opts = append(opts, jetstream.WithMsgID(msgID))
	}
	ack, err := q.js.Publish(ctx, s.subject(), s.Job, opts...)
	if err != nil || ack.Duplicate {
		_, there := q.jobs.GetLastMsgForSubject(ctx, s.subject())
		switch {
		case there == nil:
		case err != nil:
			return fmt.Errorf("publish job %s: %w", s.ID, err)
		case errors.Is(there, jetstream.ErrMsgNotFound):
			return q.publishJob(ctx, s, "") // the id was seen, its message is gone
		}
	}
	q.wake()
	return nil
}
