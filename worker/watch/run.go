package watch

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
)

// Options say what is watched, and where its answers go.
type Options struct {
	Service  *connect.Service
	Inbox    Inbox
	Out      string        // the folder of the answers
	Template jobs.Job      // what is said of every clip
	Settle   int           // looks in a row that must find a clip unchanged
	Every    time.Duration // between two looks
	Once     bool          // end when every clip that is there has its answer
	AsJSON   bool
	Stdout   io.Writer // hears of each clip
	Stderr   io.Writer // hears what is waited for
}

// Run watches until ctx ends. What is on its way then goes on, and the next start takes it up.
func Run(ctx context.Context, o Options) error {
	lock, err := lockOut(o.Out)
	if err != nil {
		return err
	}
	defer lock.Close()
	w, err := newWatcher(o)
	if err != nil {
		return err
	}
	return w.run(ctx)
}

// run makes round after round until ctx ends. A server or a folder that is away is waited for, and told once.
func (w *watcher) run(ctx context.Context) error {
	trouble := ""
	for {
		idle, err := w.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		now := ""
		if err != nil {
			now = failure.As(failure.OfJob("", err)).Code
			if now != trouble { // the error itself may name a file, and this may end in a log
				fmt.Fprintf(w.Stderr, "veil: waiting: %s: %s %s\n", now, failure.TextOf(now).EN.Cause, failure.TextOf(now).EN.Remedy)
			}
		}
		trouble = now
		if w.Once && err == nil && idle {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.Every):
		}
	}
}

// StateFolder is where the tickets lie, below the folder of the results.
const StateFolder = ".veil/watch"

// lockOut keeps a second watcher away, which would move the first one's files.
func lockOut(out string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(out, StateFolder), 0o700); err != nil {
		return nil, failure.Usagef("name a folder that can be written to", "folder cannot be written to: %s", disk.Plain(err))
	}
	lock, err := disk.Lock(filepath.Join(out, StateFolder, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil, failure.Newf(failure.Busy, "stop one of them", "another veil watches this folder")
	}
	return lock, nil
}

// tell writes one line of what happened. It names no file: the line may end in a log.
func (w *watcher) tell(id, what, code string) {
	if w.AsJSON {
		w.line(map[string]string{"id": id, "event": what, "code": code})
		return
	}
	line := strings.Join(strings.Fields(time.Now().UTC().Format(time.RFC3339)+" "+id+" "+what+" "+code), " ")
	fmt.Fprintln(w.Stdout, line)
}

// boxFor is which folder an answer goes to.
func boxFor(p jobs.Phase) string {
	switch p {
	case jobs.Released:
		return boxDone
	case jobs.Held:
		return boxHeld
	}
	return boxFailed
}

// The folders of the answers.
const (
	boxDone   = "done"
	boxHeld   = "held"
	boxFailed = "failed"
)
