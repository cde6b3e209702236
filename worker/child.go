package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/pipeline/vision"
)

// maxRequest bounds a request, in bytes: it names files, it does not carry them.
const maxRequest = 4 << 20

// eventEvery is the least time between two events that a child sends of one stage.
const eventEvery = 50 * time.Millisecond

// stageCmd is `veil stage NAME`: the child's side of isolated. It reads one JSON request from standard input and writes
// JSON lines to what was standard output when it began: events, then one result or one failure.
type stageCmd struct {
	Name string `arg:"" enum:"analyze,render,verify,engines"`
}

// Run runs one stage. Its failure is an answer, not an exit code.
func (c *stageCmd) Run(ctx context.Context, a *app) error {
	out, err := takeStdout(a)
	if err != nil {
		return err
	}
	// A core file would hold pictures.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("refuse core files: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(a.in, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		return errors.Join(errors.New("read request"), err)
	}
	s := &sender{enc: json.NewEncoder(out)}
	result, err := c.dispatch(ctx, a.engine.inner, body, s.event)
	if err != nil {
		return s.send(message{Failure: pipeline.AsFailure(err)})
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return errors.Join(s.err, s.send(message{Result: raw}))
}

// dispatch decodes the request and calls the stage.
func (c *stageCmd) dispatch(ctx context.Context, stages pipeline.Stages, body []byte, events func(pipeline.Event)) (any, error) {
	switch c.Name {
	case "analyze":
		return stage(ctx, body, events, stages.Analyze)
	case "render":
		return stage(ctx, body, events, stages.Render)
	case "verify":
		return stage(ctx, body, events, stages.Verify)
	}
	return stage(ctx, body, events, engines)
}

// stage runs one of the pipeline's stages on an encoded request.
func stage[Request, Result any](ctx context.Context, body []byte, events func(pipeline.Event),
	run func(context.Context, Request, func(pipeline.Event)) (Result, error)) (any, error) {
	var r Request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	return run(ctx, r, events)
}

// takeStdout gives standard output to the answer alone: what a library prints there goes to standard error, and no
// grandchild inherits it.
func takeStdout(a *app) (io.Writer, error) {
	f, ok := a.streams.out.(*os.File)
	if !ok {
		return a.streams.out, nil
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("take standard output: %w", err)
	}
	if err := unix.Dup3(2, int(f.Fd()), 0); err != nil {
		return nil, fmt.Errorf("turn standard output away: %w", err)
	}
	return os.NewFile(uintptr(fd), "answer"), nil
}

// sender writes the answer.
type sender struct {
	enc  *json.Encoder
	last pipeline.Event
	told time.Time
	err  error
}

func (s *sender) send(m message) error {
	if err := s.enc.Encode(m); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// event sends progress, but not every frame's.
func (s *sender) event(e pipeline.Event) {
	now := time.Now()
	if e.Stage == s.last.Stage && now.Sub(s.told) < eventEvery && (e.Total <= 0 || e.Done < e.Total) {
		return
	}
	s.last, s.told = e, now
	s.err = errors.Join(s.err, s.send(message{Event: &e}))
}

// enginesRequest asks what the networks run on; only a process that loads them can tell.
type enginesRequest struct {
	Config pipeline.Config `json:"config"`
}

// enginesResult is the answer.
type enginesResult struct {
	OpenCV   string               `json:"opencv"`
	Networks []vision.NetworkInfo `json:"networks"`
	Fault    string               `json:"fault,omitempty"` // why the networks cannot be used
}

// engines loads the networks, which look for a face that they must know.
func engines(ctx context.Context, r enginesRequest, _ func(pipeline.Event)) (enginesResult, error) {
	res := enginesResult{OpenCV: vision.OpenCVVersion()}
	f, err := vision.Open(ctx, vision.Options{Models: r.Config.Models, Engine: r.Config.Engine, Effort: "thorough", Threads: r.Config.Threads})
	if err != nil {
		res.Fault = err.Error()
		return res, nil
	}
	res.Networks = f.Networks()
	return res, f.Close()
}

// engines asks a child what the networks run on.
func (i isolated) engines(ctx context.Context, c pipeline.Config) (res enginesResult, err error) {
	return res, i.run(ctx, call{stage: "engines", request: enginesRequest{Config: c}, result: &res})
}
