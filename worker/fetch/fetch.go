// Package fetch brings answered jobs out of the store into a folder: derivative, manifest and report, and what is restricted
// where that is asked for. What does not have the bytes that the job's record names never gets its name.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"veil/pipeline/account"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// Piece is one object of a result and the file that it becomes.
type Piece struct {
	key    string
	sha256 string
	Ending string // after the name: ".mp4", ".held.plan.json"
	secret bool   // it shows faces or names: for the owner's eyes
}

// Wanted says which pieces are asked for.
type Wanted struct {
	Held     bool // of a held job: derivative, plan, sheet, report and the worklist to print
	Evidence bool // plan, sheet and reports of a released one as well; of both, event log and annex
}

// Pieces lists what there is to fetch of an answered job, the derivative last: what lies beside it is there when it appears.
func Pieces(state jobs.State, w Wanted) ([]Piece, error) {
	r := state.Result
	switch {
	case state.Phase == jobs.Held && !w.Held:
		return nil, failure.Coded(failure.Held, "job "+state.ID+" is held for a person; --held fetches what there is to look at")
	case state.Phase != jobs.Released && state.Phase != jobs.Held:
		o := failure.OutcomeOf(state)
		return nil, failure.Coded(o.Code, fmt.Sprintf("job %s is %s", state.ID, state.Phase))
	case r == nil:
		return nil, failure.Coded(failure.WrongDigest, "the record of job "+state.ID+" names no result")
	}
	j, err := state.Decoded()
	if err != nil {
		return nil, err
	}
	derivative := store.DerivativeName(j.DerivativeName())
	restricted := store.AttemptPrefix(state.ID, r.Generation, r.Epoch)
	from, ending, secret := store.ReleasePrefix(state.ID, r.Generation), "", false
	if state.Phase == jobs.Held {
		from, ending, secret = restricted, ".held", true
	}
	list := []Piece{
		{from + store.ManifestName, r.Envelope, ending + ".manifest.json", secret},
		{from + store.ReportName, r.Digests[archive.PieceReport], ending + ".report.json", secret},
	}
	if secret || w.Evidence {
		list = append(list, Piece{restricted + store.PlanName, r.Digests[archive.PiecePlan], ending + ".plan.json", true},
			Piece{restricted + store.SheetName, r.Digests[archive.PieceSheet], ending + ".contact.png", true})
		for _, name := range account.DocumentNames() {
			page := strings.HasPrefix(name, account.WorklistName) && strings.HasSuffix(name, ".html")
			if sum := r.Digests[name]; sum != "" && (w.Evidence || page) { // results of earlier builds have none
				list = append(list, Piece{restricted + name, sum, ending + "." + name, true})
			}
		}
	}
	if w.Evidence {
		list = append(list, Piece{restricted + store.LogName, r.Digests[archive.PieceLog], ending + ".log.jsonl", true},
			Piece{restricted + store.AnnexName, r.Digests[archive.PieceAnnex], ending + ".annex.json", true})
	}
	list = append(list, Piece{from + derivative, r.Digests[archive.PieceDerivative], ending + ".mp4", secret})
	for _, p := range list {
		if len(p.sha256) != 64 {
			return nil, failure.Coded(failure.WrongDigest, "the record of job "+state.ID+" tells no digest of what there is to fetch")
		}
	}
	return list, nil
}

// Job fetches an answered job into a folder under a name, each object only with the bytes that the record names, and
// gives the files' names. Nothing appears unless all of it is right, and nothing else is overwritten. Of a release that was
// withdrawn come the signed statements, with the error that says so.
func Job(ctx context.Context, s *connect.Service, state jobs.State, w Wanted, at Place) ([]string, error) {
	list, err := Pieces(state, w)
	if state.Phase == jobs.Withdrawn {
		return withdrawn(ctx, s, state, w, at)
	}
	if err != nil {
		return nil, err
	}
	if err := checkManifest(ctx, s, state.ID, list); err != nil {
		return nil, err
	}
	said, _, err := statements(ctx, s, state, w)
	if err != nil {
		return nil, err
	}
	return bring(ctx, s, slices.Insert(list, len(list)-1, said...), at)
}

// withdrawn fetches what was stated about a release that is gone; its error is always that it is gone, or a worse one.
func withdrawn(ctx context.Context, s *connect.Service, state jobs.State, w Wanted, at Place) ([]string, error) {
	said, last, err := statements(ctx, s, state, w)
	if err != nil {
		return nil, err
	}
	names, err := bring(ctx, s, said, at)
	if err != nil {
		return nil, err
	}
	told := "job " + state.ID + " is withdrawn"
	if last == seal.Withdrawal {
		told += "; the signed statement of that is " + names[len(names)-1]
	} else {
		told += "; no signed statement of that can be fetched here (it was withdrawn without a key, something before it was stated without one, or it may not be read)"
	}
	return names, failure.Coded(failure.Withdrawn, told)
}

// bring fetches pieces and gives the files' names, all of them or none.
func bring(ctx context.Context, s *connect.Service, list []Piece, at Place) ([]string, error) {
	var names []string
	var parts []*part
	defer func() {
		for _, p := range parts {
			p.discard()
		}
	}()
	for _, p := range list {
		path := filepath.Join(at.Dir, at.Name+p.Ending)
		names = append(names, filepath.Base(path))
		have, there, err := disk.Digest(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", disk.Base(path), disk.Plain(err))
		}
		if there && have.SHA256 == p.sha256 {
			continue
		}
		if there {
			return nil, failure.Newf(failure.Exists, "choose another folder, or move it away", "%s is there and is something else", disk.Base(path))
		}
		fetched, err := fetchPart(ctx, s, p, at, path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, fetched)
	}
	for _, p := range parts {
		if err := p.publish(); err != nil {
			return nil, err
		}
	}
	return names, disk.SyncFolder(at.Dir)
}

// Place is where a result goes.
type Place struct {
	Dir    string
	Name   string      // without ending
	Shared os.FileMode // mode of every file; 0: the usual one, and the owner alone for what is restricted
}

// mode is that of a file to be made; the usual one is subject to the umask.
func (at Place) mode(secret bool) os.FileMode {
	switch {
	case at.Shared != 0:
		return at.Shared
	case secret:
		return 0o600
	}
	return 0o666
}

// checkManifest makes sure that the manifest is the one of the record and names the derivative.
func checkManifest(ctx context.Context, s *connect.Service, id string, list []Piece) error {
	b, o, err := s.Store.Read(ctx, list[0].key, archive.MaxManifest)
	if err != nil {
		return failure.OfJob(id, err)
	}
	m, err := archive.ReadManifest(b)
	if err != nil || o.SHA256 != list[0].sha256 || m.Derivative.SHA256 != list[len(list)-1].sha256 {
		return failure.Coded(failure.WrongDigest, "the manifest of job "+id+" in the store is not the one that was put there")
	}
	return nil
}

// part is a fetched file that has not got its name yet.
type part struct {
	f      *os.File // locked; nil once it was closed
	temp   string   // where it lies; empty once it has its name
	path   string
	rename func(from, to string) error
}

// fetchPart streams an object beside its final name. A run that was killed leaves it there for the next one to begin anew.
func fetchPart(ctx context.Context, s *connect.Service, p Piece, at Place, path string) (_ *part, err error) {
	f, err := os.OpenFile(disk.PartName(path), os.O_CREATE|os.O_RDWR, at.mode(p.secret))
	if err != nil {
		return nil, failure.OfFile("write "+disk.Base(path), err)
	}
	t := &part{f: f, temp: f.Name(), path: path, rename: disk.RenameNew}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(failure.Newf(failure.Busy, "wait for it", "another veil fetches the same file"), f.Close())
	}
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	if at.Shared != 0 {
		_ = f.Chmod(at.Shared) // a network file system may know no modes
	}
	if err := f.Truncate(0); err != nil {
		return nil, failure.OfFile("write "+disk.Base(path), err)
	}
	w := &toFile{f: f}
	o, err := s.Store.Fetch(ctx, p.key, w)
	if w.err != nil {
		return nil, failure.OfFile("write "+disk.Base(path), w.err)
	}
	if err != nil {
		return nil, failure.OfJob(disk.Base(path), err)
	}
	if o.SHA256 != p.sha256 {
		return nil, failure.Coded(failure.WrongDigest, "the store gave back other bytes for "+disk.Base(path)+" than the record names")
	}
	if err := f.Sync(); err != nil {
		return nil, failure.OfFile("write "+disk.Base(path), err)
	}
	return t, nil
}

// toFile remembers that it was the disk that failed.
type toFile struct {
	f   *os.File
	err error
}

func (w *toFile) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.err = err
	return n, err
}

// publish gives the file its name, unless that is taken. It is renamed while it is locked, so that no other fetch can begin with
// it; where it cannot be, as over SMB, it is closed before.
func (t *part) publish() error {
	err := t.rename(t.temp, t.path)
	if isOpen(err) {
		if err = t.close(); err == nil {
			err = t.rename(t.temp, t.path)
		}
	}
	if errors.Is(err, os.ErrExist) {
		return failure.Newf(failure.Exists, "choose another folder, or move it away", "%s is there and is something else", disk.Base(t.path))
	}
	if err == nil {
		t.temp = ""
		err = t.close()
	}
	return failure.OfFile("write "+disk.Base(t.path), err)
}

// isOpen reports whether a file cannot be renamed because somebody, we ourselves, has it open.
func isOpen(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ETXTBSY) || errors.Is(err, syscall.EACCES)
}

// close ends the lock.
func (t *part) close() error {
	if t.f == nil {
		return nil
	}
	err := t.f.Close()
	t.f = nil
	return err
}

// discard removes what has got no name.
func (t *part) discard() {
	if t.temp != "" {
		_ = os.Remove(t.temp)
		t.temp = ""
	}
	_ = t.close()
}

// Names gives each job the name of its derivative; where two have the same, their ids tell them apart.
func Names(states []jobs.State) map[string]string {
	names, count := map[string]string{}, map[string]int{}
	for _, s := range states {
		j, err := s.Decoded()
		if err != nil {
			j = jobs.Job{ID: s.ID}
		}
		names[s.ID] = j.DerivativeName()
		count[names[s.ID]]++
	}
	for id, name := range names {
		if count[name] > 1 {
			names[id] = name + "-" + id
		}
	}
	return names
}
