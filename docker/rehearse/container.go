package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// container is one process tree in a root, as an engine would start it: under runc, with an engine's default filter of system
// calls, its mounts and its namespaces.
type container struct {
	root     string
	args     []string
	env      []string
	cwd      string
	uid, gid uint32
	// sealed is how a service is run: no network but loopback, no capability, no new privileges, and a root that cannot be
	// written. Otherwise it is a step of a build, with this machine's network and the capabilities of Docker's default.
	sealed bool
	mounts []specs.Mount
	out    io.Writer
}

// Capabilities that Docker grants by default.
var granted = []string{"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"}

// bind gives a mount of a file or folder of this machine.
func bind(from, to string, writable bool) specs.Mount {
	options := []string{"rbind", "nosuid", "nodev", "ro"}
	if writable {
		options[3] = "rw"
	}
	return specs.Mount{Type: "bind", Source: from, Destination: to, Options: options}
}

// spec writes the container down for runc.
func (c *container) spec() (*specs.Spec, error) {
	s := &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: c.root, Readonly: c.sealed},
		Process: &specs.Process{
			Args: c.args, Env: c.env, Cwd: c.cwd, User: specs.User{UID: c.uid, GID: c.gid}, NoNewPrivileges: c.sealed,
			Capabilities: &specs.LinuxCapabilities{},
		},
		Hostname: "rehearse",
		Mounts: append([]specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=64m"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=64m"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		}, c.mounts...),
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace}},
			MaskedPaths: []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
				"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	if c.sealed {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	} else {
		p := s.Process.Capabilities
		p.Bounding, p.Permitted, p.Effective = granted, granted, granted
		if c.uid != 0 {
			p.Permitted, p.Effective = nil, nil
		}
	}
	filter, err := seccomp.GetDefaultProfile(s)
	if err != nil {
		return nil, fmt.Errorf("read the default filter: %w", err)
	}
	s.Linux.Seccomp = filter
	return s, nil
}

// run runs it to its end. What it writes goes to c.out; where there is none, its last lines are in the error.
func (c *container) run(ctx context.Context) error {
	r, err := c.start(ctx)
	if err != nil {
		return err
	}
	return r.wait()
}

// running is a container that was started.
type running struct {
	cmd    *exec.Cmd
	id     string
	bundle string
	tail   *bytes.Buffer
}

// start starts it. Ending ctx kills it; wait must be called.
func (c *container) start(ctx context.Context) (*running, error) {
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	bundle, err := os.MkdirTemp("", "rehearse-")
	if err != nil {
		return nil, err
	}
	r := &running{id: "rehearse-" + strings.ToLower(rand.Text()), bundle: bundle, tail: &bytes.Buffer{}}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), b, 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(bundle))
	}
	r.cmd = exec.CommandContext(ctx, "runc", "run", "--bundle", bundle, r.id)
	r.cmd.Cancel = func() error { return exec.Command("runc", "kill", r.id, "KILL").Run() }
	r.cmd.WaitDelay = 10 * time.Second
	out := io.Writer(r.tail)
	if c.out != nil {
		out = io.MultiWriter(c.out, r.tail)
	}
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start runc (Debian package runc): %w", err), os.RemoveAll(bundle))
	}
	return r, nil
}

// exec runs another process in it and gives what it wrote.
func (r *running) exec(ctx context.Context, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, "runc", append([]string{"exec", r.id}, args...)...).CombinedOutput()
}

// signal sends a signal to its process 1.
func (r *running) signal(ctx context.Context, name string) error {
	return exec.CommandContext(ctx, "runc", "kill", r.id, name).Run()
}

// wait waits for its end and leaves nothing of it.
func (r *running) wait() error {
	err := r.cmd.Wait()
	_ = exec.Command("runc", "delete", "--force", r.id).Run() // it is gone already, but where it was killed
	if rest := os.RemoveAll(r.bundle); err == nil {
		err = rest
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(r.tail.Bytes(), 25))
	}
	return nil
}

// lastLines gives the end of what a process wrote, indented.
func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
