package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// actEnv names what this binary does instead of testing.
const actEnv = "SANDBOX_TEST_ACT"

func TestMain(m *testing.M) {
	act, arg, _ := strings.Cut(os.Getenv(actEnv), " ")
	switch act {
	case "":
		os.Exit(m.Run())
	case "confined", "free":
		if act == "confined" {
			if err := Confine(Limits{}); err != nil {
				fmt.Println(err)
				os.Exit(9)
			}
		}
		fmt.Println(syscall.Exec(arg, []string{arg}, nil))
		os.Exit(9)
	case "core":
		if err := Confine(Limits{FileSize: 1 << 16, CPU: 7}); err != nil {
			fmt.Println(err)
			os.Exit(9)
		}
		r := Look(&Tries{Parent: os.Getppid(), Outside: arg, Secret: arg}, nil)
		fmt.Println(r.NoCore, r.FileSize, r.CPU, r.NoNewPrivs, r.Filter, len(r.Leaks))
	}
}

// act runs this binary as something else, prepared by with.
func act(t *testing.T, what string, with func(*exec.Cmd)) (string, *os.ProcessState) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), actEnv+"="+what)
	if with != nil {
		with(cmd)
	}
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState
}

// TestForeignABIDies runs a program that calls the kernel as a 32-bit one does.
func TestForeignABIDies(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only this machine has two")
	}
	dir := t.TempDir()
	source := `int main(void) {
		long got;
		__asm__ volatile("int $0x80" : "=a"(got) : "a"(20) : "memory");
		return got > 0 ? 3 : 4;
	}`
	program := filepath.Join(dir, "int80")
	if err := os.WriteFile(program+".c", []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-static", "-o", program, program+".c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, state := act(t, "confined "+program, nil)
	if s := state.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGSYS {
		t.Errorf("confined, it ended with %v: %s", state, out)
	}
	if out, state := act(t, "free "+program, nil); state.ExitCode() != 3 {
		t.Logf("this kernel runs no 32-bit calls: free, it ended with %v: %s", state, out)
	}
}

// TestConfineSetsLimits looks at what a process has done to itself.
func TestConfineSetsLimits(t *testing.T) {
	out, _ := act(t, "core "+t.TempDir(), func(c *exec.Cmd) { c.Env = []string{c.Env[len(c.Env)-1]} })
	if want := "true 65536 7 true true 1\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

// TestThreadAllowsWhatItsRulesSay starts programs on a restricted thread, then looks at what this process may still do.
func TestThreadAllowsWhatItsRulesSay(t *testing.T) {
	if LandlockVersion() == 0 {
		t.Fatal("this kernel has no Landlock")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	for _, f := range []string{in, out} {
		if err := os.WriteFile(f, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	rules := append(System(), Rule{shell, Run}, Rule{in, Read}, Rule{out, Write}, Rule{own, Own}, Rule{filepath.Join(dir, "gone"), Write})
	for command, well := range map[string]bool{
		"read x < " + in + "; test $x = text":     true,
		": < " + out:                              true,
		"echo new >> " + out:                      true,
		"echo new > " + own + "/file":             true,
		"echo new >> " + in:                       false,
		"echo new > " + filepath.Join(dir, "new"): false,
		": < /etc/passwd":                         false,
		"/bin/ls /":                               false,
		"cd " + dir + " && echo *":                true, // without the right to list, the pattern stays one
		"kill -0 " + fmt.Sprint(os.Getpid()):      false,
	} {
		if strings.HasPrefix(command, "kill") && LandlockVersion() < 6 {
			continue
		}
		thread, err := NewThread(rules)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", command)
		var state *os.ProcessState
		err = thread.Do(func() error {
			err := cmd.Run()
			state = cmd.ProcessState
			return err
		})
		thread.Close()
		if !thread.Landlock || state == nil || state.Success() != well {
			t.Errorf("%q: %v", command, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Errorf("the process itself is restricted: %v", err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("no_new_privs is %d on another thread, %v", n, err)
	}
}

// TestThreadKeepsOneCapability looks at what root's children may do.
func TestThreadKeepsOneCapability(t *testing.T) {
	thread, err := NewThread(append(System(), Rule{"/proc", Read}, Rule{"/bin/cat", Run}))
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	cmd := exec.Command("/bin/cat", "/proc/self/status")
	var out []byte
	if err := thread.Do(func() (err error) { out, err = cmd.Output(); return err }); err != nil {
		t.Fatal(err)
	}
	want := "0000000000000000"
	if os.Getuid() == 0 {
		want = fmt.Sprintf("%016x", 1<<unix.CAP_DAC_READ_SEARCH)
	}
	for _, set := range []string{"CapPrm", "CapEff"} {
		if !strings.Contains(string(out), set+":\t"+want) {
			t.Errorf("%s is not %s:\n%s", set, want, out)
		}
	}
}

// TestStartGoesOnWithoutNamespaces has the kernel refuse them.
func TestStartGoesOnWithoutNamespaces(t *testing.T) {
	defer withoutNamespaces.Store(false)
	starts := 0
	cmd, namespaces, err := Start(func() *exec.Cmd { return exec.Command("/bin/true") }, func(c *exec.Cmd) error {
		starts++
		if c.SysProcAttr != nil && c.SysProcAttr.Cloneflags != 0 {
			return &os.PathError{Op: "fork/exec", Err: unix.EPERM}
		}
		return c.Start()
	})
	if err != nil || namespaces || starts != 2 {
		t.Fatal(namespaces, starts, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if Namespaces() != 0 {
		t.Error("they are tried again")
	}
	other := errors.New("something else")
	withoutNamespaces.Store(false)
	if _, _, err := Start(func() *exec.Cmd { return exec.Command("/bin/true") }, func(*exec.Cmd) error { return other }); !errors.Is(err, other) {
		t.Errorf("got %v", err)
	}
}

// TestProgramFits holds the filter to what the kernel takes, and every jump to the inside.
func TestProgramFits(t *testing.T) {
	for _, parent := range []int{0, 1234} {
		p := program(parent)
		if len(p) > 4096 {
			t.Errorf("%d instructions", len(p))
		}
		for i, f := range p {
			if f.Code&0x7 == unix.BPF_JMP && i+1+int(max(f.Jt, f.Jf)) >= len(p) {
				t.Errorf("instruction %d jumps out", i)
			}
		}
	}
}
