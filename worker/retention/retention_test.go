package retention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/retention"
	"veil/worker/store"
	"veil/worker/store/servers"
	"veil/worker/store/storetest"
)

// day is when everything begins.
var day = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// house is a queue, a store and an access log under one fake clock.
type house struct {
	t     *testing.T
	now   time.Time
	queue *jobs.Queue
	store store.Store
	log   *access.Log
	*retention.Sweeper
}

func newHouse(t *testing.T, s store.Store) *house {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: -1, Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	nc, err := srv.Connect(nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := jobs.Setup(t.Context(), nc, jobs.SetupOptions{AckWait: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, now: day}
	h.store = storetest.Clocked(s, h.clock)
	h.queue, err = jobs.Open(t.Context(), nc, jobs.Options{Validator: jobs.Validator{AnySource: true, Inline: true, Policies: []string{"press"}}, Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	h.log = access.New(h.store, access.Options{Now: h.clock})
	h.Sweeper = &retention.Sweeper{Queue: h.queue, Store: h.store, Log: h.log, Now: h.clock, Person: "worker of the test"}
	return h
}

func (h *house) clock() time.Time { return h.now }

func folder(t *testing.T) store.Store {
	t.Helper()
	s, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: store.Declared})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put puts an object, twice, so that there is an old version where the store keeps such.
func (h *house) put(key, content string) {
	h.t.Helper()
	for _, c := range []string{"older " + content, content} {
		if _, err := h.store.Put(h.t.Context(), key, strings.NewReader(c), store.PutOptions{Size: int64(len(c))}); err != nil {
			h.t.Fatal(err)
		}
	}
}

// submit hands a job in that may stay until a moment (nil: for good) and puts what such a job makes.
func (h *house) submit(id string, until *time.Time) {
	h.t.Helper()
	j := jobs.Job{Schema: jobs.JobSchema, ID: id, Source: jobs.Source{Bucket: "in", Key: id + ".mp4"}, Policy: "press", DestroyAfter: until}
	if _, err := h.queue.Submit(h.t.Context(), j); err != nil {
		h.t.Fatal(err)
	}
	b, err := j.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	h.put("restricted/"+id+"/job.json", string(b))
	h.put("restricted/"+id+"/1/1/job.json", string(b))
	for _, name := range []string{"1/1/plan.json", "1/1/contact.png", "1/2/manifest.json", "state.json", "withdrawn-1.json"} {
		h.put("restricted/"+id+"/"+name, name+" of "+id)
	}
	h.put("release/"+id+"/1/00000001.mp4", "derivative of "+id)
	h.put("incoming/"+id+"/clip", "clip of "+id)
	h.log0(access.Collection, id)
}

func (h *house) log0(a access.Action, id string) {
	h.t.Helper()
	if err := h.log.Write(h.t.Context(), access.Entry{Action: a, Job: id, Person: "J. Doe", What: "test"}); err != nil {
		h.t.Fatal(err)
	}
}

// end takes the next job that waits and ends it.
func (h *house) end(err error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	a, nerr := h.queue.Next(ctx)
	if nerr != nil {
		h.t.Fatal(nerr)
	}
	a.Begin(h.t.Context())
	if _, serr := a.Settle(h.t.Context(), err); serr != nil {
		h.t.Fatal(serr)
	}
}

// run sweeps and gives the steps by job.
func (h *house) run(apply bool) (steps map[string]string, r retention.Report) {
	h.t.Helper()
	r, err := h.Run(h.t.Context(), apply)
	if err != nil {
		h.t.Fatal(err)
	}
	steps = map[string]string{}
	for _, d := range r.Jobs {
		steps[d.ID] = d.Step
	}
	return steps, r
}

func (h *house) want(what string, got any, want any) {
	h.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("%s: %s", what, diff)
	}
}

// left lists every key under which anything of a job lies, with all versions, the access log left out.
func (h *house) left(id string) (keys []string) {
	h.t.Helper()
	for o, err := range h.store.ListVersions(h.t.Context(), "") {
		if err != nil {
			h.t.Fatal(err)
		}
		if strings.Contains(o.Key, id) && !strings.HasPrefix(o.Key, access.Prefix) {
			keys = append(keys, o.Key)
		}
	}
	return slices.Compact(keys)
}

func (h *house) entries(f access.Filter) (n int) {
	h.t.Helper()
	for _, err := range h.log.Entries(h.t.Context(), f) {
		if err != nil {
			h.t.Fatal(err)
		}
		n++
	}
	return n
}

// twoYears plays the life of some jobs.
func twoYears(t *testing.T, s store.Store) {
	h := newHouse(t, s)
	in := func(d time.Duration) *time.Time { at := day.Add(d); return &at }
	const week = 7 * 24 * time.Hour
	h.submit("failed", in(week))
	h.end(jobs.Permanent(errors.New("broken"))) // and a dead letter
	h.submit("waiting", in(week))
	h.submit("evidence", in(week))
	h.submit("later", in(400*24*time.Hour))
	h.submit("forever", nil)
	if _, err := h.SetHold(t.Context(), "evidence", "Staatsanwaltschaft", "Verfahren 3 Js 12/26"); err != nil {
		t.Fatal(err)
	}
	steps, _ := h.run(true)
	h.want("nothing is due yet", steps, map[string]string{})

	h.now = day.Add(week + time.Hour)
	want := map[string]string{"failed": "destroy", "waiting": "cancel", "evidence": "held"}
	before := len(h.left("failed"))
	steps, _ = h.run(false)
	h.want("dry run", steps, want)
	if n := len(h.left("failed")); n != before || before < 9 {
		t.Fatalf("the dry run left %d keys of %d", n, before)
	}
	steps, r := h.run(true)
	h.want("first run", steps, want)
	if i := slices.IndexFunc(r.Jobs, func(d retention.Due) bool { return d.ID == "failed" }); !r.Jobs[i].Done || r.Jobs[i].Removed < 9 {
		t.Errorf("%+v", r.Jobs[i])
	}
	h.want("of a destroyed job there is the marker alone", h.left("failed"), []string{"destroying/failed.json"})
	// Somebody who slept writes once more.
	h.put("restricted/failed/1/7/late.mp4", "late")
	steps, _ = h.run(true)
	h.want("at once again", steps, map[string]string{"failed": "wait", "waiting": "wait", "evidence": "held"})

	h.now = h.now.Add(time.Hour)
	steps, _ = h.run(true)
	h.want("an hour later", steps, map[string]string{"failed": "again", "waiting": "destroy", "evidence": "held"})
	h.now = h.now.Add(time.Hour)
	h.run(true)
	steps, _ = h.run(true)
	h.want("all is done", steps, map[string]string{"evidence": "held"})
	for _, id := range []string{"failed", "waiting"} {
		h.want("left of "+id, h.left(id), []string(nil))
		if n, err := h.queue.Remains(t.Context(), id); n != 0 || err != nil {
			t.Errorf("%s: %d messages: %v", id, n, err)
		}
	}
	// collection and deletion; of the late writer one more.
	h.want("entries of failed", h.entries(access.Filter{Job: "failed"}), 3)
	h.want("entries of waiting", h.entries(access.Filter{Job: "waiting"}), 2)
	if len(h.left("evidence")) < 9 || len(h.left("later")) < 9 || len(h.left("forever")) < 9 {
		t.Fatal("something else was destroyed")
	}

	// In the second year the rest comes due; of the log nothing is over yet.
	h.now = time.Date(2027, 12, 31, 23, 0, 0, 0, time.UTC)
	steps, r = h.run(true)
	h.want("second year", steps, map[string]string{"evidence": "held", "later": "cancel"})
	h.want("no entry is over", r.Access.Entries, 0)
	// Then the first year's entries are: those of the job under hold stay.
	h.now = time.Date(2028, 1, 1, 0, 30, 0, 0, time.UTC)
	steps, r = h.run(true)
	h.want("third year", steps, map[string]string{"evidence": "held", "later": "destroy"})
	h.want("entries that are over", []int{r.Access.Entries, r.Access.Kept}, []int{3 + 2 + 1 + 1, 2})
	h.want("entries left", []int{h.entries(access.Filter{}), h.entries(access.Filter{Job: "evidence"}), h.entries(access.Filter{Job: "later"})}, []int{3, 2, 1})
	h.want("what the entry left tells", h.entries(access.Filter{Action: access.Deletion, Job: "later"}), 1)

	if err := h.LiftHold(t.Context(), "evidence", "Staatsanwaltschaft", "Verfahren eingestellt"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.run(true)
		h.now = h.now.Add(time.Hour)
	}
	h.want("left of evidence", h.left("evidence"), []string(nil))
	h.want("entries of evidence", h.entries(access.Filter{Job: "evidence"}), 2) // the hold was lifted, and it was destroyed
	if len(h.left("forever")) < 9 {
		t.Error("a job without a time was destroyed")
	}
	if _, err := h.queue.State(t.Context(), "forever"); err != nil {
		t.Error(err)
	}
}

func TestTwoYears(t *testing.T) {
	t.Run("folder", func(t *testing.T) { twoYears(t, folder(t)) })
	t.Run("versions", func(t *testing.T) {
		t.Parallel()
		srv := servers.MinIO(t, servers.Options{})
		srv.MakeBucket("veil", true)
		s, err := store.OpenS3(store.S3Options{Endpoint: srv.Endpoint, Bucket: "veil", AccessKey: srv.AccessKey, SecretKey: srv.SecretKey, Encryption: store.Declared})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		twoYears(t, s)
	})
}

// broken is a store that refuses to delete, as one with a retention rule does.
type broken struct {
	store.Store
	refuse string
}

func (b *broken) Remove(ctx context.Context, key string) error {
	if b.refuse != "" && strings.Contains(key, b.refuse) {
		return fmt.Errorf("remove: %w", store.ErrDenied)
	}
	return b.Store.Remove(ctx, key)
}

// TestWhatFailsIsFinishedLater: a job that cannot be destroyed stops no other, keeps its record, and is finished by the next run.
func TestWhatFailsIsFinishedLater(t *testing.T) {
	b := &broken{Store: folder(t), refuse: "a/1/1/plan"}
	h := newHouse(t, b)
	at := day.Add(time.Hour)
	for _, id := range []string{"a", "b"} {
		h.submit(id, &at)
		h.end(jobs.Permanent(errors.New("broken")))
	}
	h.now = day.Add(24 * time.Hour)
	r, err := h.Run(t.Context(), true)
	if err == nil || r.Failed != 1 || r.Jobs[0].Error == "" || !r.Jobs[1].Done {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := h.queue.State(t.Context(), "a"); err != nil {
		t.Fatalf("its record is gone before its objects are: %v", err)
	}
	b.refuse = ""
	steps, _ := h.run(true)
	h.want("the next run", steps, map[string]string{"a": "destroy", "b": "wait"})
	h.now = h.now.Add(time.Hour)
	h.run(true)
	h.want("left", append(h.left("restricted/a/"), h.left("destroying/")...), []string(nil))
}

// TestStrays: what lies in the store without a record goes when its own job says so, and is told where nothing does.
func TestStrays(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	h.submit("lost", &at)
	h.end(jobs.Permanent(errors.New("broken")))
	if err := h.queue.Forget(t.Context(), "lost"); err != nil {
		t.Fatal(err)
	}
	h.put("restricted/nameless/1/1/plan.json", "whose?")
	h.now = day.Add(24 * time.Hour)
	steps, _ := h.run(true)
	h.want("strays", steps, map[string]string{"lost": "destroy", "nameless": "unknown"})
	h.want("left", h.left("restricted/lost"), []string(nil))
	h.want("left", h.left("nameless"), []string{"restricted/nameless/1/1/plan.json"})
}

// TestIDThatIsTakenAnew: the second sweep takes nothing of a new job of the same name.
func TestIDThatIsTakenAnew(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	h.submit("one", &at)
	h.end(jobs.Permanent(errors.New("broken")))
	h.now = day.Add(24 * time.Hour)
	h.run(true)
	next := h.now.Add(24 * time.Hour)
	h.submit("one", &next)
	h.now = h.now.Add(time.Hour)
	steps, _ := h.run(true)
	h.want("second sweep", steps, map[string]string{"one": "again"})
	if n := len(h.left("/one/")); n < 9 {
		t.Errorf("%d objects of the new job are left", n)
	}
	if s, err := h.queue.State(t.Context(), "one"); err != nil || s.Phase != jobs.Queued {
		t.Errorf("%+v, %v", s, err)
	}
	steps, _ = h.run(true)
	h.want("the marker is gone", steps, map[string]string{})
}

func TestHolds(t *testing.T) {
	h := newHouse(t, folder(t))
	h.submit("one", nil)
	if _, err := h.SetHold(t.Context(), "none", "me", "why"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("held what is not there: %v", err)
	}
	if _, err := h.SetHold(t.Context(), "one", "me", " "); !errors.Is(err, retention.ErrNoPerson) {
		t.Errorf("held without a reason: %v", err)
	}
	first, err := h.SetHold(t.Context(), "one", "me", "why")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := h.SetHold(t.Context(), "one", "you", "other"); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	if err := h.LiftHold(t.Context(), "one", "", ""); !errors.Is(err, retention.ErrNoPerson) {
		t.Errorf("lifted without a name: %v", err)
	}
	// One that cannot be read holds.
	h.put("holds/two.json", "{")
	holds, err := retention.Holds(t.Context(), h.store)
	if err != nil || len(holds) != 2 {
		t.Errorf("%+v, %v", holds, err)
	}
	if err := h.LiftHold(t.Context(), "one", "me", "over"); err != nil {
		t.Fatal(err)
	}
	if err := h.LiftHold(t.Context(), "one", "me", "over"); !errors.Is(err, retention.ErrNoHold) {
		t.Errorf("lifted twice: %v", err)
	}
	var told []string
	for e, err := range h.log.Entries(t.Context(), access.Filter{Action: access.Alteration}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e.What+" by "+e.Person)
	}
	slices.Sort(told)
	h.want("log", told, []string{"legal hold lifted by me", "legal hold set by me"})
	if bytes.Contains([]byte(fmt.Sprint(holds)), []byte("other")) {
		t.Error("a second hold replaced the first")
	}
}
