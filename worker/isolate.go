package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"veil/pipeline"
	"veil/pipeline/media"
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

// isolated runs each stage in a process of its own: a C++ library that aborts, or a kernel that wants its memory back,
// ends that process and nothing else. The child leads a session, so that its whole tree can be found and ended.
type isolated struct {
	log  string // crash log, empty for none
	name string // the child's own name; empty: this process's
}

func (i isolated) Analyze(ctx context.Context, r pipeline.AnalyzeRequest, events func(pipeline.Event)) (res pipeline.AnalyzeResult, err error) {
	return res, i.run(ctx, call{stage: "analyze", request: r, result: &res, events: events})
}

func (i isolated) Render(ctx context.Context, r pipeline.RenderRequest, events func(pipeline.Event)) (res pipeline.RenderResult, err error) {
	return res, i.run(ctx, call{stage: "render", request: r, result: &res, events: events})
}

func (i isolated) Verify(ctx context.Context, r pipeline.VerifyRequest, events func(pipeline.Event)) (res pipeline.VerifyResult, err error) {
	return res, i.run(ctx, call{stage: "verify", request: r, result: &res, events: events})
}

// call is one stage to run: request goes to the child, result is filled from its answer.
type call struct {
	stage   string
	request any
	result  any
	events  func(pipeline.Event)
}

// message is one line of a child's answer: events, then one result or one failure.
type message struct {
	Event   *pipeline.Event   `json:"event,omitempty"`
	Result  json.RawMessage   `json:"result,omitempty"`
	Failure *pipeline.Failure `json:"failure,omitempty"`
}

// run starts the child, reads its answer, and returns when nothing of its tree is left.
func (i isolated) run(ctx context.Context, c call) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", c.stage, err)
	}
	body, err := json.Marshal(c.request)
	if err != nil {
		return fmt.Errorf("encode request for %s: %w", c.stage, err)
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open pipe: %w", err)
	}
	defer r.Close()
	said := &endsBuffer{limit: stderrKept}
	cmd := exec.CommandContext(ctx, exe, "stage", c.stage)
	if cmd.Args[0] = i.name; i.name == "" {
		cmd.Args[0] = os.Args[0]
	}
	cmd.Env = childEnv()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(body), w, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	adoptOrphans()
	child, err := media.StartChild(cmd)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("start %s: %w", c.stage, err)
	}
	answer := make(chan reply, 1)
	go func() {
		a := readReply(r, c.events)
		if a.err != nil {
			child.Kill() // it talks nonsense
		}
		answer <- a
	}()
	end := child.Wait()
	left := endSession(child.Pid())
	_ = r.SetReadDeadline(time.Now().Add(answerWait))
	a := <-answer
	if err := ctx.Err(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", c.stage, err), left)
	}
	if left != nil {
		return fmt.Errorf("end %s: %w", c.stage, left)
	}
	return i.judge(c, a, end, said)
}

// judge turns the answer and the way the child ended into the call's result. An answer counts only if the child ended
// well after it.
func (i isolated) judge(c call, a reply, end error, said *endsBuffer) error {
	if a.failure != nil && end == nil {
		return a.failure
	}
	if end == nil && a.err == nil && a.result != nil {
		if err := json.Unmarshal(a.result, c.result); err == nil {
			return nil
		}
	}
	i.keep(c.stage, end, said)
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
		}
	}
	return failedf(codeCrashed, remedy, "the %s process %s", c.stage, how)
}

// keep appends what a crashed child wrote to the crash log, if there is one.
func (i isolated) keep(stage string, end error, said *endsBuffer) {
	if i.log == "" {
		return
	}
	f, err := os.OpenFile(i.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "--- %s %s: %v\n%s\n...\n%s\n", time.Now().UTC().Format(time.RFC3339), stage, end, said.first, said.last)
}

// childEnv is what a child sees: where programs lie and this program's own settings.
func childEnv() []string {
	env := []string{"LC_ALL=C"}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || name == "LD_LIBRARY_PATH" || strings.HasPrefix(name, "VEIL_") {
			env = append(env, kv)
		}
	}
	return env
}

// reply is a child's whole answer.
type reply struct {
	result  json.RawMessage
	failure *pipeline.Failure
	err     error // the answer makes no sense, or broke off
}

// readReply reads lines until the end. Events are passed on as they come.
func readReply(r io.Reader, events func(pipeline.Event)) reply {
	var a reply
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxAnswer)
	for in.Scan() {
		var m message
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			return reply{err: fmt.Errorf("read answer: %w", err)}
		}
		if a.result != nil || a.failure != nil {
			return reply{err: errors.New("read answer: something follows its end")}
		}
		switch {
		case m.Event != nil:
			if events != nil && sensible(*m.Event) {
				events(*m.Event)
			}
		case m.Failure != nil:
			a.failure = known(m.Failure)
		default:
			a.result = bytes.Clone(m.Result)
		}
	}
	if err := in.Err(); err != nil {
		return reply{err: fmt.Errorf("read answer: %w", err)}
	}
	return a
}

// sensible reports whether an event is one that a stage sends.
func sensible(e pipeline.Event) bool {
	switch e.Stage {
	case "digest", "analyze", "render", "verify":
		return e.Done >= 0 && e.Total >= 0
	}
	return false
}

// failureCode is the form of all codes.
var failureCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// known makes sure that a failure that came from a child is one.
func known(f *pipeline.Failure) *pipeline.Failure {
	if !failureCode.MatchString(f.Code) || f.Exit < pipeline.ExitFailed || f.Exit > pipeline.ExitUnsupported || f.Exit == pipeline.ExitHeld {
		return &pipeline.Failure{Code: "internal", Detail: "a stage failed with words that make no sense", Exit: pipeline.ExitFailed}
	}
	return f
}

// endsBuffer keeps the first and the last bytes written to it: a library says why it gives up, then the runtime says at
// length where.
type endsBuffer struct {
	limit int // of either end
	first []byte
	last  []byte
}

func (t *endsBuffer) Write(p []byte) (int, error) {
	n := min(len(p), t.limit-len(t.first))
	t.first = append(t.first, p[:n]...)
	t.last = append(t.last, p[n:]...)
	if over := len(t.last) - t.limit; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}
