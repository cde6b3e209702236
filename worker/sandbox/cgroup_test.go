package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeGroups is a folder that does what the kernel's control groups do: a group comes with its files, and cannot hand a
// controller down while it holds a process.
type fakeGroups struct {
	t     *testing.T
	mount string
	self  string // /proc/self/cgroup
}

const fakeUnit = "/system.slice/veil.service"

func newFakeGroups(t *testing.T) *fakeGroups {
	f := &fakeGroups{t: t, mount: t.TempDir(), self: "1:name=systemd:/x\n0::" + fakeUnit + "\n"}
	if err := os.Mkdir(filepath.Join(f.mount, "system.slice"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.mkdir(f.path("")); err != nil {
		t.Fatal(err)
	}
	f.put("cgroup.procs", strconv.Itoa(os.Getpid())+"\n")
	return f
}

func (f *fakeGroups) path(name string) string { return filepath.Join(f.mount, fakeUnit, name) }

func (f *fakeGroups) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeGroups) get(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (f *fakeGroups) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "",
		"cgroup.kill": "", "memory.max": "max\n", "memory.oom.group": "0\n", "memory.swap.max": "max\n", "memory.events": "oom 0\noom_kill 0\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeGroups) write(path, s string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	switch filepath.Base(path) {
	case "cgroup.procs": // a process is in one group only
		others, _ := filepath.Glob(f.path("cgroup.procs"))
		for _, o := range others {
			b, err := os.ReadFile(o)
			if err != nil {
				return err
			}
			left := slices.DeleteFunc(strings.Fields(string(b)), func(p string) bool { return p == s })
			if err := os.WriteFile(o, []byte(strings.Join(left, "\n")), 0o644); err != nil {
				return err
			}
		}
	case "cgroup.subtree_control":
		if b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cgroup.procs")); err != nil || len(strings.TrimSpace(string(b))) > 0 {
			return &os.PathError{Op: "write", Path: path, Err: unix.EBUSY}
		}
	case "cgroup.kill": // nothing is left in it, and so its files go with the folder
		return os.RemoveAll(filepath.Dir(path))
	}
	return os.WriteFile(path, []byte(s+"\n"), 0o644)
}

func (f *fakeGroups) fs(delegated bool) groupFS {
	return groupFS{mount: f.mount, self: func() ([]byte, error) { return []byte(f.self), nil },
		delegated: func(dir string) bool { return delegated && dir == f.path("") }, mkdir: f.mkdir, write: f.write}
}

func TestGroupHasTheLimit(t *testing.T) {
	f := newFakeGroups(t)
	left := f.path(groupPrefix + "7-1")
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	g, err := openGroups(3<<30, f.fs(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group of an earlier run is left: %v", err)
	}
	if f.get("cgroup.subtree_control") != "+memory" || f.get("cgroup.procs") != "" || f.get("veil/cgroup.procs") != strconv.Itoa(os.Getpid()) {
		t.Errorf("not moved: %q, %q, %q", f.get("cgroup.subtree_control"), f.get("cgroup.procs"), f.get("veil/cgroup.procs"))
	}
	a, err := g.New()
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.New()
	if err != nil {
		t.Fatal(err)
	}
	if a.dir == b.dir || a.FD() <= 2 {
		t.Errorf("%s and %s, descriptor %d", a.dir, b.dir, a.FD())
	}
	name := filepath.Base(a.dir)
	if f.get(name+"/memory.max") != "3221225472" || f.get(name+"/memory.oom.group") != "1" || f.get(name+"/memory.swap.max") != "0" {
		t.Errorf("limits: %q, %q, %q", f.get(name+"/memory.max"), f.get(name+"/memory.oom.group"), f.get(name+"/memory.swap.max"))
	}
	if a.Holds(4711) || a.Full() {
		t.Error("an empty group holds a process or is full")
	}
	f.put(name+"/cgroup.procs", "12\n4711\n")
	f.put(name+"/memory.events", "oom 1\noom_kill 3\n")
	if !a.Holds(4711) || a.Holds(471) || !a.Full() {
		t.Error("the group does not hold its process, holds another, or is not full")
	}
	f.put(name+"/memory.max", "max\n")
	if a.Holds(4711) {
		t.Error("a group without a limit counts")
	}
	for _, n := range []*Group{a, b} {
		if err := n.End(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(n.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", n.dir, err)
		}
	}
}

func TestNoGroups(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fakeGroups)
		not   bool // delegated
		says  string
	}{
		"not delegated":     {func(*fakeGroups) {}, true, "by the service manager"},
		"version 1 only":    {func(f *fakeGroups) { f.self = "4:memory:/x\n" }, false, "in no group of version 2"},
		"mixed hierarchies": {func(f *fakeGroups) { f.self = "4:memory:/x\n0::/\n" }, false, "are not at"},
		"no controller":     {func(f *fakeGroups) { f.put("cgroup.controllers", "cpu pids\n") }, false, "memory controller"},
		"others are in it":  {func(f *fakeGroups) { f.put("cgroup.procs", "1\n") }, false, "other processes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeGroups(t)
			c.spoil(f)
			g, err := openGroups(1<<30, f.fs(!c.not))
			if g != nil || !errors.Is(err, ErrNoGroups) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// A child without a group is no error anywhere.
func TestNilGroup(t *testing.T) {
	var g *Groups
	n, err := g.New()
	if n != nil || err != nil {
		t.Fatalf("%v, %v", n, err)
	}
	if n.Holds(1) || n.Full() || n.End() != nil {
		t.Error("no group holds, is full or cannot be ended")
	}
}
