package archive

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/retention"
	"veil/worker/store"
)

// newService is a real queue and a store in a folder; the queue's clock is the test's.
func newService(t *testing.T, now func() time.Time) *connect.Service {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: -1, Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Setup(t.Context(), nc, jobs.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	return open(t, nc, now)
}

func open(t *testing.T, nc *nats.Conn, now func() time.Time) *connect.Service {
	t.Helper()
	q, err := jobs.Open(t.Context(), nc, jobs.Options{Validator: jobs.Validator{AnySource: true}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: store.Off})
	if err != nil {
		t.Fatal(err)
	}
	s := &connect.Service{Queue: q, NC: nc, Store: dir, Access: access.New(dir, access.Options{}), Person: "a tester"}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// restore puts a job's record into the queue as it stands.
func restore(t *testing.T, s *connect.Service, id string, p jobs.Phase) {
	t.Helper()
	j := jobs.Job{ID: id, Source: jobs.Source{Bucket: connect.IncomingBucket, Key: id + "/clip"}, Policy: "press", Priority: jobs.Normal}
	b, err := j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	state := jobs.State{ID: id, Phase: p, Generation: 1, Epoch: 1, Job: b, Priority: jobs.Normal, Submission: "x"}
	if p == jobs.Committing {
		state.Result = &jobs.Result{Generation: 1, Epoch: 1}
	}
	if err := s.Queue.Restore(t.Context(), state); err != nil {
		t.Fatal(err)
	}
}

// TestDropClips: a clip that was handed in goes once its job's answer is old, and not where somebody may still need it.
func TestDropClips(t *testing.T) {
	ago := time.Now().Add(-48 * time.Hour)
	clock := ago
	s := newService(t, func() time.Time { return clock })
	put := func(id string) {
		t.Helper()
		if _, err := s.Store.Put(t.Context(), store.Incoming+id+"/clip", bytes.NewReader([]byte("clip")), store.PutOptions{Size: 4}); err != nil {
			t.Fatal(err)
		}
	}
	gone := []string{"cancelled", "failed", "rejected", "released", "withdrawn"}
	for _, p := range jobs.Phases() {
		if p == jobs.Running {
			continue // Restore makes it queued
		}
		restore(t, s, string(p), p)
		put(string(p))
	}
	restore(t, s, "onhold", jobs.Released)
	put("onhold")
	sweeper := retention.Sweeper{Queue: s.Queue, Store: s.Store, Log: s.Access, Now: time.Now, Person: s.Person}
	if _, err := sweeper.SetHold(t.Context(), "onhold", "an officer", "proceedings"); err != nil {
		t.Fatal(err)
	}
	put("unknown")
	clock = time.Now()
	restore(t, s, "justnow", jobs.Released)
	put("justnow")

	left := func() (ids []string) {
		t.Helper()
		for o, err := range s.Store.List(t.Context(), store.Incoming) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, strings.Split(o.Key, "/")[1])
		}
		return ids
	}
	before := left()
	if n, err := DropClips(t.Context(), s, 24*time.Hour); err != nil || n != 0 || !slices.Equal(left(), before) {
		t.Fatalf("%d young clips were removed, %v", n, err)
	}
	// The objects are as young as the test; only the records are old.
	n, err := DropClips(t.Context(), s, time.Millisecond)
	if err != nil || n != len(gone)+1 {
		t.Errorf("%d clips were removed, %v", n, err)
	}
	want := slices.DeleteFunc(before, func(id string) bool { return slices.Contains(gone, id) || id == "justnow" })
	if got := left(); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	told := map[string]bool{}
	for o, err := range s.Store.List(t.Context(), access.Prefix) {
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := s.Store.Read(t.Context(), o.Key, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range gone {
			if bytes.Contains(b, []byte(`"`+id+`"`)) && bytes.Contains(b, []byte(`"deletion"`)) {
				told[id] = true
			}
		}
	}
	if len(told) != len(gone) {
		t.Errorf("the access log tells of %v", told)
	}
}

// TestDropClipsKeepsWhatMayBeTriedAgain: the clip of a failed job stays until its dead letter is dropped.
func TestDropClipsKeepsWhatMayBeTriedAgain(t *testing.T) {
	s := newService(t, func() time.Time { return time.Now().Add(-48 * time.Hour) })
	j := jobs.Job{ID: "job", Source: jobs.Source{Bucket: connect.IncomingBucket, Key: "job/clip"}, Policy: "press"}
	if _, err := s.Queue.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	a, err := s.Queue.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.Begin(t.Context())
	if _, err := a.Settle(t.Context(), jobs.Permanent(errors.New("broken"))); err != nil {
		t.Fatal(err)
	}
	if got, err := mayDrop(t.Context(), s, "job", time.Now()); err != nil || got {
		t.Errorf("with a dead letter: %v, %v", got, err)
	}
	if err := s.Queue.Drop(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	if got, err := mayDrop(t.Context(), s, "job", time.Now()); err != nil || !got {
		t.Errorf("without one: %v, %v", got, err)
	}
}

// TestTidyLeavesWhatIsHeld: under a legal hold every attempt stays, superseded ones too.
func TestTidyLeavesWhatIsHeld(t *testing.T) {
	s := newService(t, time.Now)
	for _, id := range []string{"free", "held"} {
		restore(t, s, id, jobs.Released)
		for _, key := range []string{"/1/0/derivative.mp4", "/1/0/plan.json"} { // of an epoch that the record has left behind
			if _, err := s.Store.Put(t.Context(), store.Restricted+id+key, bytes.NewReader([]byte("old")), store.PutOptions{Size: 3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweeper := retention.Sweeper{Queue: s.Queue, Store: s.Store, Log: s.Access, Now: time.Now, Person: s.Person}
	if _, err := sweeper.SetHold(t.Context(), "held", "an officer", "proceedings"); err != nil {
		t.Fatal(err)
	}
	if n, err := Tidy(t.Context(), s, -time.Hour); err != nil || n.Attempts != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	for id, want := range map[string]int{"free": 0, "held": 2} {
		n := 0
		for o, err := range s.Store.List(t.Context(), store.Restricted+id+"/1/") {
			if err != nil {
				t.Fatal(o, err)
			}
			n++
		}
		if n != want {
			t.Errorf("%s: %d objects are left, want %d", id, n, want)
		}
	}
	if err := sweeper.LiftHold(t.Context(), "held", "an officer", "over"); err != nil {
		t.Fatal(err)
	}
	if n, err := Tidy(t.Context(), s, -time.Hour); err != nil || n.Attempts != 1 {
		t.Errorf("once it is lifted: %+v, %v", n, err)
	}
}

// TestDropClipsWaitsForTheAnswer: an old clip stays while its answer is young.
func TestDropClipsWaitsForTheAnswer(t *testing.T) {
	s := newService(t, time.Now)
	restore(t, s, "job", jobs.Released)
	if _, err := s.Store.Put(t.Context(), store.Incoming+"job/clip", bytes.NewReader([]byte("clip")), store.PutOptions{Size: 4}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before time.Time
		want   bool
	}{{time.Now().Add(-time.Hour), false}, {time.Now().Add(time.Hour), true}} {
		if got, err := mayDrop(t.Context(), s, "job", c.before); err != nil || got != c.want {
			t.Errorf("%v, %v", got, err)
		}
	}
}
