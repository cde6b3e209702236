// Package docs_test holds the documentation against the house: links lead somewhere, every page is in the index, and the
// commands of the README do what it says.
package docs_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/worker/store/servers"
)

// sample is a clip of a person talking that `make test` installs (docker/packages.txt).
const sample = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	target = regexp.MustCompile(`(?m)^([a-z]+):`)
)

// pages are the README, and every page below docs/.
func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.md")
	if err != nil || len(all) == 0 {
		t.Fatalf("no page in docs/: %v", err)
	}
	runbooks, err := filepath.Glob(filepath.Join("runbooks", "*.md"))
	if err != nil || len(runbooks) == 0 {
		t.Fatalf("no page in docs/runbooks/: %v", err)
	}
	return append(append(all, runbooks...), filepath.Join("..", "README.md"))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			path := page
			if to != "" {
				path = filepath.Join(filepath.Dir(page), to)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, path)), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, path, anchor)
			}
		}
	}
}

// anchors are the names that headings get: lower case, spaces as dashes, punctuation dropped.
func anchors(page string) (names []string) {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(page) {
		if title := strings.TrimLeft(line, "#"); title != line {
			name := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

func TestIndexNamesEveryPage(t *testing.T) {
	index := read(t, "README.md")
	for _, page := range pages(t) {
		if filepath.Dir(page) == "runbooks" {
			continue // its own index
		}
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}

// blocks are the README's sh blocks, comments left out.
func blocks(t *testing.T) (all [][]string) {
	t.Helper()
	comment := regexp.MustCompile(`\s+# .*$`)
	inside := false
	s := bufio.NewScanner(strings.NewReader(read(t, filepath.Join("..", "README.md"))))
	for s.Scan() {
		switch line := s.Text(); {
		case strings.HasPrefix(line, "```"):
			if inside = line == "```sh"; inside {
				all = append(all, nil)
			}
		case inside && strings.TrimSpace(line) != "":
			all[len(all)-1] = append(all[len(all)-1], comment.ReplaceAllString(line, ""))
		}
	}
	if len(all) == 0 {
		t.Fatal("the README has no commands")
	}
	return all
}

// TestReadmeCommands runs every block of the README in order, as somebody would type it: line by line in one shell, in a
// folder with the files that the README speaks of. What is put into the background answers before the next line is typed,
// and is asked to end behind its block. The make commands are not run (this test is part of one): they must be targets.
func TestReadmeCommands(t *testing.T) {
	programs := build(t)
	dir := footage(t)
	targets := target.FindAllString(read(t, filepath.Join("..", "Makefile")), -1)
	env := append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "VEIL_SCRATCH="+t.TempDir(), "VEIL_RESERVE=64")
	if weights, err := filepath.Abs(filepath.Join("..", "models", "weights")); err == nil {
		env = append(env, "VEIL_MODELS="+weights)
	}
	for _, block := range blocks(t) {
		script := "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n"
		for _, line := range block {
			if name, ok := strings.CutPrefix(line, "make "); ok {
				if !slices.Contains(targets, strings.TrimSpace(name)+":") {
					t.Errorf("`%s`: the Makefile has no such target", line)
				}
				continue
			}
			if !known.MatchString(line) {
				t.Errorf("`%s`: no command of the README", line)
			}
			script += "echo '+' " + quote(line) + "\n" + line + "\n" + ready(line)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", script)
		cmd.Dir, cmd.Env = dir, env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = 20 * time.Second
		start := time.Now()
		out, err := cmd.CombinedOutput()
		cancel()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what did not end when it was asked to
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%d lines: %.1f s", len(block), time.Since(start).Seconds())
	}
	for _, name := range []string{"clip.redacted.mp4", "look.png", "clip.plan.json", "clip.report.json",
		"part.mp4", "people.plan.json", "people.png",
		"exemptions.html", "exemptions.csv", "worklist.html", "clip.kept.mp4", "out/a.mp4", "out/b.mp4", "page/index.html", "page/cases.csv"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("the commands left no %s", name)
		}
	}
	for folder, want := range map[string]int{"answers": 2, "fetched": 1} {
		if clips, err := filepath.Glob(filepath.Join(dir, folder, "*.mp4")); err != nil || len(clips) != want {
			t.Errorf("the commands left %d clips in %s: %v", len(clips), folder, err)
		}
	}
}

// known are the programs that the README's lines start.
var known = regexp.MustCompile(`^(veil|export|nats-server|mkdir|versitygw) `)

// ready waits for what a line put into the background, as somebody does who reads what it prints.
func ready(line string) string {
	if !strings.HasSuffix(line, "&") {
		return ""
	}
	probe := map[string]string{"veil dev": "veil jobs", "nats-server": ">/dev/tcp/127.0.0.1/4222", "versitygw": ">/dev/tcp/127.0.0.1/7070",
		"veil worker": ">/dev/tcp/127.0.0.1/9464"}
	for start, test := range probe {
		if strings.HasPrefix(line, start) {
			return "for i in $(seq 300); do ( " + test + " ) >/dev/null 2>&1 && break; sleep 0.1; done\n"
		}
	}
	return ""
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// build makes the program as `make build` does, and brings the servers that the README names, all in one folder.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for program, path := range map[string]string{"veil": "veil/worker", "nats-server": "github.com/nats-io/nats-server/v2"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, program), path).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", path, err, out)
		}
	}
	gateway, err := servers.VersitygwPath(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(gateway, filepath.Join(dir, "versitygw")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// footage lays out the files that the README's commands name: clip.mp4 and a folder of two.
func footage(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(sample); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("forensics-samples-files is not installed: run `make test`")
		}
		t.Skip("forensics-samples-files is not installed: `make test` installs it")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "clips"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nats.conf"), []byte(read(t, filepath.Join("..", "docker", "nats.conf"))), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, length string }{{"clip.mp4", "1", "1.6"}, {"clips/a.mp4", "3", "0.5"}, {"clips/b.mp4", "5", "0.5"}} {
		out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-ss", c.from, "-t", c.length, "-i", sample,
			"-vf", "scale=640:-2", "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", filepath.Join(dir, c.name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ffmpeg: %v\n%s", err, out)
		}
	}
	return dir
}
