package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

const ours = "../Dockerfile"

// commands gives all instructions of one kind in our Dockerfile, with the last stage's apart.
func commands[C instructions.Command](t *testing.T) (all, last []C) {
	t.Helper()
	f, err := readFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	for n, s := range f.stages {
		for _, c := range s.Commands {
			if c, ok := c.(C); ok {
				all = append(all, c)
				if n == len(f.stages)-1 {
					last = append(last, c)
				}
			}
		}
	}
	return all, last
}

func TestOurImageRunsAsAUserUnderAnInit(t *testing.T) {
	_, users := commands[*instructions.UserCommand](t)
	if len(users) == 0 {
		t.Fatal("the image runs as root")
	}
	if uid, gid, err := numeric(users[len(users)-1].User); err != nil || uid < 10000 || gid < 10000 {
		t.Errorf("USER %s (%v): want numbers of 10000 and more, which no package of Debian's uses", users[len(users)-1].User, err)
	}
	_, entry := commands[*instructions.EntrypointCommand](t)
	if want := []string{"/usr/bin/tini", "--", "/usr/bin/veil"}; len(entry) != 1 || !slices.Equal(entry[0].CmdLine, want) {
		t.Errorf("entry point %v, want %v", entry, want)
	}
	_, health := commands[*instructions.HealthCheckCommand](t)
	if len(health) != 1 || health[0].Health.Test[0] != "CMD" {
		t.Errorf("health check %v, want one that needs no shell to start", health)
	}
}

// TestOurImageHasThePackagesOfTheList holds the last stage against the group "run".
func TestOurImageHasThePackagesOfTheList(t *testing.T) {
	b, err := os.ReadFile("../packages.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 2 && f[0] != "#" && f[1] == "run" {
			want = append(want, f[0])
		}
	}
	_, runs := commands[*instructions.RunCommand](t)
	var got []string
	for _, r := range runs {
		words := strings.Fields(strings.Join(r.CmdLine, " "))
		i := slices.Index(words, "--no-install-recommends")
		if i < 0 {
			continue
		}
		for _, w := range words[i+1:] {
			if w == "&&" {
				break
			}
			got = append(got, w)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the image installs %q, packages.txt lists %q", got, want)
	}
}

// TestOurImageChecksItsWeights: a check of theirs comes after the last file was copied.
func TestOurImageChecksItsWeights(t *testing.T) {
	f, err := readFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	checked := false
	for _, c := range f.stages[len(f.stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			checked = false
		case *instructions.RunCommand:
			checked = checked || slices.Equal(c.CmdLine, []string{"/usr/bin/veil", "models"})
		}
	}
	if !checked {
		t.Error("nothing checks the weights after they were copied")
	}
}

// TestOurBuildFindsItsSources copies from the checkout what the Dockerfile copies.
func TestOurBuildFindsItsSources(t *testing.T) {
	m, err := ignoring(ours + ".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	target, err := os.OpenRoot(into)
	if err != nil {
		t.Fatal(err)
	}
	copies, _ := commands[*instructions.CopyCommand](t)
	for _, c := range copies {
		if c.From != "" {
			continue
		}
		job := &copying{src: checkout, dst: target, uid: os.Getuid(), gid: os.Getgid(), ignored: m.MatchesOrParentMatches}
		if err := job.all(c.SourcePaths, inside(c.DestPath), strings.HasSuffix(c.DestPath, "/")); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, name := range []string{"go.sum", "Makefile", "worker/main.go", "pipeline/pipeline.go", "models/models.go", "docker/install.sh"} {
		if _, err := os.Stat(filepath.Join(into, name)); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(into, "models/weights/*")); err != nil || len(left) > 0 {
		t.Errorf("weights of the checkout come into the image, where they should be fetched: %v %v", left, err)
	}
}

// TestOurBuildTakesAGoThatIsNewEnough holds GO_VERSION against go.mod.
func TestOurBuildTakesAGoThatIsNewEnough(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "\ngo ")
	least := strings.Fields(after)[0]
	args, _ := commands[*instructions.ArgCommand](t)
	for _, a := range args {
		if a.Args[0].Key != "GO_VERSION" {
			continue
		}
		if has := *a.Args[0].Value; slices.Compare(numbers(t, has), numbers(t, least)) < 0 {
			t.Errorf("the image is built with Go %s, go.mod wants %s", has, least)
		}
		return
	}
	t.Error("no GO_VERSION")
}

func numbers(t *testing.T, version string) []int {
	t.Helper()
	var n []int
	for _, s := range strings.Split(version, ".") {
		i, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		n = append(n, i)
	}
	return n
}

const pinned = "FROM debian:bookworm-20260101-slim@sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"FROM debian:bookworm-slim", "not pinned"},
		{"FROM debian:bookworm-slim@sha256:123", "not pinned"},
		{"FROM debian@sha256:" + strings.Repeat("0", 64), "neither a stage"},
		{strings.Replace(pinned, "bookworm", "sid", 1), "no Debian that"},
		{"FROM golang:1.26", "neither a stage"},
		{strings.Replace(pinned, "FROM", "FROM --platform=linux/arm64", 1), "--platform"},
		{"ARG A=1\n" + pinned, "before the first FROM"},
		{"# escape=`\n" + pinned, "escape"},
		{pinned + "\nADD a /a", "ADD is not known"},
		{pinned + "\nMAINTAINER me", "MAINTAINER is not known"},
		{pinned + "\nONBUILD RUN true", "ONBUILD is not known"},
		{pinned + "\nRUN --network=none true", "flags"},
		{pinned + "\nRUN <<X\ntrue\nX", "here-document"},
		{pinned + "\nCOPY --link a /a", "of COPY"},
		{pinned + "\nCOPY <<X /a\ntext\nX", "of COPY"},
		{pinned + "\nCOPY --from=later a /a\n" + pinned + " AS later", "no stage above"},
		{pinned + "\nCOPY --from=alpine a /a", "no stage above"},
		{pinned + "\nUSER veil", "numbers"},
		{pinned + "\nUSER 10001", "numbers"},
		{pinned + "\nNONSENSE", "NONSENSE"},
	} {
		path := filepath.Join(t.TempDir(), "Dockerfile")
		if err := os.WriteFile(path, []byte(c.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readFile(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want it refused for %q", c.text, err, c.want)
		}
	}
}

func TestOnlyNeededStagesAreBuilt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Dockerfile")
	text := pinned + " AS base\nFROM base AS unused\nRUN false\nFROM base AS tool\nRUN true\nFROM base AS build\nCOPY --from=Tool /a /a\nFROM base\nCOPY --from=build /a /a\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range f.needed() {
		names = append(names, s.Name)
	}
	if want := []string{"base", "tool", "build", ""}; !slices.Equal(names, want) {
		t.Errorf("stages %q, want %q", names, want)
	}
}

// TestAllOurDockerfilesAreAlike: the rehearsal can carry out each, and they begin with the same base and the same Go.
func TestAllOurDockerfilesAreAlike(t *testing.T) {
	paths, err := filepath.Glob("../*Dockerfile")
	if err != nil || len(paths) < 2 {
		t.Fatalf("%q: %v", paths, err)
	}
	seen := map[string]map[string]bool{}
	note := func(what, value string) {
		if seen[what] == nil {
			seen[what] = map[string]bool{}
		}
		seen[what][value] = true
	}
	for _, path := range paths {
		f, err := readFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		note("FROM", f.stages[0].BaseName)
		for _, s := range f.stages {
			for _, c := range s.Commands {
				if a, ok := c.(*instructions.ArgCommand); ok && strings.HasPrefix(a.Args[0].Key, "GO_") {
					note(a.Args[0].Key, *a.Args[0].Value)
				}
			}
		}
	}
	for what, values := range seen {
		if len(values) > 1 {
			t.Errorf("%s differs between %q: %v", what, paths, values)
		}
	}
}
