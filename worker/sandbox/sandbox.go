// Package sandbox takes from a child process what it does not need, before it reads a byte that came from outside.
//
// It owns the thread on which such a child is started (no_new_privs, capabilities, Landlock, namespaces), what the child
// takes from itself while it is still trusted (limits, the system call filter), and the tries that judge the result: a child
// reports what it could not do, not what was asked for. It knows no pipeline, no stage and no setting; it starts nothing by
// itself, and keeps no state but what it learned of this kernel.
package sandbox

import (
	"path/filepath"
)

// Access says what a rule allows below its path.
type Access int

// Kinds of access. All include what comes before Run's line in the list only where they say so.
const (
	Read  Access = iota // read files, list folders
	Run                 // read and execute one file
	Write               // read, write and truncate one file that is there
	Own                 // everything below a folder: make, write, rename, remove
)

// Rule allows one kind of access to a file, or to a folder and all that is below it. A path that is not there is left out.
type Rule struct {
	Path   string
	Access Access
}

// System is what every program needs: shared libraries, their loader, and facts about the machine. None of it tells about a
// user or another process.
func System() []Rule {
	var rules []Rule
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.conf",
		"/etc/ld.so.conf.d", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm/overcommit_memory",
		"/proc/sys/crypto", "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage",
		"/dev/urandom", "/dev/random", "/dev/zero"} {
		rules = append(rules, Rule{dir, Read})
	}
	for _, pattern := range []string{"/lib64/ld-linux*.so.*", "/lib/ld-linux*.so.*", "/lib/*/ld-linux*.so.*"} {
		loaders, _ := filepath.Glob(pattern)
		for _, l := range loaders {
			rules = append(rules, Rule{l, Run})
		}
	}
	return append(rules, Rule{"/dev/null", Write})
}

// Limits are a child's own.
type Limits struct {
	FileSize uint64 `json:"file_size"` // bytes of one file; 0 means none
	CPU      uint64 `json:"cpu"`       // seconds of one process; 0 means none
}

// Orders is what a child is told before its work: what to take from itself, and what to try.
type Orders struct {
	Confine bool   `json:"confine"`
	Limits  Limits `json:"limits"`
	Try     *Tries `json:"try,omitempty"` // nil: try nothing
}
