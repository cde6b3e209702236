package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/worker/child"
	"veil/worker/disk"
)

// TestMain lets this binary be veil, and fakeveil: veil whose pipeline does what a clip's text says.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"veil":      main,
		"tryveil":   tryMain,
		"contained": containedMain,
		"sleepveil": sleepMain,
		"fakeveil": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop)
			os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, fakeEngine()))
		},
	})
}

// repository is the folder with go.mod.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// needWeights gives the folder of the weights. Without it a laptop skips, CI fails.
func needWeights(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(repository(t), "models", "weights")
	if err := checkModels(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return dir
}

func TestScripts(t *testing.T) {
	weights := needWeights(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("VEIL_MODELS", weights)
			e.Setenv("VEIL_SCRATCH", filepath.Join(e.WorkDir, ".scratch"))
			e.Setenv("ODD", "odd\nname\x1b[2J.mp4")
			e.Setenv("FAKE_LOG", filepath.Join(e.WorkDir, ".did"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"did":     did,
			"clip":    clip,
			"empty":   empty,
			"await":   await,
			"nothing": nothing,
		},
	})
}

// did NAME...: the fake pipeline worked on just these clips, in this order, since the last did.
func did(ts *testscript.TestScript, neg bool, args []string) {
	log := ts.Getenv("FAKE_LOG")
	b, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.RemoveAll(log))
	if got, want := strings.Fields(string(b)), args; strings.Join(got, " ") != strings.Join(want, " ") || neg {
		ts.Fatalf("worked on %q, want %q", got, want)
	}
}

// await NAME: the fake pipeline begins to work on a clip, and its child runs.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 400 {
		b, _ := os.ReadFile(ts.Getenv("FAKE_LOG"))
		if strings.Contains(string(b), args[0]) && len(running("sleep\x00601\x00")) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s was not begun", args[0])
}

// nothing N: no `sleep N` is left, soon.
func nothing(ts *testscript.TestScript, _ bool, args []string) {
	for range 100 {
		if len(running("sleep\x00"+args[0]+"\x00")) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("a child is left")
}

// running lists the processes with a command line, zombies left out.
func running(cmdline string) []string {
	var found []string
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range entries {
		// A zombie's command line is empty.
		if b, _ := os.ReadFile(path); string(b) == cmdline {
			found = append(found, path)
		}
	}
	return found
}

// clip FILE [ffmpeg arguments]: makes a small clip.
func clip(ts *testscript.TestScript, _ bool, args []string) {
	in := []string{"-hide_banner", "-loglevel", "error", "-y"}
	if len(args) == 1 {
		in = append(in, "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p")
	} else {
		in = append(in, args[1:]...)
	}
	if out, err := exec.Command("ffmpeg", append(in, "file:"+ts.MkAbs(args[0]))...).CombinedOutput(); err != nil {
		ts.Fatalf("make clip: %v: %s", err, out)
	}
}

// empty FOLDER...: there is no file below the folders, hidden ones included, but empty locks.
func empty(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		ts.Check(filepath.Walk(ts.MkAbs(dir), func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			if !info.IsDir() && !(info.Name() == "lock" && info.Size() == 0) {
				return fmt.Errorf("%s was left", path)
			}
			return nil
		}))
	}
}

// fakeEngine does what a clip's first line says.
func fakeEngine() engine {
	return engine{
		redact: fakeRedact,
		stages: func(log string) pipeline.Stages {
			if os.Getenv("FAKE_DIRECT") != "" {
				return fakeStages{}
			}
			return isolated{child.Runner{Log: log, Confine: &child.Confinement{Mode: child.Off}}}
		},
		inner: fakeStages{},
		people: func(_ context.Context, _ pipeline.Config, r pipeline.SheetRequest) error {
			return disk.Copy(r.Plan, r.PNG)
		},
	}
}

// fakeRedact runs the stages and names the output as the pipeline does.
func fakeRedact(ctx context.Context, s pipeline.Stages, r pipeline.Request, events func(pipeline.Event)) (pipeline.Outcome, error) {
	if log := os.Getenv("FAKE_LOG"); log != "" {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return pipeline.Outcome{}, err
		}
		fmt.Fprintln(f, filepath.Base(r.In))
		f.Close()
	}
	src, err := pipeline.DigestFile(ctx, r.In, events)
	if err != nil {
		return pipeline.Outcome{}, err
	}
	work, err := disk.OpenScratch(r.Config.Scratch)
	if err != nil {
		return pipeline.Outcome{}, err
	}
	defer work.Close()
	if _, err := s.Analyze(ctx, pipeline.AnalyzeRequest{Config: r.Config, In: r.In, PlanOut: work.Path("plan.json")}, events); err != nil {
		return pipeline.Outcome{}, err
	}
	if _, err := s.Render(ctx, pipeline.RenderRequest{Config: r.Config, In: r.In, Out: work.Path("out.mp4")}, events); err != nil {
		return pipeline.Outcome{}, err
	}
	res, err := s.Verify(ctx, pipeline.VerifyRequest{Config: r.Config, In: r.In, Out: work.Path("out.mp4")}, events)
	if err != nil {
		return pipeline.Outcome{}, err
	}
	out := pipeline.Outcome{State: pipeline.Released, Derivative: r.Out, Plan: r.PlanOut}
	if len(res.Findings) > 0 {
		out.State, out.Derivative = pipeline.Held, pipeline.HeldName(r.Out)
		if out.Plan == "" {
			out.Plan = pipeline.HeldPlanName(r.Out)
		}
		if r.OnHold == "discard" {
			out.Derivative = ""
		}
	}
	out.Report = pipeline.Report{Schema: pipeline.ReportSchema, State: out.State, Source: src, Findings: res.Findings}
	if out.Plan != "" {
		if err := disk.Copy(work.Path("plan.json"), out.Plan); err != nil {
			return out, err
		}
	}
	if out.Derivative != "" {
		if err := disk.Copy(work.Path("out.mp4"), out.Derivative); err != nil {
			return out, err
		}
		out.Report.Derivative, err = pipeline.DigestFile(ctx, out.Derivative, nil)
		if r.SheetOut != "" {
			err = errors.Join(err, disk.Copy(work.Path("plan.json"), r.SheetOut))
		}
	}
	return out, err
}

// sleepFor is a program that does nothing for some seconds. A child has no search path.
func sleepFor(ctx context.Context, seconds string) *exec.Cmd {
	cmd := media.Command(ctx, "/bin/sleep", seconds)
	cmd.Args[0] = "sleep"
	return cmd
}

// fakeStages are a child's stages that obey the clip: "ok", "hold", "hang", "wait", "abort", "killed", "exit", "noise", "shout",
// "fail CODE".
type fakeStages struct{}

func order(in string) ([]string, error) {
	b, err := os.ReadFile(in)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return append(strings.Fields(string(line)), "ok"), nil
}

func (fakeStages) Analyze(ctx context.Context, r pipeline.AnalyzeRequest, events func(pipeline.Event)) (pipeline.AnalyzeResult, error) {
	words, err := order(r.In)
	if err != nil {
		return pipeline.AnalyzeResult{}, err
	}
	events(pipeline.Event{Stage: "analyze", Done: 1, Total: 2})
	switch words[0] {
	case "fail":
		return pipeline.AnalyzeResult{}, &pipeline.Failure{Code: words[1], Detail: "the clip says\nso", Remedy: "ask it", Exit: pipeline.ExitUnsupported}
	case "abort":
		fmt.Fprintln(os.Stderr, "terminate called: Title Secret")
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "exit":
		os.Exit(3)
	case "shout":
		fmt.Println("a library prints to standard output")
	case "wait":
		grandchild, err := media.StartChild(sleepFor(ctx, "601"))
		if err != nil {
			return pipeline.AnalyzeResult{}, err
		}
		return pipeline.AnalyzeResult{}, grandchild.Wait()
	case "hang":
		grandchild := sleepFor(context.WithoutCancel(ctx), "600")
		grandchild.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := grandchild.Start(); err != nil {
			return pipeline.AnalyzeResult{}, err
		}
		events(pipeline.Event{Stage: "analyze", Done: 2, Total: 2})
		<-ctx.Done()
		time.Sleep(time.Minute) // deaf to soft words
	}
	events(pipeline.Event{Stage: "analyze", Done: 2, Total: 2})
	return pipeline.AnalyzeResult{Frames: 2}, os.WriteFile(r.PlanOut, []byte("plan of "+words[0]), 0o600)
}

func (fakeStages) Render(_ context.Context, r pipeline.RenderRequest, _ func(pipeline.Event)) (pipeline.RenderResult, error) {
	b, err := os.ReadFile(r.In)
	if err != nil {
		return pipeline.RenderResult{}, err
	}
	return pipeline.RenderResult{Frames: 2}, os.WriteFile(r.Out, append([]byte("redacted "), b...), 0o600)
}

// everyCheck passes.
func everyCheck() (list []pipeline.Check) {
	for _, name := range pipeline.CheckNames() {
		list = append(list, pipeline.Check{Name: name, Result: "passed"})
	}
	return list
}

func (fakeStages) Verify(_ context.Context, r pipeline.VerifyRequest, _ func(pipeline.Event)) (pipeline.VerifyResult, error) {
	words, err := order(r.In)
	if len(words) > 0 && words[0] == "reach" {
		return pipeline.VerifyResult{Checks: reachOut(words[1 : len(words)-1])}, err
	}
	res := pipeline.VerifyResult{Checks: everyCheck()}
	if len(words) > 0 && words[0] == "hold" {
		res.Findings = []decide.Finding{{ID: "F1", Kind: "face_outside", Text: "a face outside every mask"}}
	}
	return res, err
}
