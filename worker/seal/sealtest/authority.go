// Package sealtest stands for the world outside package seal in tests: keys, and a time stamp authority run by openssl.
package sealtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veil/worker/seal"
)

// Key gives a key that is the same for the same seed.
func Key(t testing.TB, seed byte) *seal.Key {
	t.Helper()
	k, err := seal.NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Authority is a time stamp authority with a root above it.
type Authority struct {
	Root *x509.Certificate
	dir  string // root.pem, tsa.pem, tsa.key
}

// NewAuthority makes an authority whose certificates are good from one moment to another.
func NewAuthority(t testing.TB, from, until time.Time) *Authority {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed: run `make test`")
		}
		t.Skip("openssl is not installed")
	}
	a := &Authority{dir: t.TempDir()}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootKey := a.certificate(t, "root", root, root, nil)
	a.Root = a.read(t, "root")
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		t.Fatal(err)
	}
	a.certificate(t, "tsa", &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: from,
		NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}}, a.Root, rootKey)
	return a
}

// certificate makes name.pem and name.key; without a parent's key it signs itself.
func (a *Authority) certificate(t testing.TB, name string, c, parent *x509.Certificate, by *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return key
}

func (a *Authority) read(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *Authority) write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) openssl(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// Answer answers a request as `openssl ts` does, with the clock of this machine.
func (a *Authority) Answer(t testing.TB, request []byte) []byte {
	t.Helper()
	a.write(t, "in.tsq", request)
	a.write(t, "serial", []byte("01\n"))
	a.write(t, "ts.cnf", []byte(`[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = root.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`))
	a.openssl(t, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "in.tsq", "-out", "out.tsr")
	return a.output(t, "out.tsr")
}

// Stamp gives a response for an envelope as of any moment: the signed part is made here, openssl signs it.
func (a *Authority) Stamp(t testing.TB, envelope []byte, at time.Time) []byte {
	t.Helper()
	type algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	sum := sha256.Sum256(envelope)
	info, err := asn1.Marshal(struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Algorithm algorithm
			Hash      []byte
		}
		Serial *big.Int
		Time   time.Time `asn1:"generalized"`
	}{1, asn1.ObjectIdentifier{1, 2, 3, 4, 1}, struct {
		Algorithm algorithm
		Hash      []byte
	}{algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.NullRawValue}, sum[:]}, big.NewInt(7), at.UTC().Truncate(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, "info.der", info)
	a.openssl(t, "cms", "-sign", "-binary", "-nodetach", "-cades", "-nosmimecap", "-md", "sha256", "-econtent_type", "1.2.840.113549.1.9.16.1.4",
		"-in", "info.der", "-signer", "tsa.pem", "-inkey", "tsa.key", "-outform", "DER", "-out", "token.der")
	response, err := asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: a.output(t, "token.der")}})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (a *Authority) output(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// PEM is the root's certificate, as a trust file takes it.
func (a *Authority) PEM(t testing.TB) []byte {
	t.Helper()
	return a.output(t, "root.pem")
}
