package e2e_test

import (
	"bytes"
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

	"veil/models"
)

const (
	// hang is how long a command may take before a test calls it one that hangs.
	hang = 60 * time.Second
	// gone is how long the kernel may take to end the children of a killed process.
	gone = 10 * time.Second
)

// Exit codes as docs/failures.md tells them.
const (
	exitReleased    = 0
	exitFailed      = 1
	exitUsage       = 2
	exitHeld        = 3
	exitVerify      = 4
	exitUnsupported = 5
)

// program is the veil under test, root the folder with go.mod.
var program, root string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

// runAll builds the program and runs the tests. Without weights a laptop skips, CI fails.
func runAll(m *testing.M) int {
	var err error
	if root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := models.Folder(filepath.Join(root, "models", "weights")); err != nil {
		fmt.Fprintln(os.Stderr, "no weights: run `make models`:", err)
		if os.Getenv("CI") != "" {
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "veil-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "veil")
	if out, err := exec.Command("go", "build", "-o", program, "veil/worker").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build veil: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// place is a folder of one test, with a scratch folder of its own. Every process that works for it has the folder's name in
// its arguments or its environment.
type place struct {
	dir     string
	scratch string
	extra   []string // further environment
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	return &place{dir: dir, scratch: filepath.Join(dir, ".scratch")}
}

// path names a file in the place's folder.
func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// command prepares the program, in the place's folder and with no setting from outside.
func (p *place) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = p.dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "VEIL_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "VEIL_MODELS="+filepath.Join(root, "models", "weights"), "VEIL_SCRATCH="+p.scratch)
	cmd.Env = append(cmd.Env, p.extra...)
	cmd.WaitDelay = gone
	return cmd
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
	took     time.Duration
	cpu      time.Duration // of all its processes
}

// veil runs the program to its end.
func (p *place) veil(t *testing.T, args ...string) result {
	t.Helper()
	return p.exec(t, program, args...)
}

// exec runs any command like the program.
func (p *place) exec(t *testing.T, name string, args ...string) result {
	t.Helper()
	return p.within(t, hang, name, args...)
}

// within runs a command that has a time limit of its own.
func (p *place) within(t *testing.T, limit time.Duration, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := p.command(ctx, name, args...)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	start := time.Now()
	err := cmd.Run()
	r := result{out: out.String(), err: fault.String(), took: time.Since(start)}
	if s := cmd.ProcessState; s != nil {
		r.cpu = s.UserTime() + s.SystemTime()
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s %q hangs", filepath.Base(name), args)
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	case err != nil:
		t.Fatalf("%s %q: %v", filepath.Base(name), args, err)
	}
	return r
}

// must runs the program and stops the test unless it ends with the code.
func (p *place) must(t *testing.T, code int, args ...string) result {
	t.Helper()
	r := p.veil(t, args...)
	if r.code != code {
		t.Fatalf("veil %q ended with %d instead of %d\n%s%s", args, r.code, code, r.out, r.err)
	}
	return r
}

// clean fails the test if a process of the place is left, or anything in the scratch folder but its lock.
func (p *place) clean(t *testing.T) {
	t.Helper()
	p.noProcess(t)
	p.emptyScratch(t)
}

// noProcess waits a little for the kernel and then fails the test if a process of the place is left. Zombies do not count:
// whether they go is up to the machine's first process.
func (p *place) noProcess(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(gone)
	for {
		left := p.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range left {
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				t.Errorf("process %s is left: %q", pid, line)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// processes lists the processes whose arguments or environment name the place.
func (p *place) processes() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if filepath.Base(dir) == fmt.Sprint(os.Getpid()) {
			continue
		}
		// Both are empty for a zombie.
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		if bytes.Contains(args, []byte(p.dir)) || bytes.Contains(env, []byte(p.dir)) || strings.HasPrefix(cwd, p.dir) {
			found = append(found, filepath.Base(dir))
		}
	}
	return found
}

// emptyScratch fails the test if the scratch folder holds anything but its empty lock.
func (p *place) emptyScratch(t *testing.T) {
	t.Helper()
	for _, path := range filesBelow(t, p.scratch) {
		info, err := os.Lstat(filepath.Join(p.scratch, path))
		if err == nil && (path != "lock" || info.Size() != 0) {
			t.Errorf("scratch holds %s", path)
		}
	}
}

// setBeside names what lies beside a derivative: its evidence.
func setBeside(derivative string) []string {
	stem := strings.TrimSuffix(derivative, filepath.Ext(derivative))
	var names []string
	for _, ending := range []string{".annex.json", ".log.jsonl", ".manifest.json", ".plan.json", ".report.json"} {
		names = append(names, stem+ending)
	}
	return names
}

// removeSet removes a derivative, if it is there, and its evidence.
func removeSet(t *testing.T, derivative string) {
	t.Helper()
	for _, name := range append(setBeside(derivative), derivative) {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// filesBelow lists everything below a folder but folders, hidden files included; a folder that is missing holds nothing.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if path == dir || d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// oneLine fails the test unless the command failed with its code in one line of words.
func oneLine(t *testing.T, r result, code int) {
	t.Helper()
	if r.code != code {
		t.Errorf("ended with %d instead of %d: %s%s", r.code, code, r.out, r.err)
	}
	if !strings.HasPrefix(r.err, "veil: ") || strings.Count(r.err, "\n") != 1 || !strings.HasSuffix(r.err, "\n") {
		t.Errorf("its words are not one line that begins with \"veil: \": %q", r.err)
	}
	for _, bad := range []string{"goroutine ", "panic", ".go:", "runtime error", "\x1b"} {
		if strings.Contains(r.err+r.out, bad) {
			t.Errorf("a trace of its inside is shown: %q", r.err+r.out)
		}
	}
}

// skip ends a test that this machine cannot run; where CI is set and the machine could be made to, that is a failure.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" && os.Getuid() == 0 {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// signalled reports whether a process ended by a signal, and which.
func signalled(cmd *exec.Cmd) (syscall.Signal, bool) {
	s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !s.Signaled() {
		return 0, false
	}
	return s.Signal(), true
}
