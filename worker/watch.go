package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/watch"
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
	return watch.Run(ctx, watch.Options{Service: s, Inbox: box, Out: out, Template: template, Settle: c.Settle, Every: every, Once: c.Once,
		AsJSON: a.JSON, Stdout: a.out, Stderr: a.err})
}

// inbox opens what is to be watched.
func (c *watchCmd) inbox(s *connect.Service) (watch.Inbox, string, time.Duration, error) {
	if address, ok := strings.CutPrefix(c.Where, "s3://"); ok {
		bucket, prefix, _ := strings.Cut(address, "/")
		if bucket == "" || c.Out == "" {
			return nil, "", 0, failure.Usagef("give s3://BUCKET/PREFIX and -o FOLDER", "a bucket is read only: the results need a folder")
		}
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		if err := disk.Make(c.Out); err != nil {
			return nil, "", 0, err
		}
		out, err := filepath.Abs(c.Out)
		return watch.Bucket(s, bucket, prefix), out, bucketEvery, err
	}
	dir, err := filepath.Abs(c.Where)
	if err != nil || !disk.IsFolder(dir) {
		return nil, "", 0, failure.Usagef("name a folder that is there", "there is no such folder to watch")
	}
	if c.Out != "" && !disk.Same(c.Out, dir) {
		return nil, "", 0, failure.Usagef("leave -o out", "results of a folder go into the folder itself, so that no clip crosses file systems")
	}
	return watch.Folder(dir), dir, folderEvery, nil
}
