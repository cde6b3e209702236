// Command bench measures the `veil` program from outside, through its command line: frames per second of each stage beside
// a plain ffmpeg transcode with the same encoder settings, the peak memory of the whole process tree, and the faces that
// are left visible where a clip has ground truth. It writes into bench/out/ only.
//
//	go run ./bench                    speed, memory, and leaks where ../shared/footage lies beside the checkout
//	go run ./bench -speed             the first part only
//	go run ./bench -memory            a 20-second and a 10-minute clip: is the peak the same? (takes most of an hour)
//	go run ./bench -leaks 'wild_*'    ground truth, the clips whose names match
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
	"strconv"
	"strings"
	"syscall"

	"veil/pipeline/media"
)

// Results is everything that one run measured; what was not asked for is absent.
type Results struct {
	Build  string       `json:"build"`
	CPUs   int          `json:"cpus"`
	Speed  *SpeedResult `json:"speed,omitempty"`
	Memory []MemoryRow  `json:"memory,omitempty"`
	Leaks  []LeakRow    `json:"leaks,omitempty"`
}

type options struct {
	speed, memory, json bool
	leaks               string
	seconds             string
	runs                int
}

func main() {
	var o options
	flag.BoolVar(&o.speed, "speed", false, "frames per second and peak memory only")
	flag.BoolVar(&o.memory, "memory", false, "peak memory for clips of different lengths only")
	flag.StringVar(&o.leaks, "leaks", "", "faces left visible only, for the clips whose names match this pattern (as wild_*)")
	flag.StringVar(&o.seconds, "seconds", "20,600", "lengths of the clips of -memory")
	flag.IntVar(&o.runs, "runs", 3, "rounds of -speed; the median counts")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures what the options ask for; with none it does speed and, where there is ground truth, leaks.
func run(ctx context.Context, o options, w io.Writer) error {
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	res := Results{Build: b.build, CPUs: b.cpus}
	all := !o.speed && !o.memory && o.leaks == ""
	if o.speed || all {
		if res.Speed, err = b.speed(ctx, o.runs); err != nil {
			return fmt.Errorf("speed: %w", err)
		}
	}
	if o.memory {
		lengths, err := parseSeconds(o.seconds)
		if err != nil {
			return err
		}
		if res.Memory, err = b.memory(ctx, lengths); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	if o.leaks != "" || all {
		pattern := o.leaks
		if pattern == "" {
			pattern = "*"
		}
		res.Leaks, err = b.leaks(ctx, pattern)
		if err != nil && !(all && errors.Is(err, errNoFootage)) {
			return fmt.Errorf("leaks: %w", err)
		}
	}
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	return res.print(w)
}

func parseSeconds(list string) ([]int, error) {
	var out []int
	for _, f := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("-seconds %q: whole numbers above 0, with commas between", list)
		}
		out = append(out, n)
	}
	return out, nil
}

// bench knows where things lie.
type bench struct {
	root  string // of the checkout
	veil  string
	out   string // bench/out
	build string
	cpus  int
	tools media.Tools // veil's own thread counts, for the transcode beside it
}

func newBench(ctx context.Context) (*bench, error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, veil: filepath.Join(root, "veil"), out: filepath.Join(root, "bench", "out"), cpus: cpus()}
	if _, err := os.Stat(b.veil); err != nil {
		return nil, errors.New("there is no ./veil: run `make build`")
	}
	if b.tools, err = media.DefaultTools(); err != nil {
		return nil, fmt.Errorf("%w: run `make deps`", err)
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, b.veil, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("veil version: %w", err)
	}
	b.build, _, _ = strings.Cut(strings.TrimSpace(string(version)), "\n")
	return b, nil
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
