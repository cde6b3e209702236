package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoGroups says that this process may make no control groups; the text tells why.
var ErrNoGroups = errors.New("no control group was delegated")

const (
	groupMount  = "/sys/fs/cgroup"
	groupOwn    = "veil"        // where this process moves to: a group that has limited groups below it holds no process itself
	groupPrefix = "veil-stage-" // one for each child
	groupEnd    = 2 * time.Second
)

// Groups makes a control group (version 2) with a memory limit for each child. The service manager has to have delegated the
// group of this process, with its memory controller: Delegate=yes in systemd.
type Groups struct {
	dir   string // the delegated group
	limit int64
	fs    groupFS
	made  atomic.Int64
}

// groupFS is what a test replaces: a folder does what the kernel's file system does, but for these.
type groupFS struct {
	mount     string
	self      func() ([]byte, error)     // this process's /proc/self/cgroup
	delegated func(dir string) bool      // the service manager's mark
	mkdir     func(dir string) error     // a group's files are there with it
	write     func(path, s string) error // to a file that is there
}

func kernelFS() groupFS {
	return groupFS{mount: groupMount, self: func() ([]byte, error) { return os.ReadFile("/proc/self/cgroup") }, delegated: marked,
		mkdir: func(dir string) error { return os.Mkdir(dir, 0o755) },
		write: func(path, s string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString(s)
			return errors.Join(err, f.Close())
		}}
}

// marked reports whether systemd says that a group is its service's own, or whether it is the top of what a container sees.
// The machine's own top is nobody's: it alone has no type.
func marked(dir string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		v := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, v); err == nil && string(v[:n]) == "1" {
			return true
		}
	}
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return err == nil && dir == groupMount
}

// OpenGroups prepares the delegated group: this process moves into one below it, so that others can have limits. limit is the
// memory of one child and all that it starts, in bytes. ErrNoGroups says that there is nothing to prepare.
func OpenGroups(limit int64) (*Groups, error) { return openGroups(limit, kernelFS()) }

func openGroups(limit int64, fs groupFS) (*Groups, error) {
	g := &Groups{limit: limit, fs: fs}
	text, err := fs.self()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGroups, err)
	}
	own := ownGroup(text)
	if own == "" {
		return nil, fmt.Errorf("%w: this process is in no group of version 2", ErrNoGroups)
	}
	g.dir = filepath.Join(fs.mount, own)
	controllers, err := os.ReadFile(filepath.Join(g.dir, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("%w: groups of version 2 are not at %s", ErrNoGroups, fs.mount)
	}
	if !slices.Contains(strings.Fields(string(controllers)), "memory") {
		return nil, fmt.Errorf("%w: its memory controller is not there", ErrNoGroups)
	}
	if !fs.delegated(g.dir) {
		return nil, fmt.Errorf("%w by the service manager", ErrNoGroups)
	}
	if err := g.move(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGroups, err)
	}
	g.sweep()
	return g, nil
}

// ownGroup reads the path of a process's group of version 2 below the mount; empty where it has none.
func ownGroup(text []byte) string {
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && strings.HasPrefix(path, "/") {
			return path
		}
	}
	return ""
}

// move takes this process out of the delegated group and hands the memory controller down.
func (g *Groups) move() error {
	below := filepath.Join(g.dir, groupOwn)
	if err := g.fs.mkdir(below); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a group: %w", bare(err))
	}
	if err := g.fs.write(filepath.Join(below, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
		return fmt.Errorf("move into a group: %w", bare(err))
	}
	if err := g.fs.write(filepath.Join(g.dir, "cgroup.subtree_control"), "+memory"); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return errors.New("other processes are in it too")
		}
		return fmt.Errorf("hand the memory controller down: %w", bare(err))
	}
	return nil
}

// sweep removes the groups that an earlier run has left; those in use stay.
func (g *Groups) sweep() {
	left, _ := filepath.Glob(filepath.Join(g.dir, groupPrefix+"*"))
	for _, dir := range left {
		_ = os.Remove(dir)
	}
}

// Group is one child's group. End it.
type Group struct {
	dir  string
	file *os.File
	fs   groupFS
}

// New makes a group for one child. A nil receiver gives nil, which is a child without a group.
func (g *Groups) New() (*Group, error) {
	if g == nil {
		return nil, nil
	}
	dir := filepath.Join(g.dir, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), g.made.Add(1)))
	if err := g.fs.mkdir(dir); err != nil {
		return nil, fmt.Errorf("make control group: %w", bare(err))
	}
	n := &Group{dir: dir, fs: g.fs}
	err := g.fs.write(filepath.Join(dir, "memory.max"), strconv.FormatInt(g.limit, 10))
	if err == nil {
		// The whole tree goes at once: what is left of a stage whose decoder is gone is of no use.
		err = g.fs.write(filepath.Join(dir, "memory.oom.group"), "1")
	}
	if err == nil {
		err = g.fs.write(filepath.Join(dir, "memory.swap.max"), "0")
		if errors.Is(err, os.ErrNotExist) { // a kernel without swap
			err = nil
		}
	}
	if err == nil {
		n.file, err = os.Open(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up control group: %w", bare(err)), os.Remove(dir))
	}
	return n, nil
}

// FD is the group's descriptor, for syscall.SysProcAttr.CgroupFD.
func (n *Group) FD() int { return int(n.file.Fd()) }

// Holds reports whether a process is in the group and the limit is in force.
func (n *Group) Holds(pid int) bool {
	if n == nil {
		return false
	}
	limit, err := os.ReadFile(filepath.Join(n.dir, "memory.max"))
	if err != nil || strings.TrimSpace(string(limit)) == "max" {
		return false
	}
	procs, err := os.ReadFile(filepath.Join(n.dir, "cgroup.procs"))
	return err == nil && slices.Contains(strings.Fields(string(procs)), strconv.Itoa(pid))
}

// Full reports whether the kernel has ended a process of the group for its memory.
func (n *Group) Full() bool {
	if n == nil {
		return false
	}
	events, err := os.ReadFile(filepath.Join(n.dir, "memory.events"))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(events) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == "oom_kill" {
			return string(f[1]) != "0"
		}
	}
	return false
}

// End kills what is left in the group and removes it.
func (n *Group) End() error {
	if n == nil {
		return nil
	}
	_ = n.fs.write(filepath.Join(n.dir, "cgroup.kill"), "1") // not before kernel 5.14: the session is killed besides
	_ = n.file.Close()
	for deadline := time.Now().Add(groupEnd); ; time.Sleep(5 * time.Millisecond) {
		err := os.Remove(n.dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove control group: %w", bare(err))
		}
	}
}

// bare drops the path from a file error.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
