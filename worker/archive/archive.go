// Package archive is what the store keeps of jobs beside their derivatives, and how that is kept in order: the records' copies
// and the manifests from which everything comes back after the queue's own files were lost, withdrawals, and the removal of
// what no record names. A result's record decides; nothing here decides about a job.
package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Where tells where in the store a job's result lies.
func Where(state jobs.State) map[string]string {
	r := state.Result
	if r == nil {
		return nil
	}
	where := map[string]string{"restricted": store.AttemptPrefix(state.ID, r.Generation, r.Epoch)}
	if state.Phase == jobs.Released {
		where["release"] = store.ReleasePrefix(state.ID, r.Generation)
	}
	return where
}

// StateName is the object, beside the job's own, that holds the job's record as it last was in the queue.
const StateName = "state.json"

// stateRecordKey is where a job's record is kept against the loss of the queue's own files.
func stateRecordKey(id string) string { return store.Restricted + id + "/" + StateName }

// KeepJob puts the job as it was handed in where a rebuild finds it, unless it is there: a submitter that knows only NATS
// puts nothing into the store.
func KeepJob(ctx context.Context, s *connect.Service, state jobs.State) error {
	j, err := state.Decoded()
	if err != nil {
		return err
	}
	if state.Generation > 1 {
		j.Decisions = nil // they came later
	}
	b, err := j.Encode()
	if err != nil {
		return err
	}
	_, err = s.Store.Create(ctx, connect.JobRecordKey(j.ID), b, "application/json")
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// KeepState puts a copy of the job's record into the store, from which `veil setup --rebuild` brings it back. Call it after
// everything that changes a record for good: an answer, a cancel, a retry, a decision, a withdrawal. Of several that keep it at
// once the last one has seen the newest. A copy that is newer than the record is not replaced: the record, which was set back, is
// brought forward.
func KeepState(ctx context.Context, s *connect.Service, id string) error {
	_, err := keepState(ctx, s, id)
	return err
}

// keepState reports whether the record was brought forward instead.
func keepState(ctx context.Context, s *connect.Service, id string) (behind bool, err error) {
	state, err := s.Queue.State(ctx, id)
	for {
		if err != nil {
			return false, err
		}
		if behind, err := Refresh(ctx, s, id); err != nil || behind {
			return behind, err
		}
		b, err := json.Marshal(state)
		if err != nil {
			return false, fmt.Errorf("encode record of %s: %w", id, err)
		}
		if _, err = PutBytes(ctx, s.Store, stateRecordKey(id), b); err != nil {
			return false, err
		}
		put := state.Token
		if state, err = s.Queue.State(ctx, id); err != nil || state.Token == put {
			return false, err
		}
	}
}

// ErrNotKept says that a job was changed in the queue and that the store has no copy of that: if the queue's files were lost
// now, the change would be too.
var ErrNotKept = errors.New("it is done, but not yet kept against a loss of the queue: run the command again")

// PutBytes puts a small JSON document and gives its digest.
func PutBytes(ctx context.Context, s store.Store, key string, b []byte) (string, error) {
	sum := DigestOf(b)
	_, err := s.Put(ctx, key, bytes.NewReader(b), store.PutOptions{Size: int64(len(b)), SHA256: sum, ContentType: "application/json"})
	if err != nil {
		return "", fmt.Errorf("put %s: %w", disk.Base(key), err)
	}
	return sum, nil
}

// DigestOf is the SHA-256 of b in hex.
func DigestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Names of what a result holds, as the record keeps their digests.
const (
	PieceDerivative = "derivative"
	PieceReport     = "report"
	PiecePlan       = "plan"
	PieceSheet      = "contact"
	PieceLog        = "log"
	PieceAnnex      = "annex"
	PieceJob        = "job"
)

// DraftName is the first pass of an attempt, under its prefix: a later attempt takes it up.
const DraftName = "draft"

// Kept copies a record that was changed for good into the store, before anybody is told that it was. A change that cannot be made
// because it was made before, by a command that could not keep it, is kept now: of one that begins the job anew (anew), which its
// generation tells, and of one that cancels it.
func Kept(ctx context.Context, s *connect.Service, id string, anew bool) func(jobs.State, error) (jobs.State, error) {
	return func(state jobs.State, err error) (jobs.State, error) {
		if errors.Is(err, jobs.ErrPhase) {
			now, behind := isBehind(ctx, s, id)
			if !behind || !anew && now.Phase != jobs.Cancelled {
				return state, err
			}
			state, err = now, nil
		}
		if err != nil {
			return state, err
		}
		behind, err := keepState(ctx, s, id)
		if err != nil {
			return state, fmt.Errorf("%w: %w", ErrNotKept, err)
		}
		if !behind {
			return state, nil
		}
		if state, err = s.Queue.State(ctx, id); err != nil {
			return state, err
		}
		return state, fmt.Errorf("the record was older than the store, and was brought forward: job %s is %s: %w", id, state.Phase, jobs.ErrPhase)
	}
}

// isBehind reports whether the store's copy of a job that was begun anew is of an earlier generation.
func isBehind(ctx context.Context, s *connect.Service, id string) (jobs.State, bool) {
	state, err := s.Queue.State(ctx, id)
	if err != nil || state.Generation == 1 {
		return state, false
	}
	b, _, err := s.Store.Read(ctx, stateRecordKey(id), maxRecord)
	if errors.Is(err, store.ErrNotFound) {
		return state, true
	}
	var kept jobs.State
	return state, err == nil && json.Unmarshal(b, &kept) == nil && kept.Generation < state.Generation
}
