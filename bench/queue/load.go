package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"

	"veil/worker/jobs"
)

// sample is where the Debian package forensics-samples-files puts a clip of a person talking.
const sample = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"

// clip makes a clip of so many seconds and of a width out of the sample, once. It is looped where the sample is too short.
func (h *house) clip(ctx context.Context, seconds, width int) (string, error) {
	if _, err := os.Stat(sample); err != nil {
		return "", errors.New("the sample clip is missing: run `docker/install.sh demo`")
	}
	path := filepath.Join(h.out, fmt.Sprintf("hello-%ds-%d.mp4", seconds, width))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	part := path + ".part"
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i", sample, "-t", strconv.Itoa(seconds),
		"-vf", fmt.Sprintf("fps=25,scale=%d:%d", width, width*9/16), "-an", "-c:v", "libx264", "-preset", "veryfast", "-f", "mp4", part).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ffmpeg: %w: %s", err, lastLine(string(out)))
	}
	return path, os.Rename(part, path)
}

// lay puts a clip where jobs name it, and gives its key.
func (h *house) lay(ctx context.Context, path string) (string, error) {
	key := filepath.Base(path)
	_, err := h.client.FPutObject(ctx, clipBucket, key, path, minio.PutObjectOptions{})
	return key, err
}

// policy is the one that all jobs name.
const policy = "press"

// order is the job of a clip.
func order(id, key string, p jobs.Priority) jobs.Job {
	return jobs.Job{ID: id, Source: jobs.Source{Bucket: clipBucket, Key: key}, Policy: policy, Priority: p}
}

// seen is an event with the moment at which it came here.
type seen struct {
	jobs.Event
	at time.Time
}

// follower hears what happens to jobs.
type follower struct {
	events chan seen
	stop   func()
	err    chan error
}

// follow hears all events from now on. Stop it.
func (h *house) follow(ctx context.Context) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{events: make(chan seen, 1<<16), stop: cancel, err: make(chan error, 1)}
	since := time.Now()
	go func() {
		defer close(f.events)
		f.err <- h.queue.Follow(ctx, "", since, func(e jobs.Event) bool {
			f.events <- seen{e, time.Now()}
			return true
		})
	}()
	return f
}

// answered says whether an event is a job's answer.
func answered(e jobs.Event) bool {
	return slices.Contains([]jobs.Kind{jobs.EventReleased, jobs.EventHeld, jobs.EventFailed, jobs.EventRejected, jobs.EventCancelled}, e.Event)
}

// await gathers events until so many answers have come. A job that ends in anything but a release or a hold is an error.
func (f *follower) await(ctx context.Context, answers int) ([]seen, error) {
	var all []seen
	for answers > 0 {
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case e, ok := <-f.events:
			if !ok {
				return all, fmt.Errorf("follow events: %w", <-f.err)
			}
			all = append(all, e)
			if !answered(e.Event) {
				continue
			}
			if answers--; e.Event.Event != jobs.EventReleased && e.Event.Event != jobs.EventHeld {
				return all, fmt.Errorf("job %s is %s (%s)", e.ID, e.Event.Event, e.Code)
			}
		}
	}
	return all, nil
}
