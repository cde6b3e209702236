package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/store"
)

// Tidied is how much was removed.
type Tidied struct{ Attempts, Releases, Uploads int }

// Tidy removes attempts that no record names, releases that were withdrawn and uploads that nobody finished, where they are
// older than age, and keeps copies of records that lack one. A job without a record is left alone, whatever lies there: the
// queue's files may have been lost, and the store is what they are rebuilt from. Of one on which a legal hold lies every attempt
// stays.
func Tidy(ctx context.Context, s *connect.Service, age time.Duration) (n Tidied, err error) {
	before := time.Now().Add(-age)
	attempts, kept, err := listAttempts(ctx, s, store.Restricted)
	if err != nil {
		return n, err
	}
	for _, a := range attempts {
		if a.newest.After(before) {
			continue
		}
		// The record is read after the list was: what it does not name now, no attempt that lies there can win any more.
		state, err := s.Queue.State(ctx, a.id)
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		remove := Retract
		switch {
		case garbage(a, state):
		case outlived(a, state):
			remove = trim
		default:
			continue
		}
		if a.manifest { // a whole result: it may be the record that is wrong, because it was set back
			behind, err := forward(ctx, s, a.id, false)
			if errors.Is(err, errRemains) {
				continue
			}
			if err != nil {
				return n, err
			}
			if behind {
				continue
			}
		}
		hold, err := retention.HoldOf(ctx, s.Store, a.id)
		if err != nil {
			return n, err
		}
		if hold != nil {
			continue
		}
		if err := remove(ctx, s, store.AttemptPrefix(a.id, a.generation, a.epoch)); err != nil {
			return n, err
		}
		n.Attempts++
	}
	if n.Releases, err = collectReleases(ctx, s); err != nil {
		return n, err
	}
	if n.Uploads, err = s.Store.AbortUploads(ctx, "", before); err != nil {
		return n, fmt.Errorf("end open uploads: %w", err)
	}
	return n, keepMissing(ctx, s, kept)
}

// attemptFiles is what lies under one attempt's prefix.
type attemptFiles struct {
	id                string
	generation, epoch int
	newest            time.Time
	manifest          bool
}

// listAttempts lists what attempts have put below a prefix, and of each job that something lies of, when its record was last
// copied (zero: never).
func listAttempts(ctx context.Context, s *connect.Service, below string) ([]attemptFiles, map[string]time.Time, error) {
	var all []attemptFiles
	kept := map[string]time.Time{}
	for o, err := range s.Store.List(ctx, below) {
		if err != nil {
			return nil, nil, fmt.Errorf("list attempts: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, store.Restricted), "/")
		if len(parts) == 2 && jobs.ValidID(parts[0]) {
			at := kept[parts[0]]
			if parts[1] == StateName {
				at = o.Time
			}
			kept[parts[0]] = at
		}
		if len(parts) != 4 {
			continue
		}
		g, gerr := strconv.Atoi(parts[1])
		e, eerr := strconv.Atoi(parts[2])
		if gerr != nil || eerr != nil || !jobs.ValidID(parts[0]) {
			continue
		}
		if n := len(all); n == 0 || all[n-1].id != parts[0] || all[n-1].generation != g || all[n-1].epoch != e {
			all = append(all, attemptFiles{id: parts[0], generation: g, epoch: e})
		}
		last := &all[len(all)-1]
		last.manifest = last.manifest || parts[3] == store.ManifestName
		if o.Time.After(last.newest) {
			last.newest = o.Time
		}
	}
	return all, kept, nil
}

// garbage reports whether nothing can name an attempt's files any more. Those of an earlier generation with a manifest may
// have been answered by, and stay as evidence; those of an epoch that the record has not reached are none of its business.
func garbage(a attemptFiles, s jobs.State) bool {
	if a.generation > s.Generation || a.epoch > s.Epoch {
		return false
	}
	if s.Plan != nil && s.Plan.Generation == a.generation && s.Plan.Epoch == a.epoch {
		return false
	}
	if s.Result != nil && s.Result.Generation == a.generation && s.Result.Epoch == a.epoch {
		return false
	}
	if a.generation < s.Generation {
		return !a.manifest
	}
	return a.epoch < s.Epoch || s.Phase.Final()
}

// outlived reports whether of an attempt only its first pass is still named: it had put a whole result and died before the
// commit, and another attempt, which took up that first pass, has answered the job since.
func outlived(a attemptFiles, s jobs.State) bool {
	return a.manifest && s.Phase.Final() && s.Result != nil && a.generation == s.Generation && s.Result.Generation == s.Generation &&
		a.epoch != s.Result.Epoch
}

// trim removes from an attempt's prefix all but its job and its first pass, the manifest first.
func trim(ctx context.Context, s *connect.Service, prefix string) error {
	if err := s.Store.Remove(ctx, prefix+store.ManifestName); err != nil {
		return fmt.Errorf("remove what was outlived: %w", err)
	}
	for o, err := range s.Store.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("remove what was outlived: %w", err)
		}
		if name := strings.TrimPrefix(o.Key, prefix); name == DraftName || name == store.JobName {
			continue
		}
		if err := s.Store.Remove(ctx, o.Key); err != nil {
			return fmt.Errorf("remove what was outlived: %w", err)
		}
	}
	return nil
}

// collectReleases empties what was withdrawn and came to lie there again, or was never emptied.
func collectReleases(ctx context.Context, s *connect.Service) (n int, err error) {
	seen := map[string]bool{}
	for o, err := range s.Store.List(ctx, store.Release) {
		if err != nil {
			return n, fmt.Errorf("list releases: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, store.Release), "/")
		if len(parts) != 3 {
			continue
		}
		g, err := strconv.Atoi(parts[1])
		at := parts[0] + "/" + parts[1]
		if err != nil || seen[at] {
			continue
		}
		seen[at] = true
		state, err := s.Queue.State(ctx, parts[0])
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		if g > state.Generation || g == state.Generation && state.Phase != jobs.Withdrawn {
			continue
		}
		// A generation follows a release only after that was withdrawn.
		if err := Retract(ctx, s, store.ReleasePrefix(parts[0], g)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// keepMissing copies the records of answered jobs, and of those that were begun anew, that changed after their last copy: whoever
// changed them may have died.
func keepMissing(ctx context.Context, s *connect.Service, kept map[string]time.Time) error {
	var missing []string
	err := s.Queue.States(ctx, func(state jobs.State) bool {
		if at, ok := kept[state.ID]; (state.Phase.Final() || state.Generation > 1) && (!ok || at.Before(state.Updated)) {
			missing = append(missing, state.ID)
		}
		return true
	})
	if err != nil {
		return err
	}
	var failed error
	for _, id := range missing {
		err := KeepState(ctx, s, id)
		if errors.Is(err, errRemains) {
			failed = errors.Join(failed, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return failed
}

// Retract empties a release: the manifest first, which makes it invisible.
func Retract(ctx context.Context, s *connect.Service, prefix string) error {
	if err := s.Store.Remove(ctx, prefix+store.ManifestName); err != nil {
		return fmt.Errorf("empty release: %w", err)
	}
	for o, err := range s.Store.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("empty release: %w", err)
		}
		if err := s.Store.Remove(ctx, o.Key); err != nil {
			return fmt.Errorf("empty release: %w", err)
		}
	}
	return nil
}
