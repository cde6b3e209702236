package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"
)

// TrustSchema names the version of the trust file's format.
const TrustSchema = "veil.trust/1"

// ErrTrust says that a trust file makes no sense.
var ErrTrust = errors.New("is no trust file")

// Trust says whose signatures and whose time stamps are believed.
type Trust struct {
	Keys        []TrustedKey
	Authorities []*x509.Certificate // that vouch for time: their own certificates, or those above them
}

// TrustedKey is a public key and when it was good.
type TrustedKey struct {
	Name   string
	Public ed25519.PublicKey
	// From and Until bound when the key signs; zero: unbounded. Until itself is no longer within.
	From, Until time.Time
	// Compromised is since when somebody else may hold the key; zero: never.
	Compromised time.Time
}

// trustFile is a trust file as people write it.
type trustFile struct {
	Schema string `json:"schema"`
	Keys   []struct {
		Name        string     `json:"name"`
		Public      string     `json:"public"` // base64 of the DER, as the middle line of veil.pub
		From        *time.Time `json:"from"`
		Until       *time.Time `json:"until"`
		Compromised *time.Time `json:"compromised_since"`
	} `json:"keys"`
	Authorities []struct {
		Name        string `json:"name"`
		Certificate string `json:"certificate"` // base64 of the DER
	} `json:"authorities"`
}

// ParseTrust reads a trust file: veil.trust/1, or PEM with public keys (which then are good at any time) and certificates of
// time stamp authorities.
func ParseTrust(b []byte) (Trust, error) {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN ")) {
		return trustPEM(b)
	}
	var f trustFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Trust{}, fmt.Errorf("%w: %s", ErrTrust, fieldFault(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || f.Schema != TrustSchema {
		return Trust{}, fmt.Errorf("%w of version %s", ErrTrust, TrustSchema)
	}
	var t Trust
	for i, k := range f.Keys {
		der, err := base64.StdEncoding.DecodeString(k.Public)
		if err != nil {
			return Trust{}, fmt.Errorf("%w: key %d: public is not base64", ErrTrust, i+1)
		}
		public, err := parsePublic(der)
		if err != nil {
			return Trust{}, fmt.Errorf("%w: key %d %w", ErrTrust, i+1, err)
		}
		t.Keys = append(t.Keys, TrustedKey{Name: k.Name, Public: public, From: at(k.From), Until: at(k.Until), Compromised: at(k.Compromised)})
	}
	for i, a := range f.Authorities {
		der, err := base64.StdEncoding.DecodeString(a.Certificate)
		if err == nil {
			err = t.addAuthority(der)
		}
		if err != nil {
			return Trust{}, fmt.Errorf("%w: authority %d: not a certificate", ErrTrust, i+1)
		}
	}
	return t, t.check()
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// trustPEM reads keys and certificates one after another.
func trustPEM(b []byte) (t Trust, err error) {
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		switch block.Type {
		case pemPublic:
			public, err := parsePublic(block.Bytes)
			if err != nil {
				return Trust{}, fmt.Errorf("%w: a key %w", ErrTrust, err)
			}
			t.Keys = append(t.Keys, TrustedKey{Public: public})
		case "CERTIFICATE":
			if err := t.addAuthority(block.Bytes); err != nil {
				return Trust{}, fmt.Errorf("%w: a certificate cannot be read", ErrTrust)
			}
		default:
			return Trust{}, fmt.Errorf("%w: it holds a %s", ErrTrust, clip(block.Type))
		}
	}
	return t, t.check()
}

func (t *Trust) addAuthority(der []byte) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	t.Authorities = append(t.Authorities, c)
	return nil
}

// check refuses a trust file that trusts nobody, or one key twice.
func (t Trust) check() error {
	if len(t.Keys) == 0 {
		return fmt.Errorf("%w: it names no key", ErrTrust)
	}
	seen := map[string]bool{}
	for _, k := range t.Keys {
		id := KeyID(k.Public)
		if seen[id] {
			return fmt.Errorf("%w: one key stands there twice", ErrTrust)
		}
		seen[id] = true
		if !k.From.IsZero() && !k.Until.IsZero() && !k.From.Before(k.Until) {
			return fmt.Errorf("%w: a key ends before it begins", ErrTrust)
		}
	}
	return nil
}

// Verdict is what a signature is worth.
type Verdict string

// Verdicts. The first two let a signature stand.
const (
	Proven          Verdict = "valid"               // a time stamp shows that it was made while the key was good
	Unproven        Verdict = "valid_time_unproven" // it was made while the key was good, by its own word
	UnknownKey      Verdict = "key_unknown"         // the trust file does not name the key
	BadSignature    Verdict = "signature_bad"       // it is not that key's over this content
	OutsideValidity Verdict = "outside_validity"    // by its own word it was made before or after the key was good
	StampTooEarly   Verdict = "stamp_before_key"    // a time stamp shows that it was made before the key was good
	ClaimDisproved  Verdict = "stamp_before_claim"  // a time stamp shows that it was made earlier than it says
	Compromised     Verdict = "key_compromised"     // somebody else may have made it: no time stamp is older than that
	NotSigned       Verdict = "unsigned"            // nobody vouches
)

// Stands reports whether the signature is to be believed.
func (v Verdict) Stands() bool { return v == Proven || v == Unproven }

// clockSlack is how far the clock of whoever signed may be ahead of the authority's.
const clockSlack = 10 * time.Minute

// Judge says what the signature of an envelope is worth. Claimed is when it says that it was made; stamp is what a time stamp
// that was checked proves, zero where there is none. No clock is asked: a signature that was once good stays good.
func (t Trust) Judge(e Envelope, claimed, stamp time.Time) (Verdict, *TrustedKey) {
	if !e.Signed() {
		return NotSigned, nil
	}
	k := t.find(e.KeyID)
	if k == nil {
		return UnknownKey, nil
	}
	if e.Check(k.Public) != nil {
		return BadSignature, k
	}
	stamped := !stamp.IsZero()
	switch {
	case !k.within(claimed):
		return OutsideValidity, k
	case stamped && stamp.Add(clockSlack).Before(claimed):
		return ClaimDisproved, k
	case stamped && !k.From.IsZero() && stamp.Before(k.From):
		return StampTooEarly, k
	case !k.Compromised.IsZero() && !(stamped && stamp.Before(k.Compromised)):
		return Compromised, k
	case stamped && k.within(stamp):
		return Proven, k
	}
	return Unproven, k
}

func (t Trust) find(id string) *TrustedKey {
	for i := range t.Keys {
		if KeyID(t.Keys[i].Public) == id {
			return &t.Keys[i]
		}
	}
	return nil
}

func (k *TrustedKey) within(at time.Time) bool {
	return (k.From.IsZero() || !at.Before(k.From)) && (k.Until.IsZero() || at.Before(k.Until))
}
