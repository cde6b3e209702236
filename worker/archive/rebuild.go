package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Rebuilt is what a rebuild found.
type Rebuilt struct {
	Answered   int      `json:"answered"` // records of finished jobs that came back
	Open       int      `json:"open"`     // records of jobs that go on
	There      int      `json:"there"`    // records that were not lost
	Behind     int      `json:"behind"`   // of these: older than the store, and brought forward
	Emptied    int      `json:"emptied"`  // releases of withdrawn jobs that had come back
	Unreadable []string `json:"unreadable"`
	Missing    []string `json:"missing"` // answered jobs whose result the store lacks
}

// maxRecord bounds a job's record in the store, in bytes.
const maxRecord = 4 * jobs.MaxJobBytes

// remains is what the store holds of one job.
type remains struct {
	id       string
	attempts []attemptFiles
	released map[int]bool // generations with a manifest under release/
}

// Rebuild brings back the record of every job that the store knows and the queue does not, and brings forward those that are
// older than what the store knows, as records from a backup are. Copies of records are taken at their word as far as the store
// does not know better; a job without one comes back from its manifests. Releases that were withdrawn and lie there again are
// emptied. It may run while workers work.
func Rebuild(ctx context.Context, s *connect.Service) (*Rebuilt, error) {
	all, err := listRemains(ctx, s)
	if err != nil {
		return nil, err
	}
	count := &Rebuilt{Unreadable: []string{}, Missing: []string{}}
	for _, r := range all {
		err := count.rebuild(ctx, s, r)
		if errors.Is(err, errRemains) {
			count.Unreadable = append(count.Unreadable, r.id)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	if count.Emptied, err = collectReleases(ctx, s); err != nil {
		return nil, err
	}
	count.Missing, err = missing(ctx, s, all)
	return count, err
}

// rebuild brings one record back, or forward.
func (count *Rebuilt) rebuild(ctx context.Context, s *connect.Service, r *remains) error {
	_, err := s.Queue.State(ctx, r.id)
	if err == nil {
		count.There++
		behind, err := bringForward(ctx, s, r, false)
		if behind {
			count.Behind++
		}
		return err
	}
	if !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	state, err := stateOf(ctx, s, r)
	if err != nil {
		return err
	}
	if err := s.Queue.Restore(ctx, state); err != nil {
		return err
	}
	if state.Phase.Final() {
		count.Answered++
	} else {
		count.Open++
	}
	return nil
}

// errRemains says that what lies there of a job makes no record.
var errRemains = fmt.Errorf("what the store holds of the job makes no record: %w", store.ErrDamaged)

// listRemains lists what there is of each job.
func listRemains(ctx context.Context, s *connect.Service) ([]*remains, error) {
	byID := map[string]*remains{}
	of := func(id string) *remains {
		if byID[id] == nil {
			byID[id] = &remains{id: id, released: map[int]bool{}}
		}
		return byID[id]
	}
	attempts, ids, err := listAttempts(ctx, s, store.Restricted)
	if err != nil {
		return nil, err
	}
	for id := range ids {
		of(id)
	}
	for _, a := range attempts {
		r := of(a.id)
		r.attempts = append(r.attempts, a)
	}
	for o, err := range s.Store.List(ctx, store.Release) {
		if err != nil {
			return nil, fmt.Errorf("list releases: %w", err)
		}
		parts := strings.Split(strings.TrimPrefix(o.Key, store.Release), "/")
		if len(parts) != 3 || parts[2] != store.ManifestName || !jobs.ValidID(parts[0]) {
			continue
		}
		if g, err := strconv.Atoi(parts[1]); err == nil {
			of(parts[0]).released[g] = true
		}
	}
	var all []*remains
	for _, r := range byID {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *remains) int { return strings.Compare(a.id, b.id) })
	return all, nil
}

// stateOf makes the record of one job from what lies there.
func stateOf(ctx context.Context, s *connect.Service, r *remains) (jobs.State, error) {
	state, err := keptState(ctx, s, r)
	if err != nil {
		return jobs.State{}, err
	}
	copied := state.Generation
	for _, a := range r.attempts {
		state.Epoch = max(state.Epoch, a.epoch)
		state.Generation = max(state.Generation, a.generation)
	}
	if state.Generation > copied { // what the copy says is about an earlier one
		if state.Result != nil {
			state.Supersedes = state.Result.Envelope
		}
		state.Phase, state.Result = jobs.Queued, nil
	}
	lost := r.released[state.Generation] && !mayBeOut(state.Phase) // the copy is of a record that was set back
	if !lost && (state.Phase.Final() || state.Result != nil) {
		return state, nil
	}
	state.Phase = jobs.Queued
	result, err := resultOf(ctx, s, r, state.Generation)
	if err != nil || result == nil {
		return state, err
	}
	state.Result = result
	switch {
	case result.Outcome == jobs.Held:
		state.Phase, state.Plan = jobs.Held, &jobs.Stored{Generation: result.Generation, Epoch: result.Epoch, SHA256: result.Plan}
	case r.released[result.Generation]:
		state.Phase = jobs.Released
	default:
		state.Phase = jobs.Committing // a worker makes it visible
	}
	return state, nil
}

// keptState reads the copy of the record, or begins one from the job as it was handed in.
func keptState(ctx context.Context, s *connect.Service, r *remains) (jobs.State, error) {
	b, _, err := s.Store.Read(ctx, stateRecordKey(r.id), maxRecord)
	if err == nil {
		var state jobs.State
		if json.Unmarshal(b, &state) != nil || state.ID != r.id || state.Schema != jobs.StateSchema {
			return state, errRemains
		}
		return state, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return jobs.State{}, fmt.Errorf("read record of %s: %w", r.id, err)
	}
	b, o, err := s.Store.Read(ctx, connect.JobRecordKey(r.id), jobs.MaxJobBytes)
	if errors.Is(err, store.ErrNotFound) {
		return jobs.State{}, errRemains
	}
	if err != nil {
		return jobs.State{}, fmt.Errorf("read job %s: %w", r.id, err)
	}
	j, err := jobs.ParseJob(b, jobs.Validator{AnySource: true, Inline: true})
	if err != nil || j.ID != r.id {
		return jobs.State{}, errRemains
	}
	digest, err := j.Digest()
	if err != nil {
		return jobs.State{}, errRemains
	}
	return jobs.State{ID: j.ID, Phase: jobs.Queued, Generation: 1, Submission: digest, Job: b, Priority: j.Priority, Submitted: o.Time}, nil
}

// resultOf reads the newest manifest of a generation: what an attempt put, read back and was about to commit. nil where there
// is none.
func resultOf(ctx context.Context, s *connect.Service, r *remains, generation int) (*jobs.Result, error) {
	for _, a := range slices.Backward(slices.SortedFunc(slices.Values(r.attempts), byEpoch)) {
		if !a.manifest || a.generation != generation {
			continue
		}
		b, o, err := s.Store.Read(ctx, store.AttemptPrefix(a.id, a.generation, a.epoch)+store.ManifestName, MaxManifest)
		if err != nil {
			return nil, fmt.Errorf("read manifest of %s: %w", r.id, err)
		}
		m, err := ReadManifest(b)
		if err != nil || m.Job == nil || m.Job.ID != r.id || m.Job.Generation != a.generation || m.Job.Epoch != a.epoch {
			continue
		}
		return &jobs.Result{Outcome: jobs.Phase(m.Outcome), Generation: m.Job.Generation, Epoch: m.Job.Epoch, Envelope: o.SHA256,
			Plan: m.Withheld.Plan.SHA256, Findings: m.Redaction.Findings, Digests: digestsOf(m), Key: keyOf(b)}, nil
	}
	return nil, nil
}

func byEpoch(a, b attemptFiles) int { return a.epoch - b.epoch }
