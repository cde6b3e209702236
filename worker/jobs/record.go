package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	writeTry  = 3 * time.Second        // how long one write may wait for its answer
	writeWait = 100 * time.Millisecond // before it is looked whether it arrived
)

// errSwapped says that somebody else changed the record since it was read.
var errSwapped = errors.New("the state was changed by somebody else")

// State reads a job's record. The error is ErrNotFound where there is none. A queue that hands in by message tells of a job that
// no worker has received yet what its record will be.
func (q *Queue) State(ctx context.Context, id string) (State, error) {
	s, _, err := q.load(ctx, id)
	if q.o.MessageOnly && ValidID(id) && errors.Is(err, ErrNotFound) {
		return q.waiting(ctx, id)
	}
	return s, err
}

// load reads a record and the revision to swap it by.
func (q *Queue) load(ctx context.Context, id string) (State, uint64, error) {
	if !ValidID(id) {
		return State{}, 0, fmt.Errorf("read state: %w", ErrNotFound)
	}
	e, err := q.kv.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return State{}, 0, fmt.Errorf("read state of %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return State{}, 0, fmt.Errorf("read state of %s: %w", id, err)
	}
	s, err := parseState(e.Value())
	return s, e.Revision(), err
}

// create makes a record that is not there yet; errSwapped says that there is one.
func (q *Queue) create(ctx context.Context, s *State) (uint64, error) {
	return q.write(ctx, s, 0)
}

// swap replaces the record that was read at rev. On errSwapped nothing was changed. s gets a new token and time.
func (q *Queue) swap(ctx context.Context, s *State, rev uint64) (uint64, error) {
	return q.write(ctx, s, rev)
}

// write tries until the server has answered or ctx ends. An answer that gets lost is no riddle: each write carries its own
// token, so the record tells whether it arrived.
func (q *Queue) write(ctx context.Context, s *State, rev uint64) (uint64, error) {
	if q.o.MessageOnly {
		return 0, fmt.Errorf("write state of %s: %w", s.ID, ErrSubmitOnly)
	}
	s.Schema, s.Token, s.Updated = StateSchema, nuid.Next(), q.o.Now().UTC()
	data, err := s.encode()
	if err != nil {
		return 0, err
	}
	for {
		newRev, err := q.writeOnce(ctx, s.ID, data, rev)
		if err == nil {
			return newRev, nil
		}
		e, readErr := q.kv.Get(ctx, s.ID)
		switch {
		case readErr == nil && bytes.Equal(e.Value(), data):
			return e.Revision(), nil
		case readErr == nil && e.Revision() != rev:
			return 0, errSwapped
		case errors.Is(readErr, jetstream.ErrKeyNotFound) && rev != 0:
			return 0, errSwapped
		}
		if wait(ctx, writeWait) != nil {
			return 0, fmt.Errorf("write state of %s: %w", s.ID, err)
		}
	}
}

func (q *Queue) writeOnce(ctx context.Context, id string, data []byte, rev uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	if rev == 0 {
		return q.kv.Create(ctx, id, data)
	}
	return q.kv.Update(ctx, id, data, rev)
}

// States calls each for every job's record, in no order, until it returns false. Records of newer versions are left out.
func (q *Queue) States(ctx context.Context, each func(State) bool) error {
	if q.o.MessageOnly {
		return fmt.Errorf("list states: %w", ErrSubmitOnly)
	}
	w, err := q.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("list states: %w", err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("list states: %w", errWatchEnded)
			}
			if e == nil {
				return nil
			}
			if s, err := parseState(e.Value()); err == nil && !each(s) {
				return nil
			}
		}
	}
}

// Await waits until a job has its answer.
func (q *Queue) Await(ctx context.Context, id string) (State, error) {
	if _, err := q.State(ctx, id); err != nil {
		return State{}, err
	}
	w, err := q.kv.Watch(ctx, id, jetstream.IgnoreDeletes())
	if err != nil {
		return State{}, fmt.Errorf("watch %s: %w", id, err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return State{}, ctx.Err()
		case e, ok := <-w.Updates():
			if !ok {
				return State{}, fmt.Errorf("watch %s: %w", id, errWatchEnded)
			}
			if e == nil {
				continue
			}
			if s, err := parseState(e.Value()); err != nil || s.Phase.Final() {
				return s, err
			}
		}
	}
}

var errWatchEnded = errors.New("the server ended the watch")

// Depth is how many wake-ups of each priority wait or are being worked on.
func (q *Queue) Depth(ctx context.Context) (map[Priority]int, error) {
	depth := map[Priority]int{}
	for i, p := range Priorities() {
		info, err := q.consumers[i].Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("read depth of %s: %w", p, err)
		}
		depth[p] = int(info.NumPending) + info.NumAckPending
	}
	return depth, nil
}

// change is a compare-and-set on the record as it now is, tried again while others write. It returns what it wrote.
func (q *Queue) change(ctx context.Context, id string, edit func(*State) error) (State, error) {
	for {
		s, rev, err := q.load(ctx, id)
		if err != nil {
			return State{}, err
		}
		if err := edit(&s); err != nil {
			return s, err
		}
		_, err = q.swap(ctx, &s, rev)
		if err == nil || !errors.Is(err, errSwapped) {
			return s, err
		}
	}
}

// inPhase refuses a job whose phase is not among allowed.
func inPhase(s *State, allowed ...Phase) error {
	if slices.Contains(allowed, s.Phase) {
		return nil
	}
	return fmt.Errorf("job %s is %s: %w", s.ID, s.Phase, ErrPhase)
}

// wait sleeps for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
