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
	names := fmt.Sprintf("%s%s/statements/annex-%s.json", store.Restricted, state.ID, seal.Digest(annex))
	if _, err := s.Store.Create(ctx, names, annex, "application/json"); err != nil {
		return Stated{}, err
	}
	predecessor := r.Envelope
	for n := 1; n <= maxStatements; n++ {
		at := statementKey(state, n)
		have, _, err := s.Store.Read(ctx, at, seal.MaxEnvelope)
		if err == nil {
			predecessor = seal.Digest(have)
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
		return Stated{Key: at, SHA256: seal.Digest(b), Number: n}, nil
	}
	return Stated{}, failure.Coded(failure.Phase, fmt.Sprintf("job %s has %d statements, which is as many as there can be", state.ID, maxStatements))
}

// Statements reads what was stated about a result, in order; signatures are not checked.
func Statements(ctx context.Context, s *connect.Service, state jobs.State) (list []seal.Event, err error) {
	for n := 1; n <= maxStatements; n++ {
		b, _, err := s.Store.Read(ctx, statementKey(state, n), seal.MaxEnvelope)
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

// statementKey is where the n-th later statement about a result lies.
func statementKey(state jobs.State, n int) string {
	return fmt.Sprintf("%s%s/statements/%d-%d.json", store.Restricted, state.ID, state.Result.Generation, n)
}
