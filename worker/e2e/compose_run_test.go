package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestComposedStack starts what docker/compose.yaml starts and takes clips through it: handed in by the submitter, redacted by a
// worker, fetched and verified; certificates are renewed meanwhile, and workers stop softly. Whoever lacks a certificate, or asks
// for more than its account may, is refused.
func TestComposedStack(t *testing.T) {
	s := newStack(t)
	clip := s.path("clip.mp4")
	simpleClip(t, clip, 8, oneFace)
	s.start("worker-1")
	s.start("worker-2")
	s.healthy("worker-1")
	s.healthy("worker-2")

	s.submits(clip, "first", "released")
	s.fetched("first")
	s.submitterIsHeld(t)
	s.storeIsClosed(t)
	s.queueIsClosed(t)
	s.renewed()
	s.softStop()
	for _, name := range []string{"nats", "store"} {
		s.signal(name, syscall.SIGTERM)
		<-s.runs[name].done // what they say of being stopped is theirs
		s.runs[name].cmd = nil
	}
}

// submits hands a clip in as the submitter and waits for its answer.
func (s *stack) submits(clip, id, phase string) {
	s.t.Helper()
	r := s.once("submitter", "submit", clip, "--id", id, "--wait")
	if r.code != 0 || !strings.Contains(r.out, id+" "+phase) {
		s.t.Fatalf("submit %s ended with %d: %s%s", id, r.code, r.out, r.err)
	}
}

// fetched fetches a derivative as the submitter and verifies it against the key that was made for the workers.
func (s *stack) fetched(id string) {
	s.t.Helper()
	out := s.path("fetched")
	if r := s.once("submitter", "get", id, "-o", out); r.code != 0 {
		s.t.Fatalf("get ended with %d: %s%s", r.code, r.out, r.err)
	}
	found, err := filepath.Glob(filepath.Join(out, "*.mp4"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("fetched %v, %v", found, err)
	}
	r := s.veil(s.t, "verify", found[0], "--trust", s.path("volumes/keys-signing/veil.pub"))
	if r.code != exitReleased && r.code != 7 {
		s.t.Errorf("verify ended with %d: %s%s", r.code, r.out, r.err)
	}
}

// submitterIsHeld: the commands of others end with an error and change nothing.
func (s *stack) submitterIsHeld(t *testing.T) {
	before := s.phase("first")
	for _, args := range [][]string{
		{"jobs"}, {"withdraw", "first", "--reason", "x", "--by", "y"}, {"setup"}, {"get", "first", "--evidence", "-o", s.path("none")}, {"access"},
	} {
		if r := s.once("submitter", args...); r.code == 0 {
			t.Errorf("veil %q is let through: %s%s", args, r.out, r.err)
		} else {
			oneLine(t, r, r.code)
		}
	}
	if after := s.phase("first"); after != before || after != "released" {
		t.Errorf("the job was %s and is %s", before, after)
	}
}

// phase asks the operator's client.
func (s *stack) phase(id string) string {
	s.t.Helper()
	r := s.once("operator", "jobs", "--json")
	var answer struct {
		Jobs []struct{ ID, Phase string }
	}
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil || r.code != 0 {
		s.t.Fatalf("jobs ended with %d: %s%s: %v", r.code, r.out, r.err, err)
	}
	for _, j := range answer.Jobs {
		if j.ID == id {
			return j.Phase
		}
	}
	return "missing"
}

// storeIsClosed: nobody is heard without TLS, by a client that knows another authority, or without a password.
func (s *stack) storeIsClosed(t *testing.T) {
	at := s.address("store") + ":7070/veil"
	if r, err := http.Get("http://" + at); err == nil {
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", r.Status)
		}
	}
	if r, err := http.Get("https://" + at); err == nil {
		r.Body.Close()
		t.Error("a client that knows another authority believes the store")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.authority(t)}}}
	r, err := client.Get("https://" + at)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("without a password: %s", r.Status)
	}
}

func (s *stack) authority(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(read(t, s.path("volumes/keys-submitter/ca.pem"))) {
		t.Fatal("the authority's certificate makes no sense")
	}
	return pool
}

// queueIsClosed: nobody is heard without TLS, without a certificate, or with one of another authority; and a submitter's connection
// carries no word of a worker.
func (s *stack) queueIsClosed(t *testing.T) {
	url := "nats://" + s.address("nats") + ":4222"
	file := func(who, ending string) string { return s.path("volumes/keys-" + who + "/" + who + ending) }
	own := nats.ClientCert(file("submitter", ".pem"), file("submitter", ".key"))
	trust := nats.RootCAs(s.path("volumes/keys-submitter/ca.pem"))
	if r := s.veil(t, "certs", "-o", s.path("elsewhere"), "--client", "worker", "--server", "nats="+s.address("nats")); r.code != 0 {
		t.Fatal(r.err)
	}
	foreign := s.path("elsewhere/worker/worker")
	limit := nats.Timeout(10 * time.Second)
	for name, o := range map[string][]nats.Option{
		"without TLS":                      {},
		"without a certificate":            {trust},
		"trusting another authority":       {own, nats.RootCAs(s.path("elsewhere/worker/ca.pem"))},
		"with another authority's":         {trust, nats.ClientCert(foreign+".pem", foreign+".key")},
		"with the store's":                 {trust, nats.ClientCert(file("store", ".pem"), file("store", ".key"))},
		"with a user's name and no more":   {trust, nats.UserInfo("worker", "")},
		"by an authority, and as somebody": {trust, own, nats.UserInfo("worker", "worker"), nats.Name("x")},
	} {
		nc, err := nats.Connect(url, append(o, limit)...)
		if err != nil {
			continue
		}
		if name != "by an authority, and as somebody" {
			t.Errorf("%s: connected", name)
		}
		s.carriesNothing(t, nc)
		nc.Close()
	}
}

// carriesNothing: whatever name was given with a submitter's certificate, it is a submitter.
func (s *stack) carriesNothing(t *testing.T, nc *nats.Conn) {
	t.Helper()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := js.Stream(ctx, "EVENTS"); err == nil {
		t.Error("a submitter reaches a stream")
	}
	if err := js.DeleteStream(ctx, "JOBS"); err == nil {
		t.Error("a submitter deletes a stream")
	}
	if _, err := js.Publish(ctx, "$KV.STATE.first", []byte("{}")); err == nil {
		t.Error("a submitter writes a record")
	}
}

// renewed renews every certificate while the queue and the workers go on: the servers show the new ones once they were told, no
// worker loses its connection, and a clip goes through.
func (s *stack) renewed() {
	s.t.Helper()
	serial := func(name, port string) string {
		conn, err := tls.Dial("tcp", s.address(name)+":"+port, &tls.Config{RootCAs: s.authority(s.t)})
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	store := serial("store", "7070")
	key := read(s.t, s.path("volumes/keys-signing/veil.key"))
	secret := read(s.t, s.path("volumes/keys-worker/s3.secret"))
	if r := s.once("keys", with(s.file.Services["keys"].Command, "--force")...); r.code != 0 || strings.Count(r.out, "renewed") != 5 {
		s.t.Fatalf("renewal ended with %d: %s%s", r.code, r.out, r.err)
	}
	if !bytes.Equal(key, read(s.t, s.path("volumes/keys-signing/veil.key"))) || !bytes.Equal(secret, read(s.t, s.path("volumes/keys-worker/s3.secret"))) {
		s.t.Error("a renewal of certificates changed another key")
	}
	s.signal("nats", syscall.SIGHUP)
	s.signal("store", syscall.SIGHUP)
	for end := time.Now().Add(hang); serial("store", "7070") == store; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the store goes on with its old certificate")
		}
	}
	for end := time.Now().Add(hang); !strings.Contains(s.runs["nats"].log.String(), "Reloaded: tls"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the queue goes on with its old certificate\n%s", s.runs["nats"].log.String())
		}
	}
	s.submits(s.path("clip.mp4"), "second", "released")
	for _, name := range []string{"worker-1", "worker-2"} {
		if strings.Contains(s.runs[name].log.String(), "queue is away") {
			s.t.Errorf("%s lost its connection: %s", name, s.runs[name].log.String())
		}
	}
}

// softStop stops both workers while a clip is being worked on: it is finished, and both end by themselves.
func (s *stack) softStop() {
	s.t.Helper()
	clip := s.path("longer.mp4")
	simpleClip(s.t, clip, 40, oneFace)
	if r := s.once("submitter", "submit", clip, "--id", "third"); r.code != 0 {
		s.t.Fatalf("submit: %s", r.err)
	}
	for end := time.Now().Add(hang); s.phase("third") != "running"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the clip does not begin: %s", s.phase("third"))
		}
	}
	s.signal("worker-1", syscall.SIGTERM)
	s.signal("worker-2", syscall.SIGTERM)
	s.stopped("worker-1")
	s.stopped("worker-2")
	if phase := s.phase("third"); phase != "released" {
		s.t.Errorf("the clip that was worked on is %s", phase)
	}
}
