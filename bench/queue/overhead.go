package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"veil/worker/jobs"
)

// What the daemon may add to `veil redact` of the same clip.
const (
	overheadShare = 0.05
	overheadExtra = 0.1 // seconds
)

// OverheadResult compares a job with `veil redact` of the same clip by the same policy. Figures are medians of the rounds.
type OverheadResult struct {
	Clip   string `json:"clip"`
	Rounds int    `json:"rounds"`
	// Redact is the whole command; Job is from the submission of a clip that lies in the store to its answer, the worker
	// being warm; its CPU is the worker's and its children's, without queue and store.
	Redact Cost `json:"redact"`
	Job    Cost `json:"job"`
}

// Extra is the time that the daemon adds, Limit what it may add, in seconds.
func (r OverheadResult) Extra() float64 { return r.Job.Seconds - r.Redact.Seconds }

// Limit is what the daemon may add, in seconds.
func (r OverheadResult) Limit() float64 { return overheadShare*r.Redact.Seconds + overheadExtra }

const overheadWidth = 1280

// overhead takes the two in turns, the one that is first changing.
func (h *house) overhead(ctx context.Context, rounds, seconds int) (res *OverheadResult, err error) {
	clip, err := h.clip(ctx, seconds, overheadWidth)
	if err != nil {
		return nil, err
	}
	key, err := h.lay(ctx, clip)
	if err != nil {
		return nil, err
	}
	w, err := h.hire(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.retire()) }()
	if _, err := h.job(ctx, w, order("overhead-warm", key, jobs.Normal)); err != nil {
		return nil, err
	}
	var alone, job []Cost
	redact := func(i int) error {
		c, err := h.redact(ctx, clip)
		alone = append(alone, c)
		return err
	}
	settle := func(i int) error {
		c, err := h.job(ctx, w, order(fmt.Sprintf("overhead-%d", i), key, jobs.Normal))
		job = append(job, c)
		return err
	}
	for i := range rounds {
		turns := []func(int) error{redact, settle}
		if i%2 == 1 {
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			if err := turn(i); err != nil {
				return nil, err
			}
		}
	}
	return &OverheadResult{Clip: filepath.Base(clip), Rounds: rounds, Redact: middle(alone), Job: middle(job)}, nil
}

// redact runs `veil redact` with what a job writes as well, but for its sheet.
func (h *house) redact(ctx context.Context, clip string) (Cost, error) {
	dir, err := os.MkdirTemp(h.dir, "redact-")
	if err != nil {
		return Cost{}, err
	}
	defer os.RemoveAll(dir)
	return measure(exec.CommandContext(ctx, h.veil, "redact", clip, "-o", filepath.Join(dir, "out.mp4"), "--policy", policy, "--sandbox", "required",
		"--plan-out", filepath.Join(dir, "plan.json"), "--report", filepath.Join(dir, "report.json")))
}

// job has a worker settle one job.
func (h *house) job(ctx context.Context, w *worker, j jobs.Job) (c Cost, err error) {
	before, err := processor(w.pid())
	if err != nil {
		return c, err
	}
	f := h.follow(ctx)
	defer f.stop()
	submitted, err := h.queue.Submit(ctx, j)
	if err != nil {
		return c, err
	}
	all, err := f.await(ctx, 1)
	if err != nil {
		return c, err
	}
	c.Seconds = all[len(all)-1].at.Sub(submitted.Submitted).Seconds()
	after, err := processor(w.pid())
	c.CPU = after - before
	return c, err
}

// middle is the median of each figure.
func middle(costs []Cost) Cost {
	pick := func(f func(Cost) float64) float64 {
		var v []float64
		for _, c := range costs {
			v = append(v, f(c))
		}
		return median(v)
	}
	return Cost{Seconds: pick(func(c Cost) float64 { return c.Seconds }), CPU: pick(func(c Cost) float64 { return c.CPU }),
		PeakMB: pick(func(c Cost) float64 { return c.PeakMB })}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
