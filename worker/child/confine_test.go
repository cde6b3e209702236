package child

import (
	"os/exec"
	"strings"
	"testing"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/sandbox"
)

// TestSandboxFaults takes each part away from a report.
func TestSandboxFaults(t *testing.T) {
	whole := func() sandbox.Report {
		return sandbox.Report{NoNewPrivs: true, Filter: true, NoCore: true, Tries: map[string]string{sandbox.TryTCP: "denied: x"}}
	}
	if f := whole().Faults(true); len(f) > 0 {
		t.Errorf("faults %q", f)
	}
	for name, spoil := range map[string]func(*sandbox.Report){
		"no_new_privs": func(r *sandbox.Report) { r.NoNewPrivs = false },
		"filter":       func(r *sandbox.Report) { r.Filter = false },
		"core":         func(r *sandbox.Report) { r.NoCore = false },
		"tcp socket":   func(r *sandbox.Report) { r.Tries[sandbox.TryTCP] = "possible" },
		"tried":        func(r *sandbox.Report) { r.Tries = nil },
		"environment":  func(r *sandbox.Report) { r.Leaks = []string{"VEIL_S3_SECRET"} },
		"broke":        func(r *sandbox.Report) { r.Fault = "it broke" },
	} {
		r := whole()
		spoil(&r)
		if f := r.Faults(true); len(f) != 1 || !strings.Contains(f[0], name) {
			t.Errorf("%s: faults %q", name, f)
		}
		err := (&Confinement{Mode: Required}).judge(started{hidden: true}.read(r))
		if f := pipeline.AsFailure(err); err == nil || f.Code != failure.Sandbox || f.Exit != pipeline.ExitFailed {
			t.Errorf("%s: judged %v", name, err)
		}
		if err := (&Confinement{Mode: Preferred}).judge(started{hidden: true}.read(r)); err != nil {
			t.Errorf("%s: preferred refused: %v", name, err)
		}
	}
	if (*Confinement)(nil).Way() != Required || (&Confinement{}).Way() != Required {
		t.Error("what nobody chose is not the strict way")
	}
}

// TestMemoryIsToldWhereItIsLimited: a limit is in force only where the child was found in its group, and a child that was ended for
// it says so.
func TestMemoryIsToldWhereItIsLimited(t *testing.T) {
	r := sandbox.Report{}
	if got := (started{}).read(r).InForce; strings.Contains(strings.Join(got, ","), "memory limit") {
		t.Errorf("in force without a group: %q", got)
	}
	if got := (started{memory: true}).read(r).InForce; !strings.Contains(strings.Join(got, ","), "memory limit") {
		t.Errorf("not in force: %q", got)
	}
	killed := exec.Command("sh", "-c", "kill -9 $$").Run()
	for full, want := range map[bool]string{true: "more memory than a stage may have: raise --max-memory", false: "ended by a signal"} {
		err := (Runner{}).judge(Call{Stage: "analyze"}, reply{full: full}, killed, &endsBuffer{})
		if f := pipeline.AsFailure(err); err == nil || f.Code != failure.Crashed || !strings.Contains(err.Error(), want) {
			t.Errorf("full %v: %v", full, err)
		}
	}
	for _, c := range []*Confinement{nil, {Mode: Required}, {Mode: Off, Memory: 1 << 30}} {
		if g, err := c.group(); g != nil || err != nil || c.MemoryFault() != nil {
			t.Errorf("%+v: %v, %v, %v", c, g, err, c.MemoryFault())
		}
	}
}
