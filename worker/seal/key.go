package seal

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// ErrKey says that a key file holds no Ed25519 key of the kind that is asked for.
var ErrKey = errors.New("holds no Ed25519 key")

const (
	pemPrivate = "PRIVATE KEY"
	pemPublic  = "PUBLIC KEY"
)

// Key signs. It has no method that shows its secret.
type Key struct{ private ed25519.PrivateKey }

// String keeps the secret out of logs.
func (k *Key) String() string { return "key " + k.ID() }

// Public is the key's public half.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// ID names the key: the SHA-256 of its public half.
func (k *Key) ID() string { return KeyID(k.Public()) }

// NewKey makes a key from a source of randomness: crypto/rand.Reader, except in tests.
func NewKey(random io.Reader) (*Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &Key{private: ed25519.NewKeyFromSeed(seed)}, nil
}

// KeyID names a public key: the SHA-256 of its DER encoding (SubjectPublicKeyInfo), 64 lower-case hex digits. It is what
// `openssl pkey -pubin -in veil.pub -outform DER | sha256sum` prints.
func KeyID(public ed25519.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	return Digest(der)
}

// EncodePrivate gives the key as PEM (PKCS #8), as veil.key holds it.
func (k *Key) EncodePrivate() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

// EncodePublic gives the public half as PEM (SubjectPublicKeyInfo), as veil.pub holds it.
func (k *Key) EncodePublic() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// ParseKey reads veil.key. Its errors never hold what was read.
func ParseKey(b []byte) (*Key, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemPrivate {
		return nil, ErrKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrKey
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, ErrKey
	}
	return &Key{private: private}, nil
}

// parsePublic reads a public key from DER.
func parsePublic(der []byte) (ed25519.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, ErrKey
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	return public, nil
}
