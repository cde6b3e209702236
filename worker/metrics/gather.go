package metrics

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"veil/worker/jobs"
)

// Sources are what is asked for figures that change by themselves.
type Sources struct {
	Queue     *jobs.Queue
	Connected func() bool
	Free      func() (int64, error)                               // bytes of scratch space
	Store     func(context.Context) error                         // nil where it answers
	Holds     func(context.Context) (func(id string) bool, error) // which jobs are under a legal hold
}

// storeLimit is how long the store may take to answer before it counts as away: less than a scrape waits.
const storeLimit = 3 * time.Second

// gather reads what changes by itself: queue, records, store, scratch space. Figures whose source does not answer stay as they
// were.
func (m *Meters) gather(ctx context.Context, s Sources) error {
	if free, err := s.Free(); err == nil {
		m.free.Set(float64(free))
	}
	m.reachable.Set(0)
	held, storeErr := m.askStore(ctx, s)
	if storeErr == nil {
		m.reachable.Set(1)
	}
	m.connected.Set(0)
	if !s.Connected() {
		return storeErr
	}
	m.connected.Set(1)
	return errors.Join(storeErr, m.queue(ctx, s.Queue, held))
}

// askStore asks the store whether it is there, and which jobs are under a legal hold.
func (m *Meters) askStore(ctx context.Context, s Sources) (func(id string) bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if err := s.Store(ctx); err != nil {
		return nil, err
	}
	return s.Holds(ctx)
}

// queue reads the figures of the queue; held is nil where nobody can tell what is under a hold.
func (m *Meters) queue(ctx context.Context, q *jobs.Queue, held func(id string) bool) error {
	depth, err := q.Depth(ctx)
	if err != nil {
		return err
	}
	for p, n := range depth {
		m.depth.WithLabelValues(string(p)).Set(float64(n))
	}
	letters, err := q.CountDead(ctx)
	if err != nil {
		return err
	}
	m.dead.Set(float64(letters))
	return m.records(ctx, q, held)
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

// earliest is the earliest of the times that it was shown; zero: none.
type earliest struct{ time.Time }

func (e *earliest) see(t time.Time) {
	if e.IsZero() || t.Before(e.Time) {
		e.Time = t
	}
}

// ago is how long before now it was, in seconds; 0 where it was not.
func (e *earliest) ago(now time.Time) float64 {
	if e.IsZero() {
		return 0
	}
	return max(now.Sub(e.Time).Seconds(), 0)
}

// records reads the figures that stand in the records of all jobs.
func (m *Meters) records(ctx context.Context, q *jobs.Queue, held func(id string) bool) error {
	now := time.Now()
	var oldest, heldSince, deadline, due earliest
	waiting := 0
	err := q.States(ctx, func(s jobs.State) bool {
		j, err := s.Decoded()
		switch {
		case s.Phase == jobs.Held:
			waiting++
			heldSince.see(s.Updated)
		case !s.Phase.Final():
			oldest.see(s.Submitted)
			if err == nil && j.Deadline != nil {
				deadline.see(*j.Deadline)
			}
		}
		if err == nil && j.DestroyAfter != nil && held != nil && !held(s.ID) {
			due.see(*j.DestroyAfter)
		}
		return true
	})
	if err != nil {
		return err
	}
	m.held.Set(float64(waiting))
	m.heldAge.Set(heldSince.ago(now))
	m.oldest.Set(oldest.ago(now))
	m.deadline.Set(math.Inf(1))
	if !deadline.IsZero() {
		m.deadline.Set(deadline.Sub(now).Seconds())
	}
	if held != nil {
		m.overdue.Set(due.ago(now))
	}
	return nil
}
