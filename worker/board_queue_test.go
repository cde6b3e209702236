package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/worker/jobs"
	"veil/worker/screen"
)

func TestJobsWatchTellsEachChange(t *testing.T) {
	h := newHouse(t)
	h.work()
	first := h.submit("wait door", "--case", "ST/1")
	h.phase(first, jobs.Running)
	for _, asJSON := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		var out safeBuffer
		args := append([]string{"jobs", "--watch", "--case", "ST/1"}, h.flags()...)
		if asJSON {
			args = append(args, "--json")
		}
		done := make(chan int)
		go func() { done <- run(ctx, args, streams{strings.NewReader(""), &out, &out}, fakeEngine()) }()
		until(t, "the running job is shown", func() bool { return strings.Contains(out.String(), first) && strings.Contains(out.String(), "running") })
		content := "fail codec"
		if asJSON {
			content = "fail codec again"
		}
		id := h.submit(content, "--case", "ST/1")
		other := h.submit("ok other")
		until(t, "the failure is shown", func() bool { return strings.Contains(out.String(), id) && strings.Contains(out.String(), "failed") })
		h.phase(other, jobs.Released)
		stop()
		if code := <-done; code != 0 {
			t.Errorf("ended with %d", code)
		}
		if strings.Contains(out.String(), other) || strings.Contains(out.String(), "ST/1") {
			t.Errorf("it shows another case's job, or the case: %s", out.String())
		}
		if asJSON {
			for line := range strings.Lines(out.String()) {
				var v screen.View
				if err := json.Unmarshal([]byte(line), &v); err != nil || v.ID == "" {
					t.Errorf("%q: %v", line, err)
				}
			}
		}
	}
	close(h.gate("door"))
	h.phase(first, jobs.Released)
}

// until waits for something.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// TestWaitInterrupted: whoever stops waiting leaves the job alone.
func TestWaitInterrupted(t *testing.T) {
	h := newHouse(t)
	h.work()
	clip := h.file("clip.mp4", "wait door")
	cmd := exec.Command("veil", append([]string{"submit", clip, "--wait", "--id", "one"}, h.flags()...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.phase("one", jobs.Running)
	time.Sleep(time.Second) // the last words of handing it in
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	contains(t, out.String(), "the jobs go on")
	close(h.gate("door"))
	h.phase("one", jobs.Released)
}

func TestFlagsFromTheEnvironment(t *testing.T) {
	h := newHouse(t)
	cmd := exec.Command("veil", "submit", h.file("clip.mp4", "ok"), "--json")
	cmd.Env = append(cmd.Environ(), "VEIL_NATS="+h.url, "VEIL_STORE="+h.store, "VEIL_SOURCE_DIR="+h.in, "VEIL_ENCRYPTION=declared",
		"VEIL_CASE=ST/9", "VEIL_PRIORITY=urgent", "VEIL_REQUESTER=press", "VEIL_DEADLINE=2036-01-01", "VEIL_ID=mine", "VEIL_POLICY=court")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := h.phase("mine", jobs.Queued)
	j, err := s.Decoded()
	if err != nil || j.Case != "ST/9" || j.Priority != jobs.Urgent || j.Requester != "press" || j.Deadline == nil || j.Policy != "court" {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestNoServer: where nothing answers, one line says so.
func TestNoServer(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"jobs", "--nats", "nats://127.0.0.1:1", "--store", t.TempDir(), "--source-dir", t.TempDir()},
		streams{strings.NewReader(""), &out, &errs}, fakeEngine())
	if code != 1 || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d: %s%s", code, out.String(), errs.String())
	}
}
