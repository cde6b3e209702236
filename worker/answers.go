package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"veil/pipeline"
	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/screen"
	"veil/worker/store"
	"veil/worker/text"
)

// submitted is what became of one clip that was handed in.
type submitted struct {
	Clip    string            `json:"clip,omitempty"`
	ID      string            `json:"id,omitempty"`
	Phase   jobs.Phase        `json:"phase,omitempty"`
	Skipped string            `json:"skipped,omitempty"`
	Code    string            `json:"code,omitempty"`
	Cause   string            `json:"cause,omitempty"`
	Remedy  string            `json:"remedy,omitempty"`
	Failure *pipeline.Failure `json:"failure,omitempty"` // why it was not taken in
	exit    int
}

// changing is what becomes of which jobs, in the words of the access log.
type changing struct {
	what string
	ids  []string
	anew bool // begins the jobs anew
}

// changeEach changes the records of several jobs, and keeps what they are then in the store. A record that was set back is brought
// forward first, then comes the access log.
func changeEach(ctx context.Context, f *connect.Flags, a *app, c changing, change func(*jobs.Queue, string) (jobs.State, error)) error {
	return eachJob(ctx, f, a, c.ids, func(s *connect.Service, id string) (jobs.State, error) {
		state, err := current(ctx, s, id)
		if err == nil && c.anew {
			err = clipThere(ctx, s, state)
		}
		if err != nil {
			return jobs.State{}, err
		}
		if err := s.Note(ctx, access.Entry{Action: access.Alteration, Job: id, What: c.what}); err != nil {
			return jobs.State{}, err
		}
		return archive.Kept(ctx, s, id, c.anew)(change(s.Queue, id))
	})
}

// current is a job's record as a person may decide by it: one that is older than the store, as the queue's backups are, is brought
// forward.
func current(ctx context.Context, s *connect.Service, id string) (jobs.State, error) {
	if _, err := archive.Refresh(ctx, s, id); err != nil {
		return jobs.State{}, err
	}
	return s.Queue.State(ctx, id)
}

// clipThere refuses to begin a job anew whose clip was handed in as a file and has been removed since: it could only fail again.
func clipThere(ctx context.Context, s *connect.Service, state jobs.State) error {
	j, err := state.Decoded()
	if err != nil || j.Source.Bucket != connect.IncomingBucket {
		return err
	}
	if _, err := s.Source.Stat(ctx, j.Source.Bucket, j.Source.Key, j.Source.Version); errors.Is(err, store.ErrNotFound) {
		return failure.Newf(failure.SourceMissing, "hand it in again", "the clip of job %s, which was handed in as a file, is not in the store any more", state.ID)
	}
	return nil
}

// eachJob does one thing to several jobs; one that it cannot be done to stops no other.
func eachJob(ctx context.Context, f *connect.Flags, a *app, ids []string, do func(*connect.Service, string) (jobs.State, error)) (err error) {
	s, err := f.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	if len(ids) == 1 {
		state, err := do(s, ids[0])
		if err != nil {
			return failure.OfJob(ids[0], err)
		}
		return a.tellSubmitted([]submitted{{ID: state.ID, Phase: state.Phase}})
	}
	rows := make([]submitted, 0, len(ids))
	for _, id := range ids {
		state, err := do(s, id)
		row := submitted{ID: id, Phase: state.Phase}
		if err != nil {
			row = refused(id, err)
		}
		rows = append(rows, row)
	}
	return a.tellSubmitted(rows)
}

// refused is the row of a job that something could not be done to.
func refused(id string, err error) submitted {
	f := failure.As(failure.OfJob(id, err))
	return submitted{ID: id, Failure: f, Code: f.Code, Cause: f.Detail, Remedy: f.Remedy, exit: f.Exit}
}

// awaitAnswers waits until every job that was taken in has its answer, and puts it into the rows.
func awaitAnswers(ctx context.Context, s *connect.Service, a *app, rows []submitted) error {
	ids := []string{}
	for _, r := range rows {
		if r.Failure == nil && r.ID != "" && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	b := &screen.Board{Queue: s.Queue, IDs: ids}
	if err := b.Follow(ctx, screen.Waiting(a.err), false); err != nil {
		if ctx.Err() != nil {
			return failure.Newf(failure.Unanswered, "see `veil jobs --watch`", "waiting was interrupted, the jobs go on")
		}
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Failure != nil || r.ID == "" {
			continue
		}
		state, err := s.Queue.State(ctx, r.ID)
		if err != nil {
			return failure.OfJob(r.ID, err)
		}
		r.answer(state)
	}
	return nil
}

// answer puts a job's answer into the row.
func (r *submitted) answer(state jobs.State) {
	r.Phase = state.Phase
	if r.Phase == jobs.Released {
		return
	}
	o := failure.OutcomeOf(state)
	r.Code, r.Cause, r.Remedy, r.exit = o.Code, o.Cause, o.Remedy, o.Exit
}

// tellSubmitted prints the ids, and ends with the worst of the clips' exit codes.
func (a *app) tellSubmitted(rows []submitted) error {
	exit := worstExit(rows)
	if a.JSON {
		if err := a.printJSON(map[string]any{"jobs": rows, "exit": exit}); err != nil {
			return err
		}
		return ended(exit)
	}
	for _, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(a.err, "veil: %s: skipped: %s\n", text.Printable(r.Clip), r.Skipped)
		case r.Failure != nil:
			fmt.Fprintln(a.err, failure.Line(cmp.Or(r.Clip, r.ID), r.Failure))
		case r.Code != "":
			a.printf("%s (%s: %s)\n", r.line(), r.Code, r.Cause)
		default:
			a.printf("%s\n", r.line())
		}
	}
	return ended(exit)
}

// line is id, phase and, where it has one, the clip's name.
func (r submitted) line() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.ID, r.Phase, text.Printable(r.Clip)))
}

// worstExit ranks as a batch does; a conflict comes after what failed.
func worstExit(rows []submitted) int {
	for _, code := range append(slices.Clone(failure.Severity[:3]), failure.ExitConflict, pipeline.ExitUsage, pipeline.ExitHeld) {
		if slices.ContainsFunc(rows, func(r submitted) bool { return r.exit == code }) {
			return code
		}
	}
	return 0
}
