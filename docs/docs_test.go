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
	"testing"
	"time"
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
	return append(all, filepath.Join("..", "README.md"))
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
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(index, "]("+name) {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}

// commands are the lines of the README's sh blocks, comments left out.
func commands(t *testing.T) (lines []string) {
	t.Helper()
	comment := regexp.MustCompile(`\s+# .*$`)
	inside := false
	s := bufio.NewScanner(strings.NewReader(read(t, filepath.Join("..", "README.md"))))
	for s.Scan() {
		switch line := s.Text(); {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && strings.TrimSpace(line) != "":
			lines = append(lines, comment.ReplaceAllString(line, ""))
		}
	}
	if len(lines) == 0 {
		t.Fatal("the README has no commands")
	}
	return lines
}

// TestReadmeCommands runs every veil command of the README in order, each with exit 0, in a folder with the files that
// the README speaks of. The make commands are not run (this test is part of one): they must be targets.
func TestReadmeCommands(t *testing.T) {
	program := build(t)
	dir := footage(t)
	targets := target.FindAllString(read(t, filepath.Join("..", "Makefile")), -1)
	env := append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "VEIL_SCRATCH="+t.TempDir())
	if weights, err := filepath.Abs(filepath.Join("..", "models", "weights")); err == nil {
		env = append(env, "VEIL_MODELS="+weights)
	}
	for _, line := range commands(t) {
		if name, ok := strings.CutPrefix(line, "make "); ok {
			if !slices.Contains(targets, strings.TrimSpace(name)+":") {
				t.Errorf("`%s`: the Makefile has no such target", line)
			}
			continue
		}
		if !strings.HasPrefix(line, "veil ") {
			t.Errorf("`%s`: neither veil nor make", line)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-c", line)
		cmd.Dir, cmd.Env = dir, env
		start := time.Now()
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("`%s`: %v\n%s", line, err, out)
		}
		t.Logf("`%s`: %.1f s", line, time.Since(start).Seconds())
	}
	for _, name := range []string{"clip.redacted.mp4", "look.png", "clip.plan.json", "clip.report.json",
		"part.mp4", "people.plan.json", "people.png",
		"clip.kept.mp4", "out/a.mp4", "out/b.mp4"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("the commands left no %s", name)
		}
	}
}

// build makes the program as `make build` does, into a folder of its own.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "veil")
	if out, err := exec.Command("go", "build", "-o", program, "veil/worker").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
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
	for _, c := range []struct{ name, from, length string }{{"clip.mp4", "1", "1.6"}, {"clips/a.mp4", "3", "0.5"}, {"clips/b.mp4", "5", "0.5"}} {
		out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-ss", c.from, "-t", c.length, "-i", sample,
			"-vf", "scale=640:-2", "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", filepath.Join(dir, c.name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ffmpeg: %v\n%s", err, out)
		}
	}
	return dir
}
