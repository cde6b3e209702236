package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
)

// build makes the program as it is handed out: without cgo, for one system.
func build(t *testing.T, system string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "veil-verify")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build for %s: %v\n%s", system, err, out)
	}
	return path
}

// TestPublicPartAlone: the program runs in an empty environment, with the public part of a set and the trust file, and with
// nothing else: no ffmpeg, no cache, no home.
func TestPublicPartAlone(t *testing.T) {
	program := build(t, "linux")
	k := evidencetest.New(t)
	dir := t.TempDir()
	copyTo := func(path string) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	public, err := k.Key.EncodePublic()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{k.Out, k.Stem() + evidence.ManifestEnding, k.Stem() + evidence.ReportEnding} {
		copyTo(path)
	}
	if err := os.WriteFile(filepath.Join(dir, "veil.pub"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(args ...string) (int, string) {
		cmd := exec.Command(program, append([]string{"clip.mp4", "--trust", "veil.pub"}, args...)...)
		cmd.Dir, cmd.Env = dir, []string{}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := verify()
	if code != exitPartial || !strings.Contains(out, "nothing is wrong") || strings.Contains(out, "FAILED") || !strings.Contains(out, k.Key.ID()) {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out = verify("--json", "--language", "de", "--html", "page.html")
	var r evidence.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitPartial || r.Find("plan").Result != evidence.Withheld {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "page.html")); err != nil || !bytes.Contains(page, []byte("Bericht")) {
		t.Errorf("page: %v\n%s", err, page)
	}
	if err := os.WriteFile(filepath.Join(dir, "clip.mp4"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out = verify(); code != exitBroken || !strings.Contains(out, "not the file that was signed") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestUsage(t *testing.T) {
	k := evidencetest.New(t)
	for name, args := range map[string][]string{
		"no file":          {},
		"not there":        {filepath.Join(k.Dir, "no.mp4")},
		"no set":           {k.Original, "--set", t.TempDir()},
		"no trust file":    {k.Out, "--trust", filepath.Join(k.Dir, "no.pub")},
		"not a trust file": {k.Out, "--trust", k.Out},
		"no such ffmpeg":   {k.Out, "--ffmpeg", filepath.Join(k.Dir, "no")},
		"page over a clip": {k.Out, "--no-ffmpeg", "--html", k.Out},
		"no time at all":   {k.Out, "--max-time", "0s"},
		"no such language": {k.Out, "--language", "fr"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != exitUsage || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: exit %d: %s", name, code, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--version"}, &out, &errs); code != 0 || !strings.Contains(out.String(), "unknown") {
		t.Errorf("--version: exit %d: %s%s", code, out.String(), errs.String())
	}
}

// TestNeedsNothingElse: no cgo, and none of what veil itself is made of but the evidence.
func TestNeedsNothingElse(t *testing.T) {
	for _, system := range []string{"linux", "windows", "darwin"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go list for %s: %v\n%s", system, err, out)
		}
		for _, p := range strings.Fields(string(out)) {
			for _, no := range []string{"gocv", "nats", "minio", "veil/pipeline/vision", "veil/worker/jobs", "veil/worker/store"} {
				if strings.Contains(p, no) && p != "veil/pipeline/vision/obscure" {
					t.Errorf("on %s it depends on %s", system, p)
				}
			}
		}
	}
}
