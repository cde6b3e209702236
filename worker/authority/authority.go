// Package authority is a small certificate authority for one installation: it vouches for the queue, the store and their clients,
// and for nothing else. Everything lies in one folder, the authority in ca/ and each party in a folder of its own, which holds what
// that party needs and can be given to it whole.
//
// A certificate that is renewed keeps its key, so that its file is replaced by one rename and no reader ever finds a certificate and
// a key that do not belong together. Keys are readable for their owner alone. Nothing is revoked: lives are short.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"veil/worker/disk"
	"veil/worker/failure"
)

const (
	caName = "ca"
	caLife = 10 * 365 * 24 * time.Hour
	// skew is how far the clocks of an installation may differ.
	skew = 5 * time.Minute
)

// Authority signs certificates for the parties below its folder.
type Authority struct {
	dir  string
	now  func() time.Time
	cert *x509.Certificate
	key  crypto.Signer
	Made bool // it was not there before
}

// Open opens the authority of a folder, and makes it where there is none.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, now: now}
	certPath, keyPath := filepath.Join(dir, caName, caName+".pem"), filepath.Join(dir, caName, caName+".key")
	certThere, keyThere := there(certPath), there(keyPath)
	if !certThere && !keyThere {
		a.Made = true
		return a, a.make(certPath, keyPath)
	}
	if !certThere || !keyThere {
		return nil, failure.Usagef("bring it back, or name an empty folder", "half of the authority in %s is missing", filepath.Join(dir, caName))
	}
	var err error
	if a.cert, err = readCert(certPath); err != nil {
		return nil, err
	}
	if a.key, err = readKey(keyPath); err != nil {
		return nil, err
	}
	if !belong(a.cert, a.key) || !a.cert.IsCA {
		return nil, failure.Usagef("bring back the ones that were made together", "certificate and key of the authority do not belong together")
	}
	if now().After(a.cert.NotAfter) {
		return nil, failure.Usagef("make a new one in another folder and give every party its new folder", "the authority's own certificate has ended")
	}
	return a, nil
}

func (a *Authority) make(certPath, keyPath string) error {
	if err := disk.Make(filepath.Dir(certPath)); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key of the authority: %w", err)
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "veil authority", Organization: []string{"veil"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make certificate of the authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("make certificate of the authority: %w", err)
	}
	a.key = key
	if err := writeKey(keyPath, key); err != nil {
		return err
	}
	return writeCert(certPath, der)
}

// Until is when the authority's own certificate ends: no other lives longer.
func (a *Authority) Until() time.Time { return a.cert.NotAfter }

// serial is 127 random bits.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
