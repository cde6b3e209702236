package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"veil/worker/connect"
	"veil/worker/files"
	"veil/worker/jobs"
	"veil/worker/store"
)

// stateName is the object, beside the job's own, that holds the job's record as it last was in the queue.
const stateName = "state.json"

// stateRecordKey is where a job's record is kept against the loss of the queue's own files.
func stateRecordKey(id string) string { return store.Restricted + id + "/" + stateName }

// keepJob puts the job as it was handed in where a rebuild finds it, unless it is there: a submitter that knows only NATS
// puts nothing into the store.
func keepJob(ctx context.Context, s *connect.Service, state jobs.State) error {
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

// keepState puts a copy of the job's record into the store, from which `veil setup --rebuild` brings it back. Call it after
// everything that changes a record for good: an answer, a cancel, a retry, a decision, a withdrawal.
func keepState(ctx context.Context, s *connect.Service, id string) error {
	state, err := s.Queue.State(ctx, id)
	if err != nil {
		return err
	}
	b, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", id, err)
	}
	_, err = putBytes(ctx, s.Store, stateRecordKey(id), b)
	return err
}

// putBytes puts a small JSON document and gives its digest.
func putBytes(ctx context.Context, s store.Store, key string, b []byte) (string, error) {
	sum := digestOf(b)
	_, err := s.Put(ctx, key, bytes.NewReader(b), store.PutOptions{Size: int64(len(b)), SHA256: sum, ContentType: "application/json"})
	if err != nil {
		return "", fmt.Errorf("put %s: %w", files.Base(key), err)
	}
	return sum, nil
}

// digestOf is the SHA-256 of b in hex.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
