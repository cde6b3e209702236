package jobs

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"veil/worker/jobs/embedded"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	h := &house{t: t, dir: t.TempDir()}
	h.start()
	defer func() { h.srv.Close() }()
	nc := h.connect()
	if _, err := Open(t.Context(), nc, Options{}); !errors.Is(err, ErrNotSetUp) {
		t.Errorf("opened a queue that is not there: %v", err)
	}
	// Several workers may set up at once.
	reports := make([]Report, 4)
	var all sync.WaitGroup
	for i := range reports {
		all.Go(func() {
			var err error
			if reports[i], err = Setup(t.Context(), nc, SetupOptions{}); err != nil || len(reports[i].Differences) > 0 {
				t.Errorf("setup %d: %+v, %v", i, reports[i], err)
			}
		})
	}
	all.Wait()
	r, err := Setup(t.Context(), nc, SetupOptions{})
	if err != nil || len(r.Created)+len(r.Differences) > 0 || r.Sync != SyncUnknown {
		t.Errorf("setup again: %+v, %v", r, err)
	}
	q, err := Open(t.Context(), nc, Options{})
	must(t, err)
	if q.AckWait() != DefaultAckWait {
		t.Errorf("AckWait is %v", q.AckWait())
	}
	requireLimits(t, q)

	// What somebody changed is reported and left as it is.
	c := q.jobs.CachedInfo().Config
	c.MaxMsgs, c.DiscardNewPerSubject = 100, false
	_, err = q.js.UpdateStream(t.Context(), c)
	must(t, err)
	r, err = Setup(t.Context(), nc, SetupOptions{AckWait: time.Minute})
	must(t, err)
	var found []string
	for _, d := range r.Differences {
		found = append(found, fmt.Sprintf("%s %s %s %s", d.Where, d.Field, d.Have, d.Want))
	}
	want := []string{"stream JOBS MaxMsgs 100 -1", "stream JOBS DiscardNewPerSubject false true",
		"consumer urgent AckWait 2m0s 1m0s", "consumer normal AckWait 2m0s 1m0s", "consumer bulk AckWait 2m0s 1m0s"}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("differences are %v, want %v", found, want)
	}
}

// requireLimits reads back from the server what no job must ever run into.
func requireLimits(t *testing.T, q *Queue) {
	t.Helper()
	c := q.jobs.CachedInfo().Config
	if c.Retention != jetstream.WorkQueuePolicy || c.Discard != jetstream.DiscardNew || !c.DiscardNewPerSubject ||
		c.MaxMsgsPerSubject != 1 || c.MaxAge != 0 || c.Storage != jetstream.FileStorage {
		t.Errorf("the work queue is %+v", c)
	}
	for _, cons := range q.consumers {
		c := cons.CachedInfo().Config
		if c.MaxDeliver != -1 || c.MaxAckPending != -1 || len(c.BackOff) > 0 || c.AckPolicy != jetstream.AckExplicitPolicy {
			t.Errorf("consumer %s is %+v", c.Durable, c)
		}
	}
	s, err := q.kv.Status(t.Context())
	must(t, err)
	if s.TTL() != 0 || s.History() != 1 || s.BackingStore() != "JetStream" {
		t.Errorf("the bucket has TTL %v and history %d", s.TTL(), s.History())
	}
}

func TestSyncMode(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		srv, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: -1, Lazy: lazy})
		must(t, err)
		varz := `{"jetstream":{"config":{"sync_interval":120000000000}}}`
		if !lazy {
			varz = `{"jetstream":{"config":{"sync_interval":120000000000,"sync_always":true}}}`
		}
		monitor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/varz" {
				_, _ = w.Write([]byte(varz))
			}
		}))
		nc, err := srv.Connect()
		must(t, err)
		r, err := Setup(t.Context(), nc, SetupOptions{Monitor: monitor.URL})
		must(t, err)
		if (r.Sync == SyncAlways) == lazy || (len(r.Differences) == 1) != lazy {
			t.Errorf("lazy %v: %+v", lazy, r)
		}
		nc.Close()
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
		monitor.Close()
	}
	if _, err := syncMode(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("asked nobody and got an answer")
	}
	if s, err := syncOf([]byte(`{"jetstream":{}}`)); err != nil || s != SyncUnknown {
		t.Errorf("without JetStream: %s, %v", s, err)
	}
}

// TestNothingLeaks plants words in every free field of jobs that end in every way, and looks for them, and for what errors
// say, in events, dead letters and advisories; and holds every event against its schema.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := h.queue(func(o *Options) { o.MaxFailures = 1 })
	var heard []string
	var mu sync.Mutex
	nc := h.connect()
	for _, subject := range []string{"event.>", "dead.>", "$JS.EVENT.>", "$JS.ACK.>", wakeSubject, keeperSubject} {
		_, err := nc.Subscribe(subject, hear(&mu, &heard))
		must(t, err)
	}
	must(t, nc.Flush())
	for _, id := range []string{"released", "held", "failed", "permanent", "later", "cancelled", "rejected"} {
		j := job(id)
		j.Source.Key, j.Case, j.Requester, j.Purpose = "cam/canary.mp4", "canary", "canary", "canary"
		j.Decisions, j.Source.Version = []byte(`{"by":"canary"}`), "canary"
		_, err := q.Submit(t.Context(), j)
		must(t, err)
	}
	_, err := q.js.Publish(t.Context(), "job.bulk.plain", []byte(`{"schema":"veil.job/1","canary":1,"id":"canary?"}`))
	must(t, err)
	strict := h.queue(func(o *Options) { o.Validator.Sources = []string{"elsewhere"} })
	for range 6 {
		endAsNamed(t, q, next(t, q))
	}
	none(t, strict, 300*time.Millisecond)
	wantPhase(t, q, "rejected", Rejected)
	wantPhase(t, q, "plain", Rejected)
	time.Sleep(100 * time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	events := schema(t, "event.schema.json")
	for _, m := range heard {
		subject, body, _ := strings.Cut(m, " ")
		if strings.Contains(strings.ReplaceAll(m, "unknown field canary", ""), "canary") {
			t.Errorf("leaked: %s", m)
		}
		if strings.HasPrefix(subject, "event.") {
			if err := conforms(t, events, []byte(body)); err != nil {
				t.Errorf("event %s: %v", body, err)
			}
		}
	}
	if len(heard) < 25 {
		t.Errorf("only %d messages were heard", len(heard))
	}
}

// endAsNamed ends a job in the way that its id says.
func endAsNamed(t *testing.T, q *Queue, a *Attempt) {
	t.Helper()
	ctx := a.Begin(t.Context())
	a.Progress("analyze", 20)
	canary := errors.New("decode canary.mp4: broken")
	switch a.Job().ID {
	case "released", "held":
		commit(t, a, Phase(a.Job().ID))
		settle(t, a, nil, FateAnswered)
	case "failed":
		settle(t, a, canary, FateDead)
	case "permanent":
		settle(t, a, Permanent(canary), FateDead)
	case "later":
		settle(t, a, RetryAfter(time.Hour, canary), FateRetry)
	case "cancelled":
		_, err := q.Cancel(ctx, "cancelled")
		must(t, err)
		settle(t, a, nil, FateCancelled)
	}
}
