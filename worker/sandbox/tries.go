package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Tries names what a child aims at when it tries what it must not be able to do. Every one of them is harmless where it
// succeeds: sockets are closed again, the file is removed, signals are number 0, and calls get arguments that the kernel
// refuses after it has looked whether the call is allowed.
type Tries struct {
	Parent  int    `json:"parent"`  // process number of the parent
	Outside string `json:"outside"` // a folder in which the child could make files but must not
	Secret  string `json:"secret"`  // a file that the child could read but must not

	TCP      string `json:"tcp,omitempty"`      // IPv4 address and port that answers, "" to stop at the socket
	Path     string `json:"path,omitempty"`     // a unix socket that answers
	Abstract string `json:"abstract,omitempty"` // the name of an abstract one
}

// Names of tries that the judgement looks at.
const (
	TryTCP       = "tcp socket"
	TryTCP6      = "tcp6 socket"
	TryUDP       = "udp socket"
	TryUnix      = "unix socket"
	TryAbstract  = "abstract unix socket"
	TryNetlink   = "netlink socket"
	TryRaw       = "packet socket"
	TryPair      = "socket pair"
	TryConnect   = "connect"
	TryUring     = "io_uring"
	TryPtrace    = "ptrace"
	TryVMRead    = "process_vm_readv"
	TryVMWrite   = "process_vm_writev"
	TryUnshare   = "unshare"
	TrySetns     = "setns"
	TryCloneNS   = "clone with namespaces"
	TryClone3    = "clone3"
	TryMount     = "mount"
	TryBPF       = "bpf"
	TryKeys      = "keyctl"
	TryPerf      = "perf_event_open"
	TryFaultfd   = "userfaultfd"
	TryModule    = "kernel module"
	TryKexec     = "kexec"
	TryForeign   = "x32 call"
	TryEnviron   = "environment of the parent"
	TryMemory    = "memory of the parent"
	TrySignal    = "signal to the parent"
	TryLimits    = "limits of the parent"
	TryWrite     = "file outside"
	TryRead      = "file that is not allowed"
	TryEmpty     = "emptying what may only be read"
	TryMode      = "mode of a file"
	TryDeathless = "surviving the parent"
)

// refused are the errors by which the kernel says no, rather than that the arguments are wrong.
var refused = []error{unix.EPERM, unix.EACCES, unix.ENOSYS}

// outcome words what a try came to: "denied: ..." or "possible".
func outcome(err error) string {
	for _, r := range refused {
		if errors.Is(err, r) {
			return "denied: " + r.Error()
		}
	}
	return "possible"
}

// Run tries everything and tells what each came to.
func (t *Tries) Run() map[string]string {
	told := map[string]string{}
	for name, try := range map[string]func() error{
		TryTCP: t.tcp, TryUnix: t.unixPath, TryAbstract: t.unixAbstract,
		TryTCP6:    func() error { return open(unix.AF_INET6, unix.SOCK_STREAM, 0) },
		TryUDP:     func() error { return open(unix.AF_INET, unix.SOCK_DGRAM, 0) },
		TryNetlink: func() error { return open(unix.AF_NETLINK, unix.SOCK_RAW, 0) },
		TryRaw:     func() error { return open(unix.AF_PACKET, unix.SOCK_RAW, 0) },
		TryPair:    pair,
		TryConnect: func() error { return call(unix.SYS_CONNECT, badFD, 0, 0) },
		TryUring:   func() error { return call(unix.SYS_IO_URING_SETUP, 0, 0, 0) },
		// Nobody has process number -1: the kernel looks for it only after the filter.
		TryPtrace:  func() error { return call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, badFD, 0) },
		TryVMRead:  func() error { return call(unix.SYS_PROCESS_VM_READV, badFD, 0, 0) },
		TryVMWrite: func() error { return call(unix.SYS_PROCESS_VM_WRITEV, badFD, 0, 0) },
		// A process with several threads cannot make a user namespace, and threads do not leave theirs.
		TryUnshare: func() error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_THREAD, 0, 0) },
		TrySetns:   func() error { return call(unix.SYS_SETNS, badFD, 0, 0) },
		TryCloneNS: func() error { return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_THREAD, 0, 0) },
		TryClone3:  func() error { return call(unix.SYS_CLONE3, 0, 0, 0) },
		TryMount:   func() error { return call(unix.SYS_MOUNT, 0, 0, 0) },
		TryBPF:     func() error { return call(unix.SYS_BPF, badFD, 0, 0) },
		TryKeys:    func() error { return call(unix.SYS_ADD_KEY, 0, 0, 0) },
		TryPerf:    func() error { return call(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0) },
		TryFaultfd: func() error { return call(unix.SYS_USERFAULTFD, badFD, 0, 0) },
		TryModule:  func() error { return call(unix.SYS_FINIT_MODULE, badFD, 0, badFD) },
		TryKexec:   func() error { return call(unix.SYS_KEXEC_LOAD, 0, badFD, 0) },
		TryForeign: foreign,
		TryEnviron: func() error { return t.look("environ") },
		TryMemory:  func() error { return t.look("mem") },
		TrySignal:  t.signal,
		TryLimits:  t.limits,
		TryWrite:   t.write,
		TryRead:    func() error { return read(t.Secret) },
		TryEmpty:   empty,
		TryMode:    func() error { return unix.Fchmodat(unix.AT_FDCWD, nowhere, 0o777, 0) },
		TryDeathless: func() error {
			return unix.Prctl(unix.PR_SET_PDEATHSIG, badFD, 0, 0, 0) // no such signal
		},
	} {
		told[name] = outcome(try())
	}
	return told
}

const (
	// badFD is no descriptor, no process and no flag.
	badFD = ^uintptr(0) >> 1
	// nowhere is a file that is not there.
	nowhere = "/nowhere/veil"
)

// call makes a system call with three arguments, and nothing in the others.
func call(number, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall6(number, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// open makes a socket and closes it.
func open(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func pair() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Close(fds[0]), unix.Close(fds[1]))
}

// reach makes a socket and connects it, unless to is nil.
func reach(family int, to unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if to == nil {
		return nil
	}
	return unix.Connect(fd, to)
}

func (t *Tries) tcp() error {
	to := &unix.SockaddrInet4{}
	n, err := fmt.Sscanf(t.TCP, "%d.%d.%d.%d:%d", &to.Addr[0], &to.Addr[1], &to.Addr[2], &to.Addr[3], &to.Port)
	if err != nil || n != 5 {
		return reach(unix.AF_INET, nil)
	}
	return reach(unix.AF_INET, to)
}

func (t *Tries) unixPath() error {
	if t.Path == "" {
		return reach(unix.AF_UNIX, nil)
	}
	return reach(unix.AF_UNIX, &unix.SockaddrUnix{Name: t.Path})
}

func (t *Tries) unixAbstract() error {
	if t.Abstract == "" {
		return reach(unix.AF_UNIX, nil)
	}
	return reach(unix.AF_UNIX, &unix.SockaddrUnix{Name: "@" + t.Abstract})
}

// look opens something of the parent's under /proc and reads a byte.
func (t *Tries) look(what string) error {
	err := read(fmt.Sprintf("/proc/%d/%s", t.Parent, what))
	// Nothing is mapped where memory begins: being allowed to open it is what counts.
	if errors.Is(err, unix.EIO) {
		return nil
	}
	return err
}

// read reads the first byte of a file.
func read(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return unix.EACCES // not even to be seen
		}
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, make([]byte, 1))
	return err
}

// signal asks whether the parent could be sent one.
func (t *Tries) signal() error {
	if unix.Getppid() != t.Parent {
		return unix.EPERM // in another namespace: the number means somebody else, or nobody
	}
	return unix.Kill(t.Parent, 0)
}

// limits reads the parent's, which is the right to set them too.
func (t *Tries) limits() error {
	if unix.Getppid() != t.Parent {
		return unix.EPERM
	}
	return unix.Prlimit(t.Parent, unix.RLIMIT_NOFILE, nil, &unix.Rlimit{})
}

// write makes a file and removes it. Where there is no such folder, or nobody can write, there is nothing to deny.
func (t *Tries) write() error {
	path := filepath.Join(t.Outside, ".veil-try-"+rand.Text())
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EROFS) {
		return unix.EACCES
	}
	if err != nil {
		return err
	}
	return errors.Join(unix.Unlink(path), unix.Close(fd))
}

// empty opens a file as one does who only reads, and cuts it off.
func empty() error {
	_, err := unix.Open(nowhere, unix.O_RDONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	return err
}

// foreign makes a call by the numbers of the x32 ABI.
func foreign() error {
	if foreignBit == 0 {
		return unix.ENOSYS
	}
	return call(foreignBit|unix.SYS_GETPID, 0, 0, 0)
}

// Report is what a child found when it looked at itself and tried what it must not.
type Report struct {
	Tries      map[string]string `json:"tries"` // by name: "denied: ..." or "possible"
	NoNewPrivs bool              `json:"no_new_privs"`
	Filter     bool              `json:"filter"` // a system call filter is in force
	NoCore     bool              `json:"no_core"`
	First      bool              `json:"first"`               // the child is the first process of its namespace
	Leaks      []string          `json:"leaks,omitempty"`     // names in the environment that should not be there
	FileSize   uint64            `json:"file_size,omitempty"` // the limits in force; 0 means none
	CPU        uint64            `json:"cpu,omitempty"`
	Fault      string            `json:"fault,omitempty"` // why something could not be set up
}

// Look tries everything and tells what is in force. environment lists the names that may stand in the environment.
func Look(t *Tries, environment []string) Report {
	r := Report{Tries: t.Run(), First: unix.Getppid() == 0}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil {
		r.NoNewPrivs = n == 1
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err == nil {
		r.Filter = n == unix.SECCOMP_MODE_FILTER
	}
	var core unix.Rlimit
	r.NoCore = unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil && core.Max == 0
	r.FileSize, r.CPU = limit(unix.RLIMIT_FSIZE), limit(unix.RLIMIT_CPU)
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !slices.Contains(environment, name) {
			r.Leaks = append(r.Leaks, name)
		}
	}
	return r
}

// limit is the hard limit, 0 for none.
func limit(what int) uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(what, &l) != nil || l.Max == unix.RLIM_INFINITY {
		return 0
	}
	return l.Max
}

// Denied reports whether every one of the tries was made and refused.
func (r Report) Denied(names ...string) bool {
	for _, n := range names {
		if !strings.HasPrefix(r.Tries[n], "denied") {
			return false
		}
	}
	return true
}

// Possible lists the tries that succeeded, in order.
func (r Report) Possible() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(r.Tries)) {
		if !r.Denied(n) {
			names = append(names, n)
		}
	}
	return names
}

// Faults lists what the child could do and must not, in words; none means that all that is required is in force. Where the
// parent does not hide itself, landlock alone keeps its memory, so hidden is the caller's to say.
func (r Report) Faults(hidden bool) []string {
	var faults []string
	if !r.NoNewPrivs {
		faults = append(faults, "no_new_privs is not set")
	}
	if !r.Filter {
		faults = append(faults, "there is no system call filter")
	}
	if !r.NoCore {
		faults = append(faults, "core files are allowed")
	}
	if !hidden {
		faults = append(faults, "the parent is not hidden")
	}
	if r.Fault != "" {
		faults = append(faults, r.Fault)
	}
	if len(r.Tries) == 0 {
		faults = append(faults, "nothing was tried")
	}
	if len(r.Leaks) > 0 {
		faults = append(faults, "the environment holds more than it should")
	}
	for _, name := range r.Possible() {
		faults = append(faults, name+" is possible")
	}
	return faults
}
