package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// send takes a job in by its message alone, for an account that may not write records: the worker that receives the message makes
// the record. As with Submit the job will be answered once this returns without an error, the same job again changes nothing, and
// other content under its id is ErrConflict; where two hand in one id at the same moment, the one whose message came first wins.
func (q *Queue) send(ctx context.Context, j Job) (State, error) {
	s, err := q.draft(j)
	if err != nil {
		return State{}, err
	}
	have, err := q.sent(ctx, s)
	if !errors.Is(err, ErrNotFound) {
		return have, err
	}
	if err := q.publishJob(ctx, s, fmt.Sprintf("%s.%d", s.ID, s.Generation)); err != nil {
		return s, err
	}
	have, err = q.sent(ctx, s)
	if errors.Is(err, ErrNotFound) {
		return s, nil // answered, and forgotten since
	}
	return have, err
}

// sent tells how the job stands that s would make, and ErrConflict where the id is another's.
func (q *Queue) sent(ctx context.Context, s State) (State, error) {
	have, err := q.State(ctx, s.ID)
	if err == nil && have.Submission != s.Submission {
		return State{}, fmt.Errorf("submit %s: %w", s.ID, ErrConflict)
	}
	return have, err
}

// waiting is the record that a worker will make of a message that no worker has received yet. The error is ErrNotFound where there
// is no such message.
func (q *Queue) waiting(ctx context.Context, id string) (State, error) {
	for _, p := range Priorities() {
		m, err := q.jobs.GetLastMsgForSubject(ctx, jobSubject(p, id))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return State{}, fmt.Errorf("read the message of %s: %w", id, err)
		}
		s, err := q.stateOf(m.Data, id, p)
		s.Submitted = m.Time.UTC()
		return s, err
	}
	return State{}, fmt.Errorf("read the message of %s: %w", id, ErrNotFound)
}
