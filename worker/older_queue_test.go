package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// takeBack withdraws a release.
func (s *shop) takeBack(id string) error {
	state, err := s.s.Queue.Withdraw(s.t.Context(), id)
	if err != nil {
		return err
	}
	_, err = archive.TakeBack(s.t.Context(), s.s, state, archive.Withdrawal{Reason: "a face", By: "A. Officer"})
	return err
}

// TestWithdrawnStaysWithdrawn: a record of a backup from between commit and release brings a release that was withdrawn since not
// back, neither by a worker nor by a rebuild; and a rebuild empties one that a restored store has brought.
func TestWithdrawnStaysWithdrawn(t *testing.T) {
	for name, rebuild := range map[string]bool{"rebuilt": true, "forgotten": false} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.hand("job", "ok")
			d := s.daemonOf(s.flags())
			var old jobs.State
			d.service.Store = sleeping{d.service.Store, func() {
				if state, err := s.s.Queue.State(context.Background(), "job"); err == nil && old.ID == "" {
					old = state
				}
			}}
			w := s.work(d)
			s.settled("job")
			w.soft()
			w.hard()
			w.wait()
			if old.Phase != jobs.Committing {
				t.Fatalf("nothing is tried: %+v", old)
			}
			out := filepath.Join(s.store, "release", "job")
			kept := filepath.Join(t.TempDir(), "kept")
			if err := os.CopyFS(kept, os.DirFS(out)); err != nil {
				t.Fatal(err)
			}
			if err := s.takeBack("job"); err != nil {
				t.Fatal(err)
			}
			s.putRecord(old)
			if rebuild {
				if err := os.CopyFS(out, os.DirFS(kept)); err != nil { // the store's files come from the backup as well
					t.Fatal(err)
				}
				if n, err := archive.Rebuild(t.Context(), s.s); err != nil || n.Behind != 1 || n.Emptied != 1 {
					t.Fatalf("%+v, %v", n, err)
				}
			}
			s.work(s.daemonOf(s.flags()))
			if state := s.answer("job"); state.Phase != jobs.Withdrawn {
				t.Errorf("the record says %s", state.Phase)
			}
			if files := filesIn(t, out); len(files) > 0 {
				t.Errorf("%d files are out again", len(files))
			}
		})
	}
}

// TestNobodyUndoesAnAnswer: a person or a policy that ends a job, whose record was set back to before its release, destroys nothing
// of what was released and can be withdrawn afterwards.
func TestNobodyUndoesAnAnswer(t *testing.T) {
	for name, end := range map[string]func(*shop){
		"cancelled": func(s *shop) {
			state, err := archive.Kept(s.t.Context(), s.s, "job", false)(s.s.Queue.Cancel(s.t.Context(), "job"))
			if !errors.Is(err, jobs.ErrPhase) || state.Phase != jobs.Released {
				s.t.Errorf("it was told as %s, %v", state.Phase, err)
			}
		},
		"rejected": func(s *shop) {
			f := s.flags()
			f.AllowFlags.Sources = []string{"other"}
			w := s.work(s.daemonOf(f))
			s.answer("job")
			w.soft()
			w.hard()
			w.wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.hand("job", "ok")
			was := s.serve("job")["job"]
			old := was
			old.Phase, old.Result, old.Plan, old.Attempts, old.Token = jobs.Queued, nil, nil, 1, "backup"
			s.putRecord(old)
			files := filesIn(t, s.store)
			end(s)
			past := time.Now().Add(-48 * time.Hour)
			if err := filepath.WalkDir(s.store, func(path string, _ fs.DirEntry, err error) error {
				return errors.Join(err, os.Chtimes(path, past, past))
			}); err != nil {
				t.Fatal(err)
			}
			if n, err := archive.Tidy(t.Context(), s.s, 24*time.Hour); err != nil || n.Attempts+n.Releases > 0 {
				t.Errorf("%+v, %v", n, err)
			}
			for _, part := range []string{"release/job/", "restricted/job/1/"} {
				for path, b := range files {
					if strings.HasPrefix(path, part) && !bytes.Equal(filesIn(t, s.store)[path], b) {
						t.Errorf("%s is gone or another", path)
					}
				}
			}
			state, err := s.s.Queue.State(t.Context(), "job")
			if err != nil || state.Phase != jobs.Released || state.Result == nil || state.Result.Envelope != was.Result.Envelope {
				t.Errorf("the record says %+v, %v", state, err)
			}
			if err := s.takeBack("job"); err != nil {
				t.Error("it can not be withdrawn:", err)
			}
		})
	}
}

// TestNoCopyIsReplacedByAnOlderOne: whoever keeps a record that was set back, of a job that waits too, brings it forward.
func TestNoCopyIsReplacedByAnOlderOne(t *testing.T) {
	s := newShop(t)
	s.hand("job", "ok")
	old := s.serve("job")["job"]
	if err := s.takeBack("job"); err != nil {
		t.Fatal(err)
	}
	kept := func() []byte { return filesIn(t, s.store)["restricted/job/"+archive.StateName] }
	want := kept()
	old.Phase, old.Result, old.Plan, old.Token = jobs.Queued, nil, nil, "backup"
	s.putRecord(old)
	if err := archive.KeepState(t.Context(), s.s, "job"); err != nil {
		t.Fatal(err)
	}
	if state, err := s.s.Queue.State(t.Context(), "job"); err != nil || state.Phase != jobs.Withdrawn || state.Epoch <= old.Epoch {
		t.Errorf("%+v, %v", state, err)
	}
	if !bytes.Equal(kept(), want) {
		t.Error("the copy was replaced")
	}
}

// TestAnAnswerIsOfItsGeneration: where the copy of a record is of an earlier generation than what lies there, a rebuild takes the
// answer from what lies there.
func TestAnAnswerIsOfItsGeneration(t *testing.T) {
	for phase, before := range map[jobs.Phase]func(*shop) error{
		jobs.Withdrawn: func(s *shop) error { return s.takeBack("job") },
		jobs.Held:      func(*shop) error { return nil },
	} {
		t.Run(string(phase), func(t *testing.T) {
			s := newShop(t)
			s.hand("job", map[jobs.Phase]string{jobs.Withdrawn: "ok it", jobs.Held: "hold it"}[phase])
			held := s.serve("job")["job"]
			if err := before(s); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(s.store, "restricted", "job", archive.StateName)
			first, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := jobs.RetryOptions{}
			if phase == jobs.Held {
				o.Decisions = fmt.Appendf(nil, `{"schema":"veil.decisions/1","plan":%q,"by":"me","dismiss":[{"finding":"F1","reason":"a poster"}]}`, held.Plan.SHA256)
			}
			if _, err := s.s.Queue.Retry(t.Context(), "job", o); err != nil {
				t.Fatal(err)
			}
			was := s.serve("job")["job"]
			if was.Generation != 2 || was.Result == nil {
				t.Fatalf("%+v", was)
			}
			out := filesIn(t, filepath.Join(s.store, "release"))
			if err := os.WriteFile(path, first, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.s.Queue.Forget(t.Context(), "job"); err != nil {
				t.Fatal(err)
			}
			if _, err := archive.Rebuild(t.Context(), s.s); err != nil {
				t.Fatal(err)
			}
			got, err := s.s.Queue.State(t.Context(), "job")
			if err != nil || got.Phase != was.Phase || got.Generation != 2 || got.Result.Envelope != was.Result.Envelope || got.Supersedes != was.Supersedes || was.Supersedes == "" {
				t.Errorf("%+v, %v; it was %+v", got, err, was)
			}
			if now := filesIn(t, filepath.Join(s.store, "release")); !maps.EqualFunc(now, out, bytes.Equal) {
				t.Errorf("%d files are released, before %d", len(now), len(out))
			}
		})
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
