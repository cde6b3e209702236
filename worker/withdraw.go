package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/store"
)

// withdrawCmd is `veil withdraw`.
type withdrawCmd struct {
	ID string `arg:"" help:"A released job."`
	connect.Flags
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept with the case."`
	By     string `required:"" placeholder:"NAME" help:"Who decides."`
}

// withdrawalSchema names the version of the record's format.
const withdrawalSchema = "veil.withdrawal/1"

// withdrawal is the record of a withdrawn release, restricted/ID/withdrawn-GEN.json. It un-signs nothing: the manifest stays
// in the restricted part, and this stands beside it.
type withdrawal struct {
	Schema     string    `json:"schema"`
	ID         string    `json:"id"`
	Generation int       `json:"generation"`
	Manifest   string    `json:"manifest"` // SHA-256 of what was withdrawn
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	Time       time.Time `json:"time"`
}

// Run takes a release back: first the record, so that nobody begins to publish, then the log, then the objects. Whoever is
// interrupted runs it again.
func (c *withdrawCmd) Run(ctx context.Context, a *app) (err error) {
	if strings.TrimSpace(c.Reason) == "" || strings.TrimSpace(c.By) == "" {
		return failure.Usagef("give both", "--reason and --by must say something")
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	state, err := s.Queue.Withdraw(ctx, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	removed, err := takeBack(ctx, s, state, withdrawal{Reason: c.Reason, By: c.By})
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if a.JSON {
		return a.printJSON(map[string]any{"id": state.ID, "phase": state.Phase, "removed": removed})
	}
	a.printf("%s %s, %d objects removed from the release\n", state.ID, state.Phase, removed)
	a.printf("whoever has a copy still has it\n")
	return nil
}

// takeBack logs a withdrawal and empties the release prefixes of a job.
func takeBack(ctx context.Context, s *connect.Service, state jobs.State, w withdrawal) (removed int, err error) {
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
	_, err = s.Store.Create(ctx, withdrawalKey(w.ID, w.Generation), bytes.TrimSpace(b.Bytes()), "application/json")
	if err != nil && !errors.Is(err, store.ErrExists) { // begun before: the first word stands
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
		if err := retract(ctx, s, prefix); err != nil {
			return removed, err
		}
	}
	return removed, keepState(ctx, s, w.ID)
}

// withdrawalKey is where the record of a withdrawal lies.
func withdrawalKey(id string, generation int) string {
	return fmt.Sprintf("%s%s/withdrawn-%d.json", store.Restricted, id, generation)
}
