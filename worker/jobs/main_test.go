package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"veil/worker/jobs/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testAckWait = 1000 * time.Millisecond
	patience    = 20 * time.Second // before a test gives up waiting
	digest      = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
)

var errClip = errors.New("the clip /in/max-mustermann.mp4 is broken")

// house is a real server with the queue set up on it.
type house struct {
	t   *testing.T
	srv *embedded.Server
	dir string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	h.start()
	t.Cleanup(func() { h.srv.Close() })
	if _, err := Setup(t.Context(), h.connect(), SetupOptions{AckWait: testAckWait}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) start() {
	h.t.Helper()
	srv, err := embedded.Start(embedded.Options{Dir: h.dir, Listen: -1, Lazy: true})
	if err != nil {
		h.t.Fatal(err)
	}
	h.srv = srv
}

func (h *house) connect() *nats.Conn {
	h.t.Helper()
	nc, err := h.srv.Connect(nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	return nc
}

// queue opens a queue of its own connection; change edits the options.
func (h *house) queue(change ...func(*Options)) *Queue {
	h.t.Helper()
	o := Options{Validator: Validator{Sources: []string{"in/cam"}, Inline: true}, CheckEvery: 40 * time.Millisecond,
		PollEvery: 50 * time.Millisecond, ProgressEvery: time.Millisecond, FinalLimit: testAckWait / 2,
		RetryDelay: func(int) time.Duration { return time.Millisecond },
		Classify: func(err error) Cause {
			if errors.Is(err, errClip) {
				return Cause{Code: "unreadable", Remedy: "copy it again"}
			}
			return Cause{Code: CodeInternal}
		}}
	for _, c := range change {
		c(&o)
	}
	q, err := Open(h.t.Context(), h.connect(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return q
}

func job(id string) Job {
	return Job{Schema: JobSchema, ID: id, Source: Source{Bucket: "in", Key: "cam/" + id + ".mp4"}, Policy: "press"}
}

// submit hands in jobs with the given ids.
func submit(t *testing.T, q *Queue, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := q.Submit(t.Context(), job(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// next claims the next job, or fails the test.
func next(t *testing.T, q *Queue) *Attempt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := q.Next(ctx)
	if err != nil {
		t.Fatalf("no job: %v", err)
	}
	return a
}

// none makes sure that there is no job to claim for a while.
func none(t *testing.T, q *Queue, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if a, err := q.Next(ctx); err == nil {
		t.Fatalf("claimed %s, which should not be there: %+v", a.Job().ID, a.State())
	}
}

// settle ends an attempt and wants the fate.
func settle(t *testing.T, a *Attempt, err error, want Fate) {
	t.Helper()
	fate, settleErr := a.Settle(t.Context(), err)
	if settleErr != nil || fate != want {
		t.Fatalf("settled %s with fate %q and error %v, want %q", a.Job().ID, fate, settleErr, want)
	}
}

func commit(t *testing.T, a *Attempt, p Phase) {
	t.Helper()
	if err := a.Commit(t.Context(), Result{Outcome: p, Envelope: digest}); err != nil {
		t.Fatal(err)
	}
}

// die is what a killed worker looks like from outside: no heartbeat, not a word.
func die(a *Attempt) { a.end() }

func state(t *testing.T, q *Queue, id string) State {
	t.Helper()
	s, err := q.State(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantPhase(t *testing.T, q *Queue, id string, want Phase) State {
	t.Helper()
	s := state(t, q, id)
	if s.Phase != want {
		t.Fatalf("job %s is %s, want %s: %+v", id, s.Phase, want, s)
	}
	return s
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never came true: %s", what)
}

// messages counts what lies in the work queue.
func messages(t *testing.T, q *Queue) int {
	t.Helper()
	info, err := q.jobs.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}

// kinds reads the stored events of a job.
func kinds(t *testing.T, q *Queue, id string) (all []Kind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_ = q.Follow(ctx, id, time.Time{}, func(e Event) bool {
		if e.Event != EventStage {
			all = append(all, e.Event)
		}
		return true
	})
	return all
}

func wantKinds(t *testing.T, q *Queue, id string, want ...Kind) {
	t.Helper()
	if have := kinds(t, q, id); fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("events of %s are %v, want %v", id, have, want)
	}
}

// wire records every word to the server about messages: "+ACK", "-NAK", "+TERM", "+WPI".
type wire struct {
	mu    sync.Mutex
	words []string
}

func (h *house) tap() *wire {
	h.t.Helper()
	w := &wire{}
	nc := h.connect()
	_, err := nc.Subscribe("$JS.ACK.>", func(m *nats.Msg) {
		w.mu.Lock()
		defer w.mu.Unlock()
		word, _, _ := strings.Cut(string(m.Data), " ")
		w.words = append(w.words, word)
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// said returns the words so far and forgets them.
func (w *wire) said() []string {
	time.Sleep(50 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	words := w.words
	w.words = nil
	return words
}

// hear keeps each message as subject and body.
func hear(mu *sync.Mutex, heard *[]string) nats.MsgHandler {
	return func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		*heard = append(*heard, m.Subject+" "+string(m.Data))
	}
}
