package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/seal"
)

// statementEnding and statementAnnexEnding are those of a set's files (docs/evidence.md).
func statementEnding(n int) string      { return fmt.Sprintf(".statement-%d.json", n) }
func statementAnnexEnding(n int) string { return fmt.Sprintf(".statement-%d.annex.json", n) }

// statements are the pieces of what was stated later about a release: the signed statements, and with the restricted evidence the
// annexes that name persons. last is the kind of the last one.
func statements(ctx context.Context, s *connect.Service, state jobs.State, w Wanted) (list []Piece, last string, err error) {
	if state.Phase != jobs.Released && state.Phase != jobs.Withdrawn || state.Result == nil {
		return nil, "", nil
	}
	said, err := archive.Signed(ctx, s, state)
	if err != nil {
		return nil, "", failure.OfJob(state.ID, err)
	}
	for _, t := range said {
		if w.Evidence {
			list = append(list, Piece{t.AnnexKey, t.AnnexSHA256, statementAnnexEnding(t.Number), true})
		}
		list = append(list, Piece{t.Key, t.SHA256, statementEnding(t.Number), false})
	}
	if len(said) > 0 {
		last = said[len(said)-1].Kind
	}
	return list, last, nil
}

// Deletions writes the statements of a destroyed job into a folder, under the name that its derivative had unless the job gave
// another: the statement about the set that lies there under that name, or else about the job's last result. The names of the
// others end in their manifest's digest. It gives the names of the statements' files.
func Deletions(list []retention.Statement, at Place) (names []string, err error) {
	plain, err := plainDeletion(list, at)
	if err != nil {
		return nil, err
	}
	for i, st := range list {
		name := at.Name
		if i != plain {
			name += "-" + cut(st.Manifest(), 8)
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
		written := name + statementEnding(st.Number)
		if i == plain {
			names = slices.Insert(names, 0, written)
		} else {
			names = append(names, written)
		}
	}
	return names, nil
}

// plainDeletion is the index of the statement that has the derivative's own name; -1 where another set has it.
func plainDeletion(list []retention.Statement, at Place) (int, error) {
	b, err := os.ReadFile(filepath.Join(at.Dir, at.Name+".manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // the last result comes first
	}
	if err != nil {
		return 0, err
	}
	sum := seal.Digest(b)
	return slices.IndexFunc(list, func(st retention.Statement) bool { return st.Manifest() == sum }), nil
}

func cut(s string, n int) string { return s[:min(n, len(s))] }
