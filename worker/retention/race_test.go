package retention_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/seal/sealtest"
)

// slow is a queue in which something happens once the first job was forgotten.
type slow struct {
	retention.Queue
	before func()
	n      int
}

func (s *slow) Forget(ctx context.Context, id string) error {
	err := s.Queue.Forget(ctx, id)
	if s.n++; s.n == 1 {
		s.before()
	}
	return err
}

// TestStaleListDestroysNothingNew: a job that another worker destroyed, and that was handed in again to stay for a year, is not
// destroyed for an older list's sake.
func TestStaleListDestroysNothingNew(t *testing.T) {
	h := newHouse(t, folder(t))
	soon := day.Add(time.Hour)
	for _, id := range []string{"a", "b"} {
		h.submit(id, &soon)
		h.end(jobs.Permanent(context.DeadlineExceeded))
	}
	h.now = day.Add(24 * time.Hour)
	later := h.now.AddDate(1, 0, 0)
	h.Sweeper.Queue = &slow{Queue: h.queue, before: func() {
		other := &retention.Sweeper{Queue: h.queue, Store: h.store, Log: h.log, Now: h.clock, Person: "other"}
		if _, err := other.Run(t.Context(), true); err != nil {
			t.Error("the other worker:", err)
		}
		h.submit("b", &later)
		h.end(jobs.Permanent(context.DeadlineExceeded))
	}}
	if _, err := h.Run(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.queue.State(t.Context(), "b"); err != nil {
		t.Errorf("b, due in a year, is gone: %v", err)
	}
	n := 0
	for range h.store.List(t.Context(), "restricted/b/") {
		n++
	}
	if n == 0 {
		t.Error("nothing is left of b in the store")
	}
}

// TestOldMarkerIsNoOrder: a marker that a dead worker left does not destroy a job that was handed in since, whose record is lost
// with the queue's files and not yet rebuilt.
func TestOldMarkerIsNoOrder(t *testing.T) {
	h := newHouse(t, folder(t))
	later := day.AddDate(5, 0, 0)
	h.submit("c", &later)
	h.end(jobs.Permanent(context.DeadlineExceeded))
	h.put("destroying/c.json", `{"schema":"veil.destroying/1","id":"c","destroy_after":"2026-03-01T00:00:00Z","begun":"2026-03-01T01:00:00Z"}`)
	h.now = day.Add(time.Hour)
	if s, _ := h.run(true); s["c"] != "" {
		t.Error(s)
	}
	if err := h.queue.Forget(t.Context(), "c"); err != nil { // the queue's files are lost
		t.Fatal(err)
	}
	steps, _ := h.run(true)
	n := 0
	for range h.store.List(t.Context(), "restricted/c/") {
		n++
	}
	if n == 0 {
		t.Errorf("may stay five years and is destroyed: %v", steps)
	}
}

// TestHoldDuringSweep: whoever sets a hold while a job is being swept away is told so.
func TestHoldDuringSweep(t *testing.T) {
	h := newHouse(t, folder(t))
	soon := day.Add(time.Hour)
	h.submit("d", &soon)
	h.end(jobs.Permanent(context.DeadlineExceeded))
	h.now = day.Add(24 * time.Hour)
	var serr error
	h.Sweeper.Queue = &hold{Queue: h.queue, set: func() { _, serr = h.SetHold(t.Context(), "d", "A", "B") }}
	if _, err := h.Run(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(serr, retention.ErrBegun) {
		t.Errorf("the hold said: %v", serr)
	}
}

// hold is a queue in which something happens just before a job is forgotten.
type hold struct {
	retention.Queue
	set func()
}

func (s *hold) Forget(ctx context.Context, id string) error {
	s.set()
	return s.Queue.Forget(ctx, id)
}

// TestTwoSweepers: one who comes to a job that another has destroyed since it was listed changes nothing of what that one told.
func TestTwoSweepers(t *testing.T) {
	for _, later := range []time.Duration{time.Minute, 2 * time.Hour} {
		t.Run(later.String(), func(t *testing.T) { twoSweepers(t, later) })
	}
}

func twoSweepers(t *testing.T, later time.Duration) {
	h := newHouse(t, folder(t))
	h.Key = sealtest.Key(t, 1)
	soon := day.Add(time.Hour)
	for _, id := range []string{"a", "b"} {
		h.submit(id, &soon)
		h.end(jobs.Permanent(context.DeadlineExceeded))
	}
	h.now = day.Add(24 * time.Hour)
	var told *retention.Tombstone
	h.Sweeper.Queue = &slow{Queue: h.queue, before: func() {
		other := &retention.Sweeper{Queue: h.queue, Store: h.store, Log: h.log, Now: h.clock, Person: "other", Key: h.Key}
		if _, err := other.Run(t.Context(), true); err != nil {
			t.Error("the other worker:", err)
		}
		var err error
		if told, err = retention.TombstoneOf(t.Context(), h.store, "b"); err != nil || told == nil || told.Objects == 0 {
			t.Errorf("%+v, %v", told, err)
		}
		h.now = h.now.Add(later)
		for range map[bool]int{true: 2}[later > time.Minute] { // the second sweep takes the marker away
			if _, err := other.Run(t.Context(), true); err != nil {
				t.Error("the other worker again:", err)
			}
		}
	}}
	if _, err := h.Run(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	now, err := retention.TombstoneOf(t.Context(), h.store, "b")
	if err != nil {
		t.Fatal(err)
	}
	h.want("told", now, told)
	h.want("deletions logged", h.entries(access.Filter{Job: "b", Action: access.Deletion}), 1)
}

// TestHoldBeforeLateRemains are removed keeps them.
func TestHoldBeforeLateRemains(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	h.submit("one", &at)
	h.end(jobs.Permanent(context.DeadlineExceeded))
	h.now = day.Add(24 * time.Hour)
	for range 3 {
		h.run(true)
		h.now = h.now.Add(time.Hour)
	}
	h.put("restricted/one/1/9/derivative.mp4", "late")
	h.now = h.now.Add(time.Hour)
	h.Sweeper.Queue = &asked{Queue: h.queue, do: func() { h.put("holds/one.json", `{"schema":"veil.hold/1","job":"one"}`) }}
	steps, _ := h.run(true)
	h.want("steps", steps, map[string]string{"one": "held"})
	h.want("left", h.left("restricted/one"), []string{"restricted/one/1/9/derivative.mp4"})
}

// asked is a queue in which something happens whenever a record is asked for.
type asked struct {
	retention.Queue
	do func()
}

func (s *asked) State(ctx context.Context, id string) (jobs.State, error) {
	s.do()
	return s.Queue.State(ctx, id)
}
