package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"veil/worker/disk"
	"veil/worker/failure"
)

// Party is somebody for whom the authority vouches.
type Party struct {
	Name  string   // of its folder and files: letters, digits and hyphens
	Hosts []string // names and addresses of a server; none: a client, which is known by its name
}

// Outcome is what became of a party's certificate.
type Outcome string

// The outcomes.
const (
	Made    Outcome = "made"
	Renewed Outcome = "renewed"
	Kept    Outcome = "kept"
)

// Issued tells of a party's certificate.
type Issued struct {
	Name    string    `json:"name"`
	Cert    string    `json:"certificate"` // paths
	Key     string    `json:"key"`
	Until   time.Time `json:"until"`
	Outcome Outcome   `json:"outcome"`
}

var partyName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Issue sees to it that a party has a certificate for what it is, with more than a third of its life before it; force renews it in
// any case.
func (a *Authority) Issue(p Party, life time.Duration, force bool) (Issued, error) {
	if !partyName.MatchString(p.Name) || p.Name == caName {
		return Issued{}, failure.Usagef("use lower case letters, digits and hyphens", "%q can be the name of no certificate", p.Name)
	}
	dir := filepath.Join(a.dir, p.Name)
	if err := disk.Make(dir); err != nil {
		return Issued{}, err
	}
	i := Issued{Name: p.Name, Cert: filepath.Join(dir, p.Name+".pem"), Key: filepath.Join(dir, p.Name+".key"), Outcome: Made}
	if err := a.copyCA(filepath.Join(dir, caName+".pem")); err != nil {
		return Issued{}, err
	}
	key, err := readKey(i.Key)
	if errors.Is(err, os.ErrNotExist) {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			err = writeKey(i.Key, key)
		}
	} else if err == nil {
		i.Outcome = Renewed
		if have, err := readCert(i.Cert); err == nil && !force && a.good(have, key, p, life) {
			i.Outcome, i.Until = Kept, have.NotAfter
			return i, nil
		}
	}
	if err != nil {
		return Issued{}, err
	}
	der, until, err := a.sign(key, p, life)
	if err != nil {
		return Issued{}, err
	}
	i.Until = until
	return i, writeCert(i.Cert, der)
}

// sign makes a certificate for a key. None outlives the authority.
func (a *Authority) sign(key crypto.Signer, p Party, life time.Duration) (der []byte, until time.Time, err error) {
	now := a.now()
	until = now.Add(life)
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: p.Name, Organization: []string{"veil"}},
		NotBefore: now.Add(-skew), NotAfter: until, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
	template.DNSNames, template.IPAddresses, template.ExtKeyUsage = p.identity()
	if der, err = x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key); err != nil {
		return nil, until, fmt.Errorf("make certificate of %s: %w", p.Name, err)
	}
	return der, until, nil
}

// identity is what a certificate says of its owner. A client's name stands where the queue's server looks for its user.
func (p Party) identity() (names []string, ips []net.IP, usage []x509.ExtKeyUsage) {
	if len(p.Hosts) == 0 {
		return []string{p.Name}, nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	for _, h := range p.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, h)
		}
	}
	return names, ips, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// good reports whether a certificate still says what it should and has time left.
func (a *Authority) good(c *x509.Certificate, key crypto.Signer, p Party, life time.Duration) bool {
	names, ips, usage := p.identity()
	sameIPs := slices.EqualFunc(c.IPAddresses, ips, func(x, y net.IP) bool { return x.Equal(y) })
	return belong(c, key) && slices.Equal(c.DNSNames, names) && sameIPs && slices.Equal(c.ExtKeyUsage, usage) &&
		c.CheckSignatureFrom(a.cert) == nil && c.NotAfter.Sub(a.now()) > life/3
}

// copyCA puts the authority's certificate beside a party's own.
func (a *Authority) copyCA(path string) error {
	want := encodeCert(a.cert.Raw)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, want) {
		return nil
	}
	return writeCert(path, a.cert.Raw)
}
