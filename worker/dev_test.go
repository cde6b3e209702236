package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/worker/connect"
	"veil/worker/intake"
	"veil/worker/jobs"
)

// startDev starts a real `veil dev` process with the fake pipeline, and waits until it says that it works.
func startDev(t *testing.T, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envTestDev+"="+dir, "VEIL_MODELS="+needWeights(t))
	var said bytes.Buffer
	cmd.Stderr = &said
	before, _ := os.Stat(filepath.Join(dir, connect.DevFile))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now, err := os.Stat(filepath.Join(dir, connect.DevFile)); err == nil && (before == nil || now.ModTime().After(before.ModTime())) {
			return cmd, &said
		}
	}
	t.Fatalf("veil dev does not start: %s", said.String())
	return nil, nil
}

// TestDevIsKilledAndStartedAgain: a second one on the same folder is refused, a killed one's work is taken up, others find it
// by its folder, and its address is nobody else's to read.
func TestDevIsKilledAndStartedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, _ := startDev(t, dir)
	info, err := os.Stat(filepath.Join(dir, connect.DevFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	second := exec.Command(os.Args[0])
	second.Env = append(os.Environ(), envTestDev+"="+dir, "VEIL_MODELS="+needWeights(t))
	out, err := second.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("another veil dev works in")) || bytes.Count(out, []byte("\n")) != 1 {
		t.Errorf("the second one said: %s (%v)", out, err)
	}
	submit := func(id, text string) {
		f := connect.Flags{Dir: dir}
		s, err := f.Connect(t.Context(), jobs.Options{Validator: intake.Validator()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		clip := filepath.Join(t.TempDir(), "clip.mp4")
		if err := os.WriteFile(clip, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := intake.LocalClip(t.Context(), clip, jobs.Job{Schema: jobs.JobSchema, ID: id, Policy: "press"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := intake.HandIn(t.Context(), s, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	submit("before", "slow render")
	time.Sleep(300 * time.Millisecond)
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	third, _ := startDev(t, dir)
	submit("after", "ok")
	f := connect.Flags{Dir: dir}
	s, err := f.Connect(t.Context(), jobs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	state, err := s.Queue.Await(t.Context(), "after")
	if err != nil || state.Phase != jobs.Released {
		t.Errorf("%+v %v", state, err)
	}
	if err := third.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := third.Wait(); err != nil {
		t.Errorf("veil dev ended with %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, devNats)); err != nil {
		t.Fatal(err)
	}
	fourth, _ := startDev(t, dir)
	again, err := (&connect.Flags{Dir: dir}).Connect(t.Context(), jobs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if back, err := again.Queue.State(t.Context(), "after"); err != nil || back.Phase != jobs.Released || back.Epoch != state.Epoch {
		t.Errorf("after the queue's files were lost: %+v %v", back, err)
	}
	if back, err := again.Queue.State(t.Context(), "before"); err != nil || back.Phase.Final() && back.Phase != jobs.Released {
		t.Errorf("after the queue's files were lost: %+v %v", back, err)
	}
	if err := fourth.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := fourth.Wait(); err != nil {
		t.Errorf("veil dev ended with %v", err)
	}
	var d connect.DevAddress
	b, err := os.ReadFile(filepath.Join(dir, connect.DevFile))
	if err != nil || json.Unmarshal(b, &d) != nil || !strings.HasPrefix(d.Nats, "nats://127.0.0.1:") {
		t.Errorf("%s %v", b, err)
	}
}
