package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/metrics"
	"veil/worker/policy"
	"veil/worker/room"
	"veil/worker/seal"
	"veil/worker/store"
)

// shop is a real queue, a real store in a folder, and workers whose stages do what a clip's first word says. Everything else
// of them, the pipeline's own order included, is real.
type shop struct {
	t               *testing.T
	nats, store, in string // folders
	srv             *embedded.Server
	s               *connect.Service // for the test itself
	mu              sync.Mutex
	did             map[string]int // stages run, by "stage clip"
	log             bytes.Buffer
	scratch         string
}

const shopAckWait = 1500 * time.Millisecond

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, nats: t.TempDir(), store: filepath.Join(t.TempDir(), "store"), in: t.TempDir(), scratch: t.TempDir(), did: map[string]int{}}
	if err := os.Mkdir(filepath.Join(s.in, "cam"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.startServer()
	t.Cleanup(func() { s.stopServer() })
	return s
}

func (s *shop) startServer() {
	s.t.Helper()
	var err error
	if s.srv, err = embedded.Start(embedded.Options{Dir: s.nats, Lazy: true}); err != nil {
		s.t.Fatal(err)
	}
	nc, err := s.srv.Connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	if _, err := jobs.Setup(s.t.Context(), nc, jobs.SetupOptions{AckWait: shopAckWait}); err != nil {
		s.t.Fatal(err)
	}
	s.s = s.connect(jobs.Options{Validator: jobs.Validator{AnySource: true, Inline: true}})
}

func (s *shop) stopServer() {
	_ = s.s.Close()
	s.srv.Close()
}

func (s *shop) connect(o jobs.Options) *connect.Service {
	s.t.Helper()
	f := connect.Flags{Nats: s.srv.URL(), Store: s.store, SourceDir: s.in, Encryption: string(store.Declared)}
	o.CheckEvery, o.PollEvery, o.ProgressEvery = 30*time.Millisecond, 40*time.Millisecond, time.Millisecond
	o.FinalLimit = shopAckWait / 2
	o.RetryDelay = func(int) time.Duration { return time.Millisecond }
	c, err := f.Connect(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// hand hands in a clip with the given text, as a file of the bucket cam.
func (s *shop) hand(id, text string, change ...func(*jobs.Job)) jobs.State {
	s.t.Helper()
	if text != "" {
		if err := os.WriteFile(filepath.Join(s.in, "cam", id+".mp4"), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	j := jobs.Job{Schema: jobs.JobSchema, ID: id, Source: jobs.Source{Bucket: "cam", Key: id + ".mp4"}, Policy: "press",
		Case: "canarycase", Requester: "canaryrequester", Purpose: "canarypurpose"}
	for _, c := range change {
		c(&j)
	}
	state, err := s.s.Queue.Submit(s.t.Context(), j)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

// until waits until a job's record satisfies ok.
func (s *shop) until(id string, ok func(jobs.State) bool) jobs.State {
	s.t.Helper()
	var last jobs.State
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
		state, err := s.s.Queue.State(s.t.Context(), id)
		if err == nil && ok(state) {
			return state
		}
		last = state
	}
	s.t.Fatalf("%s never came there: %+v", id, last)
	return last
}

func (s *shop) answer(id string) jobs.State {
	s.t.Helper()
	return s.until(id, func(st jobs.State) bool { return st.Phase.Final() })
}

// settled waits until the answer's record is kept as well.
func (s *shop) settled(id string) jobs.State {
	s.t.Helper()
	state := s.answer(id)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(s.store, "restricted", id, archive.StateName)); err == nil && bytes.Contains(b, []byte(state.Token)) {
			return state
		}
	}
	s.t.Fatalf("the record of %s was not kept", id)
	return state
}

// flags are what the shop's workers allow.
func (s *shop) flags() workerFlags {
	return workerFlags{Slots: 2, Grace: patience, Stall: patience, MaxFailures: 3, MaxDeaths: 10, AllowFlags: policy.AllowFlags{Sources: []string{"cam"}, AllowInline: true}}
}

// daemonOf makes a worker of this shop.
func (s *shop) daemonOf(f workerFlags, change ...func(*daemon)) *daemon {
	s.t.Helper()
	set, err := f.Set()
	if err != nil {
		s.t.Fatal(err)
	}
	w := &worker{engine: s.engine(), config: pipeline.Config{Scratch: s.scratch}, policies: set, room: room.New(s.scratch, 0), meters: metrics.New(),
		stall: f.Stall, log: slog.New(slog.NewJSONHandler(&locked{w: &s.log, mu: &s.mu}, nil))}
	w.service = s.connect(jobs.Options{Validator: f.Validator(set), MaxFailures: f.MaxFailures, MaxDeaths: f.MaxDeaths, Classify: causeFor, Log: w.log})
	s.t.Cleanup(func() { _ = w.service.Close() })
	d := f.daemon(w, nil)
	for _, c := range change {
		c(d)
	}
	return d
}

// locked lets several goroutines write.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// atWork is a daemon at work.
type atWork struct{ soft, hard, wait func() }

// work starts a daemon; it is stopped hard at the test's end if it was not before.
func (s *shop) work(d *daemon) atWork {
	soft, softStop := context.WithCancel(context.Background())
	hard, hardStop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.run(soft, hard); err != nil {
			s.t.Error(err)
		}
	}()
	r := atWork{soft: softStop, hard: hardStop, wait: func() { <-done }}
	s.t.Cleanup(func() { softStop(); hardStop(); <-done })
	return r
}

// count is how often a stage ran for clips with this text.
func (s *shop) count(stage, text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.did[stage+" "+text]
}

// engine is the real pipeline over stages that obey the clip.
func (s *shop) engine() engine {
	stages := &shopStages{note: func(stage, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.did[stage+" "+text]++
	}}
	return engineOf(stages)
}

func engineOf(stages pipeline.Stages) engine {
	return engine{redact: pipeline.Redact, stages: func(string) pipeline.Stages { return stages }}
}

// shopStages do what the clip's first word says at the stage that its second word names.
type shopStages struct {
	note func(stage, text string)
}

func (o *shopStages) obey(ctx context.Context, stage, in string) (string, error) {
	b, err := os.ReadFile(in)
	if err != nil {
		return "", err
	}
	text := string(b)
	o.note(stage, text)
	words := strings.Fields(text)
	if len(words) < 2 || words[1] != stage {
		return text, nil
	}
	switch words[0] {
	case "unreadable":
		return text, fmt.Errorf("title of the clip: %w", media.ErrUnreadable)
	case "full":
		return text, fmt.Errorf("write: %w", media.ErrNoSpace)
	case "crash":
		return text, failure.Newf(failure.Crashed, "run it again", "the %s process crashed", stage)
	case "lost":
		return text, errors.New("something odd")
	case "hang":
		<-ctx.Done()
		return text, ctx.Err()
	case "slow":
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return text, ctx.Err()
		}
	}
	return text, nil
}

func (o *shopStages) Analyze(ctx context.Context, r pipeline.AnalyzeRequest, events func(pipeline.Event)) (res pipeline.AnalyzeResult, err error) {
	events(pipeline.Event{Stage: "analyze", Done: 1, Total: 2})
	if _, err = o.obey(ctx, "analyze", r.In); err != nil {
		return res, err
	}
	plan, err := decide.Decide(decide.Input{
		Source: decide.Source{SHA256: r.SHA256, Bytes: 6, Width: 64, Height: 64, TimeBase: "1/25"}, Policy: r.Policy,
		FrameStamps: []decide.FrameStamp{{PTS: 0, Digest: "00000001"}, {PTS: 1, Digest: "00000002", Time: 0.04}},
	})
	if err != nil {
		return res, err
	}
	b, err := plan.Encode()
	if err != nil {
		return res, err
	}
	return res, os.WriteFile(r.PlanOut, b, 0o600)
}

func (o *shopStages) Render(ctx context.Context, r pipeline.RenderRequest, events func(pipeline.Event)) (res pipeline.RenderResult, err error) {
	events(pipeline.Event{Stage: "render", Done: 1, Total: 2})
	text, err := o.obey(ctx, "render", r.In)
	if err != nil {
		return res, err
	}
	return pipeline.RenderResult{CRF: 20}, os.WriteFile(r.Out, []byte("redacted "+text), 0o600)
}

func (o *shopStages) Verify(ctx context.Context, r pipeline.VerifyRequest, events func(pipeline.Event)) (res pipeline.VerifyResult, err error) {
	events(pipeline.Event{Stage: "verify", Done: 1, Total: 2})
	text, err := o.obey(ctx, "verify", r.In)
	if err != nil {
		return res, err
	}
	res.Checks = everyCheck()
	if strings.HasPrefix(text, "refuse ") {
		res.Checks[0].Result = "failed"
	}
	if strings.HasPrefix(text, "hold ") {
		res.Findings = []decide.Finding{{Kind: "face_outside", First: 0, Last: 1, Rect: [4]int{1, 1, 20, 20}, Text: "a face"}}
	}
	frames, err := json.Marshal(pipeline.Shown{Width: 64, Height: 64, Format: "yuv420p", TimeBase: "1/25", PTS: []int64{0, 1},
		SHA256: []string{seal.Digest([]byte("0")), seal.Digest([]byte("1"))}})
	return res, errors.Join(err, os.WriteFile(r.ExtraOut, []byte("[]"), 0o600), os.WriteFile(r.SheetOut, []byte("faces"), 0o600),
		os.WriteFile(r.FramesOut, frames, 0o600))
}

// filesIn lists a folder's files by their path within it.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // no such folder holds no files, and some go while we look
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// noScratch fails unless the scratch folder holds nothing but its lock.
func (s *shop) noScratch() {
	s.t.Helper()
	for name := range filesIn(s.t, s.scratch) {
		if name != "lock" {
			s.t.Errorf("left in scratch: %s", name)
		}
	}
}

// restate writes a job's record as if somebody else had brought it there.
func (s *shop) restate(id string, phase jobs.Phase) {
	s.t.Helper()
	state, err := s.s.Queue.State(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	state.Phase, state.Token = phase, "somebody"
	state.Epoch++
	s.putRecord(state)
}

// putRecord puts a record in the place of a job's own.
func (s *shop) putRecord(state jobs.State) {
	s.t.Helper()
	js, err := jetstream.New(s.s.NC)
	if err != nil {
		s.t.Fatal(err)
	}
	kv, err := js.KeyValue(context.Background(), jobs.BucketState)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := json.Marshal(state)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := kv.Put(context.Background(), state.ID, b); err != nil {
		s.t.Fatal(err)
	}
}

// readManifest reads one of the store's manifests.
func (s *shop) readManifest(key string) seal.Manifest {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.store, filepath.FromSlash(key)))
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := archive.ReadManifest(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}
