package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// PayloadType is the only payload type that envelopes of veil have.
const PayloadType = "application/vnd.in-toto+json"

// MaxEnvelope bounds an envelope, in bytes: some 2 million frames.
const MaxEnvelope = 256 << 20

// Errors of envelopes.
var (
	// ErrUnsigned says that the envelope carries no signature: nobody vouches for what it says.
	ErrUnsigned = errors.New("carries no signature")
	// ErrSignatures says that the envelope carries more than one signature.
	ErrSignatures = errors.New("carries more than one signature")
	// ErrBase64 says that payload or signature is not the one base64 spelling of its bytes.
	ErrBase64 = errors.New("holds base64 that is not spelled strictly")
	// ErrPayloadType says that the envelope announces something else than a statement of veil.
	ErrPayloadType = errors.New("announces another type of content")
	// ErrSignature says that the signature is not the key's over this payload.
	ErrSignature = errors.New("has a signature that does not fit its content")
)

// envelope is a DSSE envelope as it lies in a file.
type envelope struct {
	Payload     string      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// Envelope is an envelope that was opened; nothing says yet whether its signature holds.
type Envelope struct {
	Payload []byte
	KeyID   string // of the key that is said to have signed; empty where nobody did
	SHA256  string // of the envelope's file
	sig     []byte
}

// Signed reports whether there is a signature.
func (e Envelope) Signed() bool { return e.sig != nil }

// Wrap puts canonical bytes of v into an envelope and signs it; with a nil key it stays unsigned.
func Wrap(v any, key *Key) ([]byte, error) {
	payload, err := Canonical(v)
	if err != nil {
		return nil, err
	}
	e := envelope{Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: PayloadType, Signatures: []signature{}}
	if key != nil {
		sig := ed25519.Sign(key.private, preAuth(payload))
		e.Signatures = append(e.Signatures, signature{KeyID: key.ID(), Sig: base64.StdEncoding.EncodeToString(sig)})
	}
	return Canonical(e)
}

// OpenEnvelope reads an envelope. It accepts only a file that equals its own canonical encoding and has exactly one signature;
// for one without, the envelope comes back with ErrUnsigned, so that what it says can be looked at.
func OpenEnvelope(b []byte) (Envelope, error) {
	if len(b) > MaxEnvelope {
		return Envelope{}, fmt.Errorf("%w: it is larger than %d bytes", ErrFields, MaxEnvelope)
	}
	text, frame := cut(b)
	if len(frame) > maxFrame {
		return Envelope{}, fmt.Errorf("%w: it holds more than %d bytes beside its payload", ErrFields, maxFrame)
	}
	var e envelope
	if err := Decode(frame, &e); err != nil {
		return Envelope{}, err
	}
	if e.PayloadType != PayloadType {
		return Envelope{}, ErrPayloadType
	}
	out := Envelope{SHA256: Digest(b)}
	var err error
	if text == "" {
		text = e.Payload
	}
	if out.Payload, err = strictBase64(text); err != nil {
		return Envelope{}, err
	}
	switch len(e.Signatures) {
	case 0:
		return out, ErrUnsigned
	case 1:
	default:
		return Envelope{}, ErrSignatures
	}
	s := e.Signatures[0]
	if !IsDigest(s.KeyID) {
		return Envelope{}, fmt.Errorf("%w: keyid is no digest", ErrContent)
	}
	out.KeyID = s.KeyID
	if out.sig, err = strictBase64(s.Sig); err != nil {
		return Envelope{}, err
	}
	if len(out.sig) != ed25519.SignatureSize {
		return Envelope{}, ErrSignature
	}
	return out, nil
}

// maxFrame bounds what an envelope holds beside its payload, in bytes.
const maxFrame = 1 << 20

// payloadStart is how a canonical envelope begins.
var payloadStart = []byte(`{"payload":"`)

// cut takes the payload's text out of an envelope, so that a large one need not be parsed to know whether somebody vouches for it.
// Where it is made of base64's letters alone, the envelope is canonical if and only if it is without them. What is no such envelope
// comes back whole.
func cut(b []byte) (text string, frame []byte) {
	if !bytes.HasPrefix(b, payloadStart) {
		return "", b
	}
	rest := b[len(payloadStart):]
	n := bytes.IndexByte(rest, '"')
	if n < 0 || bytes.ContainsFunc(rest[:n], func(r rune) bool { return !strings.ContainsRune(base64Letters, r) }) {
		return "", b
	}
	return string(rest[:n]), append(bytes.Clone(payloadStart), rest[n:]...)
}

// base64Letters are those of the standard alphabet, and the padding.
const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

// Check holds the signature against a public key: ErrSignature where it is not that key's over this payload.
func (e Envelope) Check(public ed25519.PublicKey) error {
	if len(public) != ed25519.PublicKeySize || e.KeyID != KeyID(public) || !ed25519.Verify(public, preAuth(e.Payload), e.sig) {
		return ErrSignature
	}
	return nil
}

// preAuth is what is signed: DSSE's pre-authentication encoding of the payload and its type.
func preAuth(payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(PayloadType), PayloadType, len(payload)), payload...)
}

// strictBase64 decodes s and refuses every other spelling of the same bytes.
func strictBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, ErrBase64
	}
	return b, nil
}
