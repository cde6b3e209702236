package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// sampleEvery is the pause between two looks at the process tree. One look costs some 5 ms for ten processes.
const sampleEvery = 100 * time.Millisecond

// Usage is what a command and everything it started took.
type Usage struct {
	Seconds float64 `json:"seconds"`
	// CPU is the processor time of all of it, in seconds.
	CPU float64 `json:"cpu_seconds"`
	// PeakMB is the highest sum over the tree seen in one sample, in 10^6 bytes. Shared pages count once (proportional
	// set size) where the kernel lets us see that; else they count in each process, and Resident is true.
	PeakMB   float64 `json:"peak_mb"`
	Resident bool    `json:"resident,omitempty"`
	Samples  int     `json:"samples"`
}

// exitError is a command that ended with a status of its own.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d: %s", e.code, e.text) }

// measure runs a command to its end and samples the memory of its process tree. A status above 0 is an *exitError with the
// last line that the command wrote to standard error; the usage is valid then too.
func measure(ctx context.Context, name string, args ...string) (Usage, error) {
	return follow(ctx, true, name, args...)
}

// clock is measure without the samples: one costs time for each process and each page of theirs, which weighs more on the
// side of a comparison that has more of them.
func clock(ctx context.Context, name string, args ...string) (Usage, error) {
	return follow(ctx, false, name, args...)
}

func follow(ctx context.Context, sample bool, name string, args ...string) (Usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, err
	}
	t := &tree{root: cmd.Process.Pid, known: map[int]string{}}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		if sample {
			t.watch(done)
		}
	}()
	err := cmd.Wait()
	t.usage.Seconds = time.Since(start).Seconds()
	t.usage.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	close(done)
	<-stopped
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &exitError{exit.ExitCode(), lastLine(stderr.String())}
	}
	return t.usage, err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// tree follows one process and its descendants. A process once seen stays in the tree when its parent dies.
type tree struct {
	root  int
	known map[int]string // start time by process id: an id may be used again
	usage Usage
}

func (t *tree) watch(done <-chan struct{}) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		t.sample()
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

func (t *tree) sample() {
	var sum int64
	for _, pid := range t.members() {
		n, resident := footprint(pid)
		sum += n
		t.usage.Resident = t.usage.Resident || resident
	}
	t.usage.Samples++
	t.usage.PeakMB = max(t.usage.PeakMB, float64(sum)/1e6)
}

// members reads the table of processes once and returns those of the tree.
func (t *tree) members() []int {
	type process struct {
		parent int
		start  string
	}
	table := map[int]process{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if parent, start, ok := parent(pid); ok {
			table[pid] = process{parent, start}
		}
	}
	for pid, start := range t.known {
		if table[pid].start != start {
			delete(t.known, pid)
		}
	}
	if p, ok := table[t.root]; ok {
		t.known[t.root] = p.start
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range table {
			if _, in := t.known[pid]; in {
				continue
			}
			if _, in := t.known[p.parent]; in {
				t.known[pid], grown = p.start, true
			}
		}
	}
	pids := make([]int, 0, len(t.known))
	for pid := range t.known {
		pids = append(pids, pid)
	}
	return pids
}

// parent reads a process's parent and start time; false when it is gone.
func parent(pid int) (ppid int, start string, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", false
	}
	// The name, in parentheses, may hold anything; the fields after it are plain.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 20 {
		return 0, "", false
	}
	ppid, err = strconv.Atoi(f[1])
	return ppid, f[19], err == nil
}

// footprint is the proportional set size of a process in bytes, or its resident size (and true) where that is hidden.
// A process that is gone has none.
func footprint(pid int) (n int64, resident bool) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err == nil {
		for line := range strings.Lines(string(rollup)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				return kb * 1024, false
			}
		}
		return 0, false
	}
	if !errors.Is(err, os.ErrPermission) {
		return 0, false
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	f := strings.Fields(string(statm))
	if err != nil || len(f) < 2 {
		return 0, false
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), true
}

func cpus() int { return runtime.NumCPU() }
