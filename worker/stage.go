package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/pipeline/vision"
	"veil/worker/child"
	"veil/worker/evidence"
	"veil/worker/seal"
)

// stageCmd is `veil stage NAME`: the child's side of isolated.
type stageCmd struct {
	Name string `arg:"" enum:"analyze,render,verify,engines,people,sheet,probe,frames,nothing"`
}

// Run runs one stage. Its failure is an answer, not an exit code.
func (c *stageCmd) Run(ctx context.Context, a *app) error {
	return child.Serve(a.in, a.streams.out, func(request []byte, events func(pipeline.Event)) (any, error) {
		return c.dispatch(ctx, a.engine.inner, request, events)
	})
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
	case "people":
		return stage(ctx, body, events, drawWith(pipeline.PeopleSheet))
	case "sheet":
		return stage(ctx, body, events, drawWith(pipeline.DerivativeSheet))
	case "probe":
		return stage(ctx, body, events, inspect)
	case "frames":
		return stage(ctx, body, events, nameFrames)
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

// framesRequest asks for the names of a derivative's frames, in a file: there may be many.
type framesRequest struct {
	Config pipeline.Config `json:"config"`
	In     string          `json:"in"`
	Format string          `json:"format"`
	To     string          `json:"to"`
}

// nameFrames decodes a derivative.
func nameFrames(ctx context.Context, r framesRequest, _ func(pipeline.Event)) (struct{}, error) {
	frames, err := evidence.FFmpeg{Path: r.Config.Tools.FFmpeg}.Frames(ctx, r.In, r.Format)
	if err != nil {
		return struct{}{}, err
	}
	b, err := seal.Canonical(frames)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, os.WriteFile(r.To, b, 0o600)
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
