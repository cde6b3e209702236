package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// withdrawalSchema names the version of the record's format.
const withdrawalSchema = "veil.withdrawal/1"

// Withdrawal is the record of a withdrawn release, restricted/ID/withdrawn-GEN.json. It un-signs nothing: the manifest stays
// in the restricted part, and this stands beside it.
type Withdrawal struct {
	Schema     string    `json:"schema"`
	ID         string    `json:"id"`
	Generation int       `json:"generation"`
	Manifest   string    `json:"manifest"` // SHA-256 of what was withdrawn
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	Time       time.Time `json:"time"`
	// Sign, when set, has the withdrawal stated under a signature as well.
	Sign *seal.Key `json:"-"`
}

// TakeBack logs a withdrawal and empties the release prefixes of a job.
func TakeBack(ctx context.Context, s *connect.Service, state jobs.State, w Withdrawal) (removed int, err error) {
	if state.Result == nil {
		return 0, failure.Coded(failure.Phase, "job "+state.ID+" has no release")
	}
	w.Schema, w.ID, w.Generation, w.Manifest = withdrawalSchema, state.ID, state.Result.Generation, state.Result.Envelope
	w.Time = time.Now().UTC()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		return 0, fmt.Errorf("encode withdrawal: %w", err)
	}
	_, err = s.Store.Create(ctx, WithdrawalKey(w.ID, w.Generation), bytes.TrimSpace(b.Bytes()), "application/json")
	if err != nil && !errors.Is(err, store.ErrExists) { // begun before: the first word stands
		return 0, err
	}
	if err := stateWithdrawal(ctx, s, state, w); err != nil {
		return 0, err
	}
	for g := 1; g <= w.Generation; g++ {
		prefix := store.ReleasePrefix(w.ID, g)
		for _, err := range s.Store.List(ctx, prefix) {
			if err != nil {
				return removed, err
			}
			removed++
		}
		if err := Retract(ctx, s, prefix); err != nil {
			return removed, err
		}
	}
	return removed, KeepState(ctx, s, w.ID)
}

// WithdrawalKey is where the record of a withdrawal lies.
func WithdrawalKey(id string, generation int) string {
	return fmt.Sprintf("%s%s/withdrawn-%d.json", store.Restricted, id, generation)
}

// stateWithdrawal puts the signed statement of a withdrawal, unless that was done before.
func stateWithdrawal(ctx context.Context, s *connect.Service, state jobs.State, w Withdrawal) error {
	if w.Sign == nil {
		return nil
	}
	said, err := Statements(ctx, s, state)
	if err != nil {
		return err
	}
	for _, e := range said {
		if e.Kind == seal.Withdrawal {
			return nil
		}
	}
	_, err = State(ctx, s, state, Said{Kind: seal.Withdrawal, Annex: seal.Annex{By: w.By, Reason: w.Reason}, Key: w.Sign})
	return err
}
