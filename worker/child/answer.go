package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"veil/pipeline"
	"veil/worker/sandbox"
)

// message is one line of a child's answer: its sandbox, then events, then one result or one failure.
type message struct {
	Sandbox *sandbox.Report   `json:"sandbox,omitempty"`
	Event   *pipeline.Event   `json:"event,omitempty"`
	Result  json.RawMessage   `json:"result,omitempty"`
	Failure *pipeline.Failure `json:"failure,omitempty"`
}

// replyTo is told of what comes before the end.
type replyTo struct {
	events func(pipeline.Event)
	report func(sandbox.Report) error // what the answer must begin with, unless it is nil; an error ends the child
}

// reply is a child's whole answer.
type reply struct {
	result  json.RawMessage
	failure *pipeline.Failure
	refused error // its sandbox will not do
	err     error // the answer makes no sense, broke off, or was refused
	full    bool  // the kernel ended it for its memory
}

// readReply reads lines until the end. Events are passed on as they come.
func readReply(r io.Reader, to replyTo) reply {
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
		case m.Sandbox != nil:
			if to.report == nil {
				return reply{err: errors.New("read answer: it tells of its sandbox twice, or unasked")}
			}
			if err := to.report(*m.Sandbox); err != nil {
				return reply{err: err, refused: err}
			}
			to.report = nil
		case to.report != nil:
			return reply{err: errors.New("read answer: it begins without a word of its sandbox")}
		case m.Event != nil:
			if to.events != nil && sensible(*m.Event) {
				to.events(*m.Event)
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
