package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"veil/pipeline"
	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/store"
)

// collecting says when what nothing names is removed.
type collecting struct {
	every time.Duration // 0: never
	age   time.Duration // younger objects are left alone: somebody may be putting them
}

// collectEvery tidies the store now and then, each worker at moments of its own, until ctx ends.
func (d *daemon) collectEvery(ctx context.Context) {
	if d.collect.every <= 0 {
		return
	}
	wait := time.Duration(rand.Int64N(int64(d.collect.every)))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := d.collectOnce(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("collect", "code", causeFor(err).Code)
		}
		wait = d.collect.every
	}
}

// collectOnce removes attempts that no record names, releases that were withdrawn, uploads that nobody finished and scratch
// folders of dead processes, and keeps copies of records that lack one. A job without a record is left alone, whatever lies
// there: the queue's files may have been lost, and the store is what they are rebuilt from.
func (d *daemon) collectOnce(ctx context.Context) error {
	before := time.Now().Add(-d.collect.age)
	attempts, kept, err := listAttempts(ctx, d.service)
	if err != nil {
		return err
	}
	removed := 0
	for _, a := range attempts {
		if a.newest.After(before) {
			continue
		}
		// The record is read after the list was: what it does not name now, no attempt that lies there can win any more.
		s, err := d.service.Queue.State(ctx, a.id)
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !garbage(a, s) {
			if outlived(a, s) {
				if err := trim(ctx, d.service, store.AttemptPrefix(a.id, a.generation, a.epoch)); err != nil {
					return err
				}
				removed++
			}
			continue
		}
		if err := retract(ctx, d.service, store.AttemptPrefix(a.id, a.generation, a.epoch)); err != nil {
			return err
		}
		removed++
	}
	withdrawn, err := d.collectReleases(ctx)
	if err != nil {
		return err
	}
	uploads, err := d.service.Store.AbortUploads(ctx, "", before)
	if err != nil {
		return fmt.Errorf("end open uploads: %w", err)
	}
	if removed+withdrawn+uploads > 0 {
		d.log.Info("collected", "attempts", removed, "releases", withdrawn, "uploads", uploads)
	}
	return errors.Join(d.keepMissing(ctx, kept), pipeline.Sweep(d.config.Scratch))
}

// attemptFiles is what lies under one attempt's prefix.
type attemptFiles struct {
	id                string
	generation, epoch int
	newest            time.Time
	manifest          bool
}

// listAttempts lists what attempts have put, and of each job that something lies of, when its record was last copied (zero:
// never).
func listAttempts(ctx context.Context, s *connect.Service) ([]attemptFiles, map[string]time.Time, error) {
	var all []attemptFiles
	kept := map[string]time.Time{}
	for o, err := range s.Store.List(ctx, store.Restricted) {
		if err != nil {
			return nil, nil, fmt.Errorf("list attempts: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, store.Restricted), "/")
		if len(parts) == 2 && jobs.ValidID(parts[0]) {
			at := kept[parts[0]]
			if parts[1] == stateName {
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
		if name := strings.TrimPrefix(o.Key, prefix); name == draftName || name == store.JobName {
			continue
		}
		if err := s.Store.Remove(ctx, o.Key); err != nil {
			return fmt.Errorf("remove what was outlived: %w", err)
		}
	}
	return nil
}

// collectReleases empties what was withdrawn and came to lie there again, or was never emptied.
func (d *daemon) collectReleases(ctx context.Context) (n int, err error) {
	seen := map[string]bool{}
	for o, err := range d.service.Store.List(ctx, store.Release) {
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
		s, err := d.service.Queue.State(ctx, parts[0])
		if errors.Is(err, jobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		if g > s.Generation || g == s.Generation && s.Phase != jobs.Withdrawn {
			continue
		}
		// A generation follows a release only after that was withdrawn.
		if err := retract(ctx, d.service, store.ReleasePrefix(parts[0], g)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// keepMissing copies the records of answered jobs that changed after their last copy: whoever changed them may have died.
func (d *daemon) keepMissing(ctx context.Context, kept map[string]time.Time) error {
	var missing []string
	err := d.service.Queue.States(ctx, func(s jobs.State) bool {
		if at, ok := kept[s.ID]; s.Phase.Final() && (!ok || at.Before(s.Updated)) {
			missing = append(missing, s.ID)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, id := range missing {
		if err := keepState(ctx, d.service, id); err != nil {
			return err
		}
	}
	return nil
}
