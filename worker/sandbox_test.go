package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/worker/child"
	"veil/worker/sandbox"
)

// nobody is the user without rights that tests run processes as.
const nobody = 65534

// tryOrder is what a process that runs tryMain is asked: run a child in this way, and have it try these things.
type tryOrder struct {
	Mode    string
	Open    bool // leave the parent open to looks
	Aims    sandbox.Tries
	Scratch string
}

// tryAnswer is what came of it.
type tryAnswer struct {
	Report child.Report
	Fault  string
	Leaks  []string
}

// tryMain starts a child that tries what it must not, and prints its report.
func tryMain() {
	var o tryOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		panic(err)
	}
	o.Aims.Parent = os.Getpid()
	i := isolated{child.Runner{Name: "veil", Confine: &child.Confinement{Mode: o.Mode, Open: o.Open, Aims: &o.Aims, Limits: sandbox.Limits{FileSize: 1 << 30, CPU: 100}}}}
	report, err := i.check(context.Background(), pipeline.Config{Scratch: o.Scratch})
	a := tryAnswer{Report: report}
	if err != nil {
		a.Fault = pipeline.AsFailure(err).Code + ": " + err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
}

// containedMain runs a command as a container's default profile does: no namespaces can be made.
func containedMain() {
	runtime.LockOSThread()
	const flags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	eperm := unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	p := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 4, Jf: 0, K: unix.SYS_UNSHARE},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 4, Jf: 0, K: unix.SYS_CLONE3},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 4, K: unix.SYS_CLONE},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 0, Jf: 2, K: flags},
		{Code: unix.BPF_RET | unix.BPF_K, K: eperm},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		panic(errno)
	}
	panic(unix.Exec(os.Args[1], os.Args[2:], os.Environ()))
}

// world is a place that every user can use, with this binary under the name of a program, and things to reach for.
type world struct {
	dir  string
	aims sandbox.Tries
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "veil-world-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{dir: dir}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.copy(t, exe, "veil", 0o755)
	for _, name := range []string{"tryveil", "contained", "fakeveil"} {
		if err := os.Link(w.path("veil"), w.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o777), os.WriteFile(w.path("secret"), []byte("secret"), 0o644), os.Mkdir(w.path("open"), 0o777),
		os.Chmod(w.path("open"), 0o777), os.Chmod(w.path("secret"), 0o644)); err != nil {
		t.Fatal(err)
	}
	w.aims = sandbox.Tries{Outside: w.path("open"), Secret: w.path("secret"), Path: w.path("socket"), Abstract: filepath.Base(dir)}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": w.aims.Path, "unix abstract": "@" + w.aims.Abstract} {
		network, _, _ := strings.Cut(network, " ")
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if network == "tcp" {
			w.aims.TCP = l.Addr().String()
		}
	}
	if err := os.Chmod(w.aims.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) copy(t *testing.T, from, name string, mode os.FileMode) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(w.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Chmod(mode), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// spot is how a process runs: as whom, and whether in something like a container.
type spot struct {
	name      string
	user      uint32
	contained bool
}

// places are all of them that this test run can make.
func places(t *testing.T) []spot {
	t.Helper()
	me := uint32(os.Getuid())
	list := []spot{{"self", me, false}, {"self contained", me, true}}
	if me == 0 {
		list = append(list, spot{"nobody", nobody, false}, spot{"nobody contained", nobody, true})
	} else if os.Getenv("CI") != "" {
		t.Error("the tests of the sandbox need root to be another user")
	}
	return list
}

// command prepares one of the world's programs in a place.
func (w *world) command(t *testing.T, at spot, name string, args ...string) *exec.Cmd {
	t.Helper()
	argv := append([]string{name}, args...)
	path := w.path(name)
	if at.contained {
		argv = append([]string{"contained", path}, argv...)
		path = w.path("contained")
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Args = argv
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + w.path("open"), "VEIL_SCRATCH=" + w.path(fmt.Sprint("scratch-", at.user)),
		"VEIL_S3_SECRET=canary"}
	if at.user != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: at.user, Gid: at.user}}
	}
	return cmd
}

// try runs tryMain in a place.
func (w *world) try(t *testing.T, at spot, o tryOrder) tryAnswer {
	t.Helper()
	o.Aims, o.Scratch = w.aims, w.dir
	in, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := w.command(t, at, "tryveil")
	var out, fault bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), fault.String())
	}
	var a tryAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return a
}

// rootOnly are the tries that the kernel grants to nobody but root, sandbox or not.
var rootOnly = []string{sandbox.TryMount, sandbox.TryBPF, sandbox.TryModule, sandbox.TryKexec, sandbox.TryPerf, sandbox.TryRaw, sandbox.TryFaultfd}

// TestSandboxDenies has a child try everything, in the sandbox and without it: as root and as nobody, with namespaces and
// where they cannot be made. What is denied inside must be possible outside, or the try proves nothing.
func TestSandboxDenies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, at := range places(t) {
		t.Run(at.name, func(t *testing.T) {
			off := w.try(t, at, tryOrder{Mode: child.Off, Open: true})
			for name, came := range off.Report.Tries {
				// Some kernels are built without these.
				built := !slices.Contains([]string{sandbox.TryForeign, sandbox.TryModule, sandbox.TryKexec}, name) || !strings.HasSuffix(came, "not implemented")
				natural := !built || at.user != 0 && slices.Contains(rootOnly, name) ||
					at.contained && slices.Contains([]string{sandbox.TryUnshare, sandbox.TryCloneNS, sandbox.TryClone3}, name)
				if came != "possible" && !natural {
					t.Errorf("without the sandbox, %s is %s", name, came)
				}
			}
			in := w.try(t, at, tryOrder{Mode: child.Required})
			if in.Fault != "" || len(in.Report.Faults) > 0 {
				t.Errorf("required: %s, faults %q", in.Fault, in.Report.Faults)
			}
			for name, came := range in.Report.Tries {
				if !strings.HasPrefix(came, "denied") {
					t.Errorf("in the sandbox, %s is %s", name, came)
				}
			}
			if len(in.Report.Tries) != len(off.Report.Tries) || len(in.Report.Tries) < 34 {
				t.Errorf("%d tries inside, %d outside", len(in.Report.Tries), len(off.Report.Tries))
			}
			w.inForce(t, at, in.Report.InForce)
		})
	}
	if left, _ := os.ReadDir(w.path("open")); len(left) > 0 {
		t.Errorf("the tries left %v", left)
	}
}

// child.InForce checks what a report of the sandbox lists.
func (w *world) inForce(t *testing.T, at spot, list []string) {
	t.Helper()
	want := []string{"no_new_privs", "system call filter", "no sockets", fmt.Sprintf("Landlock %d", sandbox.LandlockVersion()), "hidden parent",
		"empty environment", "no core files", "file size limit", "CPU limit"}
	for _, name := range want {
		if !slices.Contains(list, name) {
			t.Errorf("%q is not in force: %q", name, list)
		}
	}
	for _, name := range []string{"network namespace", "process namespace"} {
		if at.contained && slices.Contains(list, name) {
			t.Errorf("%q is claimed where there can be none", name)
		}
		if !at.contained && !slices.Contains(list, name) && namespacesHere(at) {
			t.Errorf("%q is not in force: %q", name, list)
		}
	}
}

// namespacesHere reports whether a user can make namespaces on this machine, by another program's word.
func namespacesHere(at spot) bool {
	cmd := exec.Command("unshare", "--net", "--pid", "--ipc", "--fork", "true")
	if at.user != 0 {
		cmd = exec.Command("unshare", "--user", "--net", "--pid", "--ipc", "--fork", "true")
	}
	if at.user != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: at.user, Gid: at.user}}
	}
	return cmd.Run() == nil
}

// TestSandboxRequiredRefuses takes one part away: the child is ended before it gets its request.
func TestSandboxRequiredRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := spot{name: "self", user: uint32(os.Getuid())}
	a := w.try(t, at, tryOrder{Mode: child.Required, Open: true})
	if !strings.HasPrefix(a.Fault, "sandbox: ") || !strings.Contains(a.Fault, "the parent is not hidden") {
		t.Errorf("got %q", a.Fault)
	}
	if a := w.try(t, at, tryOrder{Mode: child.Preferred, Open: true}); a.Fault != "" || len(a.Report.Faults) == 0 || slices.Contains(a.Report.InForce, "hidden parent") {
		t.Errorf("preferred: %q, %+v", a.Fault, a.Report)
	}
}
