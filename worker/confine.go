package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/sandbox"
)

// Ways to take the sandbox.
const (
	sandboxRequired  = "required"  // refuse to work where a part fails
	sandboxPreferred = "preferred" // use all that there is
	sandboxOff       = "off"       // a child process, and nothing else
)

// sandboxFlags are the settings of the sandbox.
type sandboxFlags struct {
	Sandbox     string        `group:"settings" enum:",required,preferred,off" default:"" placeholder:"WAY" help:"Isolation of what parses clips: required (refuse to work where a part of it fails; the worker's default), preferred (use what this machine gives; the default elsewhere) or off."`
	MaxFileSize int64         `group:"settings" default:"1099511627776" placeholder:"BYTES" help:"No stage writes a larger file; 0 means no limit, here and below."`
	MaxCPUTime  time.Duration `name:"max-cpu-time" group:"settings" default:"240h" placeholder:"TIME" help:"No process of a stage computes for longer."`
}

// Validate refuses settings that no machine can keep; kong calls it.
func (g *grammar) Validate() error {
	if g.MaxFileSize < 0 || g.MaxCPUTime < 0 {
		return errors.New("limits of the sandbox are 0 or more")
	}
	return g.settings.Validate()
}

// confinement says how children are confined. The zero value is the strict one.
type confinement struct {
	mode   string
	limits sandbox.Limits
	aims   *sandbox.Tries // what a child tries instead of the usual, also where the sandbox is off
}

// set takes the settings over. A way that nobody chose is left as it is.
func (c *confinement) set(f sandboxFlags) {
	if c == nil {
		return
	}
	if f.Sandbox != "" {
		c.mode = f.Sandbox
	}
	c.limits = sandbox.Limits{FileSize: uint64(f.MaxFileSize), CPU: uint64(math.Ceil(f.MaxCPUTime.Seconds()))}
}

// way is the mode in force.
func (c *confinement) way() string {
	if c == nil || c.mode == "" {
		return sandboxRequired
	}
	return c.mode
}

// sandboxByDefault makes required the way of this command, unless the settings name another. A daemon calls it before
// checkSandbox.
func (a *app) sandboxByDefault() {
	if a.sandbox.Sandbox == "" && a.engine.confine != nil {
		a.engine.confine.mode = sandboxRequired
	}
}

// sandboxReport is what a child found about its sandbox.
type sandboxReport struct {
	Mode    string            `json:"mode"`
	InForce []string          `json:"in_force"`
	Faults  []string          `json:"faults"` // what required asks for and is not there
	Tries   map[string]string `json:"tries,omitempty"`
}

// checkSandbox starts a child that does nothing but try what it must not, and gives what it found. Under required a fault is
// an error. A daemon calls it before it takes work; each stage is judged again in the same way before it gets its request.
func (a *app) checkSandbox(ctx context.Context, c pipeline.Config) (sandboxReport, error) {
	return isolated{log: a.CrashLog, confine: a.engine.confine}.check(ctx, c)
}

// nothingRequest asks a child for nothing but its report.
type nothingRequest struct {
	Config pipeline.Config `json:"config"`
}

// check runs the child that does nothing.
func (i isolated) check(ctx context.Context, c pipeline.Config) (sandboxReport, error) {
	var report sandboxReport
	i.force = &inForce{}
	var res struct{}
	err := i.run(ctx, call{stage: "nothing", request: nothingRequest{Config: c}, result: &res})
	if i.force.last != nil {
		report = *i.force.last
	}
	report.Mode = i.confine.way()
	return report, err
}

// inForce gathers what was in force in all of one clip's stages.
type inForce struct {
	mu   sync.Mutex
	last *sandboxReport
	all  []string
	any  bool
}

// add keeps what this stage and all before it had.
func (f *inForce) add(r sandboxReport) {
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

// Sandbox lists what was in force in every stage that ran so far; the pipeline writes it into the report.
func (i isolated) Sandbox() []string {
	if i.force == nil {
		return nil
	}
	i.force.mu.Lock()
	defer i.force.mu.Unlock()
	return slices.Clone(i.force.all)
}

// started says how a child was started: what its parent knows and the child does not.
type started struct {
	landlock   bool
	namespaces bool
	hidden     bool
}

// read turns what a child found into what is in force and what is not. Only what the tries confirm counts.
func (s started) read(r sandbox.Report) sandboxReport {
	out := sandboxReport{InForce: []string{}, Faults: append([]string{}, r.Faults(s.hidden)...), Tries: r.Tries}
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
	return out
}

// judge refuses a child whose sandbox has a fault, where the sandbox is required.
func (c *confinement) judge(r sandboxReport) error {
	if c.way() != sandboxRequired || len(r.Faults) == 0 {
		return nil
	}
	what := r.Faults
	if len(what) > 3 {
		what = append(slices.Clone(what[:3]), fmt.Sprintf("%d more", len(what)-3))
	}
	return failure.Newf(failure.Sandbox, "see `veil doctor`; --sandbox preferred works with what this machine gives",
		"the sandbox is not complete: %s", strings.Join(what, ", "))
}
