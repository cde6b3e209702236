package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"veil/pipeline"
	"veil/worker/child"
)

// sleepMain is veil as it is, but for the children of a job: each only sleeps. `go run ./bench/queue -fleet` starts this test's
// binary under the name of sleepveil; the program itself has no way to run other children.
func sleepMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, sleepEngine()))
}

func sleepEngine() engine {
	e := engineOf(sleepStages{&shopStages{note: func(string, string) {}}})
	e.confine = &child.Confinement{Mode: child.Off}
	return e
}

// sleepStages sleep as long as the clip says ("sleep 12s": of all three stages together) and then make what the shop's make.
type sleepStages struct{ *shopStages }

const (
	stagesOfJob = 3
	// tellEvery is how often a sleeping stage tells its progress, as a real one does.
	tellEvery = 250 * time.Millisecond
)

var errNoSleep = errors.New("the clip does not say how long to sleep")

func (s sleepStages) Analyze(ctx context.Context, r pipeline.AnalyzeRequest, events func(pipeline.Event)) (pipeline.AnalyzeResult, error) {
	if err := sleepAs(ctx, "analyze", r.In, events); err != nil {
		return pipeline.AnalyzeResult{}, err
	}
	return s.shopStages.Analyze(ctx, r, events)
}

func (s sleepStages) Render(ctx context.Context, r pipeline.RenderRequest, events func(pipeline.Event)) (pipeline.RenderResult, error) {
	if err := sleepAs(ctx, "render", r.In, events); err != nil {
		return pipeline.RenderResult{}, err
	}
	return s.shopStages.Render(ctx, r, events)
}

func (s sleepStages) Verify(ctx context.Context, r pipeline.VerifyRequest, events func(pipeline.Event)) (pipeline.VerifyResult, error) {
	if err := sleepAs(ctx, "verify", r.In, events); err != nil {
		return pipeline.VerifyResult{}, err
	}
	return s.shopStages.Verify(ctx, r, events)
}

// sleepAs runs a child that sleeps for a stage's part of what the clip says, and tells its progress.
func sleepAs(ctx context.Context, stage, clip string, events func(pipeline.Event)) error {
	b, err := os.ReadFile(clip)
	if err != nil {
		return err
	}
	words := strings.Fields(string(b))
	if len(words) < 2 || words[0] != "sleep" {
		return errNoSleep
	}
	all, err := time.ParseDuration(words[1])
	if err != nil {
		return fmt.Errorf("%w: %w", errNoSleep, err)
	}
	part := all / stagesOfJob
	cmd := exec.CommandContext(ctx, "sleep", fmt.Sprintf("%.3f", part.Seconds()))
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case err := <-ended:
			return errors.Join(err, ctx.Err())
		case <-tick.C:
			events(pipeline.Event{Stage: stage, Done: time.Since(begun).Milliseconds(), Total: part.Milliseconds()})
		}
	}
}
