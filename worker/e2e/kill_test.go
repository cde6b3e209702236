package e2e_test

import (
	"bytes"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// shot is a run of the program that is ended from outside.
type shot struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

// shoot starts the program, sends it a signal after some time, and waits for its end.
func (p *place) shoot(t *testing.T, sig syscall.Signal, after time.Duration, args ...string) *shot {
	t.Helper()
	s := &shot{cmd: p.command(t.Context(), program, args...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.err
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = s.cmd.Process.Signal(sig) })
	defer timer.Stop()
	_ = s.cmd.Wait()
	return s
}

// wholeOrNothing fails the test if the output is there and is not what an undisturbed run makes.
func wholeOrNothing(t *testing.T, out string, whole []byte) (there bool) {
	t.Helper()
	b, err := os.ReadFile(out)
	if err != nil {
		return false
	}
	if !bytes.Equal(b, whole) {
		t.Errorf("%d bytes lie under the final name, a whole derivative has %d", len(b), len(whole))
	}
	return true
}

// measured redacts the clip once, undisturbed, and gives the derivative's bytes and the time it took.
func (p *place) measured(t *testing.T, args []string, out string) ([]byte, time.Duration) {
	t.Helper()
	r := p.must(t, exitReleased, args...)
	b := read(t, out)
	removeSet(t, out)
	return b, r.took
}

// TestKilledLeavesNothing kills the program at twenty moments of a run: no process stays, nothing but a whole derivative ever
// lies under the final name, and the next start removes all that is left on disk (R10, R23).
func TestKilledLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	out := filepath.Join(p.dir, "out", "clip.mp4")
	if err := os.Mkdir(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	simpleClip(t, p.path("clip.mp4"), 30, oneFace)
	write(t, p.path("noclip.mp4"), []byte("no clip"))
	args := []string{"redact", "clip.mp4", "-o", out, "--effort", "fast", "--report", p.path("out/report.json")}
	whole, took := p.measured(t, args, out)
	dice := rand.New(rand.NewSource(3))
	const shots = 20
	hit := 0
	for i := range shots {
		// One moment in each twentieth of the run, so that every stage is met.
		after := time.Duration((float64(i) + dice.Float64()) / shots * float64(took))
		s := p.shoot(t, syscall.SIGKILL, after, args...)
		_, killed := signalled(s.cmd)
		if killed {
			hit++
		} else if s.cmd.ProcessState.ExitCode() != exitReleased {
			t.Errorf("after %v: ended with %d: %s", after, s.cmd.ProcessState.ExitCode(), s.err.String())
		}
		p.noProcess(t)
		if there := wholeOrNothing(t, out, whole); !there && !killed {
			t.Errorf("after %v: ended well, but there is no derivative", after)
		}
		// The next start works on another clip, and now and then on the same one.
		if i%10 == 9 {
			p.must(t, exitReleased, args...)
			wholeOrNothing(t, out, whole)
		} else {
			p.must(t, exitUnsupported, "redact", "noclip.mp4", "-o", p.path("none.mp4"))
		}
		p.clean(t)
		removeSet(t, out) // the evidence is written before the derivative gets its name: a kill may leave it alone
		_ = os.Remove(p.path("out/report.json"))
		if left := filesBelow(t, filepath.Dir(out)); len(left) > 0 {
			t.Fatalf("after %v: left beside the output: %q", after, left)
		}
	}
	if hit < shots/2 {
		t.Errorf("only %d of %d runs were met alive", hit, shots)
	}
	if names := filesBelow(t, p.dir); !slices.Equal(names, []string{".scratch/lock", "clip.mp4", "noclip.mp4"}) {
		t.Errorf("files are left: %q", names)
	}
}

// TestInterruptedIsCleanAtOnce presses Ctrl-C at five moments: the program cleans up by itself and says so.
func TestInterruptedIsCleanAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	simpleClip(t, p.path("clip.mp4"), 30, oneFace)
	out := p.path("out.mp4")
	args := []string{"redact", "clip.mp4", "-o", out, "--effort", "fast"}
	whole, took := p.measured(t, args, out)
	dice := rand.New(rand.NewSource(5))
	const shots = 5
	hit := 0
	for i := range shots {
		after := time.Duration((float64(i) + 0.1 + 0.8*dice.Float64()) / shots * float64(took))
		s := p.shoot(t, syscall.SIGINT, after, args...)
		switch sig, killed := signalled(s.cmd); {
		case killed && sig == syscall.SIGINT && after < 200*time.Millisecond:
			// It had not begun to listen.
		case killed:
			t.Errorf("after %v: ended by %v instead of cleaning up", after, sig)
		case s.cmd.ProcessState.ExitCode() == exitFailed:
			hit++
			oneLine(t, result{code: exitFailed, out: s.out.String(), err: s.err.String()}, exitFailed)
			absent(t, out)
		case s.cmd.ProcessState.ExitCode() == exitReleased:
			wholeOrNothing(t, out, whole)
			removeSet(t, out)
		default:
			t.Errorf("after %v: ended with %d: %s", after, s.cmd.ProcessState.ExitCode(), s.err.String())
		}
		p.clean(t)
		if names := filesBelow(t, p.dir); !slices.Equal(names, []string{".scratch/lock", "clip.mp4"}) && !slices.Equal(names, []string{"clip.mp4"}) {
			t.Fatalf("after %v: files are left: %q", after, names)
		}
	}
	if hit == 0 {
		t.Error("no run was met alive")
	}
}
