// Package retention destroys jobs whose time is over: everything that lies of them in the store with all versions, their record,
// events, dead letters and wake-ups, and the entries of the access log whose year is over. A legal hold stops all of it.
//
// A job is destroyed in two sweeps. The first leaves a marker, empties the store, has the queue forget the job, looks again,
// states and logs the deletion; the second comes when nothing that was still under way then can be, sweeps once more, and takes
// the marker away. What stays is a tombstone without a name, by which what somebody writes later still is told from a new job's.
// Each step can be repeated by anyone, so that whoever dies in between is finished by the next.
//
// The package decides nothing about when: a job's own destroy_after does, by a clock that the store's confirms. It never touches
// the place that clips come from.
package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// DefaultQuiet is how long nobody may have touched a job before its last traces count as the last.
const DefaultQuiet = 15 * time.Minute

// Queue is what retention needs of package jobs' queue.
type Queue interface {
	States(ctx context.Context, each func(jobs.State) bool) error
	State(ctx context.Context, id string) (jobs.State, error)
	Cancel(ctx context.Context, id string) (jobs.State, error)
	Forget(ctx context.Context, id string) error
	Remains(ctx context.Context, id string) (uint64, error)
}

// Sweeper destroys what is due. Its parts stay the caller's.
type Sweeper struct {
	Queue Queue
	Store store.Store
	Log   *access.Log
	Now   func() time.Time
	// Quiet is DefaultQuiet where it is 0; more than the queue's AckWait.
	Quiet time.Duration
	// Person stands in the access log: who runs the command, or which worker.
	Person string
	// Key signs the statement that a result was destroyed; nil: none is made.
	Key *seal.Key
	// Progress hears of each job that is done, of how many; nil: nobody does.
	Progress func(done, all int)
}

// What becomes of a job.
const (
	StepHeld    = "held"    // a legal hold keeps it
	StepCancel  = "cancel"  // it is unfinished: it is cancelled first
	StepWait    = "wait"    // it was touched a moment ago, or is being published
	StepDestroy = "destroy" // first sweep
	StepAgain   = "again"   // second sweep
	StepLate    = "late"    // it was destroyed before, and somebody wrote something of it since
	StepUnknown = "unknown" // nothing tells until when it may stay
)

// Due is one job whose time is over, or of which nothing tells when it is.
type Due struct {
	ID           string     `json:"id"`
	Step         string     `json:"step"`
	DestroyAfter *time.Time `json:"destroy_after,omitempty"`
	Phase        jobs.Phase `json:"phase,omitempty"` // empty: the queue has no record
	Hold         *Hold      `json:"hold,omitempty"`
	Removed      int        `json:"removed,omitempty"` // versions that were destroyed
	Done         bool       `json:"done"`
	Error        string     `json:"error,omitempty"`
}

// Report is what one run found and did.
type Report struct {
	Applied bool           `json:"applied"`
	Jobs    []Due          `json:"jobs"`
	Access  access.Expired `json:"access"`
	Failed  int            `json:"failed"`
}

// prefixes are where anything of a job can lie.
func prefixes(id string) []string {
	return []string{store.Release + id + "/", store.Restricted + id + "/", store.Incoming + id + "/"}
}

// Run finds what is due and, with apply, destroys it: unless the store's clock tells another time (store.ErrClock). What fails
// for one job stops no other; the error tells how many failed.
func (s *Sweeper) Run(ctx context.Context, apply bool) (Report, error) {
	r := Report{Applied: apply, Jobs: []Due{}}
	if apply {
		if err := store.CheckClock(ctx, s.Store, s.Now); err != nil {
			return r, fmt.Errorf("nothing was destroyed: %w", err)
		}
	}
	due, err := s.due(ctx)
	if err != nil {
		return r, err
	}
	for i, d := range due {
		if d.Error != "" {
			r.Failed++
		}
		if apply && d.Error == "" {
			if err := s.take(ctx, &d); err != nil {
				if ctx.Err() != nil {
					return r, ctx.Err()
				}
				d.Error = err.Error()
				r.Failed++
			}
			if s.Progress != nil {
				s.Progress(i+1, len(due))
			}
		}
		r.Jobs = append(r.Jobs, d)
	}
	holds, err := Holds(ctx, s.Store)
	if err != nil {
		return r, err
	}
	r.Access, err = s.Log.Expire(ctx, func(job string) bool { _, ok := holds[job]; return ok }, apply)
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("destroy what is due: %d of %d jobs failed, the first: %s", r.Failed, len(r.Jobs), r.firstError())
	}
	return r, err
}

func (r Report) firstError() string {
	for _, d := range r.Jobs {
		if d.Error != "" {
			return d.Error
		}
	}
	return ""
}

// due lists every job whose time is over, that has a marker, or of which nothing tells, in order of their ids.
func (s *Sweeper) due(ctx context.Context) ([]Due, error) {
	found := map[string]Due{}
	known := map[string]bool{}
	err := s.Queue.States(ctx, func(st jobs.State) bool {
		known[st.ID] = true
		j, err := st.Decoded()
		if err == nil && j.DestroyAfter != nil && s.Now().After(*j.DestroyAfter) {
			found[st.ID] = Due{ID: st.ID, Step: s.step(st), Phase: st.Phase, DestroyAfter: j.DestroyAfter}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	if err := s.strays(ctx, known, found); err != nil {
		return nil, err
	}
	if err := s.marked(ctx, known, found); err != nil {
		return nil, err
	}
	holds, err := Holds(ctx, s.Store)
	if err != nil {
		return nil, err
	}
	out := make([]Due, 0, len(found))
	for id, d := range found {
		if h, ok := holds[id]; ok {
			d.Step, d.Hold = StepHeld, &h
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Due) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// step says what becomes of a job with a record.
func (s *Sweeper) step(st jobs.State) string {
	switch {
	case st.Phase == jobs.Queued || st.Phase == jobs.Running:
		return StepCancel
	case st.Phase == jobs.Committing || s.Now().Sub(st.Updated) < s.quiet():
		return StepWait
	}
	return StepDestroy
}

func (s *Sweeper) quiet() time.Duration {
	if s.Quiet <= 0 {
		return DefaultQuiet
	}
	return s.Quiet
}

// strays adds the jobs of which the store holds something and the queue no record.
func (s *Sweeper) strays(ctx context.Context, known map[string]bool, found map[string]Due) error {
	seen := map[string]bool{}
	for _, prefix := range prefixes("") {
		top := strings.TrimSuffix(prefix, "/")
		for o, err := range s.Store.ListVersions(ctx, top) {
			if err != nil {
				return fmt.Errorf("list the store: %w", err)
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, top), "/")
			if known[id] || seen[id] || !jobs.ValidID(id) {
				continue
			}
			seen[id] = true
			until, err := s.until(ctx, id)
			if err != nil {
				return err
			}
			switch {
			case until == nil:
				if found[id], err = s.stray(ctx, id); err != nil {
					return err
				}
			case !until.IsZero() && s.Now().After(*until):
				found[id] = Due{ID: id, Step: StepDestroy, DestroyAfter: until}
			}
		}
	}
	return nil
}

// until finds in the store until when a job may stay: the time, a zero one where it may stay for good, nil where nothing tells.
func (s *Sweeper) until(ctx context.Context, id string) (*time.Time, error) {
	var keys []string
	for o, err := range s.Store.List(ctx, store.Restricted+id+"/") {
		if err != nil {
			return nil, fmt.Errorf("list the store: %w", err)
		}
		if strings.HasSuffix(o.Key, "/"+store.JobName) {
			keys = append(keys, o.Key)
		}
	}
	for _, key := range keys {
		b, _, err := s.Store.Read(ctx, key, maxRecord)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a job's record: %w", err)
		}
		var j jobs.Job
		if json.Unmarshal(b, &j) != nil || j.ID != id {
			continue
		}
		if j.DestroyAfter == nil {
			return &time.Time{}, nil
		}
		return j.DestroyAfter, nil
	}
	return nil, nil
}
