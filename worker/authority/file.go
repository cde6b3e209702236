package authority

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"veil/worker/disk"
	"veil/worker/failure"
)

const (
	certType = "CERTIFICATE"
	keyType  = "PRIVATE KEY"
)

func encodeCert(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: certType, Bytes: der}) }

// writeCert replaces a certificate at once. Anybody may read it.
func writeCert(path string, der []byte) error {
	temp := disk.TempBeside(path)
	if err := disk.Write(temp, path, encodeCert(der)); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), disk.Plain(err))
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// writeKey writes a key that only its owner may read.
func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return disk.Write(disk.TempBeside(path), path, pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}))
}

// readPEM reads a file of one block.
func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, failure.Usagef("remove it, a new one is made", "%s holds no %s", path, kind)
	}
	return block.Bytes, nil
}

func readCert(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, certType)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, failure.Usagef("remove it, a new one is made", "%s makes no sense", path)
	}
	return c, nil
}

// readKey reads a key. One that others may read is a key no longer.
func readKey(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, failure.Usagef("remove it, a new one is made: others may have read it", "%s is readable for others", path)
	}
	der, err := readPEM(path, keyType)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, failure.Usagef("remove it, a new one is made", "%s makes no sense", path)
	}
	return signer, nil
}

// belong reports whether a certificate is for a key.
func belong(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}
