package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"veil/pipeline"
	"veil/worker/child"
	"veil/worker/sandbox"
)

// reachOut tries, inside a stage, to do something to each named file.
func reachOut(files []string) []pipeline.Check {
	var list []pipeline.Check
	note := func(name, path string, err error) {
		c := pipeline.Check{Name: name + " " + filepath.Base(path), Result: "done"}
		if err != nil {
			c.Result = "denied"
		}
		list = append(list, c)
	}
	for _, path := range files {
		f, err := os.Open(path)
		note("read", path, err)
		f.Close()
		f, err = os.OpenFile(path, os.O_WRONLY, 0)
		note("write", path, err)
		f.Close()
		f, err = os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY, 0o600)
		note("make beside", path, err)
		f.Close()
		note("rename", path, errors.Join(os.Rename(path, path+".moved"), os.Rename(path+".moved", path)))
		note("mode", path, os.Chmod(path, 0o640))
	}
	return list
}

// TestStageReachesItsFilesOnly has a verify stage reach for its inputs, its output and somebody else's file.
func TestStageReachesItsFilesOnly(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{child.Required, child.Off} {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		for _, name := range []string{"derivative", "plan", "extra", "other"} {
			if err := os.WriteFile(path(name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		clip := path("clip")
		if err := os.WriteFile(clip, []byte(strings.Join([]string{"reach", clip, path("derivative"), path("plan"), path("extra"), path("other")}, " ")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := isolated{child.Runner{Name: "fakeveil", Confine: &child.Confinement{Mode: mode}}}
		res, err := s.Verify(t.Context(), pipeline.VerifyRequest{In: clip, Out: path("derivative"), Plan: path("plan"), ExtraOut: path("extra")}, nil)
		if err != nil {
			t.Fatal(mode, err)
		}
		for _, c := range res.Checks {
			want := "done"
			if mode == child.Required {
				want = "denied"
				if c.Name == "write extra" || strings.HasPrefix(c.Name, "read ") && c.Name != "read other" {
					want = "done"
				}
			}
			if c.Result != want {
				t.Errorf("%s: %q is %s", mode, c.Name, c.Result)
			}
		}
		if len(res.Checks) != 25 {
			t.Errorf("%d checks", len(res.Checks))
		}
	}
}

// TestRulesNameEveryPath sets every string of every request and looks for those that no rule names.
func TestRulesNameEveryPath(t *testing.T) {
	noPaths := []string{"SHA256", "Build", "Engine", "Scratch"}
	for _, empty := range []any{&pipeline.AnalyzeRequest{}, &pipeline.RenderRequest{}, &pipeline.VerifyRequest{}, &sheetRequest{}, &probeRequest{},
		&enginesRequest{}, &nothingRequest{}} {
		var set []string
		var fill func(v reflect.Value, name string)
		fill = func(v reflect.Value, name string) {
			switch {
			case v.Kind() == reflect.Struct && v.Type().Name() != "Policy":
				for i := range v.NumField() {
					fill(v.Field(i), v.Type().Field(i).Name)
				}
			case v.Kind() == reflect.String && !slices.Contains(noPaths, name) && !(name == "PNG"):
				path := "/" + name
				v.SetString(path)
				set = append(set, path)
			}
		}
		v := reflect.ValueOf(empty).Elem()
		fill(v, "")
		list, err := rulesFor(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range set {
			if !slices.ContainsFunc(list, func(r sandbox.Rule) bool { return r.Path == path }) {
				t.Errorf("%T: no rule for %s", empty, path)
			}
		}
		for _, r := range list {
			if strings.HasSuffix(r.Path, "Out") != (r.Access == sandbox.Write) && slices.Contains(set, r.Path) && r.Path != "/Audio" &&
				r.Path != "/Out" && r.Access != sandbox.Own && r.Access != sandbox.Run {
				t.Errorf("%T: %s has access %d", empty, r.Path, r.Access)
			}
		}
	}
	if _, err := rulesFor(struct{}{}); err == nil {
		t.Error("a request that nobody knows has rules")
	}
}

// TestSandboxedRedact runs the whole pipeline in every place, and kills one run half-way: no process stays.
func TestSandboxedRedact(t *testing.T) {
	t.Parallel()
	weights := needWeights(t)
	w := newWorld(t)
	if err := errors.Join(os.Mkdir(w.path("weights"), 0o755), os.Chmod(w.path("weights"), 0o755)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(weights, "*"))
	for _, f := range files {
		w.copy(t, f, filepath.Join("weights", filepath.Base(f)), 0o644)
	}
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=5:duration=1", "-f", "lavfi", "-i", "sine=d=1",
		"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", w.path("clip.mp4")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(w.path("clip.mp4"), 0o644); err != nil {
		t.Fatal(err)
	}
	for n, at := range places(t) {
		if err := os.MkdirAll(w.path(at.name), 0o777); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(w.path(at.name), 0o777)
		args := []string{"redact", "clip.mp4", "-o", w.path(at.name + "/out.mp4"), "--report", w.path(at.name + "/report.json"), "--audio", "keep",
			"--effort", "fast", "--models", w.path("weights"), "--sandbox", "required", "--contact-sheet", w.path(at.name + "/sheet.png")}
		out, err := w.command(t, at, "veil", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", at.name, err, out)
		}
		var r pipeline.Report
		b, _ := os.ReadFile(w.path(at.name + "/report.json"))
		if err := json.Unmarshal(b, &r); err != nil || r.State != pipeline.Released {
			t.Fatalf("%s: %v: %.300s", at.name, err, b)
		}
		w.inForce(t, at, r.Sandbox)
		if left, _ := filepath.Glob(w.path(at.name + "/.*")); len(left) > 0 {
			t.Errorf("%s: %q is left", at.name, left)
		}
		if n < 2 && len(places(t)) > 2 {
			continue
		}
		w.kill(t, at, args)
	}
}

// kill ends a run with SIGKILL once it has children, and waits for them to go.
func (w *world) kill(t *testing.T, at spot, args []string) {
	t.Helper()
	cmd := w.command(t, at, "veil", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for len(w.processes()) < 3 && time.Now().Before(deadline) { // veil, its stage, and a program of that
		time.Sleep(5 * time.Millisecond)
	}
	if n := len(w.processes()); n < 3 {
		t.Errorf("%s: only %d processes were met alive", at.name, n)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); len(w.processes()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: processes %q are left", at.name, w.processes())
		}
	}
}

// processes lists those that work in the world's folder.
func (w *world) processes() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range all {
		if cwd, _ := os.Readlink(link); strings.HasPrefix(cwd, w.dir) {
			found = append(found, filepath.Base(filepath.Dir(link)))
		}
	}
	return found
}
