package media

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command prepares a program of the package: an empty environment but for the C locale, and a group kill when ctx ends.
// Start it with StartChild, never with its own Start.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"LC_ALL=C"}
	return cmd
}

// Child is a started process, the leader of its own process group. Wait must be called once it is no longer needed, also
// after Kill.
type Child struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	gone bool // reaped: its number may belong to another process by now
	once sync.Once
	err  error
}

// StartChild starts cmd in a process group of its own. The kernel kills it with SIGKILL when this process dies: the start
// happens on one thread that is kept for the life of the process, because that signal is tied to the thread. Attributes
// that cmd already carries are kept. When the context of cmd ends, the whole group is killed.
func StartChild(cmd *exec.Cmd) (*Child, error) { return StartChildOn(cmd, onKeptThread) }

// StartChildOn is StartChild for a caller with a thread of its own: on must call its argument there, once, and the thread must
// last at least as long as the child, or the child is killed with it.
func StartChildOn(cmd *exec.Cmd, on func(start func() error) error) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if !cmd.SysProcAttr.Setsid {
		cmd.SysProcAttr.Setpgid = true
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = 5 * time.Second
	}
	c := &Child{cmd: cmd}
	if cmd.Cancel != nil {
		cmd.Cancel = func() error { c.Kill(); return nil }
	}
	if err := on(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
	return c, nil
}

// Pid is the process number, which is the group's too.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Kill ends the whole group at once. It does nothing to a child that was waited for.
func (c *Child) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
}

// Wait waits for the child's end, kills what is left of its group, and returns what exec.Cmd.Wait returns. It may be
// called more than once.
func (c *Child) Wait() error {
	c.once.Do(func() {
		// Wait for the end without reaping, so that the number still belongs to the group while that is killed.
		for {
			err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				break
			}
		}
		c.mu.Lock()
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		c.gone = true
		c.mu.Unlock()
		c.err = c.cmd.Wait()
	})
	return c.err
}

type startRequest struct {
	start func() error
	done  chan error
}

var (
	starterOnce sync.Once
	starts      chan startRequest
)

// onKeptThread calls start on the one thread that lives as long as the process.
func onKeptThread(start func() error) error {
	starterOnce.Do(func() {
		starts = make(chan startRequest)
		go func() {
			runtime.LockOSThread()
			for r := range starts {
				r.done <- r.start()
			}
		}()
	})
	r := startRequest{start: start, done: make(chan error, 1)}
	starts <- r
	return <-r.done
}
