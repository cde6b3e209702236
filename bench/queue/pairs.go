package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"veil/worker/jobs"
)

// pairsShare is how much of one worker's throughput two workers with half its slots each must reach.
const pairsShare = 0.9

// PairsResult compares two workers with a slot each with one worker that has two slots. Every stage computes on one thread,
// so that both do the same work. Throughputs are clips a minute, medians of the rounds.
type PairsResult struct {
	Clip   string  `json:"clip"`
	Jobs   int     `json:"jobs"`
	Rounds int     `json:"rounds"`
	One    float64 `json:"one_worker"`
	Two    float64 `json:"two_workers"`
}

// Share is two workers' throughput by that of one.
func (r PairsResult) Share() float64 { return r.Two / r.One }

const (
	pairsJobs    = 12
	pairsSeconds = 4
	pairsWidth   = 640
)

// pairs takes the two in turns, the one that is first changing.
func (h *house) pairs(ctx context.Context, rounds int) (*PairsResult, error) {
	clip, err := h.clip(ctx, pairsSeconds, pairsWidth)
	if err != nil {
		return nil, err
	}
	key, err := h.lay(ctx, clip)
	if err != nil {
		return nil, err
	}
	rates := map[int][]float64{}
	for i := range rounds {
		turns := []int{1, 2}
		if i%2 == 1 {
			slices.Reverse(turns)
		}
		for _, workers := range turns {
			rate, err := h.throughput(ctx, fmt.Sprintf("pairs-%d-%d", i, workers), key, workers)
			if err != nil {
				return nil, err
			}
			rates[workers] = append(rates[workers], rate)
		}
	}
	return &PairsResult{Clip: filepath.Base(clip), Jobs: pairsJobs, Rounds: rounds, One: median(rates[1]), Two: median(rates[2])}, nil
}

// throughput has two slots, of so many workers, settle the jobs, in clips a minute: from the submission, all at once and to
// workers that wait, to the last answer.
func (h *house) throughput(ctx context.Context, name, key string, workers int) (rate float64, err error) {
	for range workers {
		w, err := h.hire(ctx, 2/workers, "--threads", "1")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, w.retire()) }()
	}
	f := h.follow(ctx)
	defer f.stop()
	begun, err := h.submitAll(ctx, pairsJobs, func(i int) jobs.Job { return order(fmt.Sprintf("%s-%d", name, i), key, jobs.Normal) })
	if err != nil {
		return 0, err
	}
	all, err := f.await(ctx, pairsJobs)
	if err != nil {
		return 0, err
	}
	return pairsJobs / all[len(all)-1].at.Sub(begun).Minutes(), nil
}
