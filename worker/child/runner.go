// Package child runs one call in a process tree of its own, confined: it starts the tree, judges what the child is denied before
// it gets its request, reads its answer, and ends and reaps all of it. The child's side of a call is Serve. What a stage does,
// and which files it may touch, its caller says.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/sandbox"
)

const (
	// maxAnswer bounds one line of a child's answer, in bytes.
	maxAnswer = 16 << 20
	// stderrKept is how much of either end of a child's stderr is kept for the crash log, in bytes.
	stderrKept = 8 << 10
	// runtimeCrash is the exit status with which Go's runtime ends a process that panics or that a library aborts.
	runtimeCrash = 2
	// answerWait is how long the answer may take once the child's whole tree is dead.
	answerWait = 5 * time.Second
)

// Runner runs calls, each in a process of its own, confined: a C++ library that aborts, or a kernel that wants its memory
// back, ends that process and nothing else, and what takes it over finds no network, no secret and no file but the stage's.
// The child leads a session, so that its whole tree can be found and ended.
type Runner struct {
	Log     string       // crash log, empty for none
	Name    string       // the child's own name; empty: this process's
	Confine *Confinement // nil: the strict way
	Force   *InForce     // gathers what was in force; may be nil
}

// Call is one stage to run: request goes to the child, result is filled from its answer.
type Call struct {
	Stage   string
	Request any
	Rules   []sandbox.Rule // the files that it may touch, and how
	Result  any
	Events  func(pipeline.Event)
}

// Run starts the child, reads its answer, and returns when nothing of its tree is left.
func (r Runner) Run(ctx context.Context, c Call) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", c.Stage, err)
	}
	child, err := r.start(ctx, c)
	if err != nil {
		return err
	}
	answer := make(chan reply, 1)
	go func() {
		a := readReply(child.answer, replyTo{events: c.Events, report: child.report()})
		if a.err != nil {
			child.Kill() // it talks nonsense, or is not confined
		}
		answer <- a
	}()
	end := child.Wait()
	left := endSession(child.Pid())
	_ = child.answer.SetReadDeadline(time.Now().Add(answerWait))
	a := <-answer
	a.full = child.group.Full()
	child.close()
	if err := ctx.Err(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", c.Stage, err), left)
	}
	if left != nil {
		return fmt.Errorf("end %s: %w", c.Stage, left)
	}
	if a.refused != nil {
		return a.refused
	}
	return r.judge(c, a, end, child.said)
}

// judge turns the answer and the way the child ended into the call's result. An answer counts only if the child ended
// well after it.
func (r Runner) judge(c Call, a reply, end error, said *endsBuffer) error {
	if a.failure != nil && end == nil {
		return a.failure
	}
	if end == nil && a.err == nil && a.result != nil {
		if err := json.Unmarshal(a.result, c.Result); err == nil {
			return nil
		}
	}
	r.keep(c.Stage, end, said)
	how := "gave no answer"
	remedy := "run it again; if that repeats, keep the original and report this with --crash-log"
	var exit *exec.ExitError
	if errors.As(end, &exit) {
		how = fmt.Sprintf("ended with status %d", exit.ExitCode())
		if exit.ExitCode() == runtimeCrash {
			how = "crashed"
		}
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			how = fmt.Sprintf("was ended by a signal (%s)", s.Signal())
			if s.Signal() == syscall.SIGKILL {
				remedy = "free memory, or use fewer --threads, and run it again"
			}
			if a.full {
				how, remedy = "needed more memory than a stage may have", "raise --max-memory, or use fewer --threads, and run it again"
			}
		}
	}
	return failure.Newf(failure.Crashed, remedy, "the %s process %s", c.Stage, how)
}

// keep appends what a crashed child wrote to the crash log, if there is one.
func (r Runner) keep(stage string, end error, said *endsBuffer) {
	if r.Log == "" {
		return
	}
	f, err := os.OpenFile(r.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "--- %s %s: %v\n%s\n...\n%s\n", time.Now().UTC().Format(time.RFC3339), stage, end, said.first, said.last)
}
