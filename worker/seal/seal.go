// Package seal makes and reads the evidence that goes with a derivative: canonical JSON, the signed envelope, the manifest in
// it, the restricted annex, the chained event log, later statements, keys and whom to trust, and time stamps.
//
// It owns the formats (docs/evidence.md) and every rule by which a file is accepted. It opens no file, asks no clock and no
// network, and never judges a picture: it is handed bytes and times. It imports nothing but the standard library, so that
// whoever checks evidence years from now needs nothing else.
package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
	"time"
)

// Errors of every reader in this package, to be found with errors.Is.
var (
	// ErrNotJSON says that the bytes are no JSON document.
	ErrNotJSON = errors.New("is not JSON")
	// ErrNotCanonical says that the document is not the one spelling that RFC 8785 allows for what it says.
	ErrNotCanonical = errors.New("is not written in canonical form")
	// ErrFields says that the document has other fields, or values of another kind, than its format names.
	ErrFields = errors.New("does not have exactly the fields of its format")
	// ErrContent says that a field holds what it cannot mean.
	ErrContent = errors.New("holds a value that makes no sense")
)

var hex64 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsDigest reports whether s can be a SHA-256: 64 lower-case hex digits.
func IsDigest(s string) bool { return hex64.MatchString(s) }

// Digest is the SHA-256 of b, 64 lower-case hex digits.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$`)

// Decimal writes a fraction as the formats carry it: a string with at most six places and no idle zeros.
func Decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', 6, 64)
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// Second is t as the formats carry times: UTC, whole seconds.
func Second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func isSecond(t time.Time) bool { return !t.IsZero() && t.Equal(Second(t)) }
