package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"veil/pipeline/media"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/sandbox"
)

// LibraryPath is the one setting from outside that a child sees: without it the loader may not find its libraries.
const LibraryPath = "LD_LIBRARY_PATH"

// stageChild is a started child.
type stageChild struct {
	*media.Child
	answer *os.File
	said   *endsBuffer

	how      started
	confine  *Confinement
	force    *InForce
	admitted chan struct{} // closed when the child may have its request
	ended    chan struct{}
	fed      chan struct{} // closed when all words were written, or nobody hears them
	thread   *sandbox.Thread
	group    *sandbox.Group // nil where there is none
	clear    func()
}

// hide hides this process once; a daemon calls it before it reads its secrets.
var hide = sync.OnceValue(sandbox.HideParent)

// start starts the child for a call. It gets its orders at once, and its request when its report was admitted.
func (r Runner) start(ctx context.Context, c Call) (_ *stageChild, err error) {
	confined := r.Confine.Way() != Off
	if err := r.Confine.hide(); err != nil && r.Confine.Way() == Required {
		return nil, failure.Newf(failure.Sandbox, "see `veil doctor`", "%s", err)
	}
	s := &stageChild{said: &endsBuffer{limit: stderrKept}, confine: r.Confine, force: r.Force, admitted: make(chan struct{}),
		ended: make(chan struct{}), how: started{hidden: sandbox.Hidden()}}
	if s.clear, err = layOut(c.Rules); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	words, err := r.words(c, confined)
	if err != nil {
		return nil, err
	}
	if confined {
		if s.thread, err = sandbox.NewThread(c.Rules); err != nil {
			return nil, failure.Newf(failure.Sandbox, "see `veil doctor`; --sandbox off works without", "the sandbox cannot be set up: %s", err)
		}
		s.how.landlock = s.thread.Landlock
	} else if r.Confine.tries() == nil {
		close(s.admitted)
	}
	if err := r.launch(ctx, s, c, words); err != nil {
		return nil, err
	}
	return s, nil
}

// words are what a child is told: orders, then the request, a line each.
func (r Runner) words(c Call, confined bool) (words [2][]byte, err error) {
	orders := sandbox.Orders{Confine: confined, Try: r.Confine.tries()}
	if confined {
		orders.Limits = r.Confine.bounds()
	}
	for n, v := range []any{orders, c.Request} {
		b, err := json.Marshal(v)
		if err != nil {
			return words, fmt.Errorf("encode request for %s: %w", c.Stage, err)
		}
		words[n] = append(b, '\n')
	}
	return words, nil
}

// launch starts the process, in namespaces of its own where that can be, and hands it its words.
func (r Runner) launch(ctx context.Context, s *stageChild, c Call, words [2][]byte) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find program: %w", err)
	}
	orders, told, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open pipe: %w", err)
	}
	defer orders.Close()
	answer, spoken, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("open pipe: %w", err), told.Close())
	}
	s.answer = answer
	if s.group, err = r.Confine.group(); err != nil {
		return errors.Join(err, spoken.Close(), told.Close())
	}
	command := func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, exe, "stage", c.Stage)
		if cmd.Args[0] = r.Name; r.Name == "" {
			cmd.Args[0] = os.Args[0]
		}
		cmd.Env = childEnv()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = orders, spoken, s.said
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if s.group != nil {
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, s.group.FD()
		}
		return cmd
	}
	adoptOrphans()
	err = s.begin(command)
	if err != nil && s.group != nil { // a kernel that starts nothing into a group
		_ = s.group.End()
		s.group = nil
		err = s.begin(command)
	}
	if err := errors.Join(err, spoken.Close()); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", c.Stage, err), told.Close())
	}
	s.how.memory = s.group.Holds(s.Pid())
	s.fed = make(chan struct{})
	go s.feed(told, words)
	return nil
}

// begin starts what command makes, on the restricted thread if there is one.
func (s *stageChild) begin(command func() *exec.Cmd) (err error) {
	if s.thread == nil {
		s.Child, err = media.StartChild(command())
		return err
	}
	_, s.how.namespaces, err = sandbox.Start(command, func(cmd *exec.Cmd) (err error) {
		s.Child, err = media.StartChildOn(cmd, s.thread.Do)
		return err
	})
	return err
}

// feed writes the child's words. A child that is gone shows by its answer.
func (s *stageChild) feed(told *os.File, words [2][]byte) {
	defer close(s.fed)
	defer told.Close()
	if _, err := told.Write(words[0]); err != nil {
		return
	}
	select {
	case <-s.admitted:
		_, _ = told.Write(words[1])
	case <-s.ended:
	}
}

// report is what hears the child's report; nil where it was not asked for one.
func (s *stageChild) report() func(sandbox.Report) error {
	if s.confine.tries() == nil {
		return nil
	}
	return s.admit
}

// admit judges the child's report; nil lets it have its request.
func (s *stageChild) admit(r sandbox.Report) error {
	report := s.how.read(r)
	s.force.add(report)
	if err := s.confine.judge(report); err != nil {
		return err
	}
	close(s.admitted)
	return nil
}

// close lets go of all that belongs to a child that is dead or was never started.
func (s *stageChild) close() {
	close(s.ended)
	if s.fed != nil {
		<-s.fed
	}
	if s.answer != nil {
		_ = s.answer.Close()
	}
	if s.thread != nil {
		s.thread.Close()
	}
	_ = s.group.End() // what cannot be removed now is removed by the next start
	s.clear()
}

// groups are made once: this process moves for them.
var groups struct {
	once sync.Once
	all  *sandbox.Groups
	err  error
}

// openGroups prepares the control groups that were delegated to this process. The limit of the first call counts.
func openGroups(limit int64) (*sandbox.Groups, error) {
	groups.once.Do(func() { groups.all, groups.err = sandbox.OpenGroups(limit) })
	return groups.all, groups.err
}

// group makes a control group for one child; nil where there is none to be had, or none is wanted.
func (c *Confinement) group() (*sandbox.Group, error) {
	if c == nil || c.Memory == 0 || c.Way() == Off {
		return nil, nil
	}
	all, err := openGroups(c.Memory)
	if err != nil {
		return nil, nil // doctor tells why; nothing in force says that there is a limit
	}
	return all.New()
}

// MemoryFault says why the memory of stages is not limited here; nil where it is, or is not meant to be.
func (c *Confinement) MemoryFault() error {
	if c == nil || c.Memory == 0 || c.Way() == Off {
		return nil
	}
	_, err := openGroups(c.Memory)
	return err
}

// hide hides the parent, unless it is to stay open.
func (c *Confinement) hide() error {
	if c != nil && c.Open {
		return nil
	}
	return hide()
}

// bounds are the limits that a child sets itself.
func (c *Confinement) bounds() sandbox.Limits {
	if c == nil {
		return sandbox.Limits{}
	}
	return c.Limits
}

// tries is what a child tries: things that exist, and that it could do if it were not confined. Nil where nothing is denied.
func (c *Confinement) tries() *sandbox.Tries {
	if c != nil && c.Aims != nil {
		return c.Aims
	}
	if c.Way() == Off {
		return nil
	}
	return &sandbox.Tries{Parent: os.Getpid(), Outside: os.TempDir(), Secret: "/etc/passwd"}
}

// childEnv is what a child sees: nothing but where libraries lie, if that was said.
func childEnv() []string {
	env := []string{"LC_ALL=C"}
	if path, ok := os.LookupEnv(LibraryPath); ok {
		env = append(env, LibraryPath+"="+path)
	}
	return env
}

// layOut makes the outputs among the rules that are not there yet, empty, so that a stage needs no right to a folder. It gives
// what takes away those that are still empty afterwards.
func layOut(list []sandbox.Rule) (clear func(), err error) {
	var made []string
	clear = func() {
		for _, path := range made {
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
				_ = os.Remove(path)
			}
		}
	}
	for _, r := range list {
		if r.Access != sandbox.Write {
			continue
		}
		f, err := os.OpenFile(r.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			clear()
			return nil, fmt.Errorf("make output of a stage: %w", disk.Plain(err))
		}
		made = append(made, r.Path)
		if err := f.Close(); err != nil {
			clear()
			return nil, fmt.Errorf("make output of a stage: %w", disk.Plain(err))
		}
	}
	return clear, nil
}
