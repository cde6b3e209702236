package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"

	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/store/servers"
)

const (
	natsDirVar  = "VEIL_BENCH_NATS_DIR" // makes this program a NATS server
	natsPortVar = "VEIL_BENCH_NATS_PORT"
	token       = "bench"
	accessKey   = "veil-bench"
	secretKey   = "veil-bench-secret-0815"
	clipBucket  = "footage"
	ownBucket   = "evidence"
	startLimit  = time.Minute // until a server or a worker is ready
)

// house is everything that runs: a queue, a store, and the workers of one measurement.
type house struct {
	dir    string // of this run; removed by close
	out    string // bench/out, where clips are kept between runs
	veil   string
	s3     string // endpoint
	nats   string // URL
	client *minio.Client
	nc     *nats.Conn
	queue  *jobs.Queue

	servers []*exec.Cmd
	workers int
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

// newHouse starts queue and store, empty. Close it.
func newHouse(ctx context.Context) (*house, error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	h := &house{veil: filepath.Join(root, "veil"), out: filepath.Join(root, "bench", "out")}
	if _, err := os.Stat(h.veil); err != nil {
		return nil, errors.New("there is no ./veil: run `make build`")
	}
	if err := os.MkdirAll(h.out, 0o755); err != nil {
		return nil, err
	}
	if h.dir, err = os.MkdirTemp(h.out, "queue-"); err != nil {
		return nil, err
	}
	if err := h.furnish(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *house) furnish(ctx context.Context) error {
	for name, text := range map[string]string{"key": accessKey, "secret": secretKey} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := h.startStore(ctx); err != nil {
		return err
	}
	if err := h.startNATS(ctx); err != nil {
		return err
	}
	if _, err := h.command(ctx, "setup"); err != nil {
		return err
	}
	var err error
	h.queue, err = jobs.Open(ctx, h.nc, jobs.Options{Validator: jobs.Validator{AnySource: true}})
	return err
}

// startStore starts versitygw and makes the buckets.
func (h *house) startStore(ctx context.Context) error {
	path, err := servers.VersitygwPath(ctx)
	if err != nil {
		return err
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	h.s3 = "http://" + addr
	data := filepath.Join(h.dir, "store")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := h.begin(exec.Command(path, "--access", accessKey, "--secret", secretKey, "--port", addr, "--quiet", "posix", data)); err != nil {
		return fmt.Errorf("start versitygw: %w", err)
	}
	u, err := url.Parse(h.s3)
	if err != nil {
		return err
	}
	h.client, err = minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath})
	if err != nil {
		return err
	}
	if err := until(ctx, "versitygw", func() error { _, err := h.client.ListBuckets(ctx); return err }); err != nil {
		return err
	}
	for _, b := range []string{clipBucket, ownBucket} {
		if err := h.client.MakeBucket(ctx, b, minio.MakeBucketOptions{}); err != nil {
			return fmt.Errorf("make bucket %s: %w", b, err)
		}
	}
	return nil
}

// startNATS starts the queue's server, which syncs every write to disk as an operator's does, and connects to it.
func (h *house) startNATS(ctx context.Context) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	h.nats = fmt.Sprintf("nats://%s@%s", token, addr)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), natsDirVar+"="+filepath.Join(h.dir, "jetstream"), natsPortVar+"="+port)
	if err := h.begin(cmd); err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	return until(ctx, "NATS", func() (err error) {
		h.nc, err = nats.Connect(h.nats, nats.Timeout(time.Second))
		return err
	})
}

// freeAddress is an address of this machine that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// until tries until it works.
func until(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// begin starts a server that ends with the house.
func (h *house) begin(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	h.servers = append(h.servers, cmd)
	return nil
}

// close ends the servers and removes what the run has left.
func (h *house) close() error {
	if h.nc != nil {
		h.nc.Close()
	}
	for _, s := range h.servers {
		_ = s.Process.Kill()
		_ = s.Wait() // it was killed
	}
	return os.RemoveAll(h.dir)
}

// flags are what every command needs to find queue and store.
func (h *house) flags() []string {
	return []string{"--nats", h.nats, "--store", "s3://" + ownBucket, "--s3-endpoint", h.s3, "--s3-key-file", filepath.Join(h.dir, "key"),
		"--s3-secret-file", filepath.Join(h.dir, "secret"), "--encryption", "declared"}
}

// run runs a command of veil to its end.
func (h *house) command(ctx context.Context, name string, args ...string) (Cost, error) {
	return measure(exec.CommandContext(ctx, h.veil, append(append([]string{name}, h.flags()...), args...)...))
}

// worker is a running daemon.
type worker struct {
	cmd *exec.Cmd
	log string
}

// hire starts a worker and waits until it serves.
func (h *house) hire(ctx context.Context, slots int, more ...string) (*worker, error) {
	w, err := h.start(h.veil, slots, more...)
	if err != nil {
		return nil, err
	}
	if err := until(ctx, "a worker", w.serves); err != nil {
		return nil, errors.Join(err, w.retire())
	}
	return w, nil
}

// start starts a worker.
func (h *house) start(program string, slots int, more ...string) (*worker, error) {
	h.workers++
	name := "worker-" + strconv.Itoa(h.workers)
	w := &worker{log: filepath.Join(h.dir, name+".jsonl")}
	args := append([]string{"worker"}, h.flags()...)
	args = append(args, "--slots", strconv.Itoa(slots), "--scratch", filepath.Join(h.dir, name), "--reserve", "64", "--allow", clipBucket)
	w.cmd = exec.Command(program, append(args, more...)...)
	log, err := os.Create(w.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w.cmd.Stderr = log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return w, w.cmd.Start()
}

var errNotServing = errors.New("it does not serve yet")

func (w *worker) serves() error {
	b, err := os.ReadFile(w.log)
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(`"msg":"serving"`)) {
		if text := strings.TrimSpace(string(b)); text != "" {
			return fmt.Errorf("%w: %s", errNotServing, lastLine(text))
		}
		return errNotServing
	}
	return nil
}

func (w *worker) pid() int { return w.cmd.Process.Pid }

// retire ends the worker and waits.
func (w *worker) retire() error {
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	stop := time.AfterFunc(startLimit, func() { _ = w.cmd.Process.Kill() })
	defer stop.Stop()
	if err := w.cmd.Wait(); err != nil {
		text, _ := os.ReadFile(w.log)
		return fmt.Errorf("worker: %w: %s", err, lastLine(string(text)))
	}
	return nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
