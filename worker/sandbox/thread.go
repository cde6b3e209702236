package sandbox

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Thread is an operating system thread that gives up rights so that what is started on it is born without them. It is used
// for one child, and ends with Close: a thread cannot be given its rights back.
type Thread struct {
	Landlock bool // the rules are in force

	work chan func()
	done chan struct{}
}

// NewThread takes a thread from the Go runtime for good and restricts it to the rules. Where the kernel has no Landlock, the
// thread is without; everything else must succeed.
func NewThread(rules []Rule) (*Thread, error) {
	t := &Thread{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go func() {
		defer close(t.done)
		// Never unlocked: the runtime ends the thread with the goroutine, and starts no other thread from it meanwhile.
		runtime.LockOSThread()
		err := t.restrict(rules)
		ready <- err
		if err != nil {
			return
		}
		for f := range t.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		<-t.done
		return nil, err
	}
	return t, nil
}

// restrict takes the calling thread's rights.
func (t *Thread) restrict(rules []Rule) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	abi := LandlockVersion()
	if abi == 0 {
		return nil
	}
	fd, err := ruleset(abi, rules)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	t.Landlock = true
	return restrictThread(fd)
}

// kept is the capability that root's children keep, of those that this thread has: root reads clips that belong to others.
// Containers often grant the second of the two only; what it adds, writing, Landlock takes away.
func kept(permitted uint32) uint32 {
	for _, c := range []uint{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		if permitted&(1<<c) != 0 {
			return 1 << c
		}
	}
	return 0
}

// dropCapabilities sees to it that whatever this thread executes has at most the kept capability. The bounding set goes
// first, where this thread may touch it: the effective ones are still needed to make namespaces. Where it may not touch it, it
// may not make namespaces either, and no_new_privs keeps a program from getting what this thread has given up.
func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&head, &have[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	keep := kept(have[0].Permitted)
	bounded := true
	for c := uintptr(0); c <= unix.CAP_LAST_CAP && bounded; c++ {
		if c < 32 && keep == 1<<c {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			bounded = false
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if bounded {
		return nil
	}
	less := [2]unix.CapUserData{{Effective: keep, Permitted: keep}}
	if err := unix.Capset(&head, &less[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// Do runs f on the thread.
func (t *Thread) Do(f func() error) error {
	done := make(chan error, 1)
	t.work <- func() { done <- f() }
	return <-done
}

// Close ends the thread. A child that is to be killed when its parent dies is killed by this: wait for it first.
func (t *Thread) Close() {
	close(t.work)
	<-t.done
}

// withoutNamespaces is set once the kernel has refused them to this process.
var withoutNamespaces atomic.Bool

// Namespaces are the ones that a child gets of its own: the network (with nothing in it, not even a way to itself), process
// numbers (the child is the first process, and all others end with it) and what System V shares. Root makes them with the
// rights that it has and its child keeps its user, so that it can read what root reads; anybody else needs a user namespace
// for that, in which nobody is mapped, so that the child has no rights there either.
func Namespaces() uintptr {
	if withoutNamespaces.Load() {
		return 0
	}
	flags := uintptr(unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC)
	if unix.Geteuid() != 0 {
		flags |= unix.CLONE_NEWUSER
	}
	return flags
}

// Start starts what command makes in namespaces of its own, or without them where the kernel refuses; start is what starts
// a command. It reports whether there are namespaces.
func Start(command func() *exec.Cmd, start func(*exec.Cmd) error) (cmd *exec.Cmd, namespaces bool, err error) {
	if flags := Namespaces(); flags != 0 {
		cmd = command()
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Cloneflags = flags
		err = start(cmd)
		if err == nil {
			return cmd, true, nil
		}
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINVAL) &&
			!errors.Is(err, unix.ENOSYS) {
			return nil, false, err
		}
	}
	cmd = command()
	if err := start(cmd); err != nil {
		return nil, false, err
	}
	withoutNamespaces.Store(true)
	return cmd, false, nil
}
