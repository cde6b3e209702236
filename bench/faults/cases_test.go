//go:build faults

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/archive"
	"veil/worker/jobs"
	"veil/worker/store"
)

const answerLimit = 3 * time.Minute

// clip cuts one clip of so many seconds.
func (h *house) clip(name string, seconds int) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name+".mp4")
	cutClip(h.t, path, seconds, float64(len(name))/10)
	return path
}

// hand hands a clip in under an id.
func (h *house) hand(id, clip string) {
	h.t.Helper()
	h.run("submit", clip, "--id", id, "--policy", "press")
}

// answer waits for a job's answer.
func (h *house) answer(id string) jobs.State {
	h.t.Helper()
	var st jobs.State
	ok := waitFor(answerLimit, func() bool {
		var err error
		st, err = h.queue.State(h.t.Context(), id)
		time.Sleep(100 * time.Millisecond)
		return err == nil && st.Phase.Final()
	})
	if !ok {
		h.t.Fatalf("%s has no answer: %s after %d attempts (%s)", id, st.Phase, st.Attempts, st.Code)
	}
	return st
}

// released wants a job to be released, with one manifest.
func (h *house) released(id string) jobs.State {
	h.t.Helper()
	st := h.answer(id)
	if st.Phase != jobs.Released {
		h.t.Errorf("%s is %s (%s: %s)", id, st.Phase, st.Code, st.Detail)
	}
	manifests := 0
	for _, key := range h.list("evidence", store.Release+id+"/") {
		if strings.HasSuffix(key, "/"+store.ManifestName) {
			manifests++
		}
	}
	if manifests != 1 {
		h.t.Errorf("%s has %d manifests", id, manifests)
	}
	return st
}

// events gives those of one job as they come.
func (h *house) events(id string) <-chan jobs.Event {
	h.t.Helper()
	out := make(chan jobs.Event, 1024)
	sub, err := h.nc.Subscribe("event."+id, func(m *nats.Msg) {
		var e jobs.Event
		if json.Unmarshal(m.Data, &e) == nil {
			out <- e
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = sub.Unsubscribe() })
	return out
}

// until waits for a stage of a job.
func (h *house) until(events <-chan jobs.Event, stage string) {
	h.t.Helper()
	end := time.After(answerLimit)
	for {
		select {
		case e := <-events:
			if e.Stage == stage {
				return
			}
		case <-end:
			h.t.Fatalf("nobody came to %s", stage)
		}
	}
}

// A worker that sleeps for longer than its lease loses its job, and says nothing more about it when it wakes.
func TestStalledLease(t *testing.T) {
	h := newHouse(t)
	events := h.events("lease")
	h.hand("lease", h.clip("lease", 10))
	sleeper := h.hire("sleeper")
	h.until(events, string(analyzing))
	sleeper.signal(syscall.SIGSTOP)
	other := h.hire("other")
	st := h.released("lease")
	if st.Epoch != 2 || !strings.HasSuffix(st.Worker, fmt.Sprintf("-%d", other.pid())) {
		t.Errorf("the job ended in epoch %d with %s", st.Epoch, st.Worker)
	}
	sleeper.signal(syscall.SIGCONT)
	time.Sleep(8 * time.Second)
	after, err := h.queue.State(t.Context(), "lease")
	if err != nil || after.Token != st.Token || after.Epoch != st.Epoch {
		t.Errorf("the sleeper wrote to the record: %+v, %v", after, err)
	}
	if depth, err := h.queue.Depth(t.Context()); err != nil || depth[jobs.Normal] != 0 {
		t.Errorf("the queue holds %v, %v", depth, err)
	}
	h.released("lease")
	h.hand("next", h.clip("next", 5)) // both still serve
	h.released("next")
	h.retireAll()
	if text := read(t, filepath.Join(sleeper.logs, logName(1))); !strings.Contains(text, `"fate":"lost"`) {
		t.Errorf("the sleeper did not say that it lost the job:\n%s", text)
	}
}

// Workers of one build are replaced by those of another while jobs run: none is lost and none is done twice.
func TestTwoBuilds(t *testing.T) {
	h := newHouse(t)
	second := filepath.Join(h.dir, "veil-second")
	build := exec.Command("go", "build", "-ldflags", "-X main.revision=second", "-o", second, "veil/worker")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	weights, err := filepath.Abs("../../models/weights")
	if err != nil {
		t.Fatal(err)
	}
	const n = 8
	for i := range n {
		h.hand(fmt.Sprintf("swap-%d", i), h.clip(strings.Repeat("s", i+1), 5))
	}
	a, b := h.hire("a", "--grace", "1s"), h.hire("b", "--grace", "10m")
	h.released("swap-0")
	for _, w := range []*worker{a, b} {
		if err := w.retire(answerLimit); err != nil {
			t.Errorf("%s %v", w.name, err)
		}
		w.veil, w.more = second, append(w.more, "--models", weights)
		h.start(w)
	}
	builds := map[string]int{}
	for i := range n {
		id := fmt.Sprintf("swap-%d", i)
		st := h.released(id)
		if st.Generation != 1 || st.Deaths != 0 || st.Failures != 0 {
			t.Errorf("%s: generation %d, %d deaths, %d failures", id, st.Generation, st.Deaths, st.Failures)
		}
		to := filepath.Join(h.dir, id+".manifest.json")
		h.download(store.ReleasePrefix(id, 1)+store.ManifestName, to)
		m, err := archive.ReadManifest([]byte(read(t, to)))
		if err != nil {
			t.Fatal(err)
		}
		if m.Software.Veil == "second" {
			builds["second"]++
		} else {
			builds["first"]++
		}
	}
	if builds["first"] == 0 || builds["second"] == 0 {
		t.Errorf("both builds were to answer jobs: %v", builds)
	}
	h.retireAll()
}

// A clip whose decoding kills the stage each time, and one whose decoding never ends, go to the dead letters; the worker lives
// on and serves the next job.
func TestPoisonedClips(t *testing.T) {
	for _, c := range []struct{ name, does, code string }{
		{"kills", `kill -SEGV $PPID; exit 1`, "crashed"},
		{"hangs", `exec sleep 1000`, "stalled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			poison := h.clip("poison", 6)
			info, err := os.Stat(poison)
			if err != nil {
				t.Fatal(err)
			}
			// It is told by its size, since a decoder sees no name.
			script := fmt.Sprintf("#!/bin/sh\nif [ \"$(stat -Lc %%s /proc/self/fd/3 2>/dev/null)\" = %d ]; then %s; fi\nexec ffmpeg \"$@\"\n", info.Size(), c.does)
			fake := filepath.Join(h.dir, "bin", "ffmpeg")
			if err := os.MkdirAll(filepath.Dir(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			script = strings.Replace(script, "exec ffmpeg", "exec "+lookPath(t, "ffmpeg"), 1)
			if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			h.hand("poison", poison) // without a sandbox, which would not let a script in a folder of its own be run
			h.hand("next", h.clip("next", 5))
			w := h.hire("w", "--ffmpeg", fake, "--stall", "8s", "--max-failures", "2", "--sandbox", "off")
			pid := w.pid()
			st := h.answer("poison")
			if st.Phase != jobs.Failed || st.Code != c.code || st.Attempts != 2 {
				t.Errorf("the clip is %s after %d attempts: %s, %s", st.Phase, st.Attempts, st.Code, st.Detail)
			}
			if letter, err := h.queue.DeadLetter(t.Context(), "poison"); err != nil || letter.Code != c.code {
				t.Errorf("dead letter: %+v, %v", letter, err)
			}
			h.released("next")
			select {
			case <-w.ended:
				t.Error("the worker ended")
			default:
				if w.pid() != pid {
					t.Error("the worker is another")
				}
			}
			h.retireAll()
		})
	}
}

// Scratch that fills up at a stage, in each attempt, ends the job in the dead letters, and the worker lives on.
func TestFullDisk(t *testing.T) {
	for _, stage := range []point{fetching, analyzing, rendering} {
		t.Run(string(stage), func(t *testing.T) { fullDisk(t, stage) })
	}
}

func fullDisk(t *testing.T, stage point) {
	h := newHouse(t)
	disk := filepath.Join(h.dir, "scratch-w")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256m,mode=0700"); err != nil {
		t.Fatalf("a small disk is needed, which takes root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	events := h.events("full")
	h.hand("full", h.clip("full", 20))
	w := h.hire("w", "--reserve", "1", "--max-failures", "2")
	filler := filepath.Join(disk, "filler")
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	end, filled := time.After(answerLimit), 0
	for answered := false; !answered; {
		select {
		case e := <-events:
			if e.Stage == string(stage) && e.Attempt > filled {
				fill(filler)
				filled = e.Attempt
			}
		case <-look.C:
			st, err := h.queue.State(t.Context(), "full")
			if err == nil && st.Phase != jobs.Running {
				_ = os.Remove(filler)
			}
			answered = err == nil && st.Phase.Final()
		case <-end:
			st, _ := h.queue.State(t.Context(), "full")
			t.Fatalf("the job has no answer: %s, %s %s, %d attempts, %d failures\n%s", st.Phase, st.Code, st.Detail, st.Attempts, st.Failures,
				read(t, filepath.Join(w.logs, logName(1))))
		}
	}
	_ = os.Remove(filler)
	st := h.answer("full")
	// A disk that is full before the clip is fetched makes it wait, uncounted.
	if st.Phase != jobs.Failed || st.Code != "no_space" || st.Failures != 2 || stage != fetching && st.Attempts != 2 {
		t.Errorf("the job is %s after %d attempts and %d failures: %s, %s", st.Phase, st.Attempts, st.Failures, st.Code, st.Detail)
	} else if _, err := h.queue.DeadLetter(t.Context(), "full"); err != nil {
		t.Errorf("dead letter: %v", err)
	}
	h.hand("next", h.clip("next", 5))
	h.released("next")
	if err := w.retire(time.Minute); err != nil {
		t.Error(err)
	}
}

// fill writes until the disk takes no more.
func fill(path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; size /= 2 {
		for block := make([]byte, size); err == nil; {
			_, err = f.Write(block)
		}
		err = nil
	}
}

func (h *house) retireAll() {
	h.t.Helper()
	for _, w := range h.workers {
		if err := w.retire(answerLimit); err != nil {
			h.t.Errorf("%s %v", w.name, err)
		}
	}
	if left := h.processes(); len(left) > 0 {
		h.t.Errorf("processes are left: %v", left)
	}
}

func lookPath(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
