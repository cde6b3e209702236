package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/files"
	"veil/worker/intake"
	"veil/worker/jobs"
)

// watchCmd is `veil watch`.
type watchCmd struct {
	Where string `arg:"" placeholder:"FOLDER|s3://BUCKET/PREFIX" help:"Where clips appear."`
	connect.Flags
	intake.OrderFlags
	Out    string        `short:"o" placeholder:"FOLDER" help:"Where done, held and failed are; for a folder it is the folder itself, for a bucket it must be given."`
	Every  time.Duration `placeholder:"TIME" help:"How often to look (default: 5s, for a bucket 30s)."`
	Settle int           `default:"3" placeholder:"N" help:"A clip is taken when so many looks in a row, after the first, found it unchanged."`
	Once   bool          `help:"End when every clip that is there has its answer."`
}

const (
	folderEvery = 5 * time.Second
	bucketEvery = 30 * time.Second
)

// Run watches until a signal; what is on its way then goes on, and the next start takes it up.
func (c *watchCmd) Run(ctx context.Context, a *app) (err error) {
	template, err := c.Template()
	if err != nil {
		return err
	}
	if c.Settle < 1 || c.Every < 0 {
		return failure.Usagef("give --settle 1 or more and a time that is not negative", "clips could not be told from half copies")
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	box, out, every, err := c.inbox(s)
	if err != nil {
		return err
	}
	if c.Every > 0 {
		every = c.Every
	}
	lock, err := lockOut(out)
	if err != nil {
		return err
	}
	defer lock.Close()
	w, err := newWatcher(a, s, box, out)
	if err != nil {
		return err
	}
	w.template, w.settle = template, c.Settle
	return w.run(ctx, every, c.Once)
}

// run makes round after round until ctx ends. A server or a folder that is away is waited for, and told once.
func (w *watcher) run(ctx context.Context, every time.Duration, once bool) error {
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
				fmt.Fprintf(w.app.err, "veil: waiting: %s: %s %s\n", now, failure.TextOf(now).EN.Cause, failure.TextOf(now).EN.Remedy)
			}
		}
		trouble = now
		if once && err == nil && idle {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// inbox opens what is to be watched.
func (c *watchCmd) inbox(s *connect.Service) (inbox, string, time.Duration, error) {
	if address, ok := strings.CutPrefix(c.Where, "s3://"); ok {
		bucket, prefix, _ := strings.Cut(address, "/")
		if bucket == "" || c.Out == "" {
			return nil, "", 0, failure.Usagef("give s3://BUCKET/PREFIX and -o FOLDER", "a bucket is read only: the results need a folder")
		}
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		if err := files.Make(c.Out); err != nil {
			return nil, "", 0, err
		}
		out, err := filepath.Abs(c.Out)
		return &bucketInbox{s: s, bucket: bucket, prefix: prefix}, out, bucketEvery, err
	}
	dir, err := filepath.Abs(c.Where)
	if err != nil || !files.IsFolder(dir) {
		return nil, "", 0, failure.Usagef("name a folder that is there", "there is no such folder to watch")
	}
	if c.Out != "" && !files.Same(c.Out, dir) {
		return nil, "", 0, failure.Usagef("leave -o out", "results of a folder go into the folder itself, so that no clip crosses file systems")
	}
	return &folderInbox{dir: dir}, dir, folderEvery, nil
}

// watchFolder is where the tickets lie, below the folder of the results.
const watchFolder = ".veil/watch"

// lockOut keeps a second watcher away, which would move the first one's files.
func lockOut(out string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(out, watchFolder), 0o700); err != nil {
		return nil, failure.Usagef("name a folder that can be written to", "folder cannot be written to: %s", files.Plain(err))
	}
	lock, err := files.Lock(filepath.Join(out, watchFolder, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil, failure.Newf(failure.Busy, "stop one of them", "another veil watches this folder")
	}
	return lock, nil
}

// tell writes one line of what happened. It names no file: the line may end in a log.
func (w *watcher) tell(id, what, code string) {
	if w.app.JSON {
		w.line(map[string]string{"id": id, "event": what, "code": code})
		return
	}
	line := strings.Join(strings.Fields(time.Now().UTC().Format(time.RFC3339)+" "+id+" "+what+" "+code), " ")
	w.app.printf("%s\n", line)
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
