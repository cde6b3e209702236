package servers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startPatience = 60 * time.Second // until a server answers, on a machine that is busy with other tests
	stopPatience  = 5 * time.Second  // before a server that was asked to end is killed
)

// Options say how a server runs.
type Options struct {
	TLS bool // with a certificate of its own; Server.CAFile vouches for it
	KMS bool // MinIO encrypts (SSE-S3); versitygw has no encryption
	// Dir keeps the data; default a folder that is removed with the test.
	Dir string
	// Args are added to the command line.
	Args []string
}

// Server is a running server. It is ended with its test.
type Server struct {
	Name      string // versitygw or minio
	Endpoint  string // http(s)://127.0.0.1:PORT
	AccessKey string // may do everything
	SecretKey string
	CAFile    string // empty without TLS
	Dir       string // its data

	t    testing.TB
	path string
	args []string
	env  []string
	addr string

	mu  sync.Mutex
	cmd *exec.Cmd
	log bytes.Buffer
}

// Versitygw starts a versitygw on a folder. It keeps versions of buckets that are told to.
func Versitygw(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, versitygw, o)
	iam, versions := filepath.Join(s.Dir, "iam"), filepath.Join(s.Dir, "versions")
	data := filepath.Join(s.Dir, "data")
	s.makeDirs(iam, versions, data)
	s.args = []string{"--access", s.AccessKey, "--secret", s.SecretKey, "--port", s.addr, "--iam-dir", iam, "--quiet"}
	if o.TLS {
		cert, key := s.certificate(s.Dir, "cert.pem", "key.pem")
		s.args = append(s.args, "--cert", cert, "--key", key)
	}
	s.args = append(s.args, "posix", "--versioning-dir", versions)
	s.args = append(append(s.args, o.Args...), data)
	s.begin()
	return s
}

// MinIO starts a MinIO server on a folder.
func MinIO(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, minioMod, o)
	certs, data := filepath.Join(s.Dir, "certs"), filepath.Join(s.Dir, "data")
	s.makeDirs(filepath.Join(certs, "CAs"), data)
	s.args = []string{"server", "--address", s.addr, "--certs-dir", certs, "--quiet"}
	s.env = []string{"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_BROWSER=off",
		"MINIO_UPDATE=off", "MINIO_CI_CD=1", "HOME=" + s.Dir}
	if o.KMS {
		s.env = append(s.env, "MINIO_KMS_SECRET_KEY=veil-test:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")
	}
	if o.TLS {
		s.certificate(certs, "public.crt", "private.key")
	}
	s.args = append(append(s.args, o.Args...), data)
	s.begin()
	return s
}

func newServer(t testing.TB, m module, o Options) *Server {
	t.Helper()
	path, err := build(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Name: m.name, AccessKey: "veil-test-root", SecretKey: "veil-test-secret-0815", Dir: o.Dir, t: t, path: path}
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	_ = l.Close()
	s.Endpoint = "http://" + s.addr
	if o.TLS {
		s.Endpoint = "https://" + s.addr
	}
	return s
}

func (s *Server) makeDirs(dirs ...string) {
	s.t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}

// begin starts the process, and has it ended with the test.
func (s *Server) begin() {
	s.t.Helper()
	s.Start()
	s.t.Cleanup(s.Stop)
}

// Start starts the server on its data and its address, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	cmd := exec.Command(s.path, s.args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, s.env...)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	cmd.Dir = s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err := cmd.Start()
	s.cmd = cmd
	s.mu.Unlock()
	if err != nil {
		s.t.Fatalf("start %s: %v", s.Name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := s.wait(ctx); err != nil {
		s.Kill()
		s.t.Fatalf("%s does not answer: %v\n%s", s.Name, err, s.log.String())
	}
}

// Stop asks the server to end, and kills it where it does not.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pause stops the server from running without closing a connection; Resume lets it go on.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	for end := time.Now().Add(stopPatience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.stopped() {
			return
		}
	}
	s.t.Fatalf("%s goes on although it was stopped", s.Name)
}

// stopped reports whether every thread has taken the signal.
func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return true
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		if _, after, ok := bytes.Cut(stat, []byte(") ")); !ok || len(after) == 0 || after[0] != 'T' {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, sig)
	}
}

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	pid := s.cmd.Process.Pid
	_ = syscall.Kill(-pid, sig)
	_ = syscall.Kill(-pid, syscall.SIGCONT)
	timer := time.AfterFunc(stopPatience, func() { _ = syscall.Kill(-pid, syscall.SIGKILL) })
	_ = s.cmd.Wait() // its exit status says nothing: it was told to end
	timer.Stop()
	s.cmd = nil
}

// certificate makes an authority that vouches for 127.0.0.1, and writes certificate and key.
func (s *Server) certificate(dir, certName, keyName string) (cert, key string) {
	s.t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "veil test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, priv.Public(), priv)
	if err != nil {
		s.t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		s.t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	cert, key = write(certName, "CERTIFICATE", der), write(keyName, "PRIVATE KEY", pkcs)
	s.CAFile = cert
	return cert, key
}

// Command runs a command of the server's own binary and gives what it printed.
func (s *Server) Command(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), s.path, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v: %v: %s", s.Name, args, err, out)
	}
	return string(out)
}
