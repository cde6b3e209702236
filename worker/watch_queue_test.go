package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/watch"
)

// watching is a `veil watch` in this process.
type watching struct {
	stop context.CancelFunc
	done chan int
	out  safeBuffer
}

// safeBuffer can be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// watch starts one; quick polls, three that agree.
func (h *house) watch(where string, flags ...string) *watching {
	ctx, stop := context.WithCancel(h.t.Context())
	w := &watching{stop: stop, done: make(chan int, 1)}
	args := append(append([]string{"watch", where, "--every", "60ms"}, flags...), h.flags()...)
	go func() { w.done <- run(ctx, args, streams{strings.NewReader(""), &w.out, &w.out}, fakeEngine()) }()
	h.t.Cleanup(func() { w.end(h.t) })
	return w
}

// wait waits until it ends by itself.
func (w *watching) wait(t *testing.T) {
	t.Helper()
	select {
	case code := <-w.done:
		w.done <- code
	case <-time.After(patience):
		t.Fatalf("veil watch --once does not end: %s", w.out.String())
	}
}

// end stops it as SIGTERM does; it ends with 0.
func (w *watching) end(t *testing.T) {
	t.Helper()
	w.stop()
	select {
	case code := <-w.done:
		if code != 0 {
			t.Errorf("veil watch ended with %d: %s", code, w.out.String())
		}
		w.done <- code
	case <-time.After(patience):
		t.Error("veil watch does not end")
	}
}

// appears waits until a file is there.
func appears(t *testing.T, path string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
	}
	t.Fatalf("%s never appeared; there are %s", filepath.Base(path), tree(t, filepath.Dir(filepath.Dir(path))))
	return ""
}

// gone waits until a file is there no more.
func gone(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return
		}
	}
	t.Fatalf("%s is still there", filepath.Base(path))
}

// tree lists all files below a folder but the tickets.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && !strings.Contains(path, watch.StateFolder) {
			rel, _ := filepath.Rel(dir, path)
			list = append(list, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestWatchBringsTheAnswers(t *testing.T) {
	h := newHouse(t)
	h.work()
	dir := t.TempDir()
	for name, content := range map[string]string{"good.mp4": "ok", "doubt.mov": "hold", "bad.avi": "fail damaged", "notes.txt": "text", "sub/deep.mkv": "ok deep"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		h.file(path, content)
	}
	w := h.watch(dir, "--case", "ST/4711", "--once")
	w.wait(t)
	want := "done/good.mp4 done/good.mp4.redacted.manifest.json done/good.mp4.redacted.mp4 done/good.mp4.redacted.report.json " +
		"done/sub/deep.mkv done/sub/deep.mkv.redacted.manifest.json done/sub/deep.mkv.redacted.mp4 done/sub/deep.mkv.redacted.report.json " +
		"failed/bad.avi failed/bad.avi.txt " +
		"held/doubt.mov held/doubt.mov.held.contact.png held/doubt.mov.held.manifest.json held/doubt.mov.held.mp4 held/doubt.mov.held.plan.json " +
		"held/doubt.mov.held.report.json held/doubt.mov.txt notes.txt"
	if have := tree(t, dir); have != want {
		t.Errorf("the folder holds\n%s\nwant\n%s\n%s", have, want, w.out.String())
	}
	note := appears(t, filepath.Join(dir, "failed/bad.avi.txt"))
	contains(t, note, "Code: damaged", failure.TextOf("damaged").DE.Cause, failure.TextOf("damaged").DE.Remedy, failure.TextOf("damaged").EN.Cause, failure.TextOf("damaged").EN.Remedy)
	contains(t, appears(t, filepath.Join(dir, "held/doubt.mov.txt")), failure.TextOf(failure.Held).DE.Remedy, "veil decide ")
	for _, word := range []string{"good", "doubt", "bad.avi", "ST/4711", dir} {
		if strings.Contains(w.out.String(), word) {
			t.Errorf("what it printed names %s: %s", word, w.out.String())
		}
	}
	if n := len(h.all()); n != 4 {
		t.Errorf("%d jobs", n)
	}
}

// TestWatchASlowCopy: a clip is taken when it is whole, and not before, also where the copy pauses for longer than the polls,
// because its writer still has it open.
func TestWatchASlowCopy(t *testing.T) {
	h := newHouse(t)
	h.work()
	dir := t.TempDir()
	h.watch(dir)
	path := filepath.Join(dir, "slow.mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if _, err := fmt.Fprintf(f, "ok part %d\n", i); err != nil {
			t.Fatal(err)
		}
		pause := 50 * time.Millisecond
		if i%5 == 4 {
			pause = 700 * time.Millisecond
		}
		time.Sleep(pause)
		if n := len(h.all()); n != 0 {
			t.Fatalf("taken after part %d of 12", i+1)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	derivative := appears(t, filepath.Join(dir, "done/slow.mp4.redacted.mp4"))
	if !strings.Contains(derivative, "part 11") || len(h.all()) != 1 {
		t.Errorf("%d jobs, derivative of %q", len(h.all()), derivative)
	}
}

// TestWatchAFileThatGrowsAgain: writers that close in between, as over a network.
func TestWatchAFileThatGrowsAgain(t *testing.T) {
	h := newHouse(t)
	dir := t.TempDir()
	h.watch(dir, "--settle", "25")
	path := filepath.Join(dir, "grows.mp4")
	for i := range 5 {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "ok part %d\n", i)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if n := len(h.all()); n != 0 {
			t.Fatalf("taken after part %d of 5", i+1)
		}
	}
	first := h.only(1)
	// It grows once more after it was taken: the first job is given up, and the whole clip is handed in.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "ok the rest")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.phase(first[0].ID, jobs.Cancelled)
	h.only(2)
	h.work()
	if d := appears(t, filepath.Join(dir, "done/grows.mp4.redacted.mp4")); !strings.Contains(d, "the rest") {
		t.Errorf("derivative of %q", d)
	}
}

// only waits until there are just n jobs.
func (h *house) only(n int) []jobs.State {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if all := h.all(); len(all) == n {
			return all
		}
	}
	h.t.Fatalf("%d jobs, want %d", len(h.all()), n)
	return nil
}

// TestWatchKilledAndStarted: processes killed at random moments lose no clip, hand none in twice and leave nothing half done.
func TestWatchKilledAndStarted(t *testing.T) {
	h := newHouse(t)
	h.work()
	dir := t.TempDir()
	const clips = 24
	contents := []string{"ok", "hold", "fail codec"}
	start := func() *exec.Cmd {
		cmd := exec.Command("veil", append([]string{"watch", dir, "--every", "20ms", "--settle", "2"}, h.flags()...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := range clips {
		h.file(filepath.Join(dir, fmt.Sprintf("clip%02d.mp4", i)), fmt.Sprintf("%s\n%d", contents[i%3], i))
	}
	kills := 0
	for range 15 {
		cmd := start()
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		kills++
	}
	args := append([]string{"watch", dir, "--every", "20ms", "--settle", "2", "--once"}, h.flags()...)
	if out, err := exec.Command("veil", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := h.all()
	if len(all) != clips {
		t.Errorf("%d jobs for %d clips", len(all), clips)
	}
	for _, s := range all {
		if s.Generation != 1 || h.runs[s.ID] != 1 {
			t.Errorf("job %s is in generation %d and was worked on %d times", s.ID, s.Generation, h.runs[s.ID])
		}
	}
	var want []string
	for i := range clips {
		name := fmt.Sprintf("clip%02d.mp4", i)
		switch contents[i%3] {
		case "ok":
			want = append(want, "done/"+name, "done/"+name+".redacted.manifest.json", "done/"+name+".redacted.mp4", "done/"+name+".redacted.report.json")
		case "hold":
			want = append(want, "held/"+name, "held/"+name+".held.contact.png", "held/"+name+".held.manifest.json", "held/"+name+".held.mp4",
				"held/"+name+".held.plan.json", "held/"+name+".held.report.json", "held/"+name+".txt")
		default:
			want = append(want, "failed/"+name, "failed/"+name+".txt")
		}
	}
	have := strings.Fields(tree(t, dir))
	if len(have) != len(want) {
		t.Errorf("after %d kills the folder holds\n%s", kills, strings.Join(have, "\n"))
	}
	for _, w := range want {
		if _, err := os.Stat(filepath.Join(dir, w)); err != nil {
			t.Errorf("%s is missing", w)
		}
	}
	// SIGTERM ends it cleanly.
	cmd := start()
	h.file(filepath.Join(dir, "last.mp4"), "ok last")
	appears(t, filepath.Join(dir, "done/last.mp4.redacted.mp4"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

func TestWatchFollowsDecisionsAndRetries(t *testing.T) {
	h := newHouse(t)
	h.work()
	dir := t.TempDir()
	h.file(filepath.Join(dir, "doubt.mp4"), "hold")
	bad := filepath.Join(dir, "bad.mp4")
	h.file(bad, "fail codec")
	w := h.watch(dir)
	appears(t, filepath.Join(dir, "held/doubt.mp4.txt"))
	appears(t, filepath.Join(dir, "failed/bad.mp4.txt"))
	var held string
	for _, s := range h.all() {
		if s.Phase == jobs.Held {
			held = s.ID
		}
	}
	h.want(0, "decide", held, "--dismiss", "F1", "--reason", "a drum", "--by", "me")
	appears(t, filepath.Join(dir, "done/doubt.mp4"))
	gone(t, filepath.Join(dir, "held/doubt.mp4.txt"))
	gone(t, filepath.Join(dir, "held/doubt.mp4.held.mp4"))
	contains(t, appears(t, filepath.Join(dir, "done/doubt.mp4.redacted.mp4")), "covered 2")

	// Put back by a person: tried once more.
	time.Sleep(300 * time.Millisecond)
	if err := os.Rename(filepath.Join(dir, "failed/bad.mp4"), bad); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		again := false
		for _, s := range h.all() {
			again = again || s.Phase == jobs.Failed && s.Generation == 2
		}
		if again {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("never tried again: %s", w.out.String())
		}
	}
	appears(t, filepath.Join(dir, "failed/bad.mp4"))
	appears(t, filepath.Join(dir, "failed/bad.mp4.txt"))

	// The same name with other content, and the same content under another name.
	h.file(filepath.Join(dir, "doubt.mp4"), "ok other")
	contains(t, appears(t, filepath.Join(dir, "done/doubt-2.mp4.redacted.mp4")), "ok other")
	h.file(filepath.Join(dir, "twin.mp4"), "ok other")
	appears(t, filepath.Join(dir, "done/twin.mp4.redacted.mp4"))
	if n := len(h.all()); n != 3 {
		t.Errorf("%d jobs", n)
	}
	// A second watcher of the same folder is refused.
	h.want(1, "watch", dir)
	w.end(t)
}

func TestWatchRefusesWhatCannotBeHandedIn(t *testing.T) {
	h := newHouse(t)
	dir := t.TempDir()
	taken := h.submit("ok taken", "--priority", "bulk")
	h.file(filepath.Join(dir, "taken.mp4"), "ok taken") // the same id, another priority
	h.file(filepath.Join(dir, "empty.mp4"), "")
	h.watch(dir)
	contains(t, appears(t, filepath.Join(dir, "failed/taken.mp4.txt")), "Code: conflict", taken)
	contains(t, appears(t, filepath.Join(dir, "failed/empty.mp4.txt")), "Code: unreadable")
	h.want(2, "watch", filepath.Join(dir, "none"))
	h.want(2, "watch", "s3://bucket")
	h.want(2, "watch", dir, "--settle", "0")
}

func TestWatchABucket(t *testing.T) {
	h := newHouse(t)
	h.work()
	bucket := filepath.Join(h.in, "footage", "cam")
	if err := os.MkdirAll(bucket, 0o700); err != nil {
		t.Fatal(err)
	}
	h.file(filepath.Join(bucket, "a.mp4"), "ok")
	h.file(filepath.Join(bucket, "b.mp4"), "fail codec")
	out := filepath.Join(t.TempDir(), "out")
	for range 2 {
		h.want(0, "watch", "s3://footage/cam", "-o", out, "--every", "30ms", "--once")
		if have := tree(t, out); have != "done/a.mp4.redacted.manifest.json done/a.mp4.redacted.mp4 done/a.mp4.redacted.report.json failed/b.mp4.txt" {
			t.Errorf("out holds %s", have)
		}
	}
	if have := tree(t, bucket); have != "a.mp4 b.mp4" {
		t.Errorf("the bucket holds %s", have)
	}
	h.file(filepath.Join(bucket, "c.mp4"), "ok c")
	h.want(0, "watch", "s3://footage/cam/", "-o", out, "--every", "30ms", "--once")
	appears(t, filepath.Join(out, "done/c.mp4.redacted.mp4"))
	if n := len(h.all()); n != 3 {
		t.Errorf("%d jobs", n)
	}
	for _, s := range h.all() {
		if s.Generation != 1 {
			t.Errorf("job %s was begun again", s.ID)
		}
	}
}
