// Command queue measures the daemon with real processes: ./veil, a NATS server and versitygw, on real clips. It owns every
// process that it starts, and writes into bench/out/ only.
//
//	go run ./bench/queue              all that follows
//	go run ./bench/queue -overhead    what the daemon adds to `veil redact` of the same clip
//	go run ./bench/queue -thousand    1,000 clips of a second queued at once: each answered once, in the order of priorities
//	go run ./bench/queue -pairs       two workers with a slot each against one worker with two
//	go run ./bench/queue -big         a file of 4 GB: the memory of the worker's own process
//	go run ./bench/queue -idle        a worker that has nothing to do
//	go run ./bench/queue -fleet       not among all: 100 workers whose children sleep, 10,000 jobs (make bench-capacity)
//
// Times mean something on a machine that does nothing else; processor seconds and memory always do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Results is everything that one run measured; what was not asked for is absent.
type Results struct {
	Build    string          `json:"build"`
	CPUs     int             `json:"cpus"`
	Overhead *OverheadResult `json:"overhead,omitempty"`
	Thousand *ThousandResult `json:"thousand,omitempty"`
	Pairs    *PairsResult    `json:"pairs,omitempty"`
	Big      *BigResult      `json:"big,omitempty"`
	Idle     *IdleResult     `json:"idle,omitempty"`
	Fleet    *FleetResult    `json:"fleet,omitempty"`
}

type options struct {
	overhead, thousand, pairs, big, idle, fleet, json bool

	rounds  int
	seconds int
	jobs    int
	size    int64
	rest    time.Duration
	crew    fleetOptions
}

func main() {
	runtime.LockOSThread() // the processes die with the thread that started them
	if dir := os.Getenv(natsDirVar); dir != "" {
		if err := serveNATS(dir); err != nil {
			fmt.Fprintln(os.Stderr, "nats:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.BoolVar(&o.overhead, "overhead", false, "only: the daemon beside veil redact")
	flag.BoolVar(&o.thousand, "thousand", false, "only: many short clips at once")
	flag.BoolVar(&o.pairs, "pairs", false, "only: two workers beside one with two slots")
	flag.BoolVar(&o.big, "big", false, "only: a very large file")
	flag.BoolVar(&o.idle, "idle", false, "only: a worker with nothing to do")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of -overhead and -pairs; the median counts")
	flag.IntVar(&o.seconds, "seconds", 10, "length of the clip of -overhead")
	flag.IntVar(&o.jobs, "jobs", 1000, "clips of -thousand")
	flag.Int64Var(&o.size, "size", 4_000_000_000, "bytes of the file of -big")
	flag.DurationVar(&o.rest, "rest", time.Minute, "length of -idle")
	flag.BoolVar(&o.fleet, "fleet", false, "only: many workers whose children sleep")
	flag.IntVar(&o.crew.size, "workers", 100, "workers of -fleet")
	flag.IntVar(&o.crew.jobs, "fleet-jobs", 10000, "jobs of -fleet")
	flag.DurationVar(&o.crew.sleep, "sleep", 12*time.Second, "how long a job of -fleet sleeps")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures what the options ask for; with none it measures all.
func run(ctx context.Context, o options, w io.Writer) (err error) {
	if o.rounds < 1 || o.seconds < 1 || o.jobs < 1 || o.size < 1 || o.rest < time.Second ||
		o.crew.size < 1 || o.crew.jobs < 1 || o.crew.sleep < time.Second {
		return errors.New("-rounds, -seconds, -jobs, -size, -workers and -fleet-jobs are at least 1, -rest and -sleep at least a second")
	}
	h, err := newHouse(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	res := Results{CPUs: runtime.NumCPU()}
	if res.Build, err = h.build(ctx); err != nil {
		return err
	}
	all := !o.overhead && !o.thousand && !o.pairs && !o.big && !o.idle && !o.fleet
	for _, part := range []struct {
		name    string
		wanted  bool
		measure func() error
	}{
		{"idle", o.idle, func() (err error) { res.Idle, err = h.idle(ctx, o.rest); return err }},
		{"overhead", o.overhead, func() (err error) { res.Overhead, err = h.overhead(ctx, o.rounds, o.seconds); return err }},
		{"pairs", o.pairs, func() (err error) { res.Pairs, err = h.pairs(ctx, o.rounds); return err }},
		{"big", o.big, func() (err error) { res.Big, err = h.big(ctx, o.size); return err }},
		{"thousand", o.thousand, func() (err error) { res.Thousand, err = h.thousand(ctx, o.jobs); return err }},
		{"fleet", o.fleet, func() (err error) { res.Fleet, err = h.fleet(ctx, o.crew); return err }},
	} {
		if !part.wanted && (!all || part.name == "fleet") {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench:", part.name)
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	return res.print(w)
}

// build is what ./veil says of itself.
func (h *house) build(ctx context.Context) (string, error) {
	version, err := exec.CommandContext(ctx, h.veil, "version").Output()
	if err != nil {
		return "", fmt.Errorf("veil version: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(version)), "\n")
	return line, nil
}

// findRoot walks up from the working directory to the folder with go.mod.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in this folder or above: run it inside the checkout")
		}
		dir = up
	}
}
