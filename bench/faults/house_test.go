//go:build faults

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/store/servers"
)

const (
	natsDirVar  = "VEIL_FAULTS_NATS_DIR" // makes this binary a NATS server
	natsPortVar = "VEIL_FAULTS_NATS_PORT"
	ackWait     = 10 * time.Second
	token       = "faults"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(natsDirVar); dir != "" {
		if err := serveNATS(dir); err != nil {
			fmt.Fprintln(os.Stderr, "nats:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveNATS is the NATS server's process.
func serveNATS(dir string) error {
	port, err := strconv.Atoi(os.Getenv(natsPortVar))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := embedded.Start(embedded.Options{Dir: dir, Listen: port, Token: token})
	if err != nil {
		return err
	}
	<-ctx.Done()
	s.Close()
	return nil
}

// readPolicy lets workers read the clips and nothing else.
const readPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::footage/*"},
	{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": "arn:aws:s3:::footage"}]}`

// house is everything that runs.
type house struct {
	t     testing.TB
	dir   string
	veil  string
	gw    *servers.Server
	read  servers.Keys // may only read the clips
	port  int
	nc    *nats.Conn
	queue *jobs.Queue

	nats    *exec.Cmd
	workers []*worker
}

// worker is one worker, through all the processes that it is.
type worker struct {
	name    string
	veil    string // the program
	more    []string
	scratch string
	logs    string // folder, one file for each process

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
	runs  int
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	h.veil = filepath.Join(root, "veil")
	if _, err := os.Stat(h.veil); err != nil {
		t.Fatalf("there is no ./veil: run `make faults`, or `make build` first")
	}
	h.gw = servers.Versitygw(t, servers.Options{})
	h.gw.MakeBucket("footage", false)
	h.gw.MakeBucket("evidence", false)
	h.read = h.gw.Account("footage", readPolicy)
	for name, secret := range map[string]string{"key": h.gw.AccessKey, "secret": h.gw.SecretKey, "read-key": h.read.Access,
		"read-secret": h.read.Secret, "token": token} {
		h.write(name, secret)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	h.startNATS()
	t.Cleanup(func() { h.stopNATS(syscall.SIGKILL) })
	h.run("setup", "--ack-wait", ackWait.String())
	h.connect()
	return h
}

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) natsURL() string { return fmt.Sprintf("nats://%s@127.0.0.1:%d", token, h.port) }

// startNATS starts the queue's server on its folder and port, and waits until it answers.
func (h *house) startNATS() {
	h.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), natsDirVar+"="+filepath.Join(h.dir, "jetstream"), fmt.Sprintf("%s=%d", natsPortVar, h.port))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.nats = cmd
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		nc, err := nats.Connect(h.natsURL(), nats.Timeout(time.Second))
		if err == nil {
			nc.Close()
			return
		}
		if time.Since(start) > 30*time.Second {
			h.t.Fatalf("the NATS server does not answer: %v", err)
		}
	}
}

func (h *house) stopNATS(sig syscall.Signal) {
	_ = h.nats.Process.Signal(sig)
	_ = h.nats.Wait()
}

// connect opens the test's own view of the queue.
func (h *house) connect() {
	h.t.Helper()
	nc, err := nats.Connect(h.natsURL(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		h.t.Fatal(err)
	}
	h.nc = nc
	h.t.Cleanup(nc.Close)
	if h.queue, err = jobs.Open(h.t.Context(), nc, jobs.Options{Validator: jobs.Validator{AnySource: true}}); err != nil {
		h.t.Fatal(err)
	}
}

// flags are what every command needs to find queue and store.
func (h *house) flags() []string {
	at := func(name string) string { return filepath.Join(h.dir, name) }
	return []string{"--nats", h.natsURL(), "--store", "s3://evidence", "--s3-endpoint", h.gw.Endpoint, "--s3-key-file", at("key"),
		"--s3-secret-file", at("secret"), "--source-key-file", at("read-key"), "--source-secret-file", at("read-secret"),
		"--encryption", "declared"}
}

// run runs a command of veil to its end and gives what it printed.
func (h *house) run(args ...string) string {
	h.t.Helper()
	out, err := h.try(args...)
	if err != nil {
		h.t.Fatalf("veil %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (h *house) try(args ...string) (string, error) {
	cmd := exec.Command(h.veil, append(append([]string{args[0]}, h.flags()...), args[1:]...)...)
	cmd.Env = h.env("commands")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// env gives a process a temporary folder within the house, where everything that it leaves is found.
func (h *house) env(name string) []string {
	tmp := filepath.Join(h.dir, "tmp-"+name)
	_ = os.MkdirAll(tmp, 0o700)
	return append(os.Environ(), "TMPDIR="+tmp)
}

// hire starts a worker.
func (h *house) hire(name string, more ...string) *worker {
	h.t.Helper()
	w := &worker{name: name, veil: h.veil, more: more, scratch: filepath.Join(h.dir, "scratch-"+name), logs: filepath.Join(h.dir, "log-"+name)}
	if err := os.MkdirAll(w.logs, 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.workers = append(h.workers, w)
	h.start(w)
	h.t.Cleanup(func() { // where the test failed half-way
		w.signal(syscall.SIGCONT)
		w.kill()
	})
	return w
}

// start starts the process of a worker.
func (h *house) start(w *worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	args := append([]string{"worker"}, h.flags()...)
	args = append(args, "--slots", "1", "--scratch", w.scratch, "--reserve", "64", "--max-deaths", "50", "--allow", "footage",
		"--threads", "1", "--collect", "0")
	cmd := exec.Command(w.veil, append(args, w.more...)...)
	cmd.Env = h.env(w.name)
	log, err := os.Create(filepath.Join(w.logs, logName(w.runs)))
	if err != nil {
		h.t.Error(err)
		return
	}
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		h.t.Error(err)
		return
	}
	w.cmd, w.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(w.ended)
}

// signal sends to the worker's own process only: what its children do then is what the test is about.
func (w *worker) signal(sig syscall.Signal) { _ = w.cmd.Process.Signal(sig) }

func (w *worker) pid() int { return w.cmd.Process.Pid }

// kill ends the process at once and waits for its end.
func (w *worker) kill() {
	w.signal(syscall.SIGKILL)
	<-w.ended
}

// retire asks the worker to end and waits.
func (w *worker) retire(limit time.Duration) error {
	w.signal(syscall.SIGTERM)
	select {
	case <-w.ended:
		return nil
	case <-time.After(limit):
		w.kill()
		return errors.New("did not end in time")
	}
}

// by finds the worker whose process a record names.
func (h *house) by(s jobs.State) *worker {
	for _, w := range h.workers {
		if strings.HasSuffix(s.Worker, "-"+strconv.Itoa(w.pid())) {
			return w
		}
	}
	return nil
}
