package retention

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/store"
)

// HoldSchema names the version of the hold's format.
const HoldSchema = "veil.hold/1"

// HoldPrefix is where holds lie: HOLDS/ID.json, apart from what they hold, so that no sweep can take one along.
const HoldPrefix = "holds/"

const maxRecord = 4 * jobs.MaxJobBytes

// ErrNoHold says that a job is under no legal hold.
var ErrNoHold = errors.New("the job is under no legal hold")

// ErrBegun says that the hold is set, but that the destruction of the job had begun: what of it is left is kept.
var ErrBegun = errors.New("the hold is set, but the job was being destroyed already: look at what is left")

// ErrNoPerson says that it was not said who decides, or why.
var ErrNoPerson = errors.New("say who decides and why")

// Hold is a legal hold: while it lies there, nothing of the job is destroyed and no entry of the access log about it expires.
type Hold struct {
	Schema string    `json:"schema"`
	Job    string    `json:"job"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

func holdKey(id string) string { return HoldPrefix + id + ".json" }

// HoldOf reads a job's hold; nil where there is none.
func HoldOf(ctx context.Context, s store.Store, id string) (*Hold, error) {
	if !jobs.ValidID(id) {
		return nil, fmt.Errorf("look for a hold: %w", jobs.ErrNotFound)
	}
	b, _, err := s.Read(ctx, holdKey(id), maxRecord)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("look for a hold: %w", err)
	}
	h := &Hold{}
	if json.Unmarshal(b, h) != nil || h.Job != id {
		// Whoever cannot read a hold must not take it for none.
		return &Hold{Schema: HoldSchema, Job: id, Reason: "the hold cannot be read"}, nil
	}
	return h, nil
}

// Holds reads all holds, by job.
func Holds(ctx context.Context, s store.Store) (map[string]Hold, error) {
	all := map[string]Hold{}
	for o, err := range s.List(ctx, HoldPrefix) {
		if err != nil {
			return nil, fmt.Errorf("list holds: %w", err)
		}
		id := strings.TrimSuffix(strings.TrimPrefix(o.Key, HoldPrefix), ".json")
		if !jobs.ValidID(id) {
			continue
		}
		h, err := HoldOf(ctx, s, id)
		if err != nil {
			return nil, err
		}
		if h != nil {
			all[id] = *h
		}
	}
	return all, nil
}

// SetHold puts a job under legal hold, and logs it. A hold that is there stays as it is.
func (s *Sweeper) SetHold(ctx context.Context, id, by, reason string) (Hold, error) {
	if strings.TrimSpace(by) == "" || strings.TrimSpace(reason) == "" {
		return Hold{}, ErrNoPerson
	}
	if have, err := HoldOf(ctx, s.Store, id); err != nil || have != nil {
		if err != nil {
			return Hold{}, err
		}
		return *have, nil
	}
	if err := s.exists(ctx, id); err != nil {
		return Hold{}, err
	}
	h := Hold{Schema: HoldSchema, Job: id, By: by, Reason: reason, Since: s.Now().UTC().Truncate(time.Second)}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		return Hold{}, fmt.Errorf("set hold: %w", err)
	}
	// The log comes first: a hold that nobody can account for would be worse than an entry without one.
	if err := s.Log.Write(ctx, access.Entry{Action: access.Alteration, Job: id, Person: by, Reason: reason, What: "legal hold set"}); err != nil {
		return Hold{}, err
	}
	if _, err := s.Store.Create(ctx, holdKey(id), b.Bytes(), "application/json"); err != nil && !errors.Is(err, store.ErrExists) {
		return Hold{}, fmt.Errorf("set hold: %w", err)
	}
	if _, err := s.Store.Stat(ctx, markerKey(id)); err == nil {
		return h, fmt.Errorf("set hold: %w", ErrBegun)
	} else if !errors.Is(err, store.ErrNotFound) {
		return h, fmt.Errorf("set hold: %w", err)
	}
	return h, nil
}

// LiftHold ends a legal hold, and logs it.
func (s *Sweeper) LiftHold(ctx context.Context, id, by, reason string) error {
	if strings.TrimSpace(by) == "" || strings.TrimSpace(reason) == "" {
		return ErrNoPerson
	}
	have, err := HoldOf(ctx, s.Store, id)
	if err != nil {
		return err
	}
	if have == nil {
		return ErrNoHold
	}
	if err := s.Log.Write(ctx, access.Entry{Action: access.Alteration, Job: id, Person: by, Reason: reason, What: "legal hold lifted"}); err != nil {
		return err
	}
	if err := s.Store.Remove(ctx, holdKey(id)); err != nil {
		return fmt.Errorf("lift hold: %w", err)
	}
	return nil
}

// exists refuses an id of which neither queue nor store knows anything.
func (s *Sweeper) exists(ctx context.Context, id string) error {
	_, err := s.Queue.State(ctx, id)
	if err == nil || !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	for _, prefix := range prefixes(id) {
		for _, err := range s.Store.ListVersions(ctx, prefix) {
			return err
		}
	}
	return fmt.Errorf("set hold: %w", jobs.ErrNotFound)
}
