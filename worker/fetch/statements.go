package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/retention"
)

// statementEnding and statementAnnexEnding are those of a set's files (docs/evidence.md).
func statementEnding(n int) string      { return fmt.Sprintf(".statement-%d.json", n) }
func statementAnnexEnding(n int) string { return fmt.Sprintf(".statement-%d.annex.json", n) }

// statements are the pieces of what was stated later about a release: the signed statements, and with the restricted evidence the
// annexes that name persons.
func statements(ctx context.Context, s *connect.Service, state jobs.State, w Wanted) ([]Piece, error) {
	if state.Phase != jobs.Released && state.Phase != jobs.Withdrawn || state.Result == nil {
		return nil, nil
	}
	said, err := archive.Signed(ctx, s, state)
	if err != nil {
		return nil, failure.OfJob(state.ID, err)
	}
	var list []Piece
	for _, t := range said {
		if w.Evidence {
			list = append(list, Piece{t.AnnexKey, t.AnnexSHA256, statementAnnexEnding(t.Number), true})
		}
		list = append(list, Piece{t.Key, t.SHA256, statementEnding(t.Number), false})
	}
	return list, nil
}

// Deletions writes the statements of a destroyed job into a folder, under the name that its derivative had unless the job gave
// another; of several results the later ones' names end in the derivative's digest. It gives the names of the statements' files.
func Deletions(list []retention.Statement, at Place) (names []string, err error) {
	for i, st := range list {
		name := at.Name
		if i > 0 {
			name += "-" + st.Derivative[:8]
		}
		for _, f := range []struct{ ending, content string }{{statementAnnexEnding(st.Number), st.Annex}, {statementEnding(st.Number), st.Envelope}} {
			path := filepath.Join(at.Dir, name+f.ending)
			if have, err := os.ReadFile(path); err == nil && string(have) != f.content {
				return nil, failure.Newf(failure.Exists, "choose another folder, or move it away", "%s is there and is something else", disk.Base(path))
			}
			if err := disk.Write(disk.PartName(path), path, []byte(f.content)); err != nil {
				return nil, err
			}
		}
		names = append(names, name+statementEnding(st.Number))
	}
	return names, nil
}
