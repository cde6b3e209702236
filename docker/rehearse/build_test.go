package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// configured carries out a Dockerfile without a step that runs anything, and gives the last stage.
func configured(t *testing.T, args map[string]string, lines ...string) *image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(path, []byte(pinned+"\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{file: f, args: args}
	i := (&image{shell: defaultShell}).next(t.TempDir())
	for _, c := range f.stages[0].Commands {
		if err := b.step(t.Context(), i, nil, c); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
	}
	return i
}

func TestConfig(t *testing.T) {
	i := configured(t, map[string]string{"REVISION": "r1", "UNDECLARED": "x"},
		"ARG REVISION=unknown", "ARG OTHER=o", "ARG NONE",
		"ENV A=1 PATH=/opt/bin:$PATH", "ENV A=${A}2 OTHER=env",
		"LABEL revision=$REVISION undeclared=$UNDECLARED other=$OTHER",
		"WORKDIR /srv", "WORKDIR data", "USER 10001:10002", "EXPOSE 80 53/udp", `VOLUME ["/v"]`, "STOPSIGNAL SIGINT",
		"CMD lost", `ENTRYPOINT ["/e", "$A"]`, "CMD echo $A", "SHELL [\"/bin/bash\", \"-c\"]",
		`HEALTHCHECK --interval=7s CMD ["ask"]`)
	want := v1.Config{
		Env:    []string{"PATH=/opt/bin:", "A=12", "OTHER=env"},
		Labels: map[string]string{"revision": "r1", "undeclared": "", "other": "env"}, WorkingDir: "/srv/data", User: "10001:10002",
		ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/v": {}}, StopSignal: "SIGINT",
		Entrypoint: []string{"/e", "$A"}, Cmd: []string{"/bin/sh", "-c", "echo $A"},
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "ask"}, Interval: 7e9},
	}
	if diff := cmp.Diff(want, i.config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if !slices.Equal(i.shell, []string{"/bin/bash", "-c"}) {
		t.Errorf("shell %q", i.shell)
	}
	if info, err := os.Stat(filepath.Join(i.root, "srv/data")); err != nil || !info.IsDir() {
		t.Errorf("WORKDIR made no folder: %v", err)
	}
	if got := i.environ([]string{"OTHER=machine"}); !slices.Equal(got, []string{"A=12", "OTHER=machine", "PATH=/opt/bin:", "REVISION=r1"}) {
		t.Errorf("environment of a step: %q", got)
	}
	if after := i.next("/elsewhere"); len(after.args) > 0 || after.config.User != i.config.User {
		t.Errorf("the next stage has arguments %v and user %s", after.args, after.config.User)
	}
}

// tree lists a folder: paths with modes, and contents or link targets.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := info.Mode().String()
		switch info.Mode().Type() {
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line = "-> " + link
		case 0:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(b)
		}
		rel, err := filepath.Rel(dir, path)
		found[rel] = line
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// plant makes a tree of files; a name that ends in a slash is a folder.
func plant(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(filepath.Base(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCopy(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources []string
		dest    string
		into    bool
		want    string // the files that come to be, in order; or the refusal
	}{
		{"a file to a name", []string{"/f"}, "new", false, "new"},
		{"a file into a folder by its slash", []string{"f"}, "new", true, "new/f"},
		{"a file into a folder that is there", []string{"f"}, "there", false, "there/f"},
		{"a file over a file", []string{"f"}, "there/old", false, "there/old"},
		{"a folder's content", []string{"d"}, "new", false, "new/a.go new/b.txt new/sub/c.go"},
		{"a folder's content into one that is there", []string{"d/"}, "there", false, "there/a.go there/b.txt there/sub/c.go"},
		{"several", []string{"f", "d/a.go"}, "new", true, "new/a.go new/f"},
		{"a pattern", []string{"d/*.go"}, "new", true, "new/a.go"},
		{"nothing", []string{"nope"}, "new", false, "nope: nothing there"},
		{"nothing by a pattern", []string{"d/*.c"}, "new", true, "nothing there"},
		{"what is ignored", []string{"secret"}, "new", false, "nothing there"},
		{"out of the source", []string{"../f"}, "new", false, "new"},
		{"out of the target by a link", []string{"f"}, "out/f", false, "escapes"},
		{"a link out of the source stays a link", []string{"links"}, "new", false, "new/away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, dst := t.TempDir(), t.TempDir()
			plant(t, src, "f", "d/a.go", "d/b.txt", "d/sub/c.go", "secret", "links/")
			plant(t, dst, "there/old")
			for link, target := range map[string]string{filepath.Join(src, "links/away"): "/etc/passwd", filepath.Join(dst, "out"): t.TempDir()} {
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dst)
			job := &copying{uid: os.Getuid(), gid: os.Getgid(), ignored: func(path string) (bool, error) { return path == "secret", nil }}
			var err error
			if job.src, err = os.OpenRoot(src); err != nil {
				t.Fatal(err)
			}
			if job.dst, err = os.OpenRoot(dst); err != nil {
				t.Fatal(err)
			}
			if err := job.all(c.sources, c.dest, c.into); err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			var came []string
			for path, line := range tree(t, dst) {
				if before[path] != line && !strings.HasPrefix(line, "d") {
					came = append(came, path)
				}
			}
			slices.Sort(came)
			if got := strings.Join(came, " "); got != c.want {
				t.Errorf("copied %q, want %q", got, c.want)
			}
		})
	}
}
