// Package intake hands clips in: it finds what is named, makes jobs of it, derives their numbers from what they hold, and puts
// record, clip and job where they belong in an order that any death allows to go on from. It waits for no answer.
package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Clip is one clip on its way into the queue.
type Clip struct {
	label string // what the one who hands it in calls it; it is shown and goes nowhere
	path  string // a local file, which is put into the store; empty for a clip that lies in a bucket
	size  int64
	Job   jobs.Job
}

// LocalClip makes the job of a file: its bytes decide the id, unless one is given.
func LocalClip(ctx context.Context, path string, j jobs.Job, events func(pipeline.Event)) (Clip, error) {
	d, err := pipeline.DigestFile(ctx, path, events)
	if err != nil {
		return Clip{}, err
	}
	if d.Bytes == 0 {
		return Clip{}, fmt.Errorf("the file is empty: %w", media.ErrUnreadable)
	}
	if j.ID == "" {
		if j.ID, err = derivedID(j, "sha256:"+d.SHA256); err != nil {
			return Clip{}, err
		}
	}
	j.Source = jobs.Source{Bucket: connect.IncomingBucket, Key: IncomingKey(j.ID), SHA256: d.SHA256}
	return Clip{path: path, size: d.Bytes, Job: j}, nil
}

// IncomingKey is the key of a file that was handed in, within connect.IncomingBucket: no name of the file stands in it.
func IncomingKey(id string) string { return id + "/clip" }

// BucketClip makes the job of an object. Its version decides the id, or what else tells its content from another.
func BucketClip(j jobs.Job, bucket string, o store.Object) (Clip, error) {
	j.Source = jobs.Source{Bucket: bucket, Key: o.Key, Version: o.Version}
	if j.ID == "" {
		content := fmt.Sprintf("object:%s\x00%s\x00%s", bucket, o.Key, o.Version)
		if o.Version == "" {
			content += fmt.Sprintf("\x00%s\x00%d\x00%s", o.ETag, o.Size, o.Time.UTC().Format("20060102150405.000000000"))
		}
		var err error
		if j.ID, err = derivedID(j, content); err != nil {
			return Clip{}, err
		}
	}
	return Clip{label: o.Key, size: o.Size, Job: j}, nil
}

// HandIn takes one clip in. Whatever dies on the way, the same call again goes on where it ended: the job's record in the store
// comes first and can be made by one content only, then the bytes, then the queue.
func HandIn(ctx context.Context, s *connect.Service, c Clip, events func(pipeline.Event)) (jobs.State, error) {
	if err := Validator().Validate(c.Job); err != nil {
		return jobs.State{}, err
	}
	want, err := c.Job.Digest()
	if err != nil {
		return jobs.State{}, err
	}
	have, err := s.Queue.State(ctx, c.Job.ID)
	switch {
	case err == nil && have.Submission != want:
		return have, fmt.Errorf("submit %s: %w", c.Job.ID, jobs.ErrConflict)
	case err == nil && have.Phase.Final():
		return have, nil
	case err != nil && !errors.Is(err, jobs.ErrNotFound):
		return have, err
	}
	known := err == nil
	record, err := c.Job.Encode()
	if err != nil {
		return have, err
	}
	_, err = s.Store.Create(ctx, connect.JobRecordKey(c.Job.ID), record, "application/json")
	if errors.Is(err, store.ErrExists) {
		return have, fmt.Errorf("submit %s: %w", c.Job.ID, jobs.ErrConflict)
	}
	if err != nil {
		return have, err
	}
	if c.path != "" && !known {
		if err := putClip(ctx, s, c, events); err != nil {
			return have, err
		}
	}
	if !known {
		if err := s.Note(ctx, access.Entry{Action: access.Collection, Job: c.Job.ID, Reason: c.Job.Purpose, What: "clip handed in"}); err != nil {
			return have, err
		}
	}
	return s.Queue.Submit(ctx, c.Job)
}

// putClip streams a file into the store. Bytes that are not those of its digest are refused by the store.
func putClip(ctx context.Context, s *connect.Service, c Clip, events func(pipeline.Event)) error {
	f, err := os.Open(c.path)
	if err != nil {
		return fmt.Errorf("open clip: %w", disk.Plain(err))
	}
	defer f.Close()
	r := &counted{r: f, total: c.size, events: events}
	key := store.Incoming + IncomingKey(c.Job.ID)
	_, err = s.Store.Put(ctx, key, r, store.PutOptions{Size: c.size, SHA256: c.Job.Source.SHA256})
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrChanged) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("put clip: %w", media.ErrChanged) // the file became another one after its digest was taken
	}
	return err
}

// counted tells how much of a file was read; parts may be read at once.
type counted struct {
	r      io.ReaderAt
	total  int64
	done   atomic.Int64
	gate   atomic.Bool
	events func(pipeline.Event)
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	done := min(c.done.Add(int64(n)), c.total)
	if c.events != nil && c.gate.CompareAndSwap(false, true) {
		c.events(pipeline.Event{Stage: "upload", Done: done, Total: c.total})
		c.gate.Store(false)
	}
	return n, err
}
