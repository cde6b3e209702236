package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"veil/pipeline/account"
	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/store/storetest"
)

// TestWorkerLeavesNothingOfADestroyedJob: a job that a worker released, with its reports and its entries in the access log, and
// one that failed are gone from store, state, streams and scratch once their time is over.
func TestWorkerLeavesNothingOfADestroyedJob(t *testing.T) {
	s := newShop(t)
	soon := time.Now().Add(time.Hour)
	until := func(j *jobs.Job) { j.DestroyAfter = &soon }
	s.hand("goes", "ok clip", until)
	s.hand("broken", "unreadable analyze", until)
	s.hand("stays", "ok clip two")
	d := s.daemonOf(s.flags())
	work := s.work(d)
	for _, id := range []string{"goes", "broken", "stays"} {
		s.settled(id)
	}
	work.soft()
	work.wait()
	files := filesIn(t, s.store)
	for _, name := range account.DocumentNames() {
		if len(files["restricted/goes/1/1/"+name]) == 0 {
			t.Errorf("the worker put no %s", name)
		}
	}
	made := 0
	for e, err := range s.s.Access.Entries(t.Context(), access.Filter{Job: "goes", Action: access.Alteration}) {
		if err != nil {
			t.Fatal(err)
		}
		made++
		if e.Reason != "canarypurpose" || !strings.Contains(e.What, "released") {
			t.Errorf("%+v", e)
		}
	}
	if made != 1 {
		t.Errorf("%d entries of what the worker made", made)
	}
	w := sweeper(s.s, nil)
	now := time.Now()
	w.Now = func() time.Time { return now }
	w.Store = storetest.Clocked(w.Store, w.Now)
	for _, later := range []time.Duration{2 * time.Hour, 4 * time.Hour, 6 * time.Hour} {
		now = time.Now().Add(later)
		if _, err := w.Run(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	for path, b := range filesIn(t, s.store) {
		if strings.HasPrefix(path, retention.TombstonePrefix) {
			if bytes.Contains(b, []byte("goes")) || bytes.Contains(b, []byte("broken")) || bytes.Contains(b, []byte("canary")) {
				t.Errorf("the tombstone tells %s", b)
			}
			continue
		}
		if !strings.HasPrefix(path, access.Prefix) && !strings.Contains(path, "stays") {
			t.Errorf("%s is left in the store", path)
		}
	}
	for _, id := range []string{"goes", "broken"} {
		if n, err := s.s.Queue.Remains(t.Context(), id); n != 0 || err != nil {
			t.Errorf("%d messages of %s are left: %v", n, id, err)
		}
	}
	if _, err := s.s.Queue.State(t.Context(), "stays"); err != nil {
		t.Errorf("the other job: %v", err)
	}
	s.noScratch()
}

// TestDaemonEndsWhatIsDue: what the command does the worker does by itself: a job that still runs when its time is over is
// cancelled, to be destroyed later.
func TestDaemonEndsWhatIsDue(t *testing.T) {
	s := newShop(t)
	soon := time.Now().Add(time.Second)
	s.hand("goes", "hang analyze", func(j *jobs.Job) { j.DestroyAfter = &soon })
	s.work(s.daemonOf(s.flags(), func(d *daemon) { d.retention = 50 * time.Millisecond }))
	if state := s.answer("goes"); state.Phase != jobs.Cancelled {
		t.Errorf("%+v", state)
	}
	r, err := sweeper(s.s, nil).Run(t.Context(), false)
	if err != nil || len(r.Jobs) != 1 || r.Jobs[0].Step != retention.StepWait {
		t.Errorf("%+v, %v", r, err)
	}
}
