package archive

import (
	"errors"

	"veil/worker/seal"
)

// MaxManifest bounds a manifest's file, in bytes.
const MaxManifest = seal.MaxEnvelope

// ReadManifest reads a manifest's file, signed or not. It does not check the signature: who reads what a worker put knows the
// file's digest from the job's record.
func ReadManifest(b []byte) (seal.Manifest, error) {
	e, err := seal.OpenEnvelope(b)
	if err != nil && !errors.Is(err, seal.ErrUnsigned) {
		return seal.Manifest{}, err
	}
	return seal.ParseManifest(e.Payload)
}

// digestsOf are those of a result, as the record keeps them; that of the job itself stands in the annex alone.
func digestsOf(m seal.Manifest) map[string]string {
	d := map[string]string{PieceDerivative: m.Derivative.SHA256, PieceReport: m.Report.SHA256, PiecePlan: m.Withheld.Plan.SHA256,
		PieceLog: m.Withheld.Log.SHA256, PieceAnnex: m.Withheld.Annex}
	if c := m.Withheld.Contact; c != nil {
		d[PieceSheet] = c.SHA256
	}
	return d
}

// keyOf is the fingerprint of the key that signed a manifest; empty where nobody did.
func keyOf(b []byte) string {
	e, err := seal.OpenEnvelope(b)
	if err != nil {
		return ""
	}
	return e.KeyID
}
