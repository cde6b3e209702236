// Package runbooks_test runs every command of the runbooks as it stands, against real nats-server and versitygw processes and real
// veil workers: one test prepares and breaks what a page is about, types the page section by section, and looks whether it helped.
package runbooks_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"veil/models"
	"veil/worker/store/servers"
)

const (
	// sample is a clip of a person talking that `make test` installs (docker/packages.txt).
	sample = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"
	// patience is how long a block of commands, or an answer, may take.
	patience = 4 * time.Minute
)

// programs is the folder of veil, nats-server and versitygw; weights that of the networks.
var programs, weights string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

// errNotSetUp is what only a machine lacks on which nobody ran the set-up.
var errNotSetUp = errors.New("this machine is not set up")

// runAll builds the programs and runs the tests. Without weights or clip a laptop skips, CI fails; everything else fails anywhere.
func runAll(m *testing.M) int {
	err := prepare()
	defer os.RemoveAll(programs)
	switch {
	case err == nil:
		return m.Run()
	case errors.Is(err, errNotSetUp) && os.Getenv("CI") == "":
		fmt.Fprintln(os.Stderr, err)
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func prepare() (err error) {
	if weights, err = models.Folder(filepath.Join("..", "..", "models", "weights")); err != nil {
		return fmt.Errorf("%w: no weights: run `make models`: %w", errNotSetUp, err)
	}
	if weights, err = filepath.Abs(weights); err != nil {
		return err
	}
	if _, err := os.Stat(sample); err != nil {
		return fmt.Errorf("%w: no sample clip: run `docker/install.sh demo`: %w", errNotSetUp, err)
	}
	if programs, err = os.MkdirTemp("", "veil-runbooks-"); err != nil {
		return err
	}
	for name, path := range map[string]string{"veil": "veil/worker", "nats-server": "github.com/nats-io/nats-server/v2"} {
		if err := goBuild(name, path, "one"); err != nil {
			return err
		}
	}
	gateway, err := servers.VersitygwPath(context.Background())
	if err != nil {
		return err
	}
	return os.Symlink(gateway, filepath.Join(programs, "versitygw"))
}

// goBuild builds a program into the folder of programs.
func goBuild(name, path, revision string) error {
	out, err := exec.Command("go", "build", "-ldflags", "-X main.revision="+revision, "-o", filepath.Join(programs, name), path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s", path, err, out)
	}
	return nil
}

// house is a machine that veil is installed on, below one folder.
type house struct {
	t     *testing.T
	dir   string
	env   []string
	shell *shell
}

// newHouse lays out settings and keys, starts queue and store, and sets them up. No worker runs yet.
func newHouse(t *testing.T, secure bool) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	for _, name := range []string{"bin", "etc/keys", "nats", "store/objects/veil", "cache", "backups", "replica", "units", "new"} {
		if err := os.MkdirAll(h.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.env = append(os.Environ(), "PATH="+h.path("bin")+":"+os.Getenv("PATH"), "etc="+h.path("etc"), "nats="+h.path("nats"), "store="+h.path("store"),
		"cache="+h.path("cache"), "backups="+h.path("backups"), "replica="+h.path("replica"), "units="+h.path("units"), "lib="+programs)
	stands, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"systemctl", "journalctl", "veil-here"} {
		if err := os.Symlink(filepath.Join(stands, name), h.path("bin/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(filepath.Join(programs, "veil"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("bin/veil", string(program)) // a copy: one page replaces it
	if err := os.Chmod(h.path("bin/veil"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.write("store/this-is-the-store", "")
	h.write("units/enabled", "veil-nats veil-store veil-worker@1\n")
	h.settle(secure)
	t.Cleanup(h.end)
	h.command("veil", "keygen", "-o", h.path("etc/keys"))
	h.command("systemctl", "start", "veil-nats", "veil-store")
	h.command("veil-here", "setup", "--wait", "1m")
	return h
}

// settle writes the settings of all services.
func (h *house) settle(secure bool) {
	queue, store := freePort(h.t), freePort(h.t)
	natsTLS, storeTLS, workerTLS, s, tls := "", "", "", "", "nats"
	if secure {
		keys := h.path("etc/keys")
		natsTLS = fmt.Sprintf("tls { cert_file: %[1]q, key_file: %[2]q, ca_file: %[3]q, verify: true }\n", keys+"/nats.pem", keys+"/nats.key", keys+"/ca.pem")
		storeTLS = fmt.Sprintf("VGW_CERT=%[1]s/store.pem\nVGW_KEY=%[1]s/store.key\n", keys)
		workerTLS = fmt.Sprintf("VEIL_NATS_CA=%[1]s/ca.pem\nVEIL_NATS_CERT=%[1]s/worker.pem\nVEIL_NATS_KEY=%[1]s/worker.key\nVEIL_S3_CA=%[1]s/ca.pem\n", keys)
		s, tls = "s", "tls"
	}
	h.write("etc/nats.conf", fmt.Sprintf("listen: 127.0.0.1:%d\njetstream { store_dir: %q }\n%s", queue, h.path("nats/jetstream"), natsTLS))
	h.write("etc/store.env", fmt.Sprintf("VGW_PORT=127.0.0.1:%d\nROOT_ACCESS_KEY=veil\nROOT_SECRET_KEY=secret-of-the-store\n%s", store, storeTLS))
	h.write("etc/worker.env", fmt.Sprintf("VEIL_NATS=%s://127.0.0.1:%d\nVEIL_STORE=s3://veil\nVEIL_S3_ENDPOINT=http%s://127.0.0.1:%d\nVEIL_S3_KEY=veil\n"+
		"VEIL_S3_SECRET=secret-of-the-store\nVEIL_ENCRYPTION=declared\nVEIL_KEY=$etc/keys/veil.key\nVEIL_REQUIRE_SIGNING=true\nVEIL_SLOTS=1\nVEIL_RESERVE=64\n"+
		"VEIL_MODELS=%s\nVEIL_SCRATCH=${VEIL_SCRATCH:-$cache/here}\n%s", tls, queue, s, store, weights, workerTLS))
	if secure {
		newAuthority(h.t).issue(h.path("etc/keys"))
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// end kills what is left of the services.
func (h *house) end() {
	if h.shell != nil {
		h.shell.close()
	}
	files, _ := filepath.Glob(h.path("units/*.pid"))
	for _, f := range files {
		if pid, err := strconv.Atoi(strings.TrimSpace(h.read(f))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	time.Sleep(200 * time.Millisecond) // until the kernel has ended their children
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) read(path string) string {
	h.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// try runs a program as the operator would, and gives what it printed.
func (h *house) try(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	if name != "ffmpeg" && name != "openssl" {
		cmd.Path = h.path("bin/" + name)
		cmd.Err = nil
	}
	cmd.Dir, cmd.Env = h.dir, h.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (h *house) command(name string, args ...string) string {
	h.t.Helper()
	out, err := h.try(name, args...)
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// submit hands a clip in that is half a second of a person talking, from a moment on; no two alike.
func (h *house) submit(id string, from float64) {
	h.t.Helper()
	clip := h.path(id + ".mp4")
	h.clip(clip, from)
	h.command("veil-here", "submit", clip, "--id", id, "--case", "ST-0815")
}

func (h *house) clip(path string, from float64) {
	h.t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-ss", fmt.Sprint(from), "-t", "0.3", "-i", sample, "-vf", "scale=320:-2", "-an", "-c:v", "libx264",
		"-preset", "ultrafast", path).CombinedOutput()
	if err != nil {
		h.t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
}

// phases are those of all jobs.
func (h *house) phases() map[string]string {
	h.t.Helper()
	var list struct {
		Jobs []struct{ ID, Phase string }
	}
	out := h.command("veil-here", "jobs", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	phases := map[string]string{}
	for _, j := range list.Jobs {
		phases[j.ID] = j.Phase
	}
	return phases
}

// until waits until jobs stand as wanted.
func (h *house) until(want map[string]string) {
	h.t.Helper()
	var last map[string]string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		last = h.phases()
		there := true
		for id, phase := range want {
			there = there && last[id] == phase
		}
		if there {
			return
		}
	}
	log, _ := h.try("journalctl", "-u", "veil-worker@1", "-n", "30")
	h.t.Fatalf("jobs stand as %v, wanted %v\n%s", last, want, log)
}

// released waits until jobs are released.
func (h *house) released(ids ...string) {
	h.t.Helper()
	want := map[string]string{}
	for _, id := range ids {
		want[id] = "released"
	}
	h.until(want)
}

var attemptFile = regexp.MustCompile(`^(release/[^/]+/\d+|restricted/[^/]+/\d+/\d+)/`)

// results are the digests of all that attempts have put and made visible.
func (h *house) results() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	root := h.path("store/objects/veil")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil && attemptFile.MatchString(rel) {
			all[rel] = fmt.Sprintf("%x", sha256.Sum256([]byte(h.read(path))))
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// unchanged fails the test unless everything that was there before is there, the same, and, of these jobs, nothing more: no job
// ran again, and nothing was released twice.
func (h *house) unchanged(before map[string]string, jobs ...string) {
	h.t.Helper()
	now := h.results()
	for path, sum := range before {
		if now[path] != sum {
			h.t.Errorf("%s is not what it was", path)
		}
	}
	for path := range now {
		if before[path] == "" && slices.Contains(jobs, strings.Split(path, "/")[1]) {
			h.t.Errorf("%s came anew: a finished job ran again", path)
		}
	}
}

// page is a runbook whose commands are typed.
type page struct {
	h        *house
	name     string
	sections map[string][]string // blocks by heading
	typed    map[string]bool
}

// open reads a page. Every section with commands has to be typed before the test ends.
func (h *house) open(name string) *page {
	h.t.Helper()
	p := &page{h: h, name: name, sections: map[string][]string{}, typed: map[string]bool{}}
	heading, inside := "", false
	for line := range strings.Lines(h.read(name)) {
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = line == "```sh\n"; inside {
				p.sections[heading] = append(p.sections[heading], "")
			}
		case inside:
			p.sections[heading][len(p.sections[heading])-1] += line
		case strings.HasPrefix(line, "## "):
			heading = strings.TrimSpace(strings.TrimPrefix(line, "## "))
		}
	}
	h.t.Cleanup(func() {
		for heading := range p.sections {
			if !p.typed[heading] && !h.t.Failed() {
				h.t.Errorf("%s: nobody typed %q", name, heading)
			}
		}
	})
	return p
}

// do types the commands of a section, one block after the other, and gives what the last one printed.
func (p *page) do(heading string) (out string) {
	p.h.t.Helper()
	blocks := p.sections[heading]
	if len(blocks) == 0 {
		p.h.t.Fatalf("%s has no commands under %q", p.name, heading)
	}
	p.typed[heading] = true
	if p.h.shell == nil {
		p.h.shell = newShell(p.h)
	}
	for _, b := range blocks {
		out = p.h.shell.run(b)
	}
	return out
}

// shell is the one that the operator types into: what a block sets, the next one knows. A command that fails ends it.
type shell struct {
	h      *house
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string
	blocks int
}

func newShell(h *house) *shell {
	h.t.Helper()
	s := &shell{h: h, cmd: exec.Command("bash"), lines: make(chan string)}
	s.cmd.Dir, s.cmd.Env = h.dir, h.env
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	s.in, s.cmd.Stdout, s.cmd.Stderr = in, w, w
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(s.lines)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			s.lines <- scan.Text()
		}
	}()
	fmt.Fprintln(in, "set -euo pipefail")
	return s
}

const blockEnd = "--- the block is done"

// run runs one block and gives what it printed.
func (s *shell) run(block string) string {
	s.h.t.Helper()
	s.blocks++
	name := fmt.Sprintf("block-%d.sh", s.blocks)
	s.h.write(name, block)
	fmt.Fprintf(s.in, "trap 'echo \"--- ended with $?\"' EXIT; . ./%s </dev/null; echo; echo %q\n", name, blockEnd)
	var said []string
	limit := time.After(patience)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok || strings.HasPrefix(line, "--- ended with ") {
				s.h.t.Fatalf("%s\n%s\n%s", block, strings.Join(said, "\n"), line)
			}
			if line == blockEnd {
				return strings.Join(said, "\n")
			}
			said = append(said, line)
		case <-limit:
			s.h.t.Fatalf("this takes too long:\n%s\n%s", block, strings.Join(said, "\n"))
		}
	}
}

func (s *shell) close() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}
