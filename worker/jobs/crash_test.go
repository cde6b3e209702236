package jobs

import (
	"context"
	"slices"
	"testing"
	"time"
)

// crashes are the moments at which a worker dies, each reached by doing what the worker does up to there and no further.
var crashes = []struct {
	name string
	do   func(ctx context.Context, t *testing.T, q *Queue, a *Attempt)
	// what the next worker finds: a claim with a result, one without, or a job that has its answer.
	finds  string
	final  Phase
	deaths int
}{
	{"after the claim", func(context.Context, *testing.T, *Queue, *Attempt) {}, "nothing", Released, 1},
	{"in the work", func(ctx context.Context, t *testing.T, _ *Queue, a *Attempt) {
		a.Begin(ctx)
		a.Progress("analyze", 10)
	}, "nothing", Released, 1},
	{"after the plan", func(ctx context.Context, t *testing.T, _ *Queue, a *Attempt) {
		must(t, a.SavePlan(ctx, digest))
	}, "plan", Released, 1},
	{"after the commit", func(ctx context.Context, t *testing.T, _ *Queue, a *Attempt) {
		commit(t, a, Held)
	}, "result", Held, 0},
	{"after the answer is recorded", func(ctx context.Context, t *testing.T, _ *Queue, a *Attempt) {
		commit(t, a, Released)
		must(t, a.edit(ctx, answered))
	}, "answer", Released, 0},
	{"after the answer is told", func(ctx context.Context, t *testing.T, q *Queue, a *Attempt) {
		commit(t, a, Released)
		must(t, a.edit(ctx, answered))
		must(t, q.ensureAnswer(ctx, a.State()))
	}, "answer", Released, 0},
	{"after the failure is recorded", func(ctx context.Context, t *testing.T, q *Queue, a *Attempt) {
		must(t, a.edit(ctx, a.failed(errClip)))
	}, "answer", Failed, 0},
	{"after the dead letter", func(ctx context.Context, t *testing.T, q *Queue, a *Attempt) {
		must(t, a.edit(ctx, a.failed(errClip)))
		must(t, q.putDead(ctx, a.State()))
	}, "answer", Failed, 0},
	{"between queued and the word to the server", func(ctx context.Context, t *testing.T, q *Queue, a *Attempt) {
		must(t, a.edit(ctx, handedBack))
	}, "nothing", Released, 0},
	{"while it was cancelled", func(ctx context.Context, t *testing.T, q *Queue, a *Attempt) {
		_, err := q.Cancel(ctx, "one")
		must(t, err)
	}, "answer", Cancelled, 0},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWorkerDiesAtEachStep lets a worker die there; another takes over once the server gives the message out again, and the
// job ends with one answer, told once, with no message left.
func TestWorkerDiesAtEachStep(t *testing.T) {
	for _, c := range crashes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			q, other := h.queue(), h.queue(func(o *Options) { o.Worker = "other" })
			submit(t, q, "one")
			a := next(t, q)
			c.do(t.Context(), t, q, a)
			die(a)
			if c.finds == "answer" {
				none(t, other, testAckWait*3/2)
			} else {
				takeOver(t, next(t, other), c.finds)
			}
			s := wantPhase(t, other, "one", c.final)
			if s.Deaths != c.deaths {
				t.Errorf("%d deaths are counted, want %d", s.Deaths, c.deaths)
			}
			if n := messages(t, other); n != 0 {
				t.Errorf("%d messages are left", n)
			}
			all := kinds(t, other, "one")
			if last := all[len(all)-1]; last != Kind(c.final) || count(all, last) != 1 {
				t.Errorf("events are %v, want one %s at the end", all, c.final)
			}
			if _, err := other.DeadLetter(t.Context(), "one"); (err == nil) != (c.final == Failed) {
				t.Errorf("dead letter: %v", err)
			}
		})
	}
}

func count(all []Kind, k Kind) int {
	return len(all) - len(slices.DeleteFunc(slices.Clone(all), func(o Kind) bool { return o == k }))
}

// takeOver ends the job that a dead worker left.
func takeOver(t *testing.T, b *Attempt, finds string) {
	t.Helper()
	b.Begin(t.Context())
	s := b.State()
	switch {
	case s.Epoch != 2 || s.Worker != "other":
		t.Errorf("taken over as %+v", s)
	case (finds == "plan") != (s.Plan != nil):
		t.Errorf("found plan %v, want %s", s.Plan, finds)
	case finds == "result" && (b.Result() == nil || b.Result().Epoch != 1):
		t.Errorf("found result %+v, want that of epoch 1", b.Result())
	case finds != "result" && b.Result() != nil:
		t.Errorf("found a result: %+v", b.Result())
	}
	if b.Result() == nil {
		commit(t, b, Released)
	}
	settle(t, b, nil, FateAnswered)
}

// TestSubmitterDies lets a submitter die between record and message: the reconciler of any worker mends it.
func TestSubmitterDies(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	if _, err := q.accept(t.Context(), job("one")); err != nil {
		t.Fatal(err)
	}
	reconciling(t, q, h.queue())
	a := next(t, q)
	a.Begin(t.Context())
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	wantKinds(t, q, "one", EventAccepted, EventStarted, EventReleased)
}

// reconciling runs the reconcilers of several workers until the test ends.
func reconciling(t *testing.T, queues ...*Queue) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var over []chan struct{}
	for _, q := range queues {
		done := make(chan struct{})
		over = append(over, done)
		go func() {
			defer close(done)
			q.Reconcile(ctx, 60*time.Millisecond)
		}()
	}
	t.Cleanup(func() {
		cancel()
		for _, done := range over {
			<-done
		}
	})
}

// TestLostMessages takes the messages of unfinished jobs away, within the window in which the server swallows a message id
// that it knows: each is published again, and a job with an answer is not.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "done", "queued", "committing", "running")
	byID := map[string]*Attempt{}
	for range 4 {
		a := next(t, q)
		byID[a.Job().ID] = a
	}
	ctx := t.Context()
	commit(t, byID["done"], Released)
	must(t, byID["done"].edit(ctx, answered))
	commit(t, byID["committing"], Released)
	must(t, byID["queued"].edit(ctx, handedBack))
	must(t, q.jobs.Purge(ctx))
	for _, a := range byID {
		die(a)
	}
	reconciling(t, q, h.queue())
	want := map[string]Phase{"queued": Running, "committing": Committing, "running": Running}
	for range 3 {
		a := next(t, q)
		a.Begin(ctx)
		id := a.Job().ID
		if a.State().Phase != want[id] {
			t.Errorf("claimed %s as %s", id, a.State().Phase)
		}
		delete(want, id)
		if a.Result() == nil {
			commit(t, a, Released)
		}
		settle(t, a, nil, FateAnswered)
	}
	none(t, q, 500*time.Millisecond)
}

// TestDuplicateWindow submits a job whose message was seen and lost moments ago.
func TestDuplicateWindow(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	must(t, q.jobs.Purge(t.Context()))
	submit(t, q, "one")
	if n := messages(t, q); n != 1 {
		t.Fatalf("%d messages, want 1: the server swallowed it", n)
	}
	a := next(t, q)
	a.Begin(t.Context())
	settle(t, a, Permanent(errClip), FateDead)
	if err := q.Forget(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	submit(t, q, "one")
	a = next(t, q)
	a.Begin(t.Context())
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
}
