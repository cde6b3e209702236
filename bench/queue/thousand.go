package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"veil/worker/jobs"
)

// ThousandResult is how many short clips, queued at once, were settled.
type ThousandResult struct {
	Clip  string `json:"clip"`
	Jobs  int    `json:"jobs"`
	Slots int    `json:"slots"`
	// Once counts the jobs with one answer, one derivative and one manifest.
	Once int `json:"settled_once"`
	// Overtaken counts the starts of a job while one of a higher priority had been waiting for longer than fairness; see
	// overtaken.
	Overtaken int     `json:"overtaken"`
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu_seconds"` // of the worker and its children
}

const (
	thousandSeconds = 1
	thousandWidth   = 320
	thousandSlots   = 2
)

// fairness is how long a job may have waited when one of a lower priority starts: a worker asks for the priorities one after
// the other, and the server confirms a job a moment before it hands it out.
const fairness = time.Second

// thousand queues the jobs at once, priorities mixed, while a worker serves.
func (h *house) thousand(ctx context.Context, n int) (res *ThousandResult, err error) {
	clip, err := h.clip(ctx, thousandSeconds, thousandWidth)
	if err != nil {
		return nil, err
	}
	key, err := h.lay(ctx, clip)
	if err != nil {
		return nil, err
	}
	w, err := h.hire(ctx, thousandSlots)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.retire()) }()
	f := h.follow(ctx)
	defer f.stop()
	before, err := processor(w.pid())
	if err != nil {
		return nil, err
	}
	priorities := map[string]jobs.Priority{}
	begun, err := h.submitAll(ctx, n, func(i int) jobs.Job {
		j := order(fmt.Sprintf("thousand-%04d", i), key, jobs.Priorities()[i%3])
		priorities[j.ID] = j.Priority
		return j
	})
	if err != nil {
		return nil, err
	}
	all, err := f.await(ctx, n)
	if err != nil {
		return nil, err
	}
	res = &ThousandResult{Clip: filepath.Base(clip), Jobs: n, Slots: thousandSlots, Seconds: all[len(all)-1].at.Sub(begun).Seconds()}
	if err := rest(ctx, settling); err != nil { // a second answer would come late
		return nil, err
	}
	for len(f.events) > 0 {
		all = append(all, <-f.events)
	}
	after, err := processor(w.pid())
	if err != nil {
		return nil, err
	}
	res.CPU, res.Overtaken = after-before, overtaken(all, priorities)
	res.Once, err = h.once(ctx, "thousand-", all, priorities)
	return res, err
}

// submitAll queues so many jobs and gives the moment before the first.
func (h *house) submitAll(ctx context.Context, n int, job func(i int) jobs.Job) (time.Time, error) {
	begun := time.Now()
	for i := range n {
		if _, err := h.queue.Submit(ctx, job(i)); err != nil {
			return begun, err
		}
	}
	return begun, nil
}

// once counts the jobs, whose ids begin with prefix, that have one answer among the events, and one derivative and one manifest in the store (none where
// the answer is a hold).
func (h *house) once(ctx context.Context, prefix string, all []seen, of map[string]jobs.Priority) (int, error) {
	answers, released := map[string]int{}, map[string]int{}
	for _, e := range all {
		if answered(e.Event) {
			answers[e.ID]++
		}
		if e.Event.Event == jobs.EventReleased {
			released[e.ID]++
		}
	}
	derivatives, manifests := map[string]int{}, map[string]int{}
	for o := range h.client.ListObjects(ctx, ownBucket, minio.ListObjectsOptions{Prefix: "release/" + prefix, Recursive: true}) {
		if o.Err != nil {
			return 0, o.Err
		}
		id := strings.Split(o.Key, "/")[1]
		switch {
		case strings.HasSuffix(o.Key, ".mp4"):
			derivatives[id]++
		case strings.HasSuffix(o.Key, "/manifest.json"):
			manifests[id]++
		}
	}
	n := 0
	for id := range of {
		if answers[id] == 1 && derivatives[id] == released[id] && manifests[id] == released[id] {
			n++
		}
	}
	return n, nil
}

// overtaken counts the first starts of jobs while one of a higher priority, accepted more than fairness before, had not
// started yet. Times are the events' own.
func overtaken(all []seen, of map[string]jobs.Priority) (n int) {
	rank := func(id string) int { return slices.Index(jobs.Priorities(), of[id]) }
	accepted, started := map[string]time.Time{}, map[string]time.Time{}
	for _, e := range all {
		if _, ours := of[e.ID]; !ours {
			continue
		}
		at := accepted
		switch e.Event.Event {
		case jobs.EventStarted:
			at = started
		case jobs.EventAccepted:
		default:
			continue
		}
		if _, known := at[e.ID]; !known {
			at[e.ID] = e.Time
		}
	}
	for id, begun := range started {
		for other, since := range accepted {
			first, ever := started[other]
			if rank(other) < rank(id) && begun.Sub(since) > fairness && (!ever || first.After(begun)) {
				n++
				break
			}
		}
	}
	return n
}

// forget removes what a job has put into the store: it may be large.
func (h *house) forget(ctx context.Context, id string) error {
	for _, prefix := range []string{"incoming/", "restricted/", "release/"} {
		for o := range h.client.ListObjects(ctx, ownBucket, minio.ListObjectsOptions{Prefix: prefix + id + "/", Recursive: true}) {
			if o.Err != nil {
				return o.Err
			}
			if err := h.client.RemoveObject(ctx, ownBucket, o.Key, minio.RemoveObjectOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}
