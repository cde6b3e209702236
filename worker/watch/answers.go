package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"veil/worker/access"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/fetch"
	"veil/worker/jobs"
)

// answers brings what has its answer to where it belongs; waits says that others have none yet.
func (w *watcher) answers(ctx context.Context) (waits bool, err error) {
	for _, t := range w.tickets.all {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		if t.Box != "" && w.rounds%oldEvery != 0 {
			continue
		}
		unanswered, err := w.answer(ctx, t)
		if err != nil {
			return true, err
		}
		waits = waits || unanswered
	}
	return waits, nil
}

// answer looks what became of one clip.
func (w *watcher) answer(ctx context.Context, t *ticket) (waits bool, err error) {
	if t.Code != "" {
		if t.Box != "" {
			return false, w.forgetMoved(t)
		}
		return false, w.bring(ctx, t, jobs.State{ID: t.ID, Phase: jobs.Failed, Code: t.Code})
	}
	if !t.Submitted || w.replaced(t) {
		return true, nil
	}
	state, err := w.Service.Queue.State(ctx, t.ID)
	switch {
	case errors.Is(err, jobs.ErrNotFound) && t.Box != "":
		return false, w.tickets.drop(t)
	case errors.Is(err, jobs.ErrNotFound):
		t.Submitted = false // the queue was lost: it is handed in again
		return true, w.tickets.save(t)
	case err != nil:
		return true, failure.OfJob(t.ID, err)
	case !state.Phase.Final():
		return t.Box == "", nil
	case t.Box != "" && state.Generation == t.Generation && (boxFor(state.Phase) == t.Box || state.Phase == jobs.Withdrawn):
		return false, w.forgetMoved(t)
	}
	return false, w.bring(ctx, t, state)
}

// replaced reports whether another content lies under a clip's name: it is taken soon, and this one given up.
func (w *watcher) replaced(t *ticket) bool {
	if t.Box != "" || !w.Inbox.moves() {
		return false
	}
	now, there := lookFile(filepath.Join(w.Out, filepath.FromSlash(t.Name)), t.Name)
	return there && now != t.seen()
}

// forgetMoved drops the ticket of an answered clip that a person took away.
func (w *watcher) forgetMoved(t *ticket) error {
	if !w.Inbox.moves() {
		return nil
	}
	if _, err := os.Lstat(w.path(t.Box, t.Target)); errors.Is(err, os.ErrNotExist) && w.tickets.of(t.seen()) == t {
		if _, back := lookFile(filepath.Join(w.Out, filepath.FromSlash(t.Name)), t.Name); back {
			return nil // put back: the next look sees to it
		}
		return w.tickets.drop(t)
	}
	return nil
}

// path is a place below a box.
func (w *watcher) path(box, target string) string {
	return filepath.Join(w.Out, box, filepath.FromSlash(target))
}

// bring puts result, text and clip into the folder of the answer. Everything in it can be done again.
func (w *watcher) bring(ctx context.Context, t *ticket, state jobs.State) error {
	box := boxFor(state.Phase)
	if err := w.removeFiles(t); err != nil {
		return err
	}
	if err := w.aim(t); err != nil {
		return err
	}
	files, err := w.fetch(ctx, t, state, box)
	if err != nil {
		f := failure.As(failure.OfJob(state.ID, err))
		if ctx.Err() != nil || failure.Away(f) || f.Code == failure.File || f.Code == noSpace {
			return err // the next round tries it again
		}
		// The answer is there and cannot be brought: that is told as a failure.
		box, state.Phase, state.Code, t.Code = boxFailed, jobs.Failed, f.Code, f.Code
	}
	if box != boxDone {
		text := path.Join(box, t.Target+".txt")
		if err := w.writeText(filepath.Join(w.Out, filepath.FromSlash(text)), t, state); err != nil {
			return err
		}
		files = append(files, text)
	}
	switch err := w.move(t, box); {
	case errors.Is(err, os.ErrExist): // somebody put a file there: another name, in the next round
		t.Target = ""
		return errors.Join(w.removeFiles(t), w.tickets.save(t))
	case err != nil:
		return err
	}
	t.Box, t.Files, t.Generation = box, files, state.Generation
	w.tell(t.ID, box, failure.OutcomeOf(state).Code)
	if box == boxDone && w.Inbox.moves() {
		return w.tickets.drop(t)
	}
	return w.tickets.save(t)
}

// noSpace is the code of a disk that is full.
const noSpace = "no_space"

// removeFiles removes what was written beside a clip for an earlier answer.
func (w *watcher) removeFiles(t *ticket) error {
	for _, f := range t.Files {
		full := filepath.Join(w.Out, filepath.FromSlash(f))
		for _, file := range []string{full, disk.PartName(full)} {
			if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
				return failure.OfFile("remove earlier answer", err)
			}
		}
	}
	return nil
}

// aim chooses the clip's name below the folders of the answers, where nothing begins with it yet, and remembers it.
func (w *watcher) aim(t *ticket) error {
	if t.Target != "" {
		return nil
	}
	ext := path.Ext(t.Name)
	for n := 0; ; n++ {
		t.Target = t.Name
		if n > 0 {
			t.Target = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(t.Name, ext), n+1, ext)
		}
		if !w.taken(t) {
			return w.tickets.save(t)
		}
	}
}

// taken reports whether a ticket's target, or a name that begins with it, is used in any of the folders or promised to another.
func (w *watcher) taken(t *ticket) bool {
	for _, box := range []string{boxDone, boxHeld, boxFailed} {
		full := w.path(box, t.Target)
		entries, _ := os.ReadDir(filepath.Dir(full))
		for _, e := range entries {
			if e.Name() == filepath.Base(full) || strings.HasPrefix(e.Name(), filepath.Base(full)+".") {
				return true
			}
		}
	}
	for _, other := range w.tickets.all {
		if other != t && other.Target == t.Target {
			return true
		}
	}
	return false
}

// fetch brings the derivative of a released clip, or what there is to look at of a held one.
func (w *watcher) fetch(ctx context.Context, t *ticket, state jobs.State, box string) ([]string, error) {
	full := w.path(box, t.Target)
	if err := os.MkdirAll(filepath.Dir(full), w.mode); err != nil {
		return nil, failure.OfFile("make folder", err)
	}
	if box == boxFailed {
		return nil, nil
	}
	at := fetch.Place{Dir: filepath.Dir(full), Name: filepath.Base(full), Shared: w.mode & 0o666}
	if box == boxDone {
		at.Name += ".redacted"
	}
	// Remembered before the first of them is written, so that whoever comes after a kill can remove them.
	list, err := fetch.Pieces(state, fetch.Wanted{Held: true})
	if err != nil {
		return nil, err
	}
	var files []string
	for _, p := range list {
		files = append(files, path.Join(box, path.Dir(t.Target), at.Name+p.Ending))
	}
	if !slices.Equal(t.Files, files) {
		t.Files = files
		if err := w.tickets.save(t); err != nil {
			return nil, err
		}
	}
	if err := w.Service.Note(ctx, access.Entry{Action: access.Query, Job: state.ID, What: "answer brought to a watched folder"}); err != nil {
		return nil, err
	}
	_, err = fetch.Job(ctx, w.Service, state, fetch.Wanted{Held: true}, at)
	return files, err
}

// move puts the clip itself where its answer is. A file that became another one meanwhile stays and is a new clip; one that is
// gone was moved by an earlier try, or by a person.
func (w *watcher) move(t *ticket, box string) error {
	if !w.Inbox.moves() {
		return nil
	}
	from := filepath.Join(w.Out, filepath.FromSlash(t.Name))
	if t.Box != "" {
		from = w.path(t.Box, t.Target)
	}
	to := w.path(box, t.Target)
	if now, ok := lookFile(from, t.Name); !ok || now != t.seen() || from == to {
		return nil
	}
	if err := disk.RenameNew(from, to); errors.Is(err, os.ErrExist) {
		return err
	} else if err != nil {
		return failure.OfFile("move clip", err)
	}
	return errors.Join(disk.SyncFolder(filepath.Dir(from)), disk.SyncFolder(filepath.Dir(to)))
}
