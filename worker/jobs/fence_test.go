package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"veil/worker/jobs/embedded"
)

// TestTwoWorkersOneMessage lets two claim the same message from the same state: the compare-and-set lets one through.
func TestTwoWorkersOneMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q, other := h.queue(), h.queue()
	for i := range 20 {
		id := fmt.Sprintf("job-%d", i)
		submit(t, q, id)
		var claims []*Attempt
		var mu sync.Mutex
		var both sync.WaitGroup
		eventually(t, "the message is there", func() bool {
			msg := q.poll()
			if msg == nil {
				return false
			}
			for _, w := range []*Queue{q, other} {
				both.Go(func() {
					s, rev, err := w.load(context.Background(), id)
					if err != nil {
						t.Error(err)
						return
					}
					a, err := w.claim(context.Background(), msg, s, rev)
					mu.Lock()
					defer mu.Unlock()
					if a != nil {
						claims = append(claims, a)
					} else if !errors.Is(err, errSwapped) {
						t.Errorf("the loser got %v", err)
					}
				})
			}
			return true
		})
		both.Wait()
		// Loading one after the other is no race: the second then takes over. Whatever happened, one owns the job.
		owners := 0
		for _, a := range claims {
			if a.check(t.Context()) == nil {
				owners++
				a.Begin(t.Context())
				commit(t, a, Released)
				settle(t, a, nil, FateAnswered)
			}
		}
		if owners != 1 {
			t.Fatalf("%s has %d owners of %d claims", id, owners, len(claims))
		}
	}
}

// lose makes another worker take the attempt's job over, and returns the other's attempt.
func lose(t *testing.T, a *Attempt, other *Queue) *Attempt {
	t.Helper()
	b := next(t, other)
	if b.Job().ID != a.Job().ID || b.State().Epoch != a.State().Epoch+1 || b.State().Deaths != 1 {
		t.Fatalf("the other claimed %s as %+v", b.Job().ID, b.State())
	}
	return b
}

// TestStaleWorkerSaysNothing stalls a worker for longer than AckWait, lets another take its job over, and then lets the first
// go on with every ending there is: no word of it may reach the server, and the record stays the other's.
func TestStaleWorkerSaysNothing(t *testing.T) {
	endings := map[string]func(*Attempt) error{
		"released": func(a *Attempt) error {
			return a.Commit(context.Background(), Result{Outcome: Released, Envelope: digest})
		},
		"permanent": func(*Attempt) error { return Permanent(errClip) },
		"later":     func(*Attempt) error { return RetryAfter(time.Millisecond, errClip) },
		"plain":     func(*Attempt) error { return errClip },
		"stopping":  func(a *Attempt) error { a.Stop(); return context.Canceled },
		"plan":      func(a *Attempt) error { return a.SavePlan(context.Background(), digest) },
	}
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			q, other := h.queue(), h.queue()
			submit(t, q, "one")
			a := next(t, q) // its heartbeat never begins: the process was stopped
			b := lose(t, a, other)
			w := h.tap()
			settle(t, a, ending(a), FateLost)
			if words := w.said(); len(words) != 0 {
				t.Errorf("the stale worker said %v", words)
			}
			if s := state(t, q, "one"); s.Token != b.State().Token {
				t.Errorf("the stale worker changed the record to %+v", s)
			}
			b.Begin(t.Context())
			commit(t, b, Released)
			settle(t, b, nil, FateAnswered)
			wantPhase(t, q, "one", Released)
		})
	}
}

// TestHeartbeatStopsWithTheEpoch stalls a worker and wakes it again: its heartbeat finds the other epoch before it says
// anything, and ends the work.
func TestHeartbeatStopsWithTheEpoch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q, other := h.queue(), h.queue()
	submit(t, q, "one")
	a := next(t, q)
	b := lose(t, a, other)
	w := h.tap()
	ctx := a.Begin(t.Context())
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, ErrEpochLost) {
		t.Errorf("the context ended because %v", cause)
	}
	settle(t, a, context.Cause(ctx), FateLost)
	if words := w.said(); len(words) != 0 {
		t.Errorf("the stale worker said %v", words)
	}
	b.Begin(t.Context())
	commit(t, b, Held)
	settle(t, b, nil, FateAnswered)
}

// TestHeartbeatKeepsTheJob works for three times AckWait: nobody else gets the job.
func TestHeartbeatKeepsTheJob(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q, other := h.queue(), h.queue()
	submit(t, q, "one")
	w := h.tap()
	a := next(t, q)
	ctx := a.Begin(t.Context())
	none(t, other, 3*testAckWait)
	if ctx.Err() != nil {
		t.Fatalf("the context ended because %v", context.Cause(ctx))
	}
	if words := w.said(); len(words) < 6 || slices.ContainsFunc(words, func(s string) bool { return s != "+WPI" }) {
		t.Errorf("in three times AckWait the worker said %v", words)
	}
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	// One more heartbeat may fall between the two looks; nothing but the answer may follow it.
	words := w.said()
	words = slices.DeleteFunc(words, func(s string) bool { return s == "+WPI" })
	if !slices.Equal(words, []string{"+ACK"}) {
		t.Errorf("at the end the worker said %v", words)
	}
}

// TestRetryWhileTheOldAttemptRuns cancels and retries before the running worker notices: the message belongs to the new
// generation, and the old attempt leaves it alone.
func TestRetryWhileTheOldAttemptRuns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	a := next(t, q)
	if _, err := q.Cancel(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Retry(t.Context(), "one", RetryOptions{}); err != nil {
		t.Fatal(err)
	}
	w := h.tap()
	settle(t, a, errClip, FateLost)
	if words := w.said(); len(words) != 0 {
		t.Errorf("the old attempt said %v", words)
	}
	b := next(t, q)
	b.Begin(t.Context())
	if s := b.State(); s.Generation != 2 || s.Epoch != 2 || s.Deaths != 0 {
		t.Errorf("the retried job is claimed as %+v", s)
	}
	commit(t, b, Released)
	settle(t, b, nil, FateAnswered)
}

// TestLateWord stalls a worker between its last write and its word to the server, until the job is somebody else's: the word
// is never said.
func TestLateWord(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q, other := h.queue(), h.queue()
	submit(t, q, "given-back", "failed")
	ctx := t.Context()
	a, b := next(t, q), next(t, q)
	must(t, a.edit(ctx, handedBack))
	must(t, b.edit(ctx, b.failed(errClip)))
	_, err := q.Retry(ctx, "failed", RetryOptions{}) // its message is the new generation's from now on
	must(t, err)
	c, d := next(t, other), next(t, other)
	if c.State().Deaths != 0 || d.State().Deaths != 0 {
		t.Errorf("claimed as %+v and %+v", c.State(), d.State())
	}
	w := h.tap()
	if err := a.giveBack(ctx, 0); !errors.Is(err, ErrEpochLost) {
		t.Errorf("the late nak ended with %v", err)
	}
	if err := b.close(ctx); !errors.Is(err, ErrEpochLost) {
		t.Errorf("the late term ended with %v", err)
	}
	if words := w.said(); len(words) != 0 {
		t.Errorf("the late workers said %v", words)
	}
	for _, x := range []*Attempt{c, d} {
		x.Begin(ctx)
		commit(t, x, Released)
		settle(t, x, nil, FateAnswered)
	}
}

// BenchmarkJob takes one job after the other from submission to answer, with every write synced to disk: what the queue
// itself costs.
func BenchmarkJob(b *testing.B) {
	srv, err := embedded.Start(embedded.Options{Dir: b.TempDir(), Listen: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	nc, err := srv.Connect()
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	if _, err := Setup(b.Context(), nc, SetupOptions{}); err != nil {
		b.Fatal(err)
	}
	q, err := Open(b.Context(), nc, Options{Validator: Validator{AnySource: true}})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		if _, err := q.Submit(b.Context(), job(fmt.Sprint(n))); err != nil {
			b.Fatal(err)
		}
		a, err := q.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		ctx := a.Begin(b.Context())
		err = a.Commit(ctx, Result{Outcome: Released, Envelope: digest})
		if fate, settleErr := a.Settle(ctx, err); fate != FateAnswered || settleErr != nil {
			b.Fatal(fate, settleErr)
		}
	}
}
