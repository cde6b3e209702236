package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const life = 90 * 24 * time.Hour

var (
	queue  = Party{Name: "nats", Hosts: []string{"nats", "127.0.0.1"}}
	worker = Party{Name: "worker"}
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func issue(t *testing.T, dir string, c *clock, p Party, force bool) Issued {
	t.Helper()
	a, err := Open(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	i, err := a.Issue(p, life, force)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestRenewal: kept while there is time, renewed when a third is left, when forced, and when it is to say something else; always
// with the same key.
func TestRenewal(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	first := issue(t, dir, c, queue, false)
	key := read(t, first.Key)
	for _, step := range []struct {
		after time.Duration
		party Party
		force bool
		want  Outcome
	}{
		{0, queue, false, Kept},
		{life / 2, queue, false, Kept},
		{life / 2, queue, true, Renewed},
		{life / 2, queue, false, Kept},
		{life/2 + life*2/3 + time.Hour, queue, false, Renewed},
		{life/2 + life*2/3 + time.Hour, Party{Name: "nats", Hosts: []string{"queue", "127.0.0.1"}}, false, Renewed},
		{life/2 + life*2/3 + time.Hour, Party{Name: "nats"}, false, Renewed},
	} {
		at := &clock{c.t.Add(step.after)}
		i := issue(t, dir, at, step.party, step.force)
		if i.Outcome != step.want {
			t.Errorf("after %s, %+v, force %t: %s, want %s", step.after, step.party, step.force, i.Outcome, step.want)
		}
		if string(read(t, i.Key)) != string(key) {
			t.Errorf("after %s the key is another", step.after)
		}
		if cert, err := readCert(i.Cert); err != nil || !cert.NotAfter.Equal(i.Until.UTC().Truncate(time.Second)) || cert.NotAfter.Before(at.t) {
			t.Errorf("after %s: until %s, %v", step.after, i.Until, err)
		}
	}
	if err := os.Remove(first.Key); err != nil {
		t.Fatal(err)
	}
	if i := issue(t, dir, c, queue, false); i.Outcome != Made || string(read(t, i.Key)) == string(key) {
		t.Errorf("a key that was taken away is not made anew: %s", i.Outcome)
	}
}

// TestNothingOutlivesTheAuthority, nor is anything signed by one that has ended.
func TestNothingOutlivesTheAuthority(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	issue(t, dir, c, queue, false)
	late := &clock{c.t.Add(caLife - life/2)}
	a, err := Open(dir, late.now)
	if err != nil {
		t.Fatal(err)
	}
	if i := issue(t, dir, late, queue, false); !i.Until.Equal(a.Until()) {
		t.Errorf("until %s, the authority until %s", i.Until, a.Until())
	}
	if _, err := Open(dir, (&clock{c.t.Add(caLife + time.Hour)}).now); err == nil {
		t.Error("an authority that has ended is opened")
	}
}

// TestRefusals: what is half there, open to others or somebody else's is refused with a word, never mended silently.
func TestRefusals(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"no key":             func(dir string) error { return os.Remove(filepath.Join(dir, "ca", "ca.key")) },
		"no certificate":     func(dir string) error { return os.Remove(filepath.Join(dir, "ca", "ca.pem")) },
		"key open to others": func(dir string) error { return os.Chmod(filepath.Join(dir, "ca", "ca.key"), 0o640) },
		"another's authority": func(dir string) error {
			return os.Rename(filepath.Join(dir, "nats", "nats.pem"), filepath.Join(dir, "ca", "ca.pem"))
		},
		"a key that is none": func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca", "ca.key"), []byte("x"), 0o600) },
	} {
		dir, c := t.TempDir(), &clock{time.Now()}
		issue(t, dir, c, queue, false)
		if err := harm(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, c.now); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	dir, c := t.TempDir(), &clock{time.Now()}
	i := issue(t, dir, c, queue, false)
	a, err := Open(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "ca", "../x", "A", "a.b", "-a"} {
		if _, err := a.Issue(Party{Name: name}, life, false); err == nil {
			t.Errorf("%q can be a name", name)
		}
	}
	if err := os.Chmod(i.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Issue(queue, life, false); err == nil {
		t.Error("a key that others may read is used on")
	}
}

// TestKeysAreTheOwners: modes of everything that is made.
func TestKeysAreTheOwners(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	for _, p := range []Party{queue, worker} {
		i := issue(t, dir, c, p, false)
		for path, want := range map[string]os.FileMode{i.Key: 0o600, i.Cert: 0o644, filepath.Join(filepath.Dir(i.Key), "ca.pem"): 0o644,
			filepath.Dir(i.Key): 0o700 | os.ModeDir, filepath.Join(dir, "ca", "ca.key"): 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
		}
	}
}

// TestHandshake: what was issued is believed for what it is, and for nothing else.
func TestHandshake(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	server, client := issue(t, dir, c, queue, false), issue(t, dir, c, worker, false)
	other := issue(t, t.TempDir(), c, worker, false)
	trust := filepath.Join(dir, "worker", "ca.pem")
	for _, try := range []struct {
		name           string
		server, client Issued
		trust, host    string
		ok             bool
	}{
		{"as it should be", server, client, trust, "nats", true},
		{"by address", server, client, trust, "127.0.0.1", true},
		{"by another name", server, client, trust, "store", false},
		{"client's certificate at the server", client, client, trust, "worker", false},
		{"server's certificate at the client", server, server, trust, "nats", false},
		{"another authority's client", server, other, trust, "nats", false},
		{"server of another authority", server, client, filepath.Join(filepath.Dir(other.Cert), "ca.pem"), "nats", false},
	} {
		if err := handshake(t, try.server, try.client, try.trust, try.host); (err == nil) != try.ok {
			t.Errorf("%s: %v", try.name, err)
		}
	}
}

// handshake is one TLS connection with certificates of both sides.
func handshake(t *testing.T, server, client Issued, trust, host string) error {
	t.Helper()
	pool := func(path string) *x509.CertPool {
		p := x509.NewCertPool()
		if !p.AppendCertsFromPEM(read(t, path)) {
			t.Fatalf("%s holds no certificate", path)
		}
		return p
	}
	pair := func(i Issued) []tls.Certificate {
		c, err := tls.LoadX509KeyPair(i.Cert, i.Key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s := tls.Server(a, &tls.Config{Certificates: pair(server), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(filepath.Join(filepath.Dir(server.Cert), "ca.pem"))})
	c := tls.Client(b, &tls.Config{Certificates: pair(client), RootCAs: pool(trust), ServerName: host})
	done := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		if err != nil {
			a.Close()
		}
		done <- err
	}()
	_, err := io.ReadFull(c, make([]byte, 1))
	b.Close()
	return errors.Join(err, <-done)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
