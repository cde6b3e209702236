package proof

import (
	"errors"
	"os"

	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
)

// CheckFree refuses a derivative's name whose set was stamped, or about which something was stated later: neither would fit a
// new set.
func CheckFree(outs ...string) error {
	for _, out := range outs {
		for _, ending := range []string{evidence.StampEnding, evidence.RequestEnding, evidence.StatementEnding(1)} {
			path := evidence.Stem(out) + ending
			if _, err := os.Lstat(path); err == nil {
				return failure.Usagef("choose another name, or move that set away", "%s belongs to an earlier set of this name", disk.Base(path))
			}
		}
	}
	return nil
}

// Write writes the set beside a derivative, the manifest last. Where a file cannot be written, those that were are removed.
func (p Pieces) Write(out string, public bool) (err error) {
	open := os.FileMode(0o600)
	if public {
		open = 0o644
	}
	var done []string
	defer func() {
		if err == nil {
			return
		}
		for _, path := range done {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	stem := evidence.Stem(out)
	for _, f := range []struct {
		ending string
		b      []byte
		mode   os.FileMode
	}{
		{evidence.PlanEnding, p.Plan, 0o600}, {evidence.LogEnding, p.Log, 0o600}, {evidence.AnnexEnding, p.Annex, 0o600},
		{evidence.ReportEnding, p.Report, open}, {evidence.ManifestEnding, p.Manifest, open},
	} {
		if err := disk.Replace(stem+f.ending, f.b, f.mode); err != nil {
			return err
		}
		done = append(done, stem+f.ending)
	}
	return nil
}
