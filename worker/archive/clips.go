package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/store"
)

// DropClips removes, with all their versions, the clips that were handed in as files and whose job has had its answer for longer
// than age, and counts them. A held job keeps its clip, because a person's decision renders it again; so does a failed one with a
// dead letter, which may be tried again, one on which a legal hold lies, and a job without a record, of which nobody can tell. The
// access log comes first.
func DropClips(ctx context.Context, s *connect.Service, age time.Duration) (n int, err error) {
	before := time.Now().Add(-age)
	seen := map[string]bool{}
	for o, err := range s.Store.List(ctx, store.Incoming) {
		if err != nil {
			return n, fmt.Errorf("list clips that were handed in: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, store.Incoming), "/")
		if seen[id] || !jobs.ValidID(id) || o.Time.After(before) {
			continue
		}
		seen[id] = true
		drop, err := mayDrop(ctx, s, id, before)
		if err != nil {
			return n, err
		}
		if drop {
			behind, err := forward(ctx, s, id, false)
			if err != nil && !errors.Is(err, errRemains) {
				return n, err
			}
			drop = err == nil && !behind
		}
		if !drop {
			continue
		}
		if err := s.Note(ctx, access.Entry{Action: access.Deletion, Job: id, What: "clip that was handed in removed after the answer"}); err != nil {
			return n, err
		}
		if hold, err := retention.HoldOf(ctx, s.Store, id); err != nil || hold != nil { // set while the log was written
			if err != nil {
				return n, err
			}
			continue
		}
		if _, err := store.RemoveAll(ctx, s.Store, store.Incoming+id+"/"); err != nil {
			return n, fmt.Errorf("remove the clip of %s: %w", id, err)
		}
		n++
	}
	return n, nil
}

// mayDrop reports whether nobody needs a job's clip any more.
func mayDrop(ctx context.Context, s *connect.Service, id string, before time.Time) (bool, error) {
	state, err := s.Queue.State(ctx, id)
	if errors.Is(err, jobs.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !state.Phase.Final() || state.Phase == jobs.Held || state.Updated.After(before) {
		return false, nil
	}
	if state.Phase == jobs.Failed {
		if _, err := s.Queue.DeadLetter(ctx, id); !errors.Is(err, jobs.ErrNotFound) {
			return false, err
		}
	}
	hold, err := retention.HoldOf(ctx, s.Store, id)
	return hold == nil, err
}
