package child

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"veil/worker/failure"
	"veil/worker/sandbox"
)

// Ways to take the sandbox.
const (
	Required  = "required"  // refuse to work where a part fails
	Preferred = "preferred" // use all that there is
	Off       = "off"       // a child process, and nothing else
)

// Flags are the settings of the sandbox.
type Flags struct {
	Sandbox     string        `group:"settings" enum:",required,preferred,off" default:"" placeholder:"WAY" help:"Isolation of what parses clips: required (refuse to work where a part of it fails; the worker's default), preferred (use what this machine gives; the default elsewhere) or off."`
	MaxFileSize int64         `group:"settings" default:"1099511627776" placeholder:"BYTES" help:"No stage writes a larger file; 0 means no limit, here and below."`
	MaxMemory   int64         `group:"settings" default:"8192" placeholder:"MIB" help:"Memory of all processes of a stage together, where the service manager delegates a control group."`
	MaxCPUTime  time.Duration `name:"max-cpu-time" group:"settings" default:"240h" placeholder:"TIME" help:"No process of a stage computes for longer."`
}

// Confinement says how children are confined. The zero value is the strict one.
type Confinement struct {
	Mode   string
	Limits sandbox.Limits
	Memory int64          // bytes that a stage's processes may have together, where there are control groups; 0: no limit
	Aims   *sandbox.Tries // what a child tries instead of the usual, also where the sandbox is off
	Open   bool           // leave the parent open to looks: a test shows what hiding is worth
}

// Set takes the settings over. A way that nobody chose is left as it is.
func (c *Confinement) Set(f Flags) {
	if c == nil {
		return
	}
	if f.Sandbox != "" {
		c.Mode = f.Sandbox
	}
	c.Memory = f.MaxMemory << 20
	c.Limits = sandbox.Limits{FileSize: uint64(f.MaxFileSize), CPU: uint64(math.Ceil(f.MaxCPUTime.Seconds()))}
}

// Way is the mode in force.
func (c *Confinement) Way() string {
	if c == nil || c.Mode == "" {
		return Required
	}
	return c.Mode
}

// Report is what a child found about its sandbox.
type Report struct {
	Mode    string            `json:"mode"`
	InForce []string          `json:"in_force"`
	Faults  []string          `json:"faults"` // what required asks for and is not there
	Tries   map[string]string `json:"tries,omitempty"`
}

// InForce gathers what was in force in all of one clip's stages.
type InForce struct {
	mu   sync.Mutex
	last *Report
	all  []string
	any  bool
}

// add keeps what this stage and all before it had.
func (f *InForce) add(r Report) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = &r
	if !f.any {
		f.all, f.any = slices.Clone(r.InForce), true
		return
	}
	f.all = slices.DeleteFunc(f.all, func(s string) bool { return !slices.Contains(r.InForce, s) })
}

// Latest gives the report of the last stage, and false where none has come.
func (f *InForce) Latest() (Report, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return Report{}, false
	}
	return *f.last, true
}

// List is what was in force in every stage that ran so far; none for nil.
func (f *InForce) List() []string {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// started says how a child was started: what its parent knows and the child does not.
type started struct {
	landlock   bool
	namespaces bool
	hidden     bool
	memory     bool // its control group holds it, and has a limit
}

// read turns what a child found into what is in force and what is not. Only what the tries confirm counts.
func (s started) read(r sandbox.Report) Report {
	out := Report{InForce: []string{}, Faults: append([]string{}, r.Faults(s.hidden)...), Tries: r.Tries}
	add := func(ok bool, format string, args ...any) {
		if ok {
			out.InForce = append(out.InForce, fmt.Sprintf(format, args...))
		}
	}
	add(r.NoNewPrivs, "no_new_privs")
	add(r.Filter && r.Denied(sandbox.TryConnect, sandbox.TryPtrace), "system call filter")
	add(r.Denied(sandbox.TryTCP, sandbox.TryTCP6, sandbox.TryUDP, sandbox.TryUnix, sandbox.TryAbstract, sandbox.TryNetlink), "no sockets")
	add(s.landlock && r.Denied(sandbox.TryRead, sandbox.TryWrite), "Landlock %d", sandbox.LandlockVersion())
	add(s.namespaces, "network namespace")
	add(s.namespaces && r.First, "process namespace")
	add(s.namespaces && os.Geteuid() != 0, "user namespace")
	add(s.hidden && r.Denied(sandbox.TryEnviron, sandbox.TryMemory), "hidden parent")
	add(len(r.Leaks) == 0, "empty environment")
	add(r.NoCore, "no core files")
	add(r.FileSize > 0, "file size limit")
	add(r.CPU > 0, "CPU limit")
	add(s.memory, "memory limit")
	return out
}

// judge refuses a child whose sandbox has a fault, where the sandbox is required.
func (c *Confinement) judge(r Report) error {
	if c.Way() != Required || len(r.Faults) == 0 {
		return nil
	}
	what := r.Faults
	if len(what) > 3 {
		what = append(slices.Clone(what[:3]), fmt.Sprintf("%d more", len(what)-3))
	}
	return failure.Newf(failure.Sandbox, "see `veil doctor`; --sandbox preferred works with what this machine gives",
		"the sandbox is not complete: %s", strings.Join(what, ", "))
}
