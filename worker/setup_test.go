package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"veil/worker/archive"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/room"
	"veil/worker/store"
)

// TestRebuild deletes the queue's own files: every record comes back, no finished job runs again, the unfinished one does.
func TestRebuild(t *testing.T) {
	s := newShop(t)
	s.hand("released", "ok one")
	s.hand("held", "hold two")
	s.hand("failed", "unreadable analyze")
	first := s.work(s.daemonOf(s.flags()))
	for _, id := range []string{"released", "held", "failed"} {
		s.settled(id)
	}
	first.soft()
	first.hard()
	first.wait()
	s.hand("waiting", "ok three")
	s.hand("cancelled", "ok four")
	waiting, err := s.s.Queue.State(t.Context(), "waiting")
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.KeepJob(t.Context(), s.s, waiting); err != nil { // as whoever hands a clip in does
		t.Fatal(err)
	}
	if _, err := s.s.Queue.Cancel(t.Context(), "cancelled"); err != nil {
		t.Fatal(err)
	}
	if err := archive.KeepState(t.Context(), s.s, "cancelled"); err != nil {
		t.Fatal(err)
	}
	// The record's copy of one is gone too: its manifests alone tell.
	for _, id := range []string{"released", "held"} {
		if err := os.Remove(filepath.Join(s.store, "restricted", id, archive.StateName)); err != nil {
			t.Fatal(err)
		}
	}
	before := filesIn(t, filepath.Join(s.store, "release"))
	s.stopServer()
	if err := os.RemoveAll(s.nats); err != nil {
		t.Fatal(err)
	}
	s.startServer()
	for range 2 { // again changes nothing
		if _, err := archive.Rebuild(t.Context(), s.s); err != nil {
			t.Fatal(err)
		}
	}
	s.work(s.daemonOf(s.flags(), func(d *daemon) {}))
	for id, want := range map[string]jobs.Phase{"released": jobs.Released, "held": jobs.Held, "failed": jobs.Failed, "cancelled": jobs.Cancelled, "waiting": jobs.Released} {
		if state := s.answer(id); state.Phase != want || (want == jobs.Held || want == jobs.Released) && state.Result == nil {
			t.Errorf("%s came back as %s: %+v", id, state.Phase, state)
		}
	}
	for text, want := range map[string]int{"ok one": 1, "hold two": 3, "ok three": 1, "ok four": 0, "unreadable analyze": 0} {
		if n := s.count("verify", text); n != want {
			t.Errorf("%q was verified %d times, want %d", text, n, want)
		}
	}
	after := filesIn(t, filepath.Join(s.store, "release"))
	for path, b := range before {
		if !bytes.Equal(b, after[path]) {
			t.Errorf("%s was changed", path)
		}
	}
	// The held one's plan is known again, so that a person can decide.
	if held := s.answer("held"); held.Plan == nil || held.Plan.SHA256 != archive.DigestOf(filesIn(t, s.store)["restricted/held/1/1/plan.json"]) {
		t.Errorf("%+v", held.Plan)
	}
	// Handed in once more, the same job is the same job.
	if state := s.hand("released", ""); state.Phase != jobs.Released {
		t.Errorf("%+v", state)
	}
}

// TestRebuildFinishesWhatWasCommitted: a result that was put but never made visible goes out.
func TestRebuildFinishesWhatWasCommitted(t *testing.T) {
	s := newShop(t)
	s.hand("job", "ok")
	first := s.startWorker("copy /report.json")
	_ = first.Wait()
	s.stopServer()
	if err := os.RemoveAll(s.nats); err != nil {
		t.Fatal(err)
	}
	s.startServer()
	if n, err := archive.Rebuild(t.Context(), s.s); err != nil || n.Open != 1 {
		t.Fatalf("%+v %v", n, err)
	}
	s.work(s.daemonOf(s.flags()))
	if state := s.answer("job"); state.Phase != jobs.Released || s.count("render", "ok") != 0 {
		t.Errorf("%+v, rendered %d times", state, s.count("render", "ok"))
	}
	if m := s.readManifest("release/job/1/manifest.json"); m.Job.Epoch != 1 {
		t.Errorf("%+v", m)
	}
}

// TestCollectKeepsWhatARecordNames: and what no record is known of.
func TestCollectKeepsWhatARecordNames(t *testing.T) {
	s := newShop(t)
	s.hand("released", "ok one")
	s.hand("held", "hold two")
	d := s.daemonOf(s.flags())
	w := s.work(d)
	s.settled("released")
	s.settled("held")
	w.soft()
	w.hard()
	w.wait()
	want := filesIn(t, s.store)
	for _, key := range []string{store.AttemptPrefix("released", 1, 0), store.AttemptPrefix("held", 1, 0)} {
		if _, err := archive.PutBytes(t.Context(), s.s.Store, key+store.JobName, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{store.AttemptPrefix("unknown", 1, 9), store.AttemptPrefix("unknown", 2, 1), store.ReleasePrefix("unknown", 1)} {
		if _, err := archive.PutBytes(t.Context(), s.s.Store, key+store.JobName, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		want[strings.TrimSuffix(key+store.JobName, "")] = []byte("{}")
	}
	d.collect.age = time.Hour
	if err := d.collectOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(filesIn(t, s.store)); n != len(want)+2 {
		t.Errorf("%d files after collecting what is young, want %d", n, len(want)+2)
	}
	d.collect.age = 0
	if err := d.collectOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := filesIn(t, s.store)
	for path := range want {
		if _, ok := got[path]; !ok {
			t.Errorf("collected: %s", path)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("left: %s", path)
		}
	}
}

func TestScratchThatIsShort(t *testing.T) {
	s := newShop(t)
	d := s.daemonOf(s.flags())
	free := make(chan int64, 1)
	now := int64(10 << 20)
	d.room.Space = func(string) (int64, int64, error) {
		select {
		case now = <-free:
		default:
		}
		return now, 2 << 30, nil
	}
	s.hand("waits", "ok")
	s.work(d)
	time.Sleep(300 * time.Millisecond)
	if state, err := s.s.Queue.State(t.Context(), "waits"); err != nil || state.Attempts != 0 {
		t.Errorf("claimed without room: %+v %v", state, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	told := 0
	err := d.room.Admit(ctx, func(free, need int64) {
		if told++; free != 10<<20 || need != room.Extra {
			t.Errorf("%d bytes are free, %d needed", free, need)
		}
	})
	if told != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("told %d times of the shortage, %v", told, err)
	}
	free <- 1 << 30
	if state := s.answer("waits"); state.Phase != jobs.Released {
		t.Errorf("%+v", state)
	}
	s.noScratch()
}

// What else lies on the disk makes a clip wait, however little is left for it; only one that the empty disk could not hold fails.
func TestClipThatFitsTheEmptyDisk(t *testing.T) {
	s := newShop(t)
	d := s.daemonOf(s.flags())
	var free, all atomic.Int64
	free.Store(room.Extra + 2)
	all.Store(1 << 40)
	d.room.Space = func(string) (int64, int64, error) { return free.Load(), all.Load(), nil }
	s.hand("waits", "ok that is larger than what is left")
	s.work(d)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		state, err := s.s.Queue.State(t.Context(), "waits")
		if err == nil && state.Code == "no_space" && state.Phase == jobs.Queued && state.Failures == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v %v", state, err)
		}
	}
	free.Store(1 << 30)
	all.Store(room.Extra + 2)
	s.hand("large", "ok that is larger than any disk here")
	if state := s.answer("large"); state.Phase != jobs.Failed || state.Code != failure.TooLarge {
		t.Errorf("%+v", state)
	}
	s.noScratch()
}

func TestHealthAndMetrics(t *testing.T) {
	s := newShop(t)
	f := s.flags()
	f.Listen = "127.0.0.1:0"
	s.hand("released", "ok canarytext")
	s.hand("held", "hold two")
	s.hand("failed", "crash analyze")
	s.work(s.daemonOf(f))
	for _, id := range []string{"released", "held", "failed"} {
		s.settled(id)
	}
	s.mu.Lock()
	m := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(s.log.String())
	s.mu.Unlock()
	if m == nil {
		t.Fatal("no address in the log")
	}
	page := func(path string) (int, string) {
		resp, err := http.Get("http://" + m[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, text := page(path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	_, text := page("/metrics")
	for _, want := range []string{`veil_attempts_total{code="",outcome="released"} 1`, `veil_attempts_total{code="",outcome="held"} 1`,
		`veil_attempts_total{code="crashed",outcome="dead"} 1`, `veil_child_crashes_total 3`, `veil_held_jobs 1`, `veil_queue_depth{priority="normal"} 0`,
		`veil_queue_connected 1`, `veil_stage_seconds_count{stage="render"}`, `veil_scratch_free_bytes`, `veil_nearest_deadline_seconds +Inf`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, "canary") || strings.Contains(text, "job_id") {
		t.Error("metrics tell of a job")
	}
	if t.Failed() {
		fmt.Println(text)
	}
}
