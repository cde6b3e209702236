package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"veil/worker/store/servers"
)

// composition is what the tests read of docker/compose.yaml.
type composition struct {
	Services map[string]composed
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]any
}

// composed is one service of it.
type composed struct {
	User, Image string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	MemLimit    string   `yaml:"mem_limit"`
	NetworkMode string   `yaml:"network_mode"`
	Networks    []string
	Ports       []string
	Profiles    []string
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	Volumes     []string
	Tmpfs       []string
	Stop        string                                `yaml:"stop_grace_period"`
	After       map[string]struct{ Condition string } `yaml:"depends_on"`
	Health      struct{ Test []string }               `yaml:"healthcheck"`
}

func readComposition(t *testing.T) composition {
	t.Helper()
	var c composition
	if err := yaml.Unmarshal(read(t, filepath.Join(root, "docker", "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestComposition holds every service against what containers are to be denied, and the times against each other.
func TestComposition(t *testing.T) {
	c := readComposition(t)
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.MemLimit == "" {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		if (s.User != "10001:10001" || len(s.CapAdd) > 0) && (name != "keys" || s.NetworkMode != "none") {
			t.Errorf("%s runs as %s with %v", name, s.User, s.CapAdd)
		}
		for _, n := range s.Networks {
			if !c.Networks[n].Internal && (name != "nats" && name != "store") {
				t.Errorf("%s has a way out: %s", name, n)
			}
		}
		if len(s.Networks) == 0 && s.NetworkMode != "none" {
			t.Errorf("%s is in a network that nobody named", name)
		}
		for _, v := range s.Volumes {
			from, target, _ := strings.Cut(v, ":")
			if _, known := c.Volumes[from]; !known && !strings.HasPrefix(from, "./compose/") {
				t.Errorf("%s mounts %s, which is no volume", name, v)
			}
			if (strings.HasPrefix(from, "keys-") || strings.HasPrefix(from, "./")) && !strings.HasSuffix(target, ":ro") && name != "keys" {
				t.Errorf("%s could write into %s", name, from)
			}
			if from == "authority" && name != "keys" {
				t.Errorf("%s sees the authority's key", name)
			}
		}
		if strings.HasPrefix(name, "worker") {
			grace, err := time.ParseDuration(s.Environment["VEIL_GRACE"])
			stop, stopErr := time.ParseDuration(s.Stop)
			if err != nil || stopErr != nil || stop < grace+time.Minute {
				t.Errorf("%s is killed after %s, its clips have %s", name, s.Stop, s.Environment["VEIL_GRACE"])
			}
		}
	}
}

// stack runs the services of docker/compose.yaml as plain processes: the same arguments, environment, files and health checks.
// Volumes are folders, and every service has an address of its own on the loopback device, which stands for its name and for all
// addresses that it listens on.
type stack struct {
	*place
	t    *testing.T
	file composition
	net  [2]int
	bin  string
	runs map[string]*running
}

// running is a service that goes on until it is told to end.
type running struct {
	cmd  *exec.Cmd
	log  lockedBuffer
	done chan error
}

// lockedBuffer is a buffer that may be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}
func (b *lockedBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{place: newPlace(t), t: t, file: readComposition(t), net: [2]int{64 + rand.Intn(128), rand.Intn(256)}, runs: map[string]*running{}}
	s.bin = s.path("bin")
	gateway, err := servers.VersitygwPath(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if r := s.exec(t, "go", "-C", root, "build", "-o", filepath.Join(s.bin, "nats-server"), "github.com/nats-io/nats-server/v2"); r.code != 0 {
		t.Fatalf("build nats-server: %s", r.err)
	}
	for name, path := range map[string]string{"veil": program, "versitygw": gateway} {
		if err := os.Symlink(path, filepath.Join(s.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name := range s.file.Services {
		s.furnish(name)
	}
	t.Cleanup(s.end)
	return s
}

// address is the service's own on the loopback device.
func (s *stack) address(name string) string {
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range s.file.Services {
			if !yield(n) {
				return
			}
		}
	})
	return fmt.Sprintf("127.%d.%d.%d", s.net[0], s.net[1], 2+slices.Index(names, name))
}

// home is the folder that stands for the root of a service's container.
func (s *stack) home(name string) string { return s.path(filepath.Join("home", name)) }

var (
	mounted  = regexp.MustCompile(`(^|[-\s"'=<>(])/(keys|data|scratch|compose)\b`)
	anywhere = regexp.MustCompile(`\b(0\.0\.0\.0|127\.0\.0\.1)\b`)
	hostName = regexp.MustCompile(`//(nats|store):`)
)

// here translates a text from a service's container to this machine.
func (s *stack) here(name, text string) string {
	text = strings.ReplaceAll(text, "$$", "$")
	text = mounted.ReplaceAllString(text, "${1}"+s.home(name)+"/$2")
	text = anywhere.ReplaceAllString(text, s.address(name))
	text = hostName.ReplaceAllStringFunc(text, func(m string) string { return "//" + s.address(strings.Trim(m, "/:")) + ":" })
	return strings.NewReplacer("/usr/bin/nats-server", filepath.Join(s.bin, "nats-server")).Replace(text)
}

// furnish puts what a service mounts below its home.
func (s *stack) furnish(name string) {
	s.t.Helper()
	for _, v := range s.file.Services[name].Volumes {
		parts := strings.Split(v, ":")
		target := filepath.Join(s.home(name), parts[1])
		var err error
		if err = os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(parts[0], "./") {
			text := s.here(name, string(read(s.t, filepath.Join(root, "docker", parts[0]))))
			err = os.WriteFile(target, []byte(text), 0o644)
		} else {
			volume := s.path(filepath.Join("volumes", parts[0]))
			if err = os.MkdirAll(volume, 0o700); err == nil {
				err = os.Symlink(volume, target)
			}
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for _, dir := range s.file.Services[name].Tmpfs {
		dir, _, _ = strings.Cut(dir, ":")
		if err := os.MkdirAll(filepath.Join(s.home(name), dir), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
}

// prepare makes the command of a service; args replace its own.
func (s *stack) prepare(ctx context.Context, name string, args ...string) *exec.Cmd {
	service := s.file.Services[name]
	line := service.Entrypoint
	if len(line) > 1 && line[1] == "--" {
		line = line[2:] // tini hands signals on; here nothing is below process 1
	}
	if len(args) == 0 {
		args = service.Command
	}
	if len(line) == 0 && service.Image == "veil" {
		line = []string{filepath.Join(s.bin, "veil")}
	}
	line = append(slices.Clone(line), args...)
	for i := range line {
		line[i] = s.here(name, line[i])
	}
	cmd := s.command(ctx, line[0], line[1:]...)
	cmd.Env = append(cmd.Env, "PATH="+s.bin+":"+os.Getenv("PATH"), "NAMES_NATS="+s.address("nats"), "NAMES_STORE="+s.address("store"))
	for key, value := range service.Environment {
		cmd.Env = append(cmd.Env, key+"="+s.here(name, value))
	}
	return cmd
}

// once runs a service to its end, or another command with what the service has.
func (s *stack) once(name string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*hang)
	defer cancel()
	cmd := s.prepare(ctx, name, args...)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	err := cmd.Run()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		s.t.Fatalf("%s %q: %v", name, args, errorOr(err, ctx.Err()))
	}
	return result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: fault.String()}
}

func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// start starts a service and all that it comes after, as compose does, and waits until it is healthy where somebody asks for that.
func (s *stack) start(name string) {
	s.t.Helper()
	if s.runs[name] != nil {
		return
	}
	service := s.file.Services[name]
	for before, how := range service.After {
		s.start(before)
		if how.Condition == "service_healthy" {
			s.healthy(before)
		}
	}
	s.runs[name] = &running{}
	if len(service.Health.Test) == 0 { // one that ends
		if r := s.once(name); r.code != 0 {
			s.t.Fatalf("%s ended with %d\n%s%s", name, r.code, r.out, r.err)
		}
		return
	}
	r := &running{done: make(chan error, 1)}
	r.cmd = s.prepare(context.WithoutCancel(s.t.Context()), name)
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { r.done <- r.cmd.Wait() }()
	s.runs[name] = r
}

// healthy waits until a service's own health check says so.
func (s *stack) healthy(name string) {
	s.t.Helper()
	check := s.file.Services[name].Health.Test
	for end := time.Now().Add(2 * hang); ; time.Sleep(100 * time.Millisecond) {
		var args []string
		for _, a := range check[1:] {
			args = append(args, s.here(name, a))
		}
		err := exec.CommandContext(s.t.Context(), args[0], args[1:]...).Run()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s does not get healthy: %v\n%s", name, err, s.runs[name].log.String())
		}
	}
}

// signal sends a signal to a service that runs.
func (s *stack) signal(name string, sig syscall.Signal) {
	s.t.Helper()
	if err := s.runs[name].cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
}

// stopped waits until a service has ended by itself, and well.
func (s *stack) stopped(name string) {
	s.t.Helper()
	select {
	case err := <-s.runs[name].done:
		if err != nil {
			s.t.Errorf("%s: %v\n%s", name, err, s.runs[name].log.String())
		}
		s.runs[name].cmd = nil
	case <-time.After(2 * hang):
		s.t.Fatalf("%s does not end\n%s", name, s.runs[name].log.String())
	}
}

// end ends what still runs.
func (s *stack) end() {
	for _, r := range s.runs {
		if r.cmd != nil && r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			<-r.done
		}
	}
}

// TestServersAreThoseThatAreTested holds the versions in docker/servers.Dockerfile against those that the tests build.
func TestServersAreThoseThatAreTested(t *testing.T) {
	file := string(read(t, filepath.Join(root, "docker", "servers.Dockerfile")))
	gateway, err := servers.VersitygwPath(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(filepath.Base(gateway), "-")
	if !strings.Contains(file, "VERSITYGW_VERSION="+version+"\n") {
		t.Errorf("versitygw is not %s", version)
	}
	nats := regexp.MustCompile(`nats-server/v2 (v\S+)`).FindSubmatch(read(t, filepath.Join(root, "go.mod")))
	if nats == nil || !strings.Contains(file, "NATS_VERSION="+string(nats[1])+"\n") {
		t.Errorf("nats-server is not %s", nats)
	}
}
