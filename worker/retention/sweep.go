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
	"veil/worker/store"
)

// MarkerPrefix is where the markers of jobs lie that are being destroyed: MARKER/ID.json, with nothing in them but times.
const MarkerPrefix = "destroying/"

// markerSchema names the version of the marker's format.
const markerSchema = "veil.destroying/1"

// errRemains says that something of a job is still there after it was swept.
var errRemains = errors.New("something of the job is still there")

// marker says that a job is being destroyed. It is gone when the second sweep has found nothing.
type marker struct {
	Schema       string     `json:"schema"`
	ID           string     `json:"id"`
	DestroyAfter time.Time  `json:"destroy_after"`
	Begun        time.Time  `json:"begun"`
	Swept        *time.Time `json:"swept,omitempty"` // end of the first sweep
	// Results are those that a deletion is stated about; they are looked up before anything is swept.
	Results []result `json:"results,omitempty"`
}

func markerKey(id string) string { return MarkerPrefix + id + ".json" }

// marked adds the jobs whose destruction was begun. One that was handed in anew since keeps what it has: only its marker goes.
func (s *Sweeper) marked(ctx context.Context, known map[string]bool, found map[string]Due) error {
	for o, err := range s.Store.List(ctx, MarkerPrefix) {
		if err != nil {
			return fmt.Errorf("list the store: %w", err)
		}
		id := strings.TrimSuffix(strings.TrimPrefix(o.Key, MarkerPrefix), ".json")
		if !jobs.ValidID(id) {
			continue
		}
		m, err := s.marker(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // another has finished it
		}
		if errors.Is(err, store.ErrDamaged) {
			d := Due{ID: id, Step: StepWait, Phase: found[id].Phase, Error: "its marker " + markerKey(id) + " cannot be read: look at what is left of the job, and remove the marker"}
			found[id] = d
			continue
		}
		if err != nil {
			return err
		}
		d := Due{ID: id, Step: StepDestroy, DestroyAfter: &m.DestroyAfter}
		if was, ok := found[id]; ok && was.Phase != "" {
			continue // due by its record: the first sweep does it all
		}
		if m.Swept != nil {
			if d.Step = StepAgain; s.Now().Sub(*m.Swept) < s.quiet() {
				d.Step = StepWait
			}
		}
		if known[id] && m.Swept == nil {
			continue // its record was not forgotten yet, and is not due: somebody changed his mind
		}
		found[id] = d
	}
	return nil
}

func (s *Sweeper) marker(ctx context.Context, id string) (marker, error) {
	b, _, err := s.Store.Read(ctx, markerKey(id), maxRecord)
	if err != nil {
		return marker{}, fmt.Errorf("read marker: %w", err)
	}
	var m marker
	if json.Unmarshal(b, &m) != nil || m.ID != id {
		return marker{}, fmt.Errorf("read marker of %s: %w", id, store.ErrDamaged)
	}
	return m, nil
}

func (s *Sweeper) putMarker(ctx context.Context, m marker) error {
	m.Schema = markerSchema
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode marker: %w", err)
	}
	_, err = s.Store.Put(ctx, markerKey(m.ID), strings.NewReader(string(b)), store.PutOptions{Size: int64(len(b)), ContentType: "application/json"})
	if err != nil {
		return fmt.Errorf("put marker: %w", err)
	}
	return nil
}

// take does what a job's step says. A hold that was set since it was listed is seen.
func (s *Sweeper) take(ctx context.Context, d *Due) error {
	if d.Step == StepHeld || d.Step == StepWait || d.Step == StepUnknown {
		return nil
	}
	h, err := HoldOf(ctx, s.Store, d.ID)
	if err != nil {
		return err
	}
	if h != nil {
		d.Step, d.Hold = StepHeld, h
		return nil
	}
	switch d.Step {
	case StepCancel:
		_, err := s.Queue.Cancel(ctx, d.ID)
		if errors.Is(err, jobs.ErrPhase) {
			return nil // it ended meanwhile: the next run finds it so
		}
		d.Done = err == nil
		return err
	case StepAgain:
		return s.again(ctx, d)
	case StepLate:
		return s.late(ctx, d)
	}
	return s.destroy(ctx, d)
}

// destroy is the first sweep.
func (s *Sweeper) destroy(ctx context.Context, d *Due) error {
	anew, err := s.anew(ctx, d.ID)
	if err != nil || anew { // since it was listed it was destroyed by another and handed in anew, or its marker is an old one
		return err
	}
	if d.Phase != "" {
		if gone, err := s.gone(ctx, d); err != nil || gone {
			return err
		}
	}
	m, err := s.begin(ctx, d)
	if err != nil || m.Swept != nil { // another has been through with it since it was listed: the second sweep is its own step
		return err
	}
	// Whoever sets a hold puts it first and looks for a marker then: one of the two sees the other.
	if h, err := HoldOf(ctx, s.Store, d.ID); err != nil || h != nil {
		d.Step, d.Hold = StepHeld, h
		return err
	}
	if err := s.sweep(ctx, d); err != nil {
		return err
	}
	if err := s.Queue.Forget(ctx, d.ID); err != nil {
		return err
	}
	// What was written while the record was still there.
	if err := s.sweep(ctx, d); err != nil {
		return err
	}
	if err := s.verify(ctx, d.ID); err != nil {
		return err
	}
	if err := s.bury(ctx, d, m.Results); err != nil {
		return err
	}
	if err := s.Log.Write(ctx, access.Entry{Action: access.Deletion, Job: d.ID, Person: s.Person, Count: d.Removed, What: "job destroyed with everything that it made",
		Reason: rule(d.DestroyAfter)}); err != nil {
		return err
	}
	swept := s.Now().UTC()
	m.Swept = &swept
	d.Done = true
	return s.putMarker(ctx, m)
}

// gone reports whether another has destroyed the job since it was listed with its record, and is through with it.
func (s *Sweeper) gone(ctx context.Context, d *Due) (bool, error) {
	if _, err := s.Queue.State(ctx, d.ID); !errors.Is(err, jobs.ErrNotFound) {
		return false, err
	}
	t, err := TombstoneOf(ctx, s.Store, d.ID)
	if errors.Is(err, store.ErrDamaged) {
		return false, nil
	}
	return t != nil && t.DestroyAfter.Equal(*d.DestroyAfter), err
}

// begin puts the marker. One that is there, of a sweep that was broken off, keeps the results that it names: their manifests may
// be gone.
func (s *Sweeper) begin(ctx context.Context, d *Due) (marker, error) {
	m := marker{ID: d.ID, DestroyAfter: d.DestroyAfter.UTC(), Begun: s.Now().UTC()}
	earlier, err := s.marker(ctx, d.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	if err == nil && earlier.Swept != nil {
		_, err := s.Queue.State(ctx, d.ID)
		if errors.Is(err, jobs.ErrNotFound) {
			return earlier, nil
		}
		if err != nil {
			return m, err
		}
	}
	if m.Results, err = s.results(ctx, d.ID); err != nil {
		return m, err
	}
	for _, r := range earlier.Results {
		if !slices.ContainsFunc(m.Results, func(have result) bool { return have.Manifest == r.Manifest }) {
			m.Results = append(m.Results, r)
		}
	}
	return m, s.putMarker(ctx, m)
}

// again is the second sweep: of what somebody wrote who did not know yet.
func (s *Sweeper) again(ctx context.Context, d *Due) error {
	anew, err := s.anew(ctx, d.ID)
	if err != nil {
		return err
	}
	if !anew {
		if err := s.sweep(ctx, d); err != nil {
			return err
		}
		if err := s.Queue.Forget(ctx, d.ID); err != nil {
			return err
		}
		if err := s.verify(ctx, d.ID); err != nil {
			return err
		}
		if d.Removed > 0 {
			if err := s.noteLate(ctx, d); err != nil {
				return err
			}
		}
	}
	d.Done = true
	if err := s.Store.Remove(ctx, markerKey(d.ID)); err != nil {
		return fmt.Errorf("remove marker: %w", err)
	}
	return nil
}

// anew reports whether a destroyed job's id was taken by a new one that is not due.
func (s *Sweeper) anew(ctx context.Context, id string) (bool, error) {
	st, err := s.Queue.State(ctx, id)
	if err == nil {
		j, err := st.Decoded()
		return err == nil && (j.DestroyAfter == nil || s.Now().Before(*j.DestroyAfter)), nil
	}
	if !errors.Is(err, jobs.ErrNotFound) {
		return false, err
	}
	until, err := s.until(ctx, id)
	return err == nil && until != nil && (until.IsZero() || s.Now().Before(*until)), err
}

// sweep empties the store of a job, with all versions.
func (s *Sweeper) sweep(ctx context.Context, d *Due) error {
	return s.empty(ctx, d, prefixes(d.ID))
}

// empty removes everything under some prefixes, and counts it.
func (s *Sweeper) empty(ctx context.Context, d *Due, prefixes []string) error {
	for _, prefix := range prefixes {
		n, err := store.RemoveAll(ctx, s.Store, prefix)
		d.Removed += n
		if err != nil {
			return err
		}
	}
	return nil
}

// verify looks whether anything of a job is left in store or queue.
func (s *Sweeper) verify(ctx context.Context, id string) error {
	for _, prefix := range prefixes(id) {
		for _, err := range s.Store.ListVersions(ctx, prefix) {
			if err != nil {
				return err
			}
			return fmt.Errorf("destroy %s: %w in the store", id, errRemains)
		}
	}
	n, err := s.Queue.Remains(ctx, id)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("destroy %s: %w in the queue", id, errRemains)
	}
	return nil
}
