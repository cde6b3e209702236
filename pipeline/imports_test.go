package pipeline_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// imports returns, for every package of this module, what it imports and what it depends on, the standard library left out.
func imports(t *testing.T) (direct, deps map[string][]string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "veil/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	standard, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		t.Fatalf("go list std: %v", err)
	}
	std := map[string]bool{"C": true, "unsafe": true}
	for _, p := range strings.Fields(string(standard)) {
		std[p] = true
	}
	ours := func(list string) (kept []string) {
		for _, p := range strings.Fields(list) {
			if !std[p] && !strings.HasPrefix(p, "vendor/") {
				kept = append(kept, p)
			}
		}
		return kept
	}
	direct, deps = map[string][]string{}, map[string][]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		direct[f[0]], deps[f[0]] = ours(f[1]), ours(f[2])
	}
	return direct, deps
}

// TestImportsRunOneWay holds the house's order: the pipeline knows no queue, no store and no command line, OpenCV stays in
// one room, and what decides is plain computing.
func TestImportsRunOneWay(t *testing.T) {
	direct, deps := imports(t)
	if len(deps["veil/pipeline"]) == 0 {
		t.Fatal("go list shows nothing of veil/pipeline")
	}
	outside := []string{"veil/worker", "github.com/nats-io/", "github.com/minio/", "github.com/alecthomas/kong"}
	for p, all := range deps {
		if !within(p, "veil/pipeline") {
			continue
		}
		for _, d := range all {
			if slices.ContainsFunc(outside, func(o string) bool { return strings.HasPrefix(d, o) }) {
				t.Errorf("%s depends on %s: the pipeline knows no queue, no store and no command line", p, d)
			}
		}
	}
	for p, some := range direct {
		if p != "veil/pipeline/vision" && slices.ContainsFunc(some, func(d string) bool { return within(d, "gocv.io/x/gocv") }) {
			t.Errorf("%s imports gocv: only veil/pipeline/vision may", p)
		}
	}
	if d := deps["veil/pipeline/media/mp4"]; len(d) > 0 {
		t.Errorf("veil/pipeline/media/mp4 depends on %s: a small program without the pipeline uses it too", d)
	}
	for _, p := range []string{"veil/pipeline/track", "veil/pipeline/decide"} {
		for _, d := range deps[p] {
			if d != "veil/pipeline/track" {
				t.Errorf("%s depends on %s: it may use the standard library and track only", p, d)
			}
		}
	}
}

func within(p, tree string) bool { return p == tree || strings.HasPrefix(p, tree+"/") }
