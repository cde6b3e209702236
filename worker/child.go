package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/pipeline/vision"
	"veil/worker/files"
	"veil/worker/sandbox"
)

// maxRequest bounds a request, in bytes: it names files, it does not carry them.
const maxRequest = 4 << 20

// eventEvery is the least time between two events that a child sends of one stage.
const eventEvery = 50 * time.Millisecond

// stageCmd is `veil stage NAME`: the child's side of isolated. It reads two JSON lines from standard input, its orders and (once
// it has told what it is denied) its request, and writes JSON lines to what was standard output when it began: its sandbox,
// events, then one result or one failure.
type stageCmd struct {
	Name string `arg:"" enum:"analyze,render,verify,engines,contact,people,probe,nothing"`
}

// Run runs one stage. Its failure is an answer, not an exit code.
func (c *stageCmd) Run(ctx context.Context, a *app) error {
	out, err := takeStdout(a)
	if err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(a.in, maxRequest))
	s := &sender{enc: json.NewEncoder(out)}
	if err := obey(in, s); err != nil {
		return err
	}
	body, err := readLine(in)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
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

// obey reads the orders, confines this process and tells what that came to. What cannot be had shows in what is told: the
// parent decides whether that will do.
func obey(in *bufio.Reader, s *sender) error {
	line, err := readLine(in)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	var orders sandbox.Orders
	if err := json.Unmarshal(line, &orders); err != nil {
		return fmt.Errorf("decode orders: %w", err)
	}
	confine := func() error { return sandbox.Confine(orders.Limits) }
	if !orders.Confine {
		confine = sandbox.NoCore
	}
	fault := confine()
	if orders.Try == nil {
		return fault
	}
	report := sandbox.Look(orders.Try, []string{"LC_ALL", libraryPath})
	if fault != nil {
		report.Fault = fault.Error()
	}
	return s.send(message{Sandbox: &report})
}

// readLine reads one whole line.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadBytes('\n')
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return line, err
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
	case "contact":
		return stage(ctx, body, events, drawWith(pipeline.ContactSheet))
	case "people":
		return stage(ctx, body, events, drawWith(pipeline.PeopleSheet))
	case "probe":
		return stage(ctx, body, events, inspect)
	case "nothing":
		return stage(ctx, body, events, idle)
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

// idle is the stage that does nothing: its child is started for what it tells of its sandbox.
func idle(context.Context, nothingRequest, func(pipeline.Event)) (struct{}, error) {
	return struct{}{}, nil
}

// probeRequest asks what a clip holds.
type probeRequest struct {
	Config pipeline.Config `json:"config"`
	In     string          `json:"in"`
}

// inspect looks at a clip.
func inspect(ctx context.Context, r probeRequest, _ func(pipeline.Event)) (*media.Probe, error) {
	return media.Inspect(ctx, r.Config.Tools, r.In, r.Config.Limits)
}

// inspect asks a child what a clip holds.
func (i isolated) inspect(ctx context.Context, c pipeline.Config, path string) (p *media.Probe, err error) {
	return p, i.run(ctx, call{stage: "probe", request: probeRequest{Config: c, In: path}, result: &p})
}

// sheetRequest asks for a sheet. Folder is the child's own: it draws there.
type sheetRequest struct {
	Config pipeline.Config       `json:"config"`
	Folder string                `json:"folder"`
	Sheet  pipeline.SheetRequest `json:"sheet"`
}

// drawWith makes a stage of what draws a sheet.
func drawWith(draw func(context.Context, pipeline.Config, pipeline.SheetRequest) error) func(context.Context, sheetRequest, func(pipeline.Event)) (struct{}, error) {
	return func(ctx context.Context, r sheetRequest, _ func(pipeline.Event)) (struct{}, error) {
		return struct{}{}, draw(ctx, r.Config, r.Sheet)
	}
}

// contact has a child draw the frames before and after.
func (i isolated) contact(ctx context.Context, c pipeline.Config, r pipeline.SheetRequest) error {
	return i.draw(ctx, "contact", c, r)
}

// people has a child draw the people of a plan.
func (i isolated) people(ctx context.Context, c pipeline.Config, r pipeline.SheetRequest) error {
	return i.draw(ctx, "people", c, r)
}

// draw has a child draw a sheet in a folder that it has for itself, and puts it in its place.
func (i isolated) draw(ctx context.Context, stage string, c pipeline.Config, r pipeline.SheetRequest) error {
	s, err := files.OpenScratch(c.Scratch)
	if err != nil {
		return err
	}
	defer s.Close()
	own := s.Path("draw")
	if err := os.Mkdir(own, 0o700); err != nil {
		return fmt.Errorf("make folder for a sheet: %w", files.Plain(err))
	}
	q := sheetRequest{Config: c, Folder: own, Sheet: r}
	q.Config.Scratch, q.Sheet.PNG = filepath.Join(own, "scratch"), filepath.Join(own, "sheet.png")
	var res struct{}
	if err := i.run(ctx, call{stage: stage, request: q, result: &res}); err != nil {
		return err
	}
	return files.Copy(q.Sheet.PNG, r.PNG)
}
