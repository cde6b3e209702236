package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
	"veil/worker/store"
)

// patience is how long a test waits before it gives up.
const patience = 90 * time.Second

// house is a real queue and a real store in a folder, for commands that reach them as anybody would: by a port and a path.
type house struct {
	t     *testing.T
	url   string
	store string // folder
	in    string // folder of the buckets that clips come from
	s     *connect.Service
	mu    sync.Mutex
	runs  map[string]int // how often the stand-in worked on a job
	gates map[string]chan struct{}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	t.Parallel() // each house has its own servers and folders
	srv, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	h := &house{t: t, url: srv.URL(), store: filepath.Join(t.TempDir(), "store"), in: t.TempDir(), runs: map[string]int{},
		gates: map[string]chan struct{}{}}
	nc, err := nats.Connect(h.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := jobs.Setup(t.Context(), nc, jobs.SetupOptions{AckWait: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	f := connect.Flags{Nats: h.url, Store: h.store, SourceDir: h.in, Encryption: "declared"}
	s, err := f.Connect(t.Context(), jobs.Options{
		Validator: intake.Validator(), MaxFailures: 1, PollEvery: 50 * time.Millisecond, CheckEvery: 50 * time.Millisecond,
		ProgressEvery: time.Millisecond,
		Classify: func(err error) jobs.Cause {
			f := pipeline.AsFailure(err)
			return jobs.Cause{Code: f.Code, Remedy: f.Remedy}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	h.s = s
	return h
}

// work serves jobs with the stand-in until the test ends.
func (h *house) work() { h.workUntil() }

// workUntil serves jobs with the stand-in until the test ends, or until what it gives is called.
func (h *house) workUntil() (stop func()) {
	soft, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		h.s.Queue.Serve(soft, soft, jobs.ServeOptions{Slots: 2, ReconcileEvery: time.Second}, h.process)
	})
	stop = func() { cancel(); wg.Wait() }
	h.t.Cleanup(stop)
	return stop
}

// gate holds the stand-in back at jobs whose clip says "wait NAME" until it is opened.
func (h *house) gate(name string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gates[name] == nil {
		h.gates[name] = make(chan struct{})
	}
	return h.gates[name]
}

// process is a worker that does what the clip's first line says ("ok", "hold", "fail CODE", "wait GATE"), and puts what a
// worker puts.
func (h *house) process(ctx context.Context, a *jobs.Attempt) error {
	j, state := a.Job(), a.State()
	h.mu.Lock()
	h.runs[j.ID]++
	h.mu.Unlock()
	var clip bytes.Buffer
	o, err := h.s.Source.Fetch(ctx, j.Source.Bucket, j.Source.Key, j.Source.Version, &clip)
	if err != nil {
		return jobs.Permanent(err)
	}
	if j.Source.SHA256 != "" && o.SHA256 != j.Source.SHA256 {
		return jobs.Permanent(&pipeline.Failure{Code: "source_changed"})
	}
	line, _, _ := strings.Cut(clip.String(), "\n")
	words := append(strings.Fields(line), "ok")
	for i := range 5 {
		a.Progress("analyze", 25*i)
	}
	switch words[0] {
	case "fail":
		return jobs.Permanent(&pipeline.Failure{Code: words[1], Detail: "the clip at " + j.Source.Key + " is broken"})
	case "wait":
		select {
		case <-h.gate(words[1]):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	held := words[0] == "hold" && len(j.Decisions) == 0
	return h.put(ctx, a, state, held, clip.Bytes())
}

// put stores a result as the layout says.
func (h *house) put(ctx context.Context, a *jobs.Attempt, s jobs.State, held bool, clip []byte) error {
	j := a.Job()
	prefix := store.AttemptPrefix(s.ID, s.Generation, s.Epoch)
	derivative := store.DerivativeName(j.DerivativeName())
	r := jobs.Result{Outcome: jobs.Released, Digests: map[string]string{}}
	for _, p := range []struct {
		piece, name string
		data        []byte
	}{
		{archive.PieceDerivative, derivative, append([]byte(fmt.Sprintf("covered %d ", s.Generation)), clip...)},
		{"plan", store.PlanName, somePlan(h.t)},
		{archive.PieceReport, store.ReportName, []byte(`{"report":1}`)},
		{archive.PieceLog, store.LogName, []byte("a log")},
		{archive.PieceAnnex, store.AnnexName, []byte("an annex")},
		{archive.PieceSheet, store.SheetName, []byte("a sheet with faces")},
	} {
		sum, err := archive.PutBytes(ctx, h.s.Store, prefix+p.name, p.data)
		if err != nil {
			return err
		}
		r.Digests[p.piece] = sum
	}
	m, err := seal.SealManifest(sealtest.Manifest(r.Digests[archive.PieceDerivative]), nil)
	if err != nil {
		return err
	}
	if r.Envelope, err = archive.PutBytes(ctx, h.s.Store, prefix+store.ManifestName, m); err != nil {
		return err
	}
	if held {
		r.Outcome, r.Findings = jobs.Held, []string{"unsure"}
	}
	if err := a.SavePlan(ctx, r.Digests["plan"]); err != nil {
		return err
	}
	if err := a.Commit(ctx, r); err != nil {
		return err
	}
	if held {
		return nil
	}
	to := store.ReleasePrefix(s.ID, s.Generation)
	for _, name := range []string{derivative, store.ReportName} {
		sum := r.Digests[archive.PieceDerivative]
		if name == store.ReportName {
			sum = r.Digests[archive.PieceReport]
		}
		if _, err := h.s.Store.Copy(ctx, prefix+name, to+name, sum); err != nil {
			return err
		}
	}
	_, err = h.s.Store.Create(ctx, to+store.ManifestName, m, "application/json")
	return err
}

// somePlan is a plan with one finding, that of a face which may be none.
func somePlan(t *testing.T) []byte {
	policy, err := decide.Shipped(decide.Press)
	if err != nil {
		t.Fatal(err)
	}
	in := decide.Input{
		Source: decide.Source{SHA256: strings.Repeat("0123456789abcdef", 4), Bytes: 1000, Width: 640, Height: 360, TimeBase: "1/12800"},
		Policy: policy,
		Extra:  []decide.Finding{{ID: "F1", Kind: "face_outside", First: 1, Last: 2, Rect: [4]int{16, 16, 32, 32}, Text: "a face"}},
	}
	for i := range 10 {
		in.FrameStamps = append(in.FrameStamps, decide.FrameStamp{PTS: int64(512 * i), Digest: "0badcafe", Time: float64(i) / 25})
	}
	p, err := decide.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// veil runs a command against the house.
func (h *house) veil(args ...string) (code int, out, errs string) {
	return h.veilIn(h.t.Context(), args...)
}

func (h *house) veilIn(ctx context.Context, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(ctx, append(args, h.flags()...), streams{strings.NewReader(""), &o, &e}, fakeEngine())
	return code, o.String(), e.String()
}

// flags are where queue and store are.
func (h *house) flags() []string {
	return []string{"--nats", h.url, "--store", h.store, "--source-dir", h.in, "--encryption", "declared"}
}

// want runs a command and wants its exit code; it gives the standard output.
func (h *house) want(code int, args ...string) string {
	h.t.Helper()
	have, out, errs := h.veil(args...)
	if have != code {
		h.t.Fatalf("veil %s ended with %d, want %d\n%s%s", strings.Join(args, " "), have, code, out, errs)
	}
	return out + errs
}

// file writes a clip.
func (h *house) file(name, content string) string {
	h.t.Helper()
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(h.t.TempDir(), name)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// submit hands one clip in and gives its id.
func (h *house) submit(content string, flags ...string) string {
	h.t.Helper()
	out := h.want(0, append([]string{"submit", h.file("clip.mp4", content)}, flags...)...)
	return strings.Fields(out)[0]
}

// phase waits until a job is in a phase.
func (h *house) phase(id string, want jobs.Phase) jobs.State {
	h.t.Helper()
	var have jobs.State
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		if have, err = h.s.Queue.State(h.t.Context(), id); err != nil && !errors.Is(err, jobs.ErrNotFound) {
			h.t.Fatal(err)
		}
		if have.Phase == want {
			return have
		}
	}
	h.t.Fatalf("job %s is %q, never %s: %s", id, have.Phase, want, have.Detail)
	return have
}

// keys lists the store below a prefix.
func (h *house) keys(prefix string) (keys []string) {
	h.t.Helper()
	for o, err := range h.s.Store.List(h.t.Context(), prefix) {
		if err != nil {
			h.t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// all lists the records.
func (h *house) all() (states []jobs.State) {
	h.t.Helper()
	err := h.s.Queue.States(h.t.Context(), func(s jobs.State) bool { states = append(states, s); return true })
	if err != nil {
		h.t.Fatal(err)
	}
	return states
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}
