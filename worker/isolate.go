package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/child"
	"veil/worker/disk"
	"veil/worker/sandbox"
)

// isolated runs each stage of the pipeline in a process tree of its own, which can touch no file but those that rulesFor lists.
type isolated struct{ child.Runner }

func (i isolated) Analyze(ctx context.Context, r pipeline.AnalyzeRequest, events func(pipeline.Event)) (res pipeline.AnalyzeResult, err error) {
	return res, i.call(ctx, "analyze", r, &res, events)
}

func (i isolated) Render(ctx context.Context, r pipeline.RenderRequest, events func(pipeline.Event)) (res pipeline.RenderResult, err error) {
	return res, i.call(ctx, "render", r, &res, events)
}

func (i isolated) Verify(ctx context.Context, r pipeline.VerifyRequest, events func(pipeline.Event)) (res pipeline.VerifyResult, err error) {
	return res, i.call(ctx, "verify", r, &res, events)
}

// frames names the frames of a derivative.
func (i isolated) frames(ctx context.Context, r framesRequest) error {
	return i.call(ctx, "frames", r, &struct{}{}, nil)
}

// call has a child run one stage.
func (i isolated) call(ctx context.Context, stage string, request, result any, events func(pipeline.Event)) error {
	list, err := rulesFor(request)
	if err != nil {
		return err
	}
	return i.Run(ctx, child.Call{Stage: stage, Request: request, Rules: list, Result: result, Events: events})
}

// rulesFor lists every file that a stage may touch, and how; what is not here does not exist for it. Outputs are single
// files: a stage makes none itself, and none of its inputs is among them.
func rulesFor(request any) ([]sandbox.Rule, error) {
	switch r := request.(type) {
	case pipeline.AnalyzeRequest:
		return rules(r.Config,
			reads(r.In, r.ExtraIn, r.AnalysisIn),
			writes(r.PlanOut, r.AnalysisOut))
	case pipeline.RenderRequest:
		return rules(r.Config,
			reads(r.In, r.Plan),
			writes(r.Out, media.Besides(r.Out), r.Audio))
	case pipeline.VerifyRequest:
		return rules(r.Config,
			reads(r.In, r.Out, r.Plan),
			writes(r.ExtraOut, r.SheetOut, r.FramesOut))
	case sheetRequest:
		return rules(r.Config,
			reads(r.Sheet.In, r.Sheet.Plan),
			[]sandbox.Rule{{Path: r.Folder, Access: sandbox.Own}})
	case framesRequest:
		return rules(r.Config, reads(r.In), writes(r.To))
	case probeRequest:
		return rules(r.Config, reads(r.In))
	case enginesRequest:
		return rules(r.Config)
	case nothingRequest:
		return rules(r.Config)
	}
	return nil, fmt.Errorf("no rules are known for a %T", request)
}

// rules are what every stage needs, and what one needs besides.
func rules(c pipeline.Config, own ...[]sandbox.Rule) ([]sandbox.Rule, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find program: %w", err)
	}
	list := append(sandbox.System(), sandbox.Rule{Path: program, Access: sandbox.Run})
	for _, tool := range []string{c.Tools.FFmpeg, c.Tools.FFprobe} {
		if tool == "" {
			continue
		}
		// A program that does not come from the system may bring its libraries.
		list = append(list, sandbox.Rule{Path: tool, Access: sandbox.Run},
			sandbox.Rule{Path: filepath.Join(filepath.Dir(tool), "..", "lib"), Access: sandbox.Read})
	}
	list = append(list, reads(c.Models)...)
	list = append(list, reads(filepath.SplitList(os.Getenv(child.LibraryPath))...)...)
	for _, o := range own {
		list = append(list, o...)
	}
	return list, nil
}

// reads allows reading the files or folders that have a name.
func reads(paths ...string) []sandbox.Rule { return ruled(sandbox.Read, paths) }

// writes allows writing the files that have a name.
func writes(paths ...string) []sandbox.Rule { return ruled(sandbox.Write, paths) }

func ruled(access sandbox.Access, paths []string) []sandbox.Rule {
	var list []sandbox.Rule
	for _, p := range paths {
		if p != "" {
			list = append(list, sandbox.Rule{Path: p, Access: access})
		}
	}
	return list
}

// Sandbox lists what was in force in every stage that ran so far; the pipeline writes it into the report.
func (i isolated) Sandbox() []string {
	return i.Force.List()
}

// engines asks a child what the networks run on.
func (i isolated) engines(ctx context.Context, c pipeline.Config) (res enginesResult, err error) {
	return res, i.call(ctx, "engines", enginesRequest{Config: c}, &res, nil)
}

// inspect asks a child what a clip holds.
func (i isolated) inspect(ctx context.Context, c pipeline.Config, path string) (p *media.Probe, err error) {
	return p, i.call(ctx, "probe", probeRequest{Config: c, In: path}, &p, nil)
}

// people has a child draw the people of a plan.
func (i isolated) people(ctx context.Context, c pipeline.Config, r pipeline.SheetRequest) error {
	return i.draw(ctx, "people", c, r)
}

// sheet has a child draw frames of a derivative.
func (i isolated) sheet(ctx context.Context, c pipeline.Config, r pipeline.SheetRequest) error {
	return i.draw(ctx, "sheet", c, r)
}

// draw has a child draw a sheet in a folder that it has for itself, and puts it in its place.
func (i isolated) draw(ctx context.Context, stage string, c pipeline.Config, r pipeline.SheetRequest) error {
	s, err := disk.OpenScratch(c.Scratch)
	if err != nil {
		return err
	}
	defer s.Close()
	own := s.Path("draw")
	if err := os.Mkdir(own, 0o700); err != nil {
		return fmt.Errorf("make folder for a sheet: %w", disk.Plain(err))
	}
	q := sheetRequest{Config: c, Folder: own, Sheet: r}
	q.Config.Scratch, q.Sheet.PNG = filepath.Join(own, "scratch"), filepath.Join(own, "sheet.png")
	var res struct{}
	if err := i.call(ctx, stage, q, &res, nil); err != nil {
		return err
	}
	return disk.Copy(q.Sheet.PNG, r.PNG)
}

// sandboxByDefault makes required the way of this command, unless the settings name another. A daemon calls it before
// checkSandbox.
func (a *app) sandboxByDefault() {
	if a.sandbox.Sandbox == "" && a.engine.confine != nil {
		a.engine.confine.Mode = child.Required
	}
}

// checkSandbox starts a child that does nothing but try what it must not, and gives what it found. Under required a fault is
// an error. A daemon calls it before it takes work; each stage is judged again in the same way before it gets its request.
func (a *app) checkSandbox(ctx context.Context, c pipeline.Config) (child.Report, error) {
	return isolated{child.Runner{Log: a.CrashLog, Confine: a.engine.confine}}.check(ctx, c)
}

// nothingRequest asks a child for nothing but its report.
type nothingRequest struct {
	Config pipeline.Config `json:"config"`
}

// check runs the child that does nothing.
func (i isolated) check(ctx context.Context, c pipeline.Config) (child.Report, error) {
	i.Force = &child.InForce{}
	var res struct{}
	err := i.call(ctx, "nothing", nothingRequest{Config: c}, &res, nil)
	report, _ := i.Force.Latest()
	report.Mode = i.Confine.Way()
	return report, err
}

// sandboxInForce asks a child what it is denied, for the manifests. Where the sandbox is required and a part of it is missing,
// the error says which.
func (a *app) sandboxInForce(ctx context.Context, c pipeline.Config) (string, error) {
	report, err := a.checkSandbox(ctx, c)
	if err != nil {
		return "", err
	}
	return report.Mode + ": " + strings.Join(report.InForce, ", "), nil
}
