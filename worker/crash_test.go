package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/pipeline"
	"veil/worker/child"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/metrics"
	"veil/worker/policy"
	"veil/worker/room"
	"veil/worker/store"
)

// A worker process of a test: this binary with these in its environment. It works for the shop whose addresses they give, and
// kills itself at the moment that VEIL_TEST_DIE names.
const (
	envTestWorker = "VEIL_TEST_WORKER" // address of the queue, folders of store, sources and scratch
	envTestDev    = "VEIL_TEST_DEV"    // the folder of a veil dev
	envTestDie    = "VEIL_TEST_DIE"    // an operation of the store and the end of its key, or "stage NAME"
)

func init() {
	if spec := os.Getenv(envTestWorker); spec != "" {
		os.Exit(testWorker(strings.Split(spec, "\n")))
	}
	if len(os.Args) == 3 && os.Args[1] == "stage" && strings.HasSuffix(os.Args[0], ".test") { // not by a name that scripts call it by
		// A child of such a process, whose environment is empty.
		e := engineOf(&shopStages{note: func(string, string) {}})
		e.inner = &shopStages{note: func(string, string) {}}
		os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, e))
	}
	if dir := os.Getenv(envTestDev); dir != "" {
		os.Exit(testDev(dir))
	}
}

func testWorker(spec []string) int {
	e := engineOf(&shopStages{note: func(stage, _ string) { dieAt("stage " + stage) }})
	c := workerCmd{Flags: connect.Flags{Nats: spec[0], Store: spec[1], SourceDir: spec[2], Encryption: string(store.Declared)},
		workerFlags: workerFlags{Slots: 1, Grace: time.Second, MaxFailures: 3, MaxDeaths: 10, AllowFlags: policy.AllowFlags{Sources: []string{"cam"}}}}
	set, err := c.Set()
	if err != nil {
		return 2
	}
	s, err := c.Connect(context.Background(), jobs.Options{Validator: c.Validator(set), Classify: causeFor, CheckEvery: 100 * time.Millisecond,
		PollEvery: 100 * time.Millisecond, FinalLimit: shopAckWait / 2})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s.Store = mortal{s.Store}
	w := &worker{engine: e, config: pipeline.Config{Scratch: spec[3]}, policies: set, room: room.New(spec[3], 0), meters: metrics.New(),
		service: s, log: newLog(&app{streams: streams{err: io.Discard}})}
	if c.daemon(w, nil).run(context.Background(), context.Background()) != nil {
		return 1
	}
	return 0
}

// testDev is veil dev with stages that obey the clip.
func testDev(dir string) int {
	e := engineOf(&shopStages{note: func(string, string) {}})
	e.confine = &child.Confinement{Mode: child.Off}
	os.Unsetenv(envTestDev) // not for the children
	return run(context.Background(), []string{"dev", "--dir", dir, "--reserve", "1", "--sandbox", "off"}, streams{os.Stdin, io.Discard, os.Stderr}, e)
}

// dieAt ends this process as a power cut would, if it is told to at this moment.
func dieAt(moment string) {
	if want := os.Getenv(envTestDie); want != "" && strings.HasPrefix(moment, strings.Fields(want)[0]+" ") && strings.HasSuffix(moment, strings.Fields(want)[1]) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// mortal dies before ("put") or after ("did-put") an operation.
type mortal struct{ store.Store }

func (m mortal) Put(ctx context.Context, key string, r io.ReaderAt, o store.PutOptions) (store.Object, error) {
	dieAt("put " + key)
	obj, err := m.Store.Put(ctx, key, r, o)
	dieAt("did-put " + key)
	return obj, err
}

func (m mortal) Copy(ctx context.Context, from, to, sum string) (store.Object, error) {
	dieAt("copy " + to)
	obj, err := m.Store.Copy(ctx, from, to, sum)
	dieAt("did-copy " + to)
	return obj, err
}

func (m mortal) Create(ctx context.Context, key string, b []byte, kind string) (store.Object, error) {
	dieAt("create " + key)
	obj, err := m.Store.Create(ctx, key, b, kind)
	dieAt("did-create " + key)
	return obj, err
}

// startWorker starts a worker process that dies at the given moment.
func (s *shop) startWorker(die string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envTestWorker+"="+strings.Join([]string{s.srv.URL(), s.store, s.in, s.scratch}, "\n"), envTestDie+"="+die)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

// TestWorkerDiesAtEachStep kills a real worker process at each step of a job; the next worker brings it to one end.
func TestWorkerDiesAtEachStep(t *testing.T) {
	for _, c := range []struct {
		name, die string
		analyzed  int // by the second worker
		rendered  int
	}{
		{"analyze", "stage analyze", 1, 1},
		{"before the draft is put", "put /draft", 1, 1},
		{"render", "stage render", 0, 1},
		{"verify", "stage verify", 0, 1},
		{"put", "put /report.json", 0, 1},
		{"before commit", "did-put /1/manifest.json", 0, 1},
		{"between commit and publish", "copy /report.json", 0, 0},
		{"publish", "create /manifest.json", 0, 0},
		{"before ack", "did-create /manifest.json", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			text := "ok clip"
			s.hand("job", text)
			first := s.startWorker(c.die)
			var end *exec.ExitError
			if err := first.Wait(); !errors.As(err, &end) || end.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the first worker ended with %v", err)
			}
			if err := pipeline.Sweep(s.scratch); err != nil {
				t.Fatal(err)
			}
			d := s.daemonOf(s.flags())
			s.work(d)
			state := s.settled("job")
			if state.Phase != jobs.Released || state.Epoch != 2 || state.Deaths > 1 {
				t.Errorf("%+v", state)
			}
			if a, r := s.count("analyze", text), s.count("render", text); a != c.analyzed || r != c.rendered {
				t.Errorf("the second worker analyzed %d and rendered %d times, want %d and %d", a, r, c.analyzed, c.rendered)
			}
			var out []string
			for path := range filesIn(t, s.store) {
				if strings.HasPrefix(path, "release/") {
					out = append(out, filepath.Base(path))
				}
			}
			if len(out) != 3 {
				t.Errorf("released: %v", out)
			}
			if m := s.readManifest("release/job/1/manifest.json"); m.Job.Epoch != state.Result.Epoch {
				t.Errorf("the manifest is of another attempt: %+v", m)
			}
			s.noScratch()
			// What the dead worker left that no record names is collected; what the record names stays.
			if err := d.collectOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			for path := range filesIn(t, s.store) {
				if strings.HasPrefix(path, "restricted/job/1/") && !strings.HasPrefix(path, fmt.Sprintf("restricted/job/1/%d/", state.Result.Epoch)) &&
					(state.Plan == nil || !strings.HasPrefix(path, fmt.Sprintf("restricted/job/1/%d/", state.Plan.Epoch))) {
					t.Errorf("not collected: %s", path)
				}
			}
			if now := filesIn(t, filepath.Join(s.store, "release")); len(now) != 3 {
				t.Errorf("collecting took from the release: %d files are left", len(now))
			}
		})
	}
}

// TestStoreThatIsAwayCountsAsNoFailure: the job waits.
func TestStoreThatIsAwayCountsAsNoFailure(t *testing.T) {
	for _, away := range []error{store.ErrUnavailable, store.ErrFull, store.ErrDenied} {
		s := newShop(t)
		s.hand("waits", "ok")
		d := s.daemonOf(s.flags())
		d.service.Store = failing{d.service.Store, "/plan.json", fmt.Errorf("put: %w", away)}
		s.work(d)
		state := s.until("waits", func(st jobs.State) bool { return st.Phase == jobs.Queued && st.Code != "" })
		if state.Failures != 0 || !slices.Contains([]string{failure.Store, "no_space", failure.StoreAccess}, state.Code) {
			t.Errorf("%v: %+v", away, state)
		}
		s.noScratch()
	}
}

// failing refuses to put under some key.
type failing struct {
	store.Store
	suffix string
	err    error
}

func (f failing) Put(ctx context.Context, key string, r io.ReaderAt, o store.PutOptions) (store.Object, error) {
	if strings.HasSuffix(key, f.suffix) {
		return store.Object{}, f.err
	}
	return f.Store.Put(ctx, key, r, o)
}

// TestSleeperDoesNotBringBackAWithdrawnRelease: a worker that slept between two copies wakes after another published the same
// and a person withdrew it.
func TestSleeperDoesNotBringBackAWithdrawnRelease(t *testing.T) {
	s := newShop(t)
	s.hand("sleeper", "ok")
	d := s.daemonOf(s.flags())
	d.service.Store = sleeping{d.service.Store, func() {
		ctx := context.Background()
		state, err := s.s.Queue.State(ctx, "sleeper")
		if err != nil || state.Phase != jobs.Committing {
			t.Errorf("%+v %v", state, err)
		}
		s.restate("sleeper", jobs.Withdrawn)
	}}
	s.work(d)
	s.until("sleeper", func(st jobs.State) bool { return st.Phase == jobs.Withdrawn })
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if len(filesIn(t, filepath.Join(s.store, "release"))) == 0 && s.count("verify", "ok") > 0 {
			break
		}
	}
	time.Sleep(200 * time.Millisecond)
	if left := filesIn(t, filepath.Join(s.store, "release")); len(left) != 0 {
		t.Errorf("%d files of a withdrawn release are back", len(left))
	}
}

// sleeping calls wake once, before the first copy.
type sleeping struct {
	store.Store
	wake func()
}

func (z sleeping) Copy(ctx context.Context, from, to, sum string) (store.Object, error) {
	if strings.HasSuffix(to, store.ReportName) {
		z.wake()
	}
	return z.Store.Copy(ctx, from, to, sum)
}
