package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets into the kernel's struct seccomp_data; arguments are eight bytes each, the low half first on both machines.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

const (
	retAllow = unix.SECCOMP_RET_ALLOW
	retKill  = unix.SECCOMP_RET_KILL_PROCESS
	// Denials are errors, not deaths: programs that probe for a call and do without go on, and the child can try each one
	// and tell. What runs under another machine's ABI never does so by accident and dies.
	retPerm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retNoCall = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// namespaceFlags are the flags of clone that make a namespace.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

// absent calls do not exist for the child: the C library then uses an older one whose arguments the filter can read.
var absent = []uint32{unix.SYS_CLONE3, unix.SYS_OPENAT2}

// denied calls fail whatever their arguments are; deniedHere holds the ones that only this machine has.
var denied = []uint32{
	// network
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	// other processes
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
	unix.SYS_KCMP, unix.SYS_PIDFD_GETFD, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES, unix.SYS_TKILL,
	// what processes share by number
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMCTL, unix.SYS_SEMTIMEDOP,
	unix.SYS_MSGGET, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MSGCTL, unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK,
	// namespaces and mounts
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_TREE,
	unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	// wide doors into the kernel
	unix.SYS_BPF, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_LOOKUP_DCOOKIE,
	unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_REBOOT, unix.SYS_VHANGUP, unix.SYS_PERSONALITY, unix.SYS_NFSSERVCTL,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_ADJTIMEX,
	// files beyond what Landlock looks at: lengths (before its third version), owners, modes, times, attributes
	unix.SYS_TRUNCATE, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	// names that appear in folders whose contents must not be read
	unix.SYS_INOTIFY_INIT1, unix.SYS_INOTIFY_ADD_WATCH,
	// a way out of the session by which the parent finds the tree
	unix.SYS_SETSID,
}

// condition holds when an argument's low half, masked, is a value; or when it is not, where not is set.
type condition struct {
	arg         int
	mask, value uint32
	not         bool
}

// guarded is a call that fails when all its conditions hold.
type guarded struct {
	call uint32
	when []condition
}

// allBits compares a whole half.
const allBits = ^uint32(0)

// privateMode is the only mode that a child may give to an open file: its owner's.
const privateMode = 0o600

// guards are the calls whose arguments decide. parent is the parent's process number where the child can see it, else 0.
func guards(parent int) []guarded {
	onlyTruncates := func(call uint32, arg int) guarded {
		return guarded{call, []condition{{arg: arg, mask: unix.O_ACCMODE | unix.O_TRUNC, value: unix.O_TRUNC}}}
	}
	list := []guarded{
		{unix.SYS_CLONE, []condition{{arg: 0, mask: namespaceFlags, value: 0, not: true}}},
		// The terminal's input and the console.
		{unix.SYS_IOCTL, []condition{{arg: 1, mask: allBits, value: unix.TIOCSTI}}},
		{unix.SYS_IOCTL, []condition{{arg: 1, mask: allBits, value: unix.TIOCLINUX}}},
		// A child that dies with its parent stays one.
		{unix.SYS_PRCTL, []condition{{arg: 0, mask: allBits, value: unix.PR_SET_PDEATHSIG}, {arg: 1, mask: allBits, value: uint32(unix.SIGKILL), not: true}}},
		{unix.SYS_PRLIMIT64, []condition{{arg: 0, mask: allBits, value: 0, not: true}}},
		{unix.SYS_FCHMOD, []condition{{arg: 1, mask: allBits, value: privateMode, not: true}}},
		// Opening a file for reading only can still empty it.
		onlyTruncates(unix.SYS_OPENAT, 2),
	}
	if openCall != 0 {
		list = append(list, onlyTruncates(openCall, 1))
	}
	if parent != 0 {
		for _, call := range []uint32{unix.SYS_KILL, unix.SYS_TGKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_PIDFD_OPEN} {
			list = append(list, guarded{call, []condition{{arg: 0, mask: allBits, value: uint32(parent)}}})
		}
		group, err := unix.Getpgid(parent)
		if err != nil {
			group = parent
		}
		for _, target := range []int{-1, -group} {
			list = append(list, guarded{unix.SYS_KILL, []condition{{arg: 0, mask: allBits, value: uint32(target)}}})
		}
	}
	return list
}

// program is the filter: what is not named is allowed.
func program(parent int) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(code uint16, k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | code | unix.BPF_K, Jt: uint8(yes), Jf: uint8(no), K: k}
	}
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }

	p := []unix.SockFilter{load(offsetArch), jump(unix.BPF_JEQ, nativeArch, 1, 0), ret(retKill), load(offsetNumber)}
	if foreignBit != 0 {
		p = append(p, jump(unix.BPF_JGE, foreignBit, 0, 1), ret(retPerm))
	}
	plain := func(calls []uint32, action uint32) {
		for _, c := range calls {
			p = append(p, jump(unix.BPF_JEQ, c, 0, 1), ret(action))
		}
	}
	plain(denied, retPerm)
	plain(deniedHere, retPerm)
	plain(absent, retNoCall)
	for _, g := range guards(parent) {
		// Per condition: load, mask, compare. After them the denial, then the number again for the next call.
		body := 3*len(g.when) + 2
		p = append(p, jump(unix.BPF_JEQ, g.call, 0, body))
		for i, c := range g.when {
			left := body - 3*(i+1) - 1 // to the reload of the number
			yes, no := 0, left
			if c.not {
				yes, no = left, 0
			}
			p = append(p, load(offsetArgs+8*uint32(c.arg)),
				unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask}, jump(unix.BPF_JEQ, c.value, yes, no))
		}
		p = append(p, ret(retPerm), load(offsetNumber))
	}
	return append(p, ret(retAllow))
}

// filterAll puts every thread of this process under the filter, for good.
func filterAll(parent int) error {
	p := program(parent)
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	odd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("set system call filter: %w", errno)
	}
	if odd != 0 {
		return fmt.Errorf("set system call filter: thread %d stays without", odd)
	}
	return nil
}
