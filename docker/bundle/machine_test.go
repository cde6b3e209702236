//go:build bundle

package bundle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a bare Debian that runs: a root file system, its own systemd, and no network but loopback.
type machine struct {
	t    *testing.T
	root string
	init string // process number of its systemd, as seen from here
}

// cache is where what every rehearsal needs is kept, and where the machines lie: not in /tmp, which may be small.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "veil", "bundle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bareRoot gives the root file system of a bare Debian, from nothing the first time; more are the packages it has besides.
func bareRoot(t *testing.T, name string, more ...string) string {
	t.Helper()
	base := filepath.Join(cache(t), "base-"+name)
	if _, err := os.Stat(base); err != nil {
		t.Logf("debootstrap of %s", name)
		part := base + ".part"
		mustRun(t, ".", "rm", "-rf", part)
		codename := strings.TrimSpace(mustRun(t, ".", "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"))
		args := []string{"--variant=minbase"}
		if len(more) > 0 {
			args = append(args, "--include="+strings.Join(more, ","))
		}
		mustRun(t, ".", "debootstrap", append(args, codename, part, mirror(t))...)
		mustRun(t, ".", "sh", "-c", "rm -f "+part+"/var/cache/apt/archives/*.deb "+part+"/etc/resolv.conf "+part+"/etc/apt/sources.list")
		if err := os.Rename(part, base); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.MkdirTemp(cache(t), "machine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if os.Getenv("REHEARSE_KEEP") == "" {
			mustRun(t, ".", "rm", "-rf", "--one-file-system", root)
		}
	})
	mustRun(t, ".", "cp", "-a", "--reflink=auto", base+"/.", root)
	return root
}

// mirror is where this machine's apt gets Debian from.
func mirror(t *testing.T) string {
	t.Helper()
	if m := os.Getenv("BUNDLE_MIRROR"); m != "" {
		return m
	}
	for line := range strings.Lines(mustRun(t, ".", "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages")) {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(line), "Debian "); ok {
			return uri
		}
	}
	t.Fatal("apt knows no lists of Debian: run apt-get update, or set BUNDLE_MIRROR")
	return ""
}

// boot starts a machine and waits until its systemd says that it runs.
func boot(t *testing.T, root string) *machine {
	t.Helper()
	group := controlGroup(t)
	cmd := exec.Command("./boot.sh", root, group)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Process 1 dies with the process that started it, and everything else with process 1.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	m := &machine{t: t, root: root}
	for range 600 {
		time.Sleep(200 * time.Millisecond)
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		name, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(children)) + "/comm")
		if m.init = strings.TrimSpace(string(children)); strings.TrimSpace(string(name)) != "systemd" {
			continue
		}
		if out, _ := m.try("systemctl is-system-running"); strings.TrimSpace(out) == "running" {
			return m
		}
	}
	out, _ := m.try("systemctl --failed; systemctl list-jobs")
	t.Fatalf("systemd does not come up:\n%s", out)
	return nil
}

// controlGroup makes a group for a machine; it is removed when the machine is gone.
func controlGroup(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if f[2] != "cgroup2" {
			continue
		}
		group, err := os.MkdirTemp(f[1], "veil-rehearsal-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for range 50 {
				_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
				if _, err := os.Stat(group); errors.Is(err, os.ErrNotExist) {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Errorf("control group %s is still in use", group)
		})
		return group
	}
	t.Fatal("no control groups of version 2 are mounted")
	return ""
}

// command prepares a shell command inside, as root in /root with a bare environment.
func (m *machine) command(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", "-t", m.init, "-a", "-r", "-w", "env", "-i", "HOME=/root", "LC_ALL=C",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-c", "cd /root; "+script)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

const commandLimit = 20 * time.Minute

// try runs a command inside and gives both its outputs together, and its exit code.
func (m *machine) try(script string) (string, int) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	out, err := m.command(ctx, script).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out), 0
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	}
	m.t.Fatalf("%s: %v", script, err)
	return "", 0
}

// run runs a command inside that has to succeed.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, code := m.try(script)
	if code != 0 {
		journal, _ := m.try("systemctl --failed --no-legend; journalctl -q --no-pager -n 40")
		m.t.Fatalf("%s: exit %d\n%s\n--- journal\n%s", script, code, out, journal)
	}
	return out
}

// bring copies files into /root.
func (m *machine) bring(files ...string) {
	m.t.Helper()
	mustRun(m.t, ".", "cp", append([]string{"-r", "-t", filepath.Join(m.root, "root")}, files...)...)
}

// isRoot is what all of this needs.
func isRoot(t *testing.T) {
	t.Helper()
	if syscall.Geteuid() != 0 {
		t.Fatal("the rehearsal makes namespaces and root file systems: run it as root")
	}
}
