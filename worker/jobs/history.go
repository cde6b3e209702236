package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// LastEvent is the newest event of a job. The error is ErrNotFound where none is kept.
func (q *Queue) LastEvent(ctx context.Context, id string) (Event, error) {
	if !ValidID(id) {
		return Event{}, fmt.Errorf("read last event: %w", ErrNotFound)
	}
	m, err := q.events.GetLastMsgForSubject(ctx, eventSubject(id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return Event{}, fmt.Errorf("read last event of %s: %w", id, err)
	}
	var e Event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		return Event{}, fmt.Errorf("decode last event of %s: %w", id, err)
	}
	return e, nil
}

// History lists the events of one job that are kept, the oldest first.
func (q *Queue) History(ctx context.Context, id string) ([]Event, error) {
	_, err := q.LastEvent(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := q.events.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{eventSubject(id)}})
	if err != nil {
		return nil, fmt.Errorf("list events of %s: %w", id, err)
	}
	it, err := c.Messages()
	if err != nil {
		return nil, fmt.Errorf("list events of %s: %w", id, err)
	}
	defer it.Stop()
	var all []Event
	for {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("list events of %s: %w", id, err)
		}
		var e Event
		if json.Unmarshal(m.Data(), &e) == nil {
			all = append(all, e)
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("list events of %s: %w", id, err)
		}
		if meta.NumPending == 0 {
			return all, nil
		}
	}
}
