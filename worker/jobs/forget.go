package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Forget deletes everything the server holds of a job that has its answer, or that has no record any more: wake-ups, dead
// letter, events, and the record last, with the mark that it was deleted. What lies in the store is the caller's. ErrPhase says
// that the job is not finished.
func (q *Queue) Forget(ctx context.Context, id string) error {
	s, rev, err := q.load(ctx, id)
	known := err == nil
	switch {
	case err != nil && (!errors.Is(err, ErrNotFound) || !ValidID(id)):
		return err
	case known && !s.Phase.Final():
		return fmt.Errorf("forget %s, which is %s: %w", id, s.Phase, ErrPhase)
	}
	for _, p := range Priorities() {
		if err := q.jobs.Purge(ctx, jetstream.WithPurgeSubject(jobSubject(p, id))); err != nil {
			return fmt.Errorf("forget %s: %w", id, err)
		}
	}
	if err := q.purgeDead(ctx, id); err != nil {
		return err
	}
	if err := q.events.Purge(ctx, jetstream.WithPurgeSubject(eventSubject(id))); err != nil {
		return fmt.Errorf("forget %s: %w", id, err)
	}
	if known {
		if err := q.kv.Purge(ctx, id, jetstream.LastRevision(rev)); err != nil {
			return fmt.Errorf("forget %s: %w", id, err)
		}
	}
	return q.purgeMark(ctx, id)
}

// headerOperation stands on the mark that a deletion leaves in a bucket.
const headerOperation = "KV-Operation"

// purgeMark takes away the mark that a deleted record leaves in its bucket, unless there is a new record.
func (q *Queue) purgeMark(ctx context.Context, id string) error {
	m, err := q.state.GetLastMsgForSubject(ctx, stateSubject(id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget %s: %w", id, err)
	}
	if m.Header.Get(headerOperation) == "" {
		return nil
	}
	if err := q.state.Purge(ctx, jetstream.WithPurgeSubject(stateSubject(id)), jetstream.WithPurgeSequence(m.Sequence+1)); err != nil {
		return fmt.Errorf("forget %s: %w", id, err)
	}
	return nil
}

// Remains counts the messages that the server holds of a job, in all streams together: 0 after Forget.
func (q *Queue) Remains(ctx context.Context, id string) (uint64, error) {
	if !ValidID(id) {
		return 0, fmt.Errorf("look for what remains: %w", ErrNotFound)
	}
	var n uint64
	for _, at := range []struct {
		stream  jetstream.Stream
		subject string
	}{{q.jobs, "job.*." + id}, {q.events, eventSubject(id)}, {q.dead, deadSubject(id)}, {q.state, stateSubject(id)}} {
		info, err := at.stream.Info(ctx, jetstream.WithSubjectFilter(at.subject))
		if err != nil {
			return n, fmt.Errorf("look for what remains of %s: %w", id, err)
		}
		for _, messages := range info.State.Subjects {
			n += messages
		}
	}
	return n, nil
}
