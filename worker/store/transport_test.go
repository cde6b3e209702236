package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRenewedAuthority: a store whose certificate is of a new authority is trusted as soon as the file names that, by a worker
// that runs on, and not before.
func TestRenewedAuthority(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	first, firstPEM := selfSigned(t, 1)
	second, secondPEM := selfSigned(t, 2)
	shown := &first
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*shown}}, nil
	}}
	srv.StartTLS()
	defer srv.Close()
	write := func(pem []byte) {
		if err := os.WriteFile(file, pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(firstPEM)
	transport, err := newTransport(file)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	ask := func() error {
		transport.CloseIdleConnections()
		r, err := client.Get("https://" + srv.Listener.Addr().String())
		if err == nil {
			r.Body.Close()
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	shown = &second
	if err := ask(); err == nil {
		t.Error("a certificate of an authority that the file does not name is trusted")
	}
	write(append(firstPEM, secondPEM...))
	if err := ask(); err != nil {
		t.Errorf("the renewed file is not read: %v", err)
	}
	if _, err := newTransport(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is taken")
	}
}

// selfSigned makes a certificate for this machine that vouches for itself.
func selfSigned(t *testing.T, serial int64) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
