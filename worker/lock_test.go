package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"veil/worker/jobs"
	"veil/worker/store"
)

// locking is a store that notes what it is asked to lock, and until when.
type locking struct {
	store.Store
	mu    sync.Mutex
	until map[string]time.Time
}

func (l *locking) Lock(_ context.Context, key string, until time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until[key] = until
	return true, nil
}

// TestEvidenceIsLocked: of a result with a destroy_after everything under its restricted prefix is locked until then, and
// nothing else; of one without, nothing.
func TestEvidenceIsLocked(t *testing.T) {
	s := newShop(t)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	s.hand("kept", "ok clip", func(j *jobs.Job) { j.DestroyAfter = &until })
	s.hand("held", "hold clip", func(j *jobs.Job) { j.DestroyAfter = &until })
	s.hand("free", "ok clip two")
	l := &locking{until: map[string]time.Time{}}
	s.work(s.daemonOf(s.flags(), func(d *daemon) {
		l.Store = d.service.Store
		d.service.Store, d.lockEvidence, d.trust.Locks = l, true, true
	}))
	for _, id := range []string{"kept", "held", "free"} {
		s.settled(id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, at := range l.until {
		if !at.Equal(until) || !strings.HasPrefix(key, "restricted/kept/1/1/") && !strings.HasPrefix(key, "restricted/held/1/1/") {
			t.Errorf("%s is locked until %s", key, at)
		}
	}
	for _, want := range []string{"restricted/kept/1/1/manifest.json", "restricted/kept/1/1/plan.json", "restricted/held/1/1/manifest.json"} {
		if _, ok := l.until[want]; !ok {
			t.Errorf("%s is not locked", want)
		}
	}
}

// TestLocksNeedAStoreThatHasThem: the wish is refused before a job is taken.
func TestLocksNeedAStoreThatHasThem(t *testing.T) {
	w := &worker{lockEvidence: true}
	if err := w.checkLock(); err == nil {
		t.Error("taken")
	}
	w.trust.Locks = true
	if err := w.checkLock(); err != nil {
		t.Error(err)
	}
}
