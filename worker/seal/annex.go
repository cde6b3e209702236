package seal

import (
	"encoding/hex"
	"fmt"
	"io"
)

// AnnexSchema names the version of the annex's format.
const AnnexSchema = "veil.annex/1"

const saltBytes = 32

// Annex holds what names persons, cases and files. It is restricted. A manifest or a statement binds it by the SHA-256 of its
// bytes; the random salt among them keeps anybody from finding the content by trying names.
type Annex struct {
	Schema string `json:"schema"`
	Salt   string `json:"salt"` // 32 random bytes, hex
	// Source is the original's file name, or bucket and key.
	Source    string   `json:"source,omitempty"`
	Case      string   `json:"case,omitempty"`
	Requester string   `json:"requester,omitempty"`
	Purpose   string   `json:"purpose,omitempty"`
	Persons   []string `json:"persons,omitempty"` // who decided about the plan
	// Job and Decisions are digests of the job's record and of the decisions' bytes: short documents that name persons, whose
	// own digests could be guessed.
	Job       string `json:"job,omitempty"`
	Decisions string `json:"decisions,omitempty"`
	// By, Recipient and Reason belong to a later statement.
	By        string `json:"by,omitempty"`
	Recipient string `json:"recipient,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Encode gives the annex's bytes with a fresh salt from random.
func (a Annex) Encode(random io.Reader) ([]byte, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("salt annex: %w", err)
	}
	a.Schema, a.Salt = AnnexSchema, hex.EncodeToString(salt)
	return Canonical(a)
}

// ParseAnnex reads an annex.
func ParseAnnex(b []byte) (Annex, error) {
	var a Annex
	if err := Decode(b, &a); err != nil {
		return Annex{}, err
	}
	if a.Schema != AnnexSchema {
		return Annex{}, fmt.Errorf("%w: schema", ErrContent)
	}
	salt, err := hex.DecodeString(a.Salt)
	if err != nil || len(salt) != saltBytes {
		return Annex{}, fmt.Errorf("%w: salt", ErrContent)
	}
	for _, s := range []string{a.Job, a.Decisions} {
		if s != "" && !IsDigest(s) {
			return Annex{}, fmt.Errorf("%w: job or decisions", ErrContent)
		}
	}
	return a, nil
}
