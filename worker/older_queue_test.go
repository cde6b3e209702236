package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"veil/worker/archive"
	"veil/worker/jobs"
	"veil/worker/store"
)

// setBack stops the queue's server, puts the files of a backup in the place of its own, and starts it again.
func (s *shop) setBack(backup string) {
	s.t.Helper()
	s.stopServer()
	if err := os.RemoveAll(s.nats); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(s.nats, os.DirFS(backup)); err != nil {
		s.t.Fatal(err)
	}
	s.startServer()
}

// backup copies the queue's files while its server is stopped.
func (s *shop) backup() string {
	s.t.Helper()
	s.stopServer()
	to := filepath.Join(s.t.TempDir(), "backup")
	if err := os.CopyFS(to, os.DirFS(s.nats)); err != nil {
		s.t.Fatal(err)
	}
	s.startServer()
	return to
}

// serve has a worker work until the jobs have their answers and these are kept.
func (s *shop) serve(ids ...string) map[string]jobs.State {
	s.t.Helper()
	w := s.work(s.daemonOf(s.flags()))
	states := map[string]jobs.State{}
	for _, id := range ids {
		states[id] = s.settled(id)
	}
	w.soft()
	w.hard()
	w.wait()
	return states
}

// TestQueueOfABackup sets the queue back to a backup after its jobs were worked on and decided about. With a rebuild all records
// are as they were; without one, no finished job runs again, and nothing that is released changes.
func TestQueueOfABackup(t *testing.T) {
	for name, rebuild := range map[string]bool{"rebuilt": true, "forgotten": false} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.hand("before", "ok one")
			s.hand("withdrawn", "ok two")
			s.serve("before", "withdrawn")
			s.hand("after", "ok three")
			s.hand("held", "hold four")
			s.hand("cancelled", "ok five")
			s.hand("uncopied", "ok six")
			backup := s.backup()

			s.hand("unknown", "ok seven")
			if _, err := archive.Kept(t.Context(), s.s, "cancelled", false)(s.s.Queue.Cancel(t.Context(), "cancelled")); err != nil {
				t.Fatal(err)
			}
			s.serve("after", "held", "uncopied", "unknown")
			state, err := s.s.Queue.Withdraw(t.Context(), "withdrawn")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := archive.TakeBack(t.Context(), s.s, state, archive.Withdrawal{Reason: "a face", By: "A. Officer"}); err != nil {
				t.Fatal(err)
			}
			// One worker died between answer and copy: its manifests alone tell.
			if err := os.Remove(filepath.Join(s.store, "restricted", "uncopied", archive.StateName)); err != nil {
				t.Fatal(err)
			}
			want := map[string]jobs.State{}
			if err := s.s.Queue.States(t.Context(), func(st jobs.State) bool { want[st.ID] = st; return true }); err != nil {
				t.Fatal(err)
			}
			ran, out := maps.Clone(s.did), filesIn(t, filepath.Join(s.store, "release"))

			s.setBack(backup)
			if rebuild {
				n, err := archive.Rebuild(t.Context(), s.s)
				if err != nil || n.Behind != 5 || n.Answered != 1 || len(n.Missing)+len(n.Unreadable) > 0 {
					t.Fatalf("%+v, %v", n, err)
				}
				if n, err = archive.Rebuild(t.Context(), s.s); err != nil || n.Behind != 0 || n.Answered+n.Open != 0 {
					t.Errorf("the second time: %+v, %v", n, err)
				}
			} else {
				s.hand("unknown", "") // handed in anew, as nobody knows of it
			}
			s.work(s.daemonOf(s.flags()))
			for id, w := range want {
				if id == "withdrawn" && !rebuild {
					continue // nothing is to be done about it: the old record stands until a rebuild
				}
				got := s.answer(id)
				if got.Phase != w.Phase || got.Generation != w.Generation || got.Result != nil && got.Result.Envelope != w.Result.Envelope {
					t.Errorf("%s came back as %+v, it was %+v", id, got, w)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if !maps.Equal(ran, s.did) {
				t.Errorf("work was done again: %v, before %v", s.did, ran)
			}
			now := filesIn(t, filepath.Join(s.store, "release"))
			if !maps.EqualFunc(now, out, bytes.Equal) {
				t.Errorf("what is released changed: %d files, before %d", len(now), len(out))
			}
		})
	}
}

// TestOlderQueueTakesNoOldPrefix: an attempt of a queue that was set back writes nothing where an attempt that was cut off has
// written under the same number.
func TestOlderQueueTakesNoOldPrefix(t *testing.T) {
	s := newShop(t)
	s.hand("job", "ok")
	backup := s.backup()
	first := s.startWorker("put /report.json")
	_ = first.Wait()
	before := filesIn(t, filepath.Join(s.store, "restricted", "job", "1", "1"))
	if len(before) == 0 {
		t.Fatal("the attempt that was cut off left nothing: the test tries nothing")
	}
	s.setBack(backup)
	s.work(s.daemonOf(s.flags()))
	if state := s.answer("job"); state.Phase != jobs.Released || state.Epoch < 2 {
		t.Errorf("%+v", state)
	}
	if now := filesIn(t, filepath.Join(s.store, "restricted", "job", "1", "1")); !maps.EqualFunc(now, before, bytes.Equal) {
		t.Error("the files of the attempt that was cut off were changed")
	}
}

// TestStoreOfABackup: a store that was set back lacks what was released since, and a rebuild says which jobs these are.
func TestStoreOfABackup(t *testing.T) {
	s := newShop(t)
	s.hand("before", "ok one")
	s.serve("before")
	s.hand("after", "ok two")
	s.hand("held", "hold three")
	s.serve("after", "held")
	for _, prefix := range []string{store.ReleasePrefix("after", 1), store.Restricted + "after/", store.Restricted + "held/"} {
		if err := os.RemoveAll(filepath.Join(s.store, filepath.FromSlash(prefix))); err != nil {
			t.Fatal(err)
		}
	}
	n, err := archive.Rebuild(t.Context(), s.s)
	if err != nil || len(n.Missing) != 2 || n.Missing[0] != "after" || n.Missing[1] != "held" || n.Behind != 0 {
		t.Fatalf("%+v, %v", n, err)
	}
}
