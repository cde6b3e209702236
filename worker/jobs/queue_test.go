package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestReleasedJob(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	a := next(t, q)
	ctx := a.Begin(t.Context())
	if s := a.State(); s.Phase != Running || s.Epoch != 1 || s.Attempts != 1 || a.Result() != nil {
		t.Fatalf("claimed as %+v", s)
	}
	a.Progress("analyze", 40)
	answer := make(chan State, 1)
	go func() {
		s, err := q.Await(context.Background(), "one")
		if err != nil {
			t.Error(err)
		}
		answer <- s
	}()
	if err := a.Commit(ctx, Result{Outcome: Held, Envelope: digest, Findings: []string{"face of Max Mustermann"}}); err == nil {
		t.Error("committed a finding that is no code")
	}
	if err := a.SavePlan(ctx, digest); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(ctx, Result{Outcome: Released, Envelope: digest, Digests: map[string]string{"report": digest}}); err != nil {
		t.Fatal(err)
	}
	settle(t, a, nil, FateAnswered)
	if s := <-answer; s.Phase != Released {
		t.Errorf("waited for %s", s.Phase)
	}
	s := wantPhase(t, q, "one", Released)
	if s.Plan == nil || s.Plan.Epoch != 1 || s.Result.Epoch != 1 || s.Result.Envelope != digest {
		t.Errorf("the record lost the plan or the result: %+v", s)
	}
	if n := messages(t, q); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	wantKinds(t, q, "one", EventAccepted, EventStarted, EventReleased)
}

func TestHeldThenDecided(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	a := next(t, q)
	ctx := a.Begin(t.Context())
	if err := a.SavePlan(ctx, digest); err != nil {
		t.Fatal(err)
	}
	commit(t, a, Held)
	settle(t, a, nil, FateAnswered)
	wantPhase(t, q, "one", Held)
	if _, err := q.Retry(t.Context(), "one", RetryOptions{}); !errors.Is(err, ErrPhase) {
		t.Errorf("a held job began anew without decisions: %v", err)
	}
	decisions := json.RawMessage(`{"schema":"veil.decisions/1"}`)
	if _, err := q.Retry(t.Context(), "one", RetryOptions{Decisions: decisions}); err != nil {
		t.Fatal(err)
	}
	a = next(t, q)
	a.Begin(t.Context())
	s := a.State()
	if s.Generation != 2 || s.Epoch != 2 || s.Attempts != 1 || s.Plan == nil || s.Plan.Generation != 1 || s.Result != nil {
		t.Errorf("the decided job is claimed as %+v", s)
	}
	if string(a.Job().Decisions) != string(decisions) {
		t.Errorf("the decisions are %s", a.Job().Decisions)
	}
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	// What was handed in first stays the measure of a repeated submission.
	if _, err := q.Submit(t.Context(), job("one")); err != nil {
		t.Errorf("the same job again: %v", err)
	}
	wantKinds(t, q, "one", EventAccepted, EventStarted, EventHeld, EventAccepted, EventStarted, EventReleased)
	if _, err := q.Withdraw(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Withdraw(t.Context(), "one"); err != nil {
		t.Errorf("withdrawn twice: %v", err)
	}
	wantPhase(t, q, "one", Withdrawn)
}

func TestSameIDAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one", "one")
	if n := messages(t, q); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	other := job("one")
	other.Source.Key = "cam/other.mp4"
	if _, err := q.Submit(t.Context(), other); !errors.Is(err, ErrConflict) {
		t.Errorf("other content under the same id: %v", err)
	}
	a := next(t, q)
	a.Begin(t.Context())
	submit(t, q, "one") // while it runs
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	submit(t, q, "one") // and after its answer
	none(t, q, 200*time.Millisecond)
	if s := wantPhase(t, q, "one", Released); s.Epoch != 1 {
		t.Errorf("the job ran %d times", s.Epoch)
	}
}

func TestPriorityOrder(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	for i, p := range []Priority{Bulk, Normal, Urgent, Bulk, Normal, Urgent} {
		j := job(fmt.Sprintf("%s-%d", p, i))
		j.Priority = p
		if _, err := q.Submit(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	// The server counts a new message for its consumer a moment after it has answered the publisher.
	want := map[Priority]int{Urgent: 2, Normal: 2, Bulk: 2}
	eventually(t, "every message is counted", func() bool {
		d, err := q.Depth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return maps.Equal(d, want)
	})
	var order []string
	for range 6 {
		a := next(t, q)
		a.Begin(t.Context())
		order = append(order, a.Job().ID)
		commit(t, a, Released)
		settle(t, a, nil, FateAnswered)
	}
	served := []string{"urgent-2", "urgent-5", "normal-1", "normal-4", "bulk-0", "bulk-3"}
	if !slices.Equal(order, served) {
		t.Errorf("served %v, want %v", order, served)
	}
}

func TestIdleWorkerIsWokenAtOnce(t *testing.T) {
	h := newHouse(t)
	q := h.queue(func(o *Options) { o.PollEvery = time.Minute })
	got := make(chan *Attempt, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		a, _ := q.Next(ctx)
		got <- a
	}()
	time.Sleep(200 * time.Millisecond)
	begun := time.Now()
	submit(t, h.queue(), "one")
	a := <-got
	if a == nil || time.Since(begun) > 2*time.Second {
		t.Fatalf("woken after %v", time.Since(begun))
	}
	a.Begin(t.Context())
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
}

func TestCancelWins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "waiting", "running")
	if _, err := q.Cancel(t.Context(), "waiting"); err != nil {
		t.Fatal(err)
	}
	a := next(t, q) // sees the cancelled one off on its way
	ctx := a.Begin(t.Context())
	if a.Job().ID != "running" {
		t.Fatalf("claimed %s", a.Job().ID)
	}
	if _, err := q.Cancel(t.Context(), "running"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, ErrCancelled) {
		t.Errorf("the context ended because %v", cause)
	}
	if err := a.Commit(context.Background(), Result{Outcome: Released, Envelope: digest}); !errors.Is(err, ErrCancelled) {
		t.Errorf("committed after the cancel: %v", err)
	}
	settle(t, a, context.Cause(ctx), FateCancelled)
	for _, id := range []string{"waiting", "running"} {
		wantPhase(t, q, id, Cancelled)
		if _, err := q.Cancel(t.Context(), id); err != nil {
			t.Errorf("cancelled twice: %v", err)
		}
	}
	if n := messages(t, q); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	wantKinds(t, q, "running", EventAccepted, EventStarted, EventCancelled)
}

func TestCommitWinsOverCancel(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	a := next(t, q)
	a.Begin(t.Context())
	commit(t, a, Released)
	if _, err := q.Cancel(t.Context(), "one"); !errors.Is(err, ErrPhase) {
		t.Errorf("cancelled after the commit: %v", err)
	}
	settle(t, a, nil, FateAnswered)
	wantPhase(t, q, "one", Released)
}

// TestCancelRacesCommit lets both go at once, many times: exactly one wins.
func TestCancelRacesCommit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q, other := h.queue(), h.queue()
	won := map[bool]int{}
	for i := range 30 {
		id := fmt.Sprintf("job-%d", i)
		submit(t, q, id)
		a := next(t, q)
		a.Begin(t.Context())
		cancelled := make(chan error, 1)
		go func() {
			_, err := other.Cancel(context.Background(), id)
			cancelled <- err
		}()
		time.Sleep(rand.N(1500 * time.Microsecond))
		commitErr := a.Commit(t.Context(), Result{Outcome: Released, Envelope: digest})
		cancelErr := <-cancelled
		if (commitErr == nil) == (cancelErr == nil) {
			t.Fatalf("%s: commit %v, cancel %v: one of them must win", id, commitErr, cancelErr)
		}
		won[commitErr == nil]++
		if commitErr == nil {
			settle(t, a, nil, FateAnswered)
			wantPhase(t, q, id, Released)
		} else {
			settle(t, a, commitErr, FateCancelled)
			wantPhase(t, q, id, Cancelled)
		}
	}
	t.Logf("commit won %d times, cancel %d", won[true], won[false])
}

// TestAcceptedComesFirst: the last event of a job is what it is at, so its stages are not told before that it was accepted.
func TestAcceptedComesFirst(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	nc := h.connect()
	wire, err := nc.SubscribeSync(">")
	must(t, err)
	must(t, nc.Flush())
	submit(t, q, "one")
	_, err = q.Cancel(t.Context(), "one")
	must(t, err)
	_, err = q.Retry(t.Context(), "one", RetryOptions{})
	must(t, err)
	job, event := jobSubject(Normal, "one"), eventSubject("one")
	want := []string{event, job, event, event, job}
	var subjects []string
	for len(subjects) < len(want) {
		m, err := wire.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("sent %v, want %v: %v", subjects, want, err)
		}
		if m.Subject == event || m.Subject == job {
			subjects = append(subjects, m.Subject)
		}
	}
	if !slices.Equal(subjects, want) {
		t.Errorf("sent %v, want %v", subjects, want)
	}
}
