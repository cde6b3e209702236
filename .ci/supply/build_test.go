package supply_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeWith runs a target of a checkout's Makefile.
func makeWith(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("make", append([]string{"--silent", "-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestProgramHoldsNoPath holds that no folder of this machine stands in what `make build` makes. That two builds with caches
// of their own are the same is for `make reproducible`: it takes minutes.
func TestProgramHoldsNoPath(t *testing.T) {
	program := filepath.Join(t.TempDir(), "veil")
	makeWith(t, root, "build", "PROGRAM="+program)
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range append(strings.Fields(string(out)), here, filepath.Join(os.TempDir(), "go-build")) {
		if i := bytes.Index(text, []byte(folder)); i >= 0 {
			t.Errorf("the program holds the path %q", text[i:min(len(text), i+len(folder)+60)])
		}
	}
}

// TestSameBytes builds the verifier in two folders, each with a build cache that begins empty.
func TestSameBytes(t *testing.T) {
	var programs [2][]byte
	from := root
	for i := range programs {
		checkout := filepath.Join(t.TempDir(), fmt.Sprintf("%d", i), strings.Repeat("deeper/", i*3), "checkout")
		if out, err := exec.Command("git", "clone", "--quiet", from, checkout).CombinedOutput(); err != nil {
			t.Fatalf("git clone: %v\n%s", err, out)
		}
		from = checkout // the same commit, whatever happens to the checkout meanwhile
		t.Setenv("GOCACHE", t.TempDir())
		makeWith(t, checkout, "verifiers", "TARGETS=linux/amd64")
		var err error
		if programs[i], err = os.ReadFile(filepath.Join(checkout, "dist", "veil-verify-linux-amd64")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(programs[0], programs[1]) {
		t.Error("two builds of one commit differ")
	}
}
