package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Cost is what a process took.
type Cost struct {
	Seconds float64 `json:"seconds"`
	// CPU is the processor time of the process and of all its children that have ended.
	CPU float64 `json:"cpu_seconds"`
	// PeakMB is the largest resident size of the process itself, in 10^6 bytes.
	PeakMB float64 `json:"peak_mb"`
}

// heldStatus is veil's exit code for a clip that waits for a person: a result too.
const heldStatus = 3

// measure runs a command to its end.
func measure(cmd *exec.Cmd) (Cost, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Cost{}, err
	}
	peak := make(chan Memory)
	ctx, stop := context.WithCancel(context.Background())
	go func() { peak <- watch(ctx, cmd.Process.Pid) }()
	err := cmd.Wait()
	c := Cost{Seconds: time.Since(start).Seconds(), CPU: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()}
	stop()
	c.PeakMB = (<-peak).ResidentMB
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == heldStatus {
		err = nil
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[:min(2, len(cmd.Args))], " "), err, lastLine(out.String()))
	}
	return c, nil
}

// Memory is the most that one process had of each kind, in 10^6 bytes.
type Memory struct {
	ResidentMB float64 `json:"resident_mb"` // as the kernel's own high-water mark has it
	// ShareMB counts pages that several processes use by their part (proportional set size); 0 where the kernel hides it.
	ShareMB float64 `json:"share_mb"`
	// OwnMB is without what is mapped from files: heap, stacks and changed pages.
	OwnMB   float64 `json:"own_mb"`
	Samples int     `json:"samples"`
}

const sampleEvery = 50 * time.Millisecond

// watch samples the memory of one process until it or ctx ends.
func watch(ctx context.Context, pid int) (m Memory) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return m
		}
		m.ResidentMB = max(m.ResidentMB, field(status, "VmHWM:"))
		m.OwnMB = max(m.OwnMB, field(status, "RssAnon:"))
		if rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
			m.ShareMB = max(m.ShareMB, field(rollup, "Pss:"))
		}
		m.Samples++
		select {
		case <-ctx.Done():
			return m
		case <-tick.C:
		}
	}
}

// field reads a line "NAME 123 kB" in 10^6 bytes; 0 where it is absent.
func field(text []byte, name string) float64 {
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}

// clockTicks is the kernel's unit of processor time in /proc, a second's part; Linux has no other.
const clockTicks = 100

var errNoStat = errors.New("no such process")

// processor is the processor time that a process and its ended children have used, in seconds.
func processor(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return ticks(stat)
}

// ticks adds up user, system, children's user and children's system time of a line of /proc/PID/stat, in seconds.
func ticks(stat []byte) (float64, error) {
	// The name, in parentheses, may hold anything; the fields after it are plain.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 15 {
		return 0, errNoStat
	}
	sum := 0
	for _, v := range f[11:15] {
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		sum += n
	}
	return float64(sum) / clockTicks, nil
}
