//go:build evidence

package evidence

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// easy finds the clips that are neither made to be hard nor a crowd.
func easy(t *testing.T) (clips []string) {
	t.Helper()
	dir := filepath.Join(root(t), "..", "shared", "footage", "video")
	for _, ending := range []string{"mp4", "mkv", "mov"} {
		found, err := filepath.Glob(filepath.Join(dir, "*."+ending))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if name := filepath.Base(path); !strings.HasPrefix(name, "wild_") && !strings.HasPrefix(name, "crowd_") {
				clips = append(clips, path)
			}
		}
	}
	if len(clips) > 0 {
		return clips
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no footage beside the checkout")
	}
	t.Skip("no footage beside the checkout")
	return nil
}

// root is the folder of the checkout.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// answer is what `veil reproduce --json` says.
type answer struct {
	Identical   bool `json:"identical"`
	Differences []struct{ What, Recorded, Here string }
}

// TestReproduceEasyClips: rendered again by its manifest each clip has the same bytes; with another number of threads that is what is
// told as different, and other bytes end with 4.
func TestReproduceEasyClips(t *testing.T) {
	program := filepath.Join(t.TempDir(), "veil")
	if out, err := exec.Command("go", "build", "-o", program, "veil/worker").CombinedOutput(); err != nil {
		t.Fatalf("build veil: %v\n%s", err, out)
	}
	for _, clip := range easy(t) {
		t.Run(filepath.Base(clip), func(t *testing.T) {
			dir := t.TempDir()
			veil := func(args ...string) (code int, out []byte) {
				t.Helper()
				cmd := exec.Command(program, append(args, "--progress", "none")...)
				cmd.Stderr = os.Stderr
				cmd.Env = append(os.Environ(), "VEIL_SCRATCH="+filepath.Join(dir, "scratch"), "VEIL_MODELS="+filepath.Join(root(t), "models", "weights"))
				out, err := cmd.Output()
				if cmd.ProcessState == nil {
					t.Fatal(err)
				}
				return cmd.ProcessState.ExitCode(), out
			}
			manifest := filepath.Join(dir, "out.manifest.json")
			switch code, out := veil("redact", clip, "-o", filepath.Join(dir, "out.mp4"), "--effort", "fast"); code {
			case 0:
			case 3:
				manifest = filepath.Join(dir, "out.held.manifest.json")
			default:
				t.Fatalf("redact ended with %d: %s", code, out)
			}
			reproduce := func(args ...string) (code int, a answer) {
				t.Helper()
				code, out := veil(append([]string{"reproduce", manifest, "--original", clip, "--json"}, args...)...)
				if err := json.Unmarshal(out, &a); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				return code, a
			}
			if code, a := reproduce(); code != 0 || !a.Identical || len(a.Differences) != 0 {
				t.Errorf("by what is recorded: %d, %+v", code, a)
			}
			code, a := reproduce("--encoder-threads", "1")
			if want := map[bool]int{true: 0, false: 4}[a.Identical]; code != want || len(a.Differences) != 1 || a.Differences[0].What != "encoder_threads" || a.Differences[0].Here != "1" {
				t.Errorf("with one thread: %d, %+v", code, a)
			}
			t.Logf("the same bytes; with one thread the same: %t", a.Identical)
		})
	}
}
