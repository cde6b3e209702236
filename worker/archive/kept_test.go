package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/store"
)

// deafStore takes nothing while it is told to.
type deafStore struct {
	store.Store
	deaf bool
}

func (d *deafStore) Put(ctx context.Context, key string, r io.ReaderAt, o store.PutOptions) (store.Object, error) {
	if d.deaf {
		return store.Object{}, store.ErrUnavailable
	}
	return d.Store.Put(ctx, key, r, o)
}

// TestChangeOutlivesTheQueue: whatever a command said is done comes back after the queue's files were lost, and what the store
// could not keep is not said to be done, and is mended by the same command.
func TestChangeOutlivesTheQueue(t *testing.T) {
	decisions := json.RawMessage(`{}`)
	for name, c := range map[string]struct {
		from, want jobs.Phase
		change     func(*jobs.Queue) (jobs.State, error)
		generation int
	}{
		"cancel":      {jobs.Queued, jobs.Cancelled, func(q *jobs.Queue) (jobs.State, error) { return q.Cancel(t.Context(), "job") }, 1},
		"cancel held": {jobs.Held, jobs.Cancelled, func(q *jobs.Queue) (jobs.State, error) { return q.Cancel(t.Context(), "job") }, 1},
		"retry":       {jobs.Failed, jobs.Queued, func(q *jobs.Queue) (jobs.State, error) { return q.Retry(t.Context(), "job", jobs.RetryOptions{}) }, 2},
		"retry anew": {jobs.Cancelled, jobs.Queued, func(q *jobs.Queue) (jobs.State, error) {
			return q.Retry(t.Context(), "job", jobs.RetryOptions{Fresh: true})
		}, 2},
		"impossible": {jobs.Released, jobs.Released, func(q *jobs.Queue) (jobs.State, error) { return q.Cancel(t.Context(), "job") }, 1},
		"no decisions": {jobs.Held, jobs.Held, func(q *jobs.Queue) (jobs.State, error) {
			return q.Retry(t.Context(), "job", jobs.RetryOptions{Decisions: decisions})
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, time.Now)
			deaf := &deafStore{Store: s.Store}
			s.Store = deaf
			restore(t, s, "job", c.from)
			if err := KeepState(t.Context(), s, "job"); err != nil {
				t.Fatal(err)
			}
			deaf.deaf = true
			_, err := Kept(t.Context(), s, "job", c.generation > 1)(c.change(s.Queue))
			if c.from == c.want {
				if !errors.Is(err, jobs.ErrPhase) {
					t.Errorf("%v", err)
				}
			} else if !errors.Is(err, ErrNotKept) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("said to be done: %v", err)
			}
			deaf.deaf = false
			state, err := Kept(t.Context(), s, "job", c.generation > 1)(c.change(s.Queue))
			if c.from != c.want && (err != nil || state.Phase != c.want) {
				t.Errorf("%s, %v", state.Phase, err)
			}
			lost := newService(t, time.Now)
			after := &connect.Service{Queue: lost.Queue, Store: s.Store}
			if n, err := Rebuild(t.Context(), after); err != nil || n.Answered+n.Open != 1 {
				t.Fatalf("%+v, %v", n, err)
			}
			got, err := after.Queue.State(t.Context(), "job")
			if err != nil || got.Phase != c.want || got.Generation != c.generation {
				t.Errorf("came back as %s, generation %d, %v", got.Phase, got.Generation, err)
			}
		})
	}
}

// TestTidyKeepsWhatWasBegunAnew: a retry whose command died before its copy is kept by the next worker that tidies.
func TestTidyKeepsWhatWasBegunAnew(t *testing.T) {
	s := newService(t, time.Now)
	restore(t, s, "job", jobs.Failed)
	if err := KeepState(t.Context(), s, "job"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // the copy is older than the change
	if _, err := s.Queue.Retry(t.Context(), "job", jobs.RetryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, behind := isBehind(t.Context(), s, "job"); !behind {
		t.Fatal("the copy is not behind: the test tries nothing")
	}
	if _, err := Tidy(t.Context(), s, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, behind := isBehind(t.Context(), s, "job"); behind {
		t.Error("the copy is behind")
	}
}

// TestRefusedCancelIsNotForgiven: that the store is behind with an earlier retry does not make a cancel that came too late a
// success.
func TestRefusedCancelIsNotForgiven(t *testing.T) {
	s := newService(t, time.Now)
	deaf := &deafStore{Store: s.Store}
	s.Store = deaf
	restore(t, s, "job", jobs.Failed)
	if err := KeepState(t.Context(), s, "job"); err != nil {
		t.Fatal(err)
	}
	deaf.deaf = true
	if _, err := Kept(t.Context(), s, "job", true)(s.Queue.Retry(t.Context(), "job", jobs.RetryOptions{})); !errors.Is(err, ErrNotKept) {
		t.Fatal(err)
	}
	a, err := s.Queue.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.Begin(t.Context())
	if err := a.Commit(t.Context(), jobs.Result{Outcome: jobs.Released, Envelope: DigestOf(nil)}); err != nil {
		t.Fatal(err)
	}
	deaf.deaf = false
	if state, err := Kept(t.Context(), s, "job", false)(s.Queue.Cancel(t.Context(), "job")); !errors.Is(err, jobs.ErrPhase) {
		t.Errorf("said to be done: %s, %v", state.Phase, err)
	}
	if _, err := a.Settle(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
