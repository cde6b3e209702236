package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/store/servers"
)

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// secretFile is a file with a secret.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flagsOf names a bucket of a server as the store.
func flagsOf(t *testing.T, gw *servers.Server, nats string) *connect.Flags {
	t.Helper()
	return &connect.Flags{Nats: nats, Store: "s3://evidence", S3Endpoint: gw.Endpoint, Encryption: "declared", S3Idle: 2 * time.Second,
		S3KeyFile: secretFile(t, gw.AccessKey), S3SecretFile: secretFile(t, gw.SecretKey)}
}

// startQueue starts a NATS server that was set up.
func startQueue(t *testing.T, port int) string {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Lazy: true, Listen: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := jobs.Setup(t.Context(), nc, jobs.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	return srv.URL()
}

// TestWorkerWaitsForItsServers starts a worker before its queue and its store: it says what it waits for, and works once they
// are there.
func TestWorkerWaitsForItsServers(t *testing.T) {
	gw := servers.Versitygw(t, servers.Options{})
	gw.MakeBucket("evidence", false)
	gw.Stop()
	queuePort, healthPort := freePort(t), freePort(t)
	s := newShop(t)
	f := s.flags()
	f.Listen = fmt.Sprintf("127.0.0.1:%d", healthPort)
	d := s.daemonOf(f)
	shopService := d.service
	t.Cleanup(func() { _ = shopService.Close() })
	d.service = nil
	d.reaching = &reaching{flags: flagsOf(t, gw, fmt.Sprintf("nats://127.0.0.1:%d", queuePort)), options: jobs.Options{Log: d.log},
		log: d.log, first: 20 * time.Millisecond}
	ready := func() string {
		resp, err := http.Get("http://" + f.Listen + "/readyz")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(b)))
	}
	await := func(want string) {
		t.Helper()
		for end := time.Now().Add(patience); ready() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("/readyz says %q, want %q", ready(), want)
			}
		}
	}
	at := s.work(d)
	await("503 queue")
	resp, err := http.Get("http://" + f.Listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("metrics before the start: %s", resp.Status)
	}
	startQueue(t, queuePort)
	await("503 store")
	gw.Start()
	await("200 ready")
	at.soft()
	at.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, want := range []string{`"msg":"waiting for the queue"`, `"msg":"waiting for the store"`, `"msg":"serving"`} {
		if !bytes.Contains(s.log.Bytes(), []byte(want)) {
			t.Errorf("the log lacks %s", want)
		}
	}
	_ = d.service.Close()
	d.service = shopService
}

// TestWorkerIsStoppedWhileItWaits: nothing was begun, so that there is nothing to complain of.
func TestWorkerIsStoppedWhileItWaits(t *testing.T) {
	s := newShop(t)
	d := s.daemonOf(s.flags())
	shopService := d.service
	t.Cleanup(func() { _ = shopService.Close() })
	flags := &connect.Flags{Nats: fmt.Sprintf("nats://127.0.0.1:%d", freePort(t)), Store: t.TempDir(), SourceDir: t.TempDir(), Encryption: "declared", S3Idle: 2 * time.Second}
	d.service = nil
	defer func() { d.service = shopService }()
	d.reaching = &reaching{flags: flags, options: jobs.Options{Log: d.log}, log: d.log, first: time.Hour}
	soft, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.run(soft, t.Context()) }()
	for end := time.Now().Add(patience); d.reaching.lacks.Load() == nil; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it does not wait: %v", err)
		default:
		}
		if time.Now().After(end) {
			t.Fatal("it does not wait")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped while it waited: %v", err)
	}
}

// TestReachGivesUpAtOnce: what waiting cannot mend is told at once.
func TestReachGivesUpAtOnce(t *testing.T) {
	gw := servers.Versitygw(t, servers.Options{})
	gw.MakeBucket("evidence", false)
	url := startQueue(t, 0)
	for name, c := range map[string]struct {
		change func(*connect.Flags)
		code   string
	}{
		"wrong secret":           {func(f *connect.Flags) { f.S3SecretFile = secretFile(t, "wrong") }, failure.StoreAccess},
		"no such bucket":         {func(f *connect.Flags) { f.Store = "s3://elsewhere" }, failure.StoreAccess},
		"token without a key":    {func(f *connect.Flags) { f.S3KeyFile = ""; f.S3TokenFile = secretFile(t, "token") }, "usage"},
		"half a key":             {func(f *connect.Flags) { f.S3SecretFile = "" }, "usage"},
		"missing certificates":   {func(f *connect.Flags) { f.S3CA = "/nowhere" }, ""},
		"an impatient time-out":  {func(f *connect.Flags) { f.S3Idle = time.Millisecond }, "usage"},
		"unconfirmed encryption": {func(f *connect.Flags) { f.Encryption = "required" }, failure.StoreUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			f := flagsOf(t, gw, url)
			c.change(f)
			if c.code == "usage" && f.S3KeyFile == "" {
				f.S3SecretFile = ""
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := newShop(t)
			r := &reaching{flags: f, log: s.daemonOf(s.flags()).log, first: time.Hour}
			got, _, err := r.reach(ctx)
			if err == nil {
				_ = got.Close()
			}
			if err == nil || ctx.Err() != nil || c.code != "" && failure.As(err).Code != c.code {
				t.Errorf("%v", err)
			}
		})
	}
}
