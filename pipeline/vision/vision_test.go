package vision

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"veil/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// root is the folder with go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the tests")
		}
		dir = filepath.Dir(dir)
	}
}

// weights is the folder of the weights; without them the test is skipped, in CI it fails.
func weights(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(root(t), "models", "weights")
	for _, f := range models.Files() {
		if _, err := os.Stat(filepath.Join(dir, f.Name)); errors.Is(err, fs.ErrNotExist) {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: run make models", f.Name)
			}
			t.Skipf("%s is missing: run make models", f.Name)
		}
	}
	return dir
}

// footage is the folder of test footage beside the checkout; without it the test is skipped, in CI it fails.
func footage(t testing.TB, path ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{root(t), "..", "shared", "footage"}, path...)...)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return dir
}

// forEachDetector runs a test with each network on each engine.
func forEachDetector(t *testing.T, test func(*testing.T, *netDetector)) {
	dir := weights(t)
	for _, name := range []string{EngineOpenCV, EngineORT} {
		e, err := openEngine(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, net := range networks {
			t.Run(name+"/"+net.name, func(t *testing.T) {
				onnx, err := models.Open(dir, net.file)
				if err != nil {
					t.Fatal(err)
				}
				d, err := newDetector(e, net, onnx)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := d.close(); err != nil {
						t.Error(err)
					}
				}()
				test(t, d)
			})
		}
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}
}

// open opens a finder for a test.
func open(t testing.TB, o Options) *Finder {
	t.Helper()
	o.Models = weights(t)
	f, err := Open(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}
