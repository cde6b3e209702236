package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"veil/worker/jobs"
)

// diary is what workers wrote down of their claims and answers.
type diary struct {
	entries [][]entry      // of each worker, in its order
	claims  map[string]int // by job
}

// entry is a claim of a job, or the end of one.
type entry struct {
	at      time.Time
	job     string
	settled bool
}

// binSeconds is the width of the bins that answers are counted in.
const binSeconds = 10

// readDiary reads the logs of workers.
func readDiary(crew []*worker) (d diary, err error) {
	d.claims = map[string]int{}
	for _, w := range crew {
		list, err := readLog(w.log)
		if err != nil {
			return d, err
		}
		for _, e := range list {
			if !e.settled {
				d.claims[e.job]++
			}
		}
		d.entries = append(d.entries, list)
	}
	return d, nil
}

func readLog(path string) (list []entry, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var line struct {
			Time time.Time `json:"time"`
			Msg  string    `json:"msg"`
			Job  string    `json:"job_id"`
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if line.Msg == "claimed" || line.Msg == "settled" {
			list = append(list, entry{at: line.Time, job: line.Job, settled: line.Msg == "settled"})
		}
	}
	return list, nil
}

// answered counts the answers between two moments.
func (d diary) answered(from, to time.Time) (n int) {
	for _, list := range d.entries {
		for _, e := range list {
			if e.settled && e.at.After(from) && !e.at.After(to) {
				n++
			}
		}
	}
	return n
}

// handovers are the times between an answer and the same worker's next claim, both between two moments, in milliseconds.
func (d diary) handovers(from, to time.Time) (all []float64) {
	for _, list := range d.entries {
		for i, e := range list[:max(len(list)-1, 0)] {
			next := list[i+1]
			if e.settled && !next.settled && e.at.After(from) && !next.at.After(to) {
				all = append(all, milliseconds(next.at.Sub(e.at)))
			}
		}
	}
	return all
}

// waits are the times from the submission of jobs after a moment to their claim, in milliseconds.
func (d diary) waits(states map[string]jobs.State, after time.Time) (all []float64) {
	for _, list := range d.entries {
		for _, e := range list {
			if s, known := states[e.job]; known && !e.settled && s.Submitted.After(after) {
				all = append(all, milliseconds(e.at.Sub(s.Submitted)))
			}
		}
	}
	return all
}

// begun is the moment of the first claim.
func (d diary) begun() (first time.Time) {
	for _, list := range d.entries {
		if len(list) > 0 && (first.IsZero() || list[0].at.Before(first)) {
			first = list[0].at
		}
	}
	return first
}

// perBin counts the answers in each bin since the first claim.
func (d diary) perBin() (bins []int) {
	first := d.begun()
	for _, list := range d.entries {
		for _, e := range list {
			if !e.settled {
				continue
			}
			i := int(e.at.Sub(first).Seconds()) / binSeconds
			for len(bins) <= i {
				bins = append(bins, 0)
			}
			bins[i]++
		}
	}
	return bins
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// percentiles gives the values at 0, 1, ... 100 percent of a list; nil of none.
func percentiles(values []float64) (all []float64) {
	if len(values) == 0 {
		return nil
	}
	values = slices.Sorted(slices.Values(values))
	for p := range 101 {
		all = append(all, values[p*(len(values)-1)/100])
	}
	return all
}

// marks are the 50th, 95th and 99th of percentiles; zeros where there are none.
func marks(p []float64) (m [3]float64) {
	if len(p) == 101 {
		m = [3]float64{p[50], p[95], p[99]}
	}
	return m
}
