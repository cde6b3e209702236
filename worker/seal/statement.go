package seal

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kinds of later statements.
const (
	Release    = "release"    // a person lets the derivative go
	Disclosure = "disclosure" // it was handed to somebody
	Withdrawal = "withdrawal" // it was taken back
	Deletion   = "deletion"   // derivative and evidence were destroyed
)

// Kinds lists the kinds of later statements.
func Kinds() []string { return []string{Release, Disclosure, Withdrawal, Deletion} }

// ErrStatement says that a later statement does not follow the one before it, or is about another manifest.
var ErrStatement = errors.New("does not follow from what came before")

// Event is what happened to a derivative after its manifest was signed. It names the manifest and its own predecessor, so that
// none can be taken out of the middle or moved. That the last ones are missing cannot be seen from the others.
type Event struct {
	Kind     string `json:"kind"`
	Manifest string `json:"manifest"` // SHA-256 of the manifest's file
	// Seq counts from 1; Predecessor is the SHA-256 of the file of the statement before, of the manifest for the first.
	Seq         int       `json:"seq"`
	Predecessor string    `json:"predecessor"`
	Time        time.Time `json:"time"`  // when it happened: a claim
	Annex       string    `json:"annex"` // SHA-256 of the annex that names persons and reasons
}

// SealEvent signs a later statement about a derivative; with a nil key it stays unsigned.
func SealEvent(derivative string, e Event, key *Key) ([]byte, error) {
	if !IsDigest(derivative) {
		return nil, fmt.Errorf("seal statement: %w: subject", ErrContent)
	}
	if err := e.validate(); err != nil {
		return nil, fmt.Errorf("seal statement: %w", err)
	}
	return Wrap(about(derivative, EventType, e), key)
}

// ParseEvent reads the payload of an envelope, and gives the digest of the derivative that it is about.
func ParseEvent(payload []byte) (e Event, derivative string, err error) {
	if derivative, err = read(payload, EventType, &e); err != nil {
		return Event{}, "", err
	}
	return e, derivative, e.validate()
}

// Follows holds a statement against the manifest that it must name and the file before it.
func (e Event) Follows(manifest, predecessor string, seq int) error {
	if e.Manifest != manifest || e.Predecessor != predecessor || e.Seq != seq {
		return ErrStatement
	}
	return nil
}

func (e Event) validate() error {
	var c checks
	c.need(slices.Contains(Kinds(), e.Kind), "kind")
	c.digests("manifest", e.Manifest)
	c.digests("predecessor", e.Predecessor)
	c.digests("annex", e.Annex)
	c.need(e.Seq > 0, "seq")
	c.times("time", e.Time)
	return c.err()
}
