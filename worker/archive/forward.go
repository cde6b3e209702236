package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Forward brings the record of a job that its caller has just claimed forward, where the store knows more of the job: its answer,
// a person's later word, or an attempt with the claim's own number or a later one. So is a record from a backup of the queue. It
// reports whether it did: the claim is lost then. It reads one list where nothing of an earlier attempt lies there.
func Forward(ctx context.Context, s *connect.Service, id string) (bool, error) {
	return forward(ctx, s, id, true)
}

// Refresh brings the record of a job forward in the same way for somebody who has not claimed it: a person who is about to say what
// becomes of the job. For whoever may not read what attempts put, the record is the only word.
func Refresh(ctx context.Context, s *connect.Service, id string) (bool, error) {
	behind, err := forward(ctx, s, id, false)
	if errors.Is(err, store.ErrDenied) {
		return false, nil
	}
	return behind, err
}

func forward(ctx context.Context, s *connect.Service, id string, claimed bool) (bool, error) {
	attempts, _, err := listAttempts(ctx, s, store.Restricted+id+"/")
	if err != nil {
		return false, err
	}
	r := &remains{id: id, attempts: attempts, released: map[int]bool{}}
	for _, a := range attempts {
		if !a.manifest || r.released[a.generation] {
			continue
		}
		_, err := s.Store.Stat(ctx, store.ReleasePrefix(id, a.generation)+store.ManifestName)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, fmt.Errorf("look for release of %s: %w", id, err)
		}
		r.released[a.generation] = err == nil
	}
	if len(attempts) == 0 {
		if _, err := s.Queue.State(ctx, id); err != nil { // nothing lies there, and nobody knows the job
			return false, err
		}
	}
	return bringForward(ctx, s, r, claimed)
}

// bringForward replaces the record of a job by what the store says, if that is newer. claimed says that the record's epoch has
// just been taken by somebody who has put nothing yet.
func bringForward(ctx context.Context, s *connect.Service, r *remains, claimed bool) (bool, error) {
	return s.Queue.Advance(ctx, r.id, func(have jobs.State) (jobs.State, bool, error) {
		newer, err := r.newer(ctx, s, have, claimed)
		if err != nil || !newer {
			return have, false, err
		}
		next, err := stateOf(ctx, s, r)
		if err != nil {
			return have, false, err
		}
		if r.released[next.Generation] && !next.Phase.Final() && next.Result == nil {
			return have, false, errRemains // it is out, and nothing tells what went out
		}
		next.Epoch = max(next.Epoch, have.Epoch) + 1 // whoever holds the record loses it
		return next, true, nil
	})
}

// newer reports whether the store knows more of a job than its record. What an attempt puts and what is copied of a record
// always follows the record, so whatever is ahead of it shows that the record was set back. r must have been listed before the
// record was read.
func (r *remains) newer(ctx context.Context, s *connect.Service, have jobs.State, claimed bool) (bool, error) {
	for _, a := range r.attempts {
		if a.generation > have.Generation || a.epoch > have.Epoch || claimed && a.epoch == have.Epoch {
			return true, nil
		}
	}
	if r.released[have.Generation] && !mayBeOut(have.Phase) {
		return true, nil
	}
	b, _, err := s.Store.Read(ctx, stateRecordKey(r.id), maxRecord)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read record of %s: %w", r.id, err)
	}
	var kept jobs.State
	if json.Unmarshal(b, &kept) != nil || kept.ID != r.id || kept.Schema != jobs.StateSchema {
		return false, nil // no copy of ours tells nothing
	}
	return follows(kept, have), nil
}

// mayBeOut reports whether something of a job in this phase may lie under release/: nothing is put there before its commit, and a
// withdrawal is recorded before it is done.
func mayBeOut(p jobs.Phase) bool {
	return p == jobs.Committing || p == jobs.Released || p == jobs.Withdrawn || p == jobs.Held
}

// follows reports whether the first record is a later one of the same job than the second.
func follows(kept, have jobs.State) bool {
	switch {
	case kept.Generation != have.Generation:
		return kept.Generation > have.Generation
	case kept.Epoch != have.Epoch && !have.Phase.Final():
		return kept.Epoch > have.Epoch || kept.Phase.Final()
	case !kept.Phase.Final():
		return false
	}
	switch kept.Phase {
	case jobs.Withdrawn: // the last word of a generation
		return have.Phase != jobs.Withdrawn
	case jobs.Released: // only a withdrawal follows
		return have.Phase != jobs.Released && have.Phase != jobs.Withdrawn
	case jobs.Cancelled:
		return !have.Phase.Final() || have.Phase == jobs.Held
	}
	return !have.Phase.Final()
}

// missing lists the answered jobs whose record names a result that the store does not have, as after the loss of a store whose
// replica was behind.
func missing(ctx context.Context, s *connect.Service, all []*remains) ([]string, error) {
	byID := map[string]*remains{}
	for _, r := range all {
		byID[r.id] = r
	}
	ids := []string{}
	err := s.Queue.States(ctx, func(state jobs.State) bool {
		if state.Result != nil && (state.Phase == jobs.Released || state.Phase == jobs.Held) && !byID[state.ID].has(state) {
			ids = append(ids, state.ID)
		}
		return true
	})
	slices.Sort(ids)
	return ids, err
}

// has reports whether the manifest of a record's result lies where it should; nil is a job that the store knows nothing of.
func (r *remains) has(state jobs.State) bool {
	if r == nil || state.Phase == jobs.Released && !r.released[state.Result.Generation] {
		return false
	}
	return slices.ContainsFunc(r.attempts, func(a attemptFiles) bool {
		return a.manifest && a.generation == state.Result.Generation && a.epoch == state.Result.Epoch
	})
}
