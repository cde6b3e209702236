package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/store"
)

func TestSubmitTwiceRunsOnce(t *testing.T) {
	h := newHouse(t)
	h.work()
	first := h.submit("ok a", "--case", "ST/1")
	h.phase(first, jobs.Released)
	again := h.submit("ok a", "--case", "ST/1")
	if again != first {
		t.Errorf("the same clip, policy and case is %s, then %s", first, again)
	}
	if other := h.submit("ok a", "--case", "ST/2"); other == first {
		t.Error("another case has the same id")
	}
	if other := h.submit("ok a", "--case", "ST/1", "--policy", "court"); other == first {
		t.Error("another policy has the same id")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs[first] != 1 {
		t.Errorf("worked on %d times", h.runs[first])
	}
	for _, key := range h.keys("") {
		if strings.Contains(key, "clip.mp4") {
			t.Errorf("the file's name stands in %s", key)
		}
	}
}

func TestSubmitKeepsTheRecord(t *testing.T) {
	h := newHouse(t)
	id := h.submit("ok", "--case", "ST/1", "--requester", "press", "--purpose", "media", "--priority", "urgent",
		"--deadline", "2036-12-01T12:00:00Z", "--destroy-after", "2037-01-01T00:00:00Z", "--name", "take-1")
	b, _, err := h.s.Store.Read(t.Context(), connect.JobRecordKey(id), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.ParseJob(b, intake.Validator())
	if err != nil {
		t.Fatal(err)
	}
	if j.Case != "ST/1" || j.Requester != "press" || j.Purpose != "media" || j.Priority != jobs.Urgent || j.Derivative != "take-1" ||
		j.Policy != "press" || j.Source.Bucket != connect.IncomingBucket || len(j.Source.SHA256) != 64 || j.Deadline == nil || j.DestroyAfter == nil {
		t.Errorf("the job is %+v", j)
	}
	canonical, err := j.Encode()
	if err != nil || string(canonical) != string(b) {
		t.Errorf("the record is not canonical: %s", b)
	}
	if o, err := h.s.Source.Stat(t.Context(), j.Source.Bucket, j.Source.Key, ""); err != nil || o.Size != 2 {
		t.Errorf("the clip is %+v, %v", o, err)
	}
}

func TestSubmitSameIDOtherContent(t *testing.T) {
	h := newHouse(t)
	h.submit("ok a", "--id", "cam3")
	for name, args := range map[string][]string{
		"other clip":     {"submit", h.file("x.mp4", "ok b"), "--id", "cam3"},
		"other priority": {"submit", h.file("x.mp4", "ok a"), "--id", "cam3", "--priority", "bulk"},
	} {
		out := h.want(failure.ExitConflict, args...)
		if !strings.Contains(out, "other content") {
			t.Errorf("%s: %s", name, out)
		}
	}
	var b strings.Builder
	if _, err := h.s.Store.Fetch(t.Context(), store.Incoming+"cam3/clip", &b); err != nil || b.String() != "ok a" {
		t.Errorf("the first clip is now %q, %v", b.String(), err)
	}
	if out := h.want(failure.ExitConflict, "submit", h.file("y.mp4", "ok b"), "--id", "cam3", "--json"); !strings.Contains(out, `"code": "conflict"`) {
		t.Error(out)
	}
}

// TestSubmitAfterDeath: whoever died after the record was put, or after the clip, is gone on with.
func TestSubmitAfterDeath(t *testing.T) {
	h := newHouse(t)
	path := h.file("clip.mp4", "ok a")
	template := jobs.Job{Schema: jobs.JobSchema, Policy: "press"}
	c, err := intake.LocalClip(t.Context(), path, template, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Job.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Store.Create(t.Context(), connect.JobRecordKey(c.Job.ID), b, ""); err != nil {
		t.Fatal(err)
	}
	h.work()
	out := h.want(0, "submit", path, "--wait")
	contains(t, out, c.Job.ID, "released")
}

func TestSubmitFolder(t *testing.T) {
	h := newHouse(t)
	dir := t.TempDir()
	for name, content := range map[string]string{"a.mp4": "ok a", "deep/b.mkv": "ok b", "deep/notes.txt": "text", ".hidden.mp4": "ok"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		h.file(path, content)
	}
	out := h.want(0, "submit", dir, "--case", "C")
	contains(t, out, "queued a.mp4", "queued deep/b.mkv", "deep/notes.txt: skipped: no video by its name")
	if n := len(h.all()); n != 2 {
		t.Errorf("%d jobs", n)
	}
	h.want(2, "submit", dir, "--id", "one")
	h.want(2, "submit", t.TempDir())
	if out := h.want(5, "submit", h.file("empty.mp4", "")); !strings.Contains(out, "empty") {
		t.Error(out)
	}
}

func TestSubmitFromBucket(t *testing.T) {
	h := newHouse(t)
	h.work()
	dir := filepath.Join(h.in, "footage", "cam")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.file(filepath.Join(dir, "a.mp4"), "ok a")
	h.file(filepath.Join(dir, "b.mp4"), "hold")
	h.file(filepath.Join(dir, "c.txt"), "text")
	out := h.want(0, "submit", "s3://footage/cam/a.mp4", "--wait")
	contains(t, out, "released cam/a.mp4")
	out = h.want(3, "submit", "s3://footage/cam/", "--wait")
	contains(t, out, "released cam/a.mp4", "held cam/b.mp4", "cam/c.txt: skipped")
	if n := len(h.all()); n != 2 {
		t.Errorf("%d jobs: the same object was handed in twice", n)
	}
	h.want(1, "submit", "s3://footage/cam/none.mp4")
	h.want(2, "submit", "s3://")
}

func TestWaitTellsTheAnswer(t *testing.T) {
	h := newHouse(t)
	h.work()
	for content, want := range map[string]int{"ok": 0, "hold": 3, "fail unreadable": 5, "fail verify": 4, "fail crashed": 1} {
		out := h.want(want, "submit", h.file("clip.mp4", content), "--wait", "--json")
		var answer struct {
			Jobs []submitted
			Exit int
		}
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if answer.Exit != want || len(answer.Jobs) != 1 || answer.Jobs[0].ID == "" || !answer.Jobs[0].Phase.Final() {
			t.Errorf("%s: %s", content, out)
		}
		if want != 0 && (answer.Jobs[0].Cause == "" || answer.Jobs[0].Remedy == "") {
			t.Errorf("%s: no cause and remedy: %s", content, out)
		}
	}
}

func TestSubmitRefusesNonsense(t *testing.T) {
	h := newHouse(t)
	clip := h.file("clip.mp4", "ok")
	bad := h.file("policy.json", `{"schema":"veil.policy/1"}`)
	for _, args := range [][]string{
		{"--policy", "no such/name"}, {"--policy", "press", "--policy-file", bad}, {"--policy-file", bad}, {"--id", "a/b"},
		{"--name", "a b"}, {"--priority", "soon"}, {"--deadline", "tomorrow"}, {"--destroy-after", "2001-01-01"},
		{"--decisions", bad}, {"--case", "odd\x1b[2J"},
	} {
		h.want(2, append([]string{"submit", clip}, args...)...)
	}
	if n := len(h.all()); n != 0 {
		t.Errorf("%d jobs were taken in", n)
	}
	if keys := h.keys(""); len(keys) != 0 {
		t.Errorf("the store holds %v", keys)
	}
}
