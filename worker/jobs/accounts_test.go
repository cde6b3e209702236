package jobs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// accounts is a server with the accounts of docker/compose/accounts.conf; a password that is the user's name stands for the
// certificate.
type accounts struct {
	t   *testing.T
	srv *server.Server
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	conf, err := os.ReadFile("../../docker/compose/accounts.conf")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nats.conf")
	conf = regexp.MustCompile(`user: (\w+)`).ReplaceAll(conf, []byte("user: $1, password: $1"))
	if err := os.WriteFile(path, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o.DontListen, o.NoSigs, o.NoLog, o.JetStream, o.StoreDir = true, true, true, true, t.TempDir()
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not get ready")
	}
	a := &accounts{t, srv}
	if _, err := Setup(t.Context(), a.connect("operator", nil), SetupOptions{AckWait: testAckWait}); err != nil {
		t.Fatal(err)
	}
	return a
}

// connect connects as a user; what the server refuses later goes to refused.
func (a *accounts) connect(user string, refused chan<- error) *nats.Conn {
	a.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(a.srv), nats.UserInfo(user, user), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if refused == nil {
			a.t.Errorf("%s: %v", user, err)
			return
		}
		refused <- err
	}))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(nc.Close)
	return nc
}

func (a *accounts) queue(user string) *Queue {
	a.t.Helper()
	q, err := Open(a.t.Context(), a.connect(user, nil), Options{Validator: Validator{AnySource: true}, MessageOnly: user == "submitter",
		CheckEvery: 40 * time.Millisecond, PollEvery: 50 * time.Millisecond})
	if err != nil {
		a.t.Fatal(err)
	}
	return q
}

// TestAccountsCarryAJob walks through a job's life with the accounts as they are: handed in by one that may only submit, done by
// a worker, forgotten by a worker. Nobody is refused anything on the way.
func TestAccountsCarryAJob(t *testing.T) {
	a := newAccounts(t)
	sub, worker, operator := a.queue("submitter"), a.queue("worker"), a.queue("operator")
	ctx := t.Context()
	for range 2 { // the same job again changes nothing
		s, err := sub.Submit(ctx, job("one"))
		if err != nil || s.Phase != Queued || s.ID != "one" {
			t.Fatalf("submit: %+v, %v", s, err)
		}
	}
	other := job("one")
	other.Case = "another"
	if _, err := sub.Submit(ctx, other); !errors.Is(err, ErrConflict) {
		t.Errorf("other content under the same id, while it waits: %v", err)
	}
	if _, err := operator.State(ctx, "one"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record before a worker made one: %v", err)
	}
	at := next(t, worker)
	at.Begin(ctx)
	if s, err := sub.State(ctx, "one"); err != nil || s.Phase != Running {
		t.Errorf("while it runs: %+v, %v", s, err)
	}
	if err := at.Commit(ctx, Result{Outcome: Released, Envelope: digest}); err != nil {
		t.Fatal(err)
	}
	if fate, err := at.Settle(ctx, nil); err != nil || fate != FateAnswered {
		t.Fatalf("%s, %v", fate, err)
	}
	if s, err := sub.State(ctx, "one"); err != nil || s.Phase != Released {
		t.Errorf("after the answer: %+v, %v", s, err)
	}
	if e, err := sub.LastEvent(ctx, "one"); err != nil || e.Event != EventReleased {
		t.Errorf("last event: %+v, %v", e, err)
	}
	if s, err := sub.Submit(ctx, job("one")); err != nil || s.Phase != Released {
		t.Errorf("handed in again after the answer: %+v, %v", s, err)
	}
	if _, err := sub.Submit(ctx, other); !errors.Is(err, ErrConflict) {
		t.Errorf("other content under the same id, after the answer: %v", err)
	}
	if _, err := sub.Withdraw(ctx, "one"); !errors.Is(err, ErrSubmitOnly) {
		t.Errorf("withdrawn by a submitter: %v", err)
	}
	if err := sub.States(ctx, func(State) bool { return true }); !errors.Is(err, ErrSubmitOnly) {
		t.Errorf("listed by a submitter: %v", err)
	}
	wantKinds(t, operator, "one", EventAccepted, EventStarted, EventReleased)
	if err := worker.Forget(ctx, "one"); err != nil {
		t.Errorf("forget: %v", err)
	}
}

// TestWorkerReconciles with the rights of its account: the watch over the records is its own.
func TestWorkerReconciles(t *testing.T) {
	a := newAccounts(t)
	operator, worker := a.queue("operator"), a.queue("worker")
	if _, err := operator.accept(t.Context(), job("lost")); err != nil { // a record whose message never came
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); worker.Reconcile(ctx, 50*time.Millisecond) }()
	if at := next(t, worker); at.Job().ID != "lost" {
		t.Errorf("claimed %s", at.Job().ID)
	}
	cancel()
	<-done
}

// TestSubmitterMayOnlySubmit tries what a worker may, and what would turn an answer of the server into a word of its own.
func TestSubmitterMayOnlySubmit(t *testing.T) {
	a := newAccounts(t)
	operator := a.queue("operator")
	submit(t, operator, "mine")
	before, rev, err := operator.load(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 100)
	nc := a.connect("submitter", refused)
	for _, try := range []struct{ subject, data string }{
		{"$KV.STATE.mine", "{}"}, {"$KV.STATE.new", "{}"}, {"event.mine", "{}"}, {"dead.mine", "{}"}, {"job.mine", "{}"},
		{"$JS.API.STREAM.PURGE.JOBS", ""}, {"$JS.API.STREAM.PURGE.KV_STATE", ""}, {"$JS.API.STREAM.DELETE.KV_STATE", ""},
		{"$JS.API.STREAM.UPDATE.JOBS", `{"name":"JOBS"}`}, {"$JS.API.STREAM.CREATE.MINE", `{"name":"MINE","subjects":["mine"]}`},
		{"$JS.API.STREAM.MSG.DELETE.KV_STATE", `{"seq":1}`}, {"$JS.API.STREAM.SNAPSHOT.KV_STATE", `{"deliver_subject":"mine"}`},
		{"veil.api.STREAM.PURGE.JOBS", ""}, {"veil.api.STREAM.MSG.GET.DEAD", `{"seq":1}`}, {"veil.api.CONSUMER.CREATE.EVENTS.x", "{}"},
		{"$JS.API.STREAM.MSG.GET.DEAD", `{"seq":1}`}, {"$JS.API.STREAM.MSG.GET.EVENTS", `{"seq":1}`}, {"$JS.API.STREAM.LIST", ""}, {"$JS.API.STREAM.NAMES", ""},
		{"$JS.API.CONSUMER.MSG.NEXT.JOBS.normal", "1"}, {"$JS.API.CONSUMER.DELETE.JOBS.normal", ""},
		{"$JS.API.CONSUMER.CREATE.KV_STATE.x.$KV.STATE.>", `{"stream_name":"KV_STATE","config":{"deliver_subject":"mine","ack_policy":"none"}}`},
		{"$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.x", `{"stream_name":"EVENTS","config":{"durable_name":"x","ack_policy":"none"}}`},
		{"$JS.ACK.JOBS.normal.1.1.1.1.1", "+TERM"}, {"$JS.API.INFO", ""}, {"$SYS.REQ.SERVER.PING", ""},
	} {
		// The account has no JetStream: $JS.API says so, and nobody answers to the rest.
		m, err := nc.Request(try.subject, []byte(try.data), patience)
		if err == nil && !bytes.Contains(m.Data, []byte("JetStream not enabled for account")) {
			t.Errorf("%s was let through: %s", try.subject, m.Data)
		}
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v", try.subject, err)
		}
	}
	// An answer of the server that goes to a subject of the queue would be a message there.
	for _, reply := range []string{"$KV.STATE.mine", "$KV.STATE.new", "event.mine", "dead.mine"} {
		for _, subject := range []string{"job.normal.other", "veil.api.STREAM.INFO.JOBS", "veil.api.STREAM.MSG.GET.KV_STATE"} {
			if err := nc.PublishRequest(subject, reply, []byte(`{"last_by_subj":"$KV.STATE.mine"}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, subject := range []string{"$KV.STATE.>", "event.>", "job.>", "dead.>", "_INBOX.>", ">"} {
		s, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			for {
				m, err := s.NextMsg(10 * time.Millisecond)
				if err != nil {
					return
				}
				if bytes.Contains(m.Data, []byte(EventSchema)) || bytes.Contains(m.Data, []byte(StateSchema)) {
					t.Errorf("%s was heard on %s", m.Subject, subject)
				}
			}
		}()
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	operator.tell(t.Context(), operator.event(before, EventStarted))
	after, now, err := operator.load(t.Context(), "mine")
	if err != nil || now != rev || after.Token != before.Token {
		t.Errorf("the record was touched: %+v at %d, was %d: %v", after, now, rev, err)
	}
	if _, err := operator.State(t.Context(), "new"); !errors.Is(err, ErrNotFound) {
		t.Errorf("there is a record: %v", err)
	}
	if letters, err := operator.DeadLetters(t.Context()); err != nil || len(letters) != 0 {
		t.Errorf("dead letters: %v, %v", letters, err)
	}
	if e, err := operator.LastEvent(t.Context(), "mine"); err != nil || e.Event != EventStarted || e.Schema != EventSchema {
		t.Errorf("event: %+v, %v", e, err)
	}
}

// TestWorkerMayNotChangeStreams: what serving takes, and no more.
func TestWorkerMayNotChangeStreams(t *testing.T) {
	a := newAccounts(t)
	refused := make(chan error, 20)
	js, err := jetstream.New(a.connect("worker", refused), jetstream.WithDefaultTimeout(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for what, try := range map[string]func() error{
		"delete a stream": func() error { return js.DeleteStream(ctx, StreamJobs) },
		"make a stream": func() error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"mine"}})
			return err
		},
		"change a stream": func() error {
			_, err := js.UpdateStream(ctx, SetupOptions{Replicas: 1}.withDefaults().streams()[1])
			return err
		},
		"delete a consumer": func() error { return js.DeleteConsumer(ctx, StreamJobs, string(Normal)) },
		"delete a message": func() error {
			s, err := js.Stream(ctx, StreamEvents)
			if err != nil {
				t.Fatal(err)
			}
			return s.DeleteMsg(ctx, 1)
		},
	} {
		if err := try(); err == nil {
			t.Errorf("a worker may %s", what)
			continue
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Errorf("%s: nobody refused it", what)
		}
	}
}
