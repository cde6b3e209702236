package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/capacity"
)

// checkout lays out what run writes.
func checkout(t *testing.T, page string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{"worker/capacity/figures.json": `{"build":"old","fleet":{"jobs":7}}`, "docs/capacity.md": page} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFiguresAreTaken(t *testing.T) {
	root := checkout(t, "before\n"+begin+"old\n"+end+"\nafter\n")
	file := filepath.Join(root, "footage.json")
	if err := os.WriteFile(file, []byte(`{"build":"new","cpus":2,"footage":[{"clip":"a clip","resolution":"1080p","cpu_seconds_per_frame":0.25}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{file}, root); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "worker", "capacity", "figures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f capacity.Figures
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if f.Build != "new" || len(f.Footage) != 1 || f.Fleet.Jobs != 7 || !strings.Contains(f.Machine, "cores") {
		t.Errorf("%+v", f)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "capacity.md"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); !strings.HasPrefix(text, "before\n"+begin) || !strings.HasSuffix(text, end+"\nafter\n") || !strings.Contains(text, "| 250 ms |") || strings.Contains(text, "old\n") {
		t.Errorf("%s", page)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	root := checkout(t, "no marks")
	empty := filepath.Join(root, "empty.json")
	if err := os.WriteFile(empty, []byte(`{"build":"new"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{"no marks in the page": nil, "a file with nothing in it": {empty}, "no file": {"nowhere.json"}} {
		if err := run(files, root); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
