package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/jobs/embedded"
)

// serving runs a worker until stop is called, and keeps the fates.
type serving struct {
	soft, hard context.CancelFunc
	over       chan struct{}
	mu         sync.Mutex
	fates      []Fate
}

func serve(t *testing.T, q *Queue, o ServeOptions, p Process) *serving {
	t.Helper()
	soft, stopSoft := context.WithCancel(context.Background())
	hard, stopHard := context.WithCancel(context.Background())
	s := &serving{soft: stopSoft, hard: stopHard, over: make(chan struct{})}
	o.Settled = func(_ *Attempt, f Fate, _ error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fates = append(s.fates, f)
	}
	go func() {
		defer close(s.over)
		q.Serve(soft, hard, o, p)
	}()
	t.Cleanup(func() { s.hard(); s.soft(); <-s.over })
	return s
}

// slow works until told to finish, and gives up when its context ends.
func slow(begun chan<- string, finish <-chan struct{}) Process {
	return func(ctx context.Context, a *Attempt) error {
		begun <- a.Job().ID
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-finish:
			return a.Commit(ctx, Result{Outcome: Released, Envelope: digest})
		}
	}
}

func TestSoftStopFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one", "two", "three")
	begun, finish := make(chan string, 3), make(chan struct{})
	s := serve(t, q, ServeOptions{Slots: 2, Grace: time.Minute}, slow(begun, finish))
	<-begun
	<-begun
	s.soft()
	time.Sleep(100 * time.Millisecond)
	close(finish)
	<-s.over
	if !slices.Equal(s.fates, []Fate{FateAnswered, FateAnswered}) {
		t.Errorf("fates are %v", s.fates)
	}
	wantPhase(t, q, "three", Queued)
}

func TestSoftStopHandsBackAfterGrace(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	begun := make(chan string, 1)
	s := serve(t, q, ServeOptions{Slots: 1, Grace: 100 * time.Millisecond}, slow(begun, nil))
	<-begun
	s.soft()
	<-s.over
	handedBackUncounted(t, q, s)
}

func TestHardStopHandsBackAtOnce(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	begun := make(chan string, 1)
	s := serve(t, q, ServeOptions{Slots: 1, Grace: time.Hour}, slow(begun, nil))
	<-begun
	s.soft()
	s.hard()
	<-s.over
	handedBackUncounted(t, q, s)
}

// handedBackUncounted wants the job back in the queue as if nothing had been, and another worker to get it at once.
func handedBackUncounted(t *testing.T, q *Queue, s *serving) {
	t.Helper()
	if !slices.Equal(s.fates, []Fate{FateStopping}) {
		t.Errorf("fates are %v", s.fates)
	}
	r := wantPhase(t, q, "one", Queued)
	if r.Attempts != 0 || r.Failures != 0 || r.Deaths != 0 {
		t.Errorf("the shutdown was counted: %+v", r)
	}
	begun := time.Now()
	a := next(t, q)
	if d := time.Since(begun); d > testAckWait {
		t.Errorf("the job came back after %v only", d)
	}
	a.Begin(t.Context())
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
}

func TestAdmission(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	room := make(chan struct{})
	begun, finish := make(chan string, 1), make(chan struct{})
	close(finish)
	serve(t, q, ServeOptions{Admit: func(ctx context.Context) error {
		select {
		case <-room:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, slow(begun, finish))
	time.Sleep(200 * time.Millisecond)
	wantPhase(t, q, "one", Queued)
	close(room)
	<-begun
	eventually(t, "the job is released", func() bool { return state(t, q, "one").Phase == Released })
}

// TestServerRestarts takes the server away in the middle of the work, for longer than AckWait: the job ends with one answer.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, err := embedded.Start(embedded.Options{Dir: dir})
	must(t, err)
	defer func() { srv.Close() }()
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.ReconnectBufSize(-1))
	must(t, err)
	defer nc.Close()
	_, err = Setup(t.Context(), nc, SetupOptions{AckWait: testAckWait})
	must(t, err)
	q, err := Open(t.Context(), nc, Options{Validator: Validator{AnySource: true}, CheckEvery: 50 * time.Millisecond,
		PollEvery: 50 * time.Millisecond, RetryDelay: func(int) time.Duration { return time.Millisecond }})
	must(t, err)
	submit(t, q, "one", "two")
	begun, finish := make(chan string, 10), make(chan struct{})
	s := serve(t, q, ServeOptions{Slots: 1, ReconcileEvery: 200 * time.Millisecond}, slow(begun, finish))
	<-begun
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL(), "nats://"), ":")
	srv.Close()
	time.Sleep(testAckWait * 3 / 2)
	srv, err = embedded.Start(embedded.Options{Dir: dir, Listen: atoi(t, port)})
	must(t, err)
	close(finish)
	eventually(t, "both are released", func() bool {
		a, errA := q.State(t.Context(), "one")
		b, errB := q.State(t.Context(), "two")
		return errA == nil && errB == nil && a.Phase == Released && b.Phase == Released
	})
	eventually(t, "no message is left", func() bool { return messages(t, q) == 0 })
	s.hard()
	s.soft()
	<-s.over
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	must(t, json.Unmarshal([]byte(s), &n))
	return n
}

// TestNewerVersionsWait puts a job and a record of the next version into the queue: this build hands both back, changes
// nothing and counts nothing.
func TestNewerVersionsWait(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue(func(o *Options) { o.NewerDelay = 50 * time.Millisecond })
	ctx := t.Context()
	_, err := q.js.Publish(ctx, jobSubject(Normal, "new-job"), []byte(`{"schema":"veil.job/2","id":"new-job","gadget":1}`))
	must(t, err)
	s := State{ID: "new-record", Phase: Queued, Generation: 1, Priority: Normal, Job: []byte(`{}`)}
	s.Schema = "veil.state/2"
	data, err := s.encode()
	must(t, err)
	rev, err := q.kv.Create(ctx, "new-record", data)
	must(t, err)
	must(t, q.publishJob(ctx, s, ""))
	none(t, q, 400*time.Millisecond)
	if _, err := q.State(ctx, "new-job"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a job of a newer version has a record: %v", err)
	}
	if e, err := q.kv.Get(ctx, "new-record"); err != nil || e.Revision() != rev {
		t.Errorf("a record of a newer version was changed: %v", err)
	}
	if n := messages(t, q); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// TestPlainMessages publishes jobs without Submit.
func TestPlainMessages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue()
	ctx := t.Context()
	good, err := job("good").Encode()
	must(t, err)
	for subject, data := range map[string]string{
		"job.normal.good":   string(good),
		"job.normal.other":  string(good), // not its id
		"job.normal.broken": `{"schema":"veil.job/1","id":"broken","priority":"Max Mustermann","colour":1}`,
		"job.normal.nö":     "whatever",
	} {
		_, err := q.js.Publish(ctx, subject, []byte(data))
		must(t, err)
	}
	a := next(t, q)
	if a.Job().ID != "good" {
		t.Fatalf("claimed %s", a.Job().ID)
	}
	a.Begin(ctx)
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	none(t, q, 300*time.Millisecond)
	wantPhase(t, q, "other", Rejected)
	s := wantPhase(t, q, "broken", Rejected)
	if text := strings.Join(s.Faults, "; "); len(s.Faults) < 4 || strings.Contains(text, "Mustermann") {
		t.Errorf("faults are %q", s.Faults)
	}
	wantKinds(t, q, "broken", EventRejected)
	if d, err := q.DeadLetter(ctx, "~"); err != nil || d.Code != CodeUnreadable {
		t.Errorf("the letter of the nameless message is %+v, %v", d, err)
	}
	if n := messages(t, q); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	// What the submitter allowed and the worker does not is rejected at the claim.
	lax := h.queue(func(o *Options) { o.Validator = Validator{AnySource: true} })
	j := job("elsewhere")
	j.Source.Key = "secret/x.mp4"
	_, err = lax.Submit(ctx, j)
	must(t, err)
	none(t, q, 300*time.Millisecond)
	wantPhase(t, q, "elsewhere", Rejected)
	wantKinds(t, q, "elsewhere", EventAccepted, EventRejected)
	if _, err := q.Retry(ctx, "elsewhere", RetryOptions{}); !errors.Is(err, ErrPhase) {
		t.Errorf("retried a rejected job: %v", err)
	}
}

// TestStrayMessage sends a second message for a job that runs, under another priority: nobody is disturbed.
func TestStrayMessage(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one")
	a := next(t, q)
	a.Begin(t.Context())
	_, err := q.js.Publish(t.Context(), jobSubject(Urgent, "one"), a.State().Job)
	must(t, err)
	none(t, q, 300*time.Millisecond)
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	if s := wantPhase(t, q, "one", Released); s.Epoch != 1 || messages(t, q) != 0 {
		t.Errorf("the stray message made it %+v", s)
	}
}

// TestRestore loses the server's state and puts it back.
func TestRestore(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	data, err := job("x").Encode()
	must(t, err)
	sum, err := job("x").Digest()
	must(t, err)
	for _, s := range []State{
		{ID: "done", Phase: Released, Generation: 1, Epoch: 2, Result: &Result{Outcome: Released, Envelope: digest}},
		{ID: "x", Phase: Running, Generation: 2, Epoch: 7},
	} {
		s.Job, s.Submission, s.Priority = data, sum, Normal
		must(t, q.Restore(t.Context(), s))
		must(t, q.Restore(t.Context(), s))
	}
	reconciling(t, q)
	a := next(t, q)
	a.Begin(t.Context())
	if s := a.State(); s.ID != "x" || s.Generation != 2 || s.Epoch != 8 {
		t.Errorf("restored as %+v", s)
	}
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	none(t, q, 300*time.Millisecond)
	if err := q.Restore(t.Context(), State{ID: "y", Phase: Committing, Generation: 1, Job: data}); !errors.Is(err, ErrPhase) {
		t.Errorf("restored a commit without a result: %v", err)
	}
}

// TestServeEndsAfterSoManyJobs: it claims no more than it was told to, whatever waits, and ends by itself.
func TestServeEndsAfterSoManyJobs(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	submit(t, q, "one", "two", "three", "four", "five")
	for _, c := range []struct{ slots, most, left int }{{1, 1, 4}, {3, 2, 2}} {
		var done atomic.Int64
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			q.Serve(t.Context(), t.Context(), ServeOptions{Slots: c.slots, Most: c.most}, func(ctx context.Context, a *Attempt) error {
				done.Add(1)
				return a.Commit(ctx, Result{Outcome: Released, Envelope: digest})
			})
		}()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatalf("%d slots, %d jobs: it goes on", c.slots, c.most)
		}
		depth, err := q.Depth(t.Context())
		if left := depth[Urgent] + depth[Normal] + depth[Bulk]; err != nil || int(done.Load()) != c.most || left != c.left {
			t.Errorf("%d slots: %d of %d jobs, %d left: %v", c.slots, done.Load(), c.most, left, err)
		}
	}
}
