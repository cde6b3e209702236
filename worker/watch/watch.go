// Package watch hands in what appears in a folder or a bucket and brings the answers: done, held and failed lie beside where the
// clips were found, each with a note that says what to do. It polls, remembers each clip in a ticket, and goes on where one
// that was killed stopped. What it prints names no file.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"veil/pipeline/media"
	"veil/worker/archive"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
)

// watcher hands in what appears in an inbox and brings the answers. It does one thing after another, and remembers each in a
// ticket; the queue knows a clip that is handed in twice as the same, so a ticket that is lost does no harm.
type watcher struct {
	Options
	tickets *tickets
	looks   map[string]look
	others  int
	rounds  int
	mode    os.FileMode // of the folder: what is made in it is for the same people
}

// look is how often a clip was found unchanged.
type look struct {
	found found
	times int
}

// emptyPatience is how many times longer an empty file is waited for: many programs make one before they copy.
const emptyPatience = 20

// oldEvery is how many rounds pass between two looks at clips that have their answer already.
const oldEvery = 4

func newWatcher(o Options) (*watcher, error) {
	info, err := os.Stat(o.Out)
	if err != nil {
		return nil, failure.Usagef("name a folder that is there", "folder cannot be read: %s", disk.Plain(err))
	}
	ts, err := openTickets(filepath.Join(o.Out, StateFolder))
	if err != nil {
		return nil, err
	}
	return &watcher{Options: o, tickets: ts, looks: map[string]look{}, mode: info.Mode().Perm()}, nil
}

// line writes an object on a line.
func (w *watcher) line(v any) { _ = json.NewEncoder(w.Stdout).Encode(v) }

// round is one look at everything: idle says that nothing waits for anything.
func (w *watcher) round(ctx context.Context) (idle bool, err error) {
	if _, err := os.Stat(filepath.Join(w.Out, StateFolder, "lock")); err != nil {
		return false, failure.Newf(failure.Store, "mount it again", "the folder is not there just now")
	}
	clips, others, err := w.Inbox.scan(ctx)
	if err != nil {
		return false, err
	}
	if others != w.others {
		w.others = others
		w.tell("", fmt.Sprintf("%d files left alone", others), "no_video_by_name")
	}
	idle = true
	there := map[string]bool{}
	for _, f := range clips {
		there[f.name] = true
		waits, err := w.consider(ctx, f)
		if err != nil {
			return false, err
		}
		idle = idle && !waits
	}
	for name := range w.looks {
		if !there[name] {
			delete(w.looks, name)
		}
	}
	waits, err := w.answers(ctx)
	w.rounds++
	return idle && !waits, err
}

// consider decides about one clip that was found; waits says that it is not taken yet.
func (w *watcher) consider(ctx context.Context, f found) (waits bool, err error) {
	if t := w.tickets.of(f); t != nil {
		return w.known(ctx, f, t)
	}
	l := w.looks[f.name]
	if l.found != f {
		l = look{found: f, times: -1}
	}
	l.times++
	w.looks[f.name] = l
	patience := w.Settle
	if f.size == 0 {
		patience *= emptyPatience
	}
	if l.times < patience || !w.Inbox.ready(f) {
		return true, nil
	}
	for _, old := range w.tickets.superseded(f) {
		if err := w.giveUp(ctx, old); err != nil {
			return true, err
		}
	}
	return true, w.take(ctx, f, &ticket{Name: f.name, Size: f.size, Stamp: f.stamp})
}

// known goes on with a clip that has a ticket.
func (w *watcher) known(ctx context.Context, f found, t *ticket) (waits bool, err error) {
	switch {
	case t.Code != "" && t.Box == "":
		return false, nil // its answer is near
	case t.Box == "" && !t.Submitted:
		return true, w.take(ctx, f, t)
	case t.Box == "" || !w.Inbox.moves():
		return false, nil
	}
	// It had its answer and lies here again: somebody wants it tried once more.
	if err := w.removeFiles(t); err != nil {
		return true, err
	}
	return true, w.tickets.drop(t)
}

// take hands a clip in. Where queue or store are away it is tried again in the next round.
func (w *watcher) take(ctx context.Context, f found, t *ticket) error {
	c, err := w.Inbox.clip(ctx, f, w.Template)
	if err == nil {
		err = w.handIn(ctx, c, t)
	}
	switch {
	case err == nil:
		t.Submitted = true
		delete(w.looks, f.name)
		w.tell(t.ID, "submitted", "")
		return w.tickets.save(t)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errMoved), errors.Is(err, media.ErrChanged), errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		delete(w.looks, f.name) // it is looked at anew
		return w.tickets.drop(t)
	}
	refused := failure.As(failure.OfJob(t.ID, err))
	if failure.Away(refused) {
		return refused
	}
	t.Code = refused.Code
	w.tell(t.ID, "refused", t.Code)
	return w.tickets.save(t)
}

// handIn writes the ticket and then hands the clip in. A job that had failed, or was cancelled, before its clip was put here
// again is begun anew; the ticket says of which generation that holds, so that a kill in between does it once.
func (w *watcher) handIn(ctx context.Context, c intake.Clip, t *ticket) error {
	t.ID = c.Job.ID
	if w.tickets.of(t.seen()) == nil && w.Inbox.moves() {
		if _, err := archive.Refresh(ctx, w.Service, t.ID); err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		state, err := w.Service.Queue.State(ctx, t.ID)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return err
		}
		if again(state) {
			t.RetryOf = state.Generation
		}
	}
	if err := w.tickets.save(t); err != nil {
		return err
	}
	state, err := intake.HandIn(ctx, w.Service, c, nil)
	if err != nil || !again(state) || state.Generation != t.RetryOf {
		return err
	}
	_, err = archive.Kept(ctx, w.Service, t.ID, true)(w.Service.Queue.Retry(ctx, t.ID, jobs.RetryOptions{Fresh: true}))
	if errors.Is(err, jobs.ErrPhase) {
		return nil // somebody else was faster
	}
	return err
}

// again reports whether a job can be begun anew by handing its clip in once more.
func again(state jobs.State) bool { return state.Phase == jobs.Failed || state.Phase == jobs.Cancelled }

// giveUp forgets a clip whose file became another one before it had its answer.
func (w *watcher) giveUp(ctx context.Context, t *ticket) error {
	if t.ID != "" && !w.shared(t) {
		_, err := archive.Kept(ctx, w.Service, t.ID, false)(w.Service.Queue.Cancel(ctx, t.ID))
		if err != nil && !errors.Is(err, jobs.ErrPhase) && !errors.Is(err, jobs.ErrNotFound) {
			return failure.OfJob(t.ID, err)
		}
		w.tell(t.ID, "replaced", "")
	}
	return w.tickets.drop(t)
}

// shared reports whether another clip with the same bytes waits for the same job.
func (w *watcher) shared(t *ticket) bool {
	for _, other := range w.tickets.all {
		if other != t && other.ID == t.ID {
			return true
		}
	}
	return false
}
