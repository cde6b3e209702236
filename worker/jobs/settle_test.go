package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// fates are the ways in which an attempt can end.
var fates = map[string]struct {
	work  func(ctx context.Context, a *Attempt) error
	fate  Fate
	phase Phase
	word  string
	count [3]int // attempts, failures, deaths
	code  string
}{
	"released": {commits(Released), FateAnswered, Released, "+ACK", [3]int{1, 0, 0}, ""},
	"held":     {commits(Held), FateAnswered, Held, "+ACK", [3]int{1, 0, 0}, ""},
	"permanent": {func(context.Context, *Attempt) error { return Permanent(errClip) },
		FateDead, Failed, "+TERM", [3]int{1, 1, 0}, "unreadable"},
	"plain error": {func(context.Context, *Attempt) error { return errClip },
		FateRetry, Queued, "-NAK", [3]int{1, 1, 0}, "unreadable"},
	"not the clip's fault": {func(context.Context, *Attempt) error { return RetryAfter(time.Hour, errClip) },
		FateRetry, Queued, "-NAK", [3]int{1, 0, 0}, "unreadable"},
	"ended without a result": {func(context.Context, *Attempt) error { return nil },
		FateRetry, Queued, "-NAK", [3]int{1, 1, 0}, CodeInternal},
	"shutdown": {func(_ context.Context, a *Attempt) error { a.Stop(); return Permanent(errClip) },
		FateStopping, Queued, "-NAK", [3]int{0, 0, 0}, ""},
	"shutdown after the result is out": {func(ctx context.Context, a *Attempt) error {
		err := commits(Released)(ctx, a)
		a.Stop()
		return err
	}, FateAnswered, Released, "+ACK", [3]int{1, 0, 0}, ""},
	"shutdown after the commit": {func(ctx context.Context, a *Attempt) error {
		_ = commits(Released)(ctx, a)
		a.Stop()
		return context.Canceled
	}, FateStopping, Committing, "-NAK", [3]int{1, 0, 0}, ""},
	"error after the commit": {func(ctx context.Context, a *Attempt) error {
		_ = commits(Released)(ctx, a)
		return errClip
	}, FateRetry, Committing, "-NAK", [3]int{1, 1, 0}, "unreadable"},
}

// TestEachFate settles one job by each error there is, and looks at record, word to the server, event and letter.
func TestEachFate(t *testing.T) {
	for name, c := range fates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			q := h.queue(func(o *Options) { o.RetryDelay = func(int) time.Duration { return time.Hour } })
			submit(t, q, "one")
			a := next(t, q)
			w := h.tap()
			ctx := a.Begin(t.Context())
			settle(t, a, c.work(ctx, a), c.fate)
			s := wantPhase(t, q, "one", c.phase)
			if have := [3]int{s.Attempts, s.Failures, s.Deaths}; have != c.count || s.Code != c.code {
				t.Errorf("attempts, failures, deaths are %v with code %q, want %v and %q", have, s.Code, c.count, c.code)
			}
			words := slices.DeleteFunc(w.said(), func(s string) bool { return s == "+WPI" })
			if !slices.Equal(words, []string{c.word}) {
				t.Errorf("the worker said %v, want %s", words, c.word)
			}
		})
	}
}

func commits(p Phase) func(context.Context, *Attempt) error {
	return func(ctx context.Context, a *Attempt) error {
		return a.Commit(ctx, Result{Outcome: p, Envelope: digest})
	}
}

func TestFailuresEndInDeadLetters(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	for i := range 3 {
		a := next(t, q)
		a.Begin(t.Context())
		want := FateRetry
		if i == 2 {
			want = FateDead
		}
		settle(t, a, errClip, want)
	}
	s := wantPhase(t, q, "one", Failed)
	if s.Failures != 3 || s.Code != "unreadable" || s.Remedy == "" || !strings.Contains(s.Detail, "mustermann") {
		t.Errorf("the record says %+v", s)
	}
	all, err := q.DeadLetters(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "one" || all[0].Code != "unreadable" || all[0].Failures != 3 {
		t.Fatalf("dead letters: %+v, %v", all, err)
	}
	if n := messages(t, q); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	wantKinds(t, q, "one", EventAccepted, EventStarted, EventRetrying, EventStarted, EventRetrying, EventStarted, EventFailed)

	if _, err := q.Requeue(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	a := next(t, q)
	a.Begin(t.Context())
	if s := a.State(); s.Generation != 2 || s.Failures != 0 || s.Epoch != 4 {
		t.Errorf("requeued as %+v", s)
	}
	if all, err := q.DeadLetters(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("letters after the requeue: %v, %v", all, err)
	}
	settle(t, a, Permanent(errClip), FateDead)
	if err := q.Drop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Requeue(t.Context(), "one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("requeued a dropped letter: %v", err)
	}
	wantPhase(t, q, "one", Failed)
}

// TestWorkerDeathsCountApart lets workers die over a job more often than a clip may fail.
func TestWorkerDeathsCountApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue(func(o *Options) { o.MaxFailures, o.MaxDeaths = 1, 3 })
	submit(t, q, "one")
	for i := range 3 {
		a := next(t, q)
		if s := a.State(); s.Deaths != i || s.Failures != 0 || s.Attempts != i+1 {
			t.Fatalf("claim %d: %+v", i, s)
		}
		die(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if a, err := q.Next(ctx); err == nil {
			t.Errorf("claimed once more as %+v", a.State())
		}
	}()
	eventually(t, "the job has failed", func() bool { return state(t, q, "one").Phase == Failed })
	eventually(t, "its letter is there and its message gone", func() bool {
		d, err := q.DeadLetter(t.Context(), "one")
		return err == nil && d.Code == CodeWorkerDied && d.Deaths == 3 && messages(t, q) == 0
	})
	cancel()
	<-over
}

func TestOutagesNeverFailAJob(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	for range 12 {
		a := next(t, q)
		a.Begin(t.Context())
		settle(t, a, RetryAfter(0, errClip), FateRetry)
	}
	if s := state(t, q, "one"); s.Failures != 0 || s.Phase != Queued {
		t.Errorf("after twelve outages: %+v", s)
	}
}

func TestControlErrors(t *testing.T) {
	if Permanent(nil) != nil || RetryAfter(time.Second, nil) != nil {
		t.Error("nil became an error")
	}
	for _, err := range []error{Permanent(errClip), RetryAfter(time.Second, errClip)} {
		if !errors.Is(err, errClip) || err.Error() != errClip.Error() {
			t.Errorf("%v hides its cause", err)
		}
	}
}
