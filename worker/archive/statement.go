package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// maxStatements bounds the statements of one generation.
const maxStatements = 1000

// Said is what is to be stated about a result.
type Said struct {
	Kind  string // one of seal.Kinds
	Annex seal.Annex
	Key   *seal.Key // nil: the statement stays unsigned
}

// Stated is a statement as it was put.
type Stated struct {
	Key    string // in the store
	SHA256 string
	Number int
}

// State puts the next later statement about a result, behind its annex. Two at once cannot take the same number: the loser
// takes the next.
func State(ctx context.Context, s *connect.Service, state jobs.State, said Said) (Stated, error) {
	r := state.Result
	annex, err := said.Annex.Encode(rand.Reader)
	if err != nil {
		return Stated{}, err
	}
	if _, err := s.Store.Create(ctx, annexKey(state.ID, seal.Digest(annex)), annex, "application/json"); err != nil {
		return Stated{}, err
	}
	predecessor := r.Envelope
	for n := 1; n <= maxStatements; n++ {
		at := store.StatementKey(state.ID, state.Result.Generation, n)
		have, _, err := s.Store.Read(ctx, at, seal.MaxEnvelope)
		if err == nil {
			predecessor = seal.Digest(have)
			if err := beside(ctx, s, state, n, have); err != nil {
				return Stated{}, err
			}
			continue
		}
		if !errors.Is(err, store.ErrNotFound) {
			return Stated{}, err
		}
		e := seal.Event{Kind: said.Kind, Manifest: r.Envelope, Seq: n, Predecessor: predecessor, Time: seal.Second(time.Now()), Annex: seal.Digest(annex)}
		b, err := seal.SealEvent(r.Digests[PieceDerivative], e, said.Key)
		if err != nil {
			return Stated{}, err
		}
		_, err = s.Store.Create(ctx, at, b, "application/json")
		if errors.Is(err, store.ErrExists) {
			n-- // another was faster: its statement is the predecessor now
			continue
		}
		if err != nil {
			return Stated{}, err
		}
		return Stated{Key: at, SHA256: seal.Digest(b), Number: n}, beside(ctx, s, state, n, b)
	}
	return Stated{}, failure.Coded(failure.Phase, fmt.Sprintf("job %s has %d statements, which is as many as there can be", state.ID, maxStatements))
}

// Told is a statement as it lies in the store, and its annex.
type Told struct {
	Number                int
	Kind                  string
	Key, SHA256           string
	AnnexKey, AnnexSHA256 string
}

// Signed lists the signed statements that lie beside a release, or of one that was withdrawn under restricted/, and follow each other
// from the manifest on. It ends before the first that nobody signed: whoever has that one can check nothing with it. Where they may
// not be read the list is empty. store.ErrDamaged says that one does not follow.
func Signed(ctx context.Context, s *connect.Service, state jobs.State) (list []Told, err error) {
	predecessor := state.Result.Envelope
	for n := 1; n <= maxStatements; n++ {
		key := store.ReleasePrefix(state.ID, state.Result.Generation) + store.StatementName(n)
		if state.Phase == jobs.Withdrawn {
			key = store.StatementKey(state.ID, state.Result.Generation, n)
		}
		b, _, err := s.Store.Read(ctx, key, seal.MaxEnvelope)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDenied) { // who may not list is refused what is not there
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := seal.OpenEnvelope(b)
		if errors.Is(err, seal.ErrUnsigned) {
			break
		}
		var said seal.Event
		if err == nil {
			said, _, err = seal.ParseEvent(e.Payload)
		}
		if err != nil || said.Follows(state.Result.Envelope, predecessor, n) != nil {
			return nil, fmt.Errorf("read statement %d of %s: %w", n, state.ID, store.ErrDamaged)
		}
		list = append(list, Told{Number: n, Kind: said.Kind, Key: key, SHA256: e.SHA256, AnnexKey: annexKey(state.ID, said.Annex), AnnexSHA256: said.Annex})
		predecessor = e.SHA256
	}
	return list, nil
}

// annexKey is where the annex of a statement lies.
func annexKey(id, digest string) string {
	return fmt.Sprintf("%s%s/statements/annex-%s.json", store.Restricted, id, digest)
}

// beside puts a statement, which names nobody, beside the release that it is about, for whoever may read releases alone.
func beside(ctx context.Context, s *connect.Service, state jobs.State, n int, b []byte) error {
	if state.Phase != jobs.Released {
		return nil
	}
	_, err := s.Store.Create(ctx, store.ReleasePrefix(state.ID, state.Result.Generation)+store.StatementName(n), b, "application/json")
	return err
}

// Statements reads what was stated about a result, in order; signatures are not checked.
func Statements(ctx context.Context, s *connect.Service, state jobs.State) (list []seal.Event, err error) {
	for n := 1; n <= maxStatements; n++ {
		b, _, err := s.Store.Read(ctx, store.StatementKey(state.ID, state.Result.Generation, n), seal.MaxEnvelope)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil && !errors.Is(err, seal.ErrUnsigned) {
			return nil, fmt.Errorf("read statement %d of %s: %w", n, state.ID, err)
		}
		said, _, err := seal.ParseEvent(e.Payload)
		if err != nil {
			return nil, fmt.Errorf("read statement %d of %s: %w", n, state.ID, err)
		}
		list = append(list, said)
	}
	return list, nil
}
