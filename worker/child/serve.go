package child

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/worker/sandbox"
)

// maxRequest bounds a request, in bytes: it names files, it does not carry them.
const maxRequest = 4 << 20

// eventEvery is the least time between two events that a child sends of one stage.
const eventEvery = 50 * time.Millisecond

// Serve is the child's side of a call. It reads two JSON lines from in, its orders and (once it has told what it is
// denied) its request, and writes JSON lines to what out was when it began: its sandbox, events, then what run answers, one
// result or one failure. A failure of run is an answer, not an error.
func Serve(in io.Reader, out io.Writer, run func(request []byte, events func(pipeline.Event)) (any, error)) error {
	out, err := takeStdout(out)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(io.LimitReader(in, maxRequest))
	s := &sender{enc: json.NewEncoder(out)}
	if err := obey(lines, s); err != nil {
		return err
	}
	body, err := readLine(lines)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	result, err := run(body, s.event)
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
	report := sandbox.Look(orders.Try, []string{"LC_ALL", LibraryPath})
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

// takeStdout gives standard output to the answer alone: what a library prints there goes to standard error, and no
// grandchild inherits it.
func takeStdout(out io.Writer) (io.Writer, error) {
	f, ok := out.(*os.File)
	if !ok {
		return out, nil
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
