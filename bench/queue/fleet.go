package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"veil/worker/archive"
	"veil/worker/capacity"
	"veil/worker/jobs"
	"veil/worker/store"
)

// fleetShare is how much of the ideal throughput a fleet must reach.
const fleetShare = 0.9

const (
	// calmPart is how much of the jobs come one by one, at calmLoad of what the fleet could take at most; the rest waits
	// from the start.
	calmPart = 0.1
	calmLoad = 0.7
	// handIn is how many submitters hand in at once.
	handIn = 16
	// weighed is of how many jobs the objects are counted.
	weighed = 100
	// fleetPoll is how often the queue is asked how much is left.
	fleetPoll = 2 * time.Second
)

// FleetResult is how many workers whose children only sleep got through many jobs: what queue, store and the workers' own
// processes do for a job, without the work itself.
type FleetResult struct {
	capacity.Fleet // once: one answer, one derivative and one manifest, claimed once
	// Seconds is the time in which all workers served while jobs waited, Answered how many were settled in it; the share of the
	// ideal is that by what sleeping alone would have allowed.
	Seconds  float64 `json:"busy_seconds"`
	Answered int     `json:"busy_answered"`
	// Handover is the time from a worker's answer to its next claim, while jobs waited; Wait the time from a job's submission
	// to its claim, while they came one by one. Both are percentiles in milliseconds, from 0 to 100.
	Handover []float64 `json:"handover_percentiles_ms"`
	Wait     []float64 `json:"wait_percentiles_ms"`
	// Settled counts the answers in each ten seconds since the first claim, Rushed how many seconds after that the last of the
	// jobs that had waited from the start was answered.
	Settled []int   `json:"settled_per_10s"`
	Rushed  float64 `json:"rush_seconds"`
	// CalmQueueCPU is the processor time of the queue's server for each job that came by itself, in seconds.
	CalmQueueCPU float64 `json:"calm_queue_cpu_seconds"`
}

// fleetOptions is the size of the simulation.
type fleetOptions struct {
	size  int // workers
	jobs  int
	sleep time.Duration
}

// fleet is one simulation.
type fleet struct {
	*house
	fleetOptions
	program string
	crew    []*worker
	bar     *progressbar.ProgressBar
}

// fleet hands jobs in and has many workers settle them, whose children sleep.
func (h *house) fleet(ctx context.Context, o fleetOptions) (res *FleetResult, err error) {
	f := &fleet{house: h, fleetOptions: o}
	f.bar = progressbar.NewOptions(o.jobs, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("fleet"),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish(), progressbar.OptionShowCount())
	defer func() { _ = f.bar.Finish() }()
	if err := f.prepare(ctx); err != nil {
		return nil, err
	}
	calm := int(float64(o.jobs) * calmPart)
	if err := f.rush(ctx, o.jobs-calm); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.dismiss(err != nil)) }()
	if err := f.muster(ctx); err != nil {
		return nil, err
	}
	busy, err := f.measure(func() error { return f.await(ctx, calm, o.size) })
	if err != nil {
		return nil, err
	}
	if err := f.await(ctx, calm, 0); err != nil {
		return nil, err
	}
	quiet, err := f.measure(func() error {
		if err := f.trickle(ctx, o.jobs-calm, calm); err != nil {
			return err
		}
		return f.await(ctx, 0, 0)
	})
	if err != nil {
		return nil, err
	}
	return f.account(ctx, busy, quiet)
}

// prepare builds the worker with the sleeping children and lays the clip that tells them how long.
func (f *fleet) prepare(ctx context.Context) error {
	f.program = filepath.Join(f.dir, "sleepveil")
	root := filepath.Dir(f.veil)
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", f.program, "./worker")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sleeping worker: %w: %s", err, lastLine(string(out)))
	}
	if out, err := exec.CommandContext(ctx, f.veil, "keygen", "-o", f.keys()).CombinedOutput(); err != nil {
		return fmt.Errorf("veil keygen: %w: %s", err, lastLine(string(out)))
	}
	text := "sleep " + f.sleep.String()
	_, err := f.client.PutObject(ctx, clipBucket, "sleep", strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{})
	return err
}

// keys is the folder of the key that the workers sign with.
func (f *fleet) keys() string { return filepath.Join(f.dir, "keys") }

// job is the n-th job of the fleet.
func (f *fleet) job(n int) jobs.Job {
	return order(fmt.Sprintf("%s%05d", fleetPrefix, n), "sleep", jobs.Priorities()[n%len(jobs.Priorities())])
}

const fleetPrefix = "fleet-"

// rush hands in so many jobs, as fast as the queue takes them.
func (f *fleet) rush(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(handIn)
	for i := range n {
		g.Go(func() error {
			_, err := f.queue.Submit(ctx, f.job(i))
			return err
		})
	}
	return g.Wait()
}

// trickle hands in the jobs from first on one by one, at random times.
func (f *fleet) trickle(ctx context.Context, first, n int) error {
	random := rand.New(rand.NewPCG(1, 2))
	gap := f.sleep.Seconds() / float64(f.size) / calmLoad
	for i := range n {
		if err := rest(ctx, time.Duration(random.ExpFloat64()*gap*float64(time.Second))); err != nil {
			return err
		}
		if _, err := f.queue.Submit(ctx, f.job(first+i)); err != nil {
			return err
		}
	}
	return nil
}

// muster starts the workers and waits until all serve.
func (f *fleet) muster(ctx context.Context) error {
	models := filepath.Join(filepath.Dir(f.veil), "models", "weights")
	tidy := fmt.Sprintf("%dh", f.size) // as docs/capacity.md says: one of them tidies each hour
	for range f.size {
		w, err := f.start(f.program, 1, "--sandbox", "off", "--models", models, "--key", filepath.Join(f.keys(), "veil.key"), "--collect", tidy, "--retention", tidy)
		if err != nil {
			return err
		}
		f.crew = append(f.crew, w)
		if len(f.crew) > handIn { // not all of them at once
			if err := until(ctx, "a worker", f.crew[len(f.crew)-1-handIn].serves); err != nil {
				return err
			}
		}
	}
	for _, w := range f.crew {
		if err := until(ctx, "a worker", w.serves); err != nil {
			return err
		}
	}
	return nil
}

// dismiss ends the workers; those that are to stop at once get two signals.
func (f *fleet) dismiss(atOnce bool) (err error) {
	if atOnce {
		for range 2 {
			for _, w := range f.crew {
				_ = w.cmd.Process.Signal(os.Interrupt)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	for _, w := range f.crew {
		err = errors.Join(err, w.retire())
	}
	f.crew = nil
	return err
}

// await waits until no more than so many jobs have no answer, less those that are still to be handed in.
func (f *fleet) await(ctx context.Context, toCome, left int) error {
	for {
		depth, err := f.queue.Depth(ctx)
		if err != nil {
			return err
		}
		n := 0
		for _, d := range depth {
			n += d
		}
		_ = f.bar.Set(f.jobs - toCome - n)
		if n <= left {
			return nil
		}
		for _, w := range f.crew {
			if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid())); err != nil || bytes.Contains(stat, []byte(") Z ")) {
				text, _ := os.ReadFile(w.log)
				return fmt.Errorf("a worker has died: %s", lastLine(string(text)))
			}
		}
		if err := rest(ctx, fleetPoll); err != nil {
			return err
		}
	}
}

// spell is a time of the simulation, and the processor time that each side used in it, in seconds.
type spell struct {
	from, to              time.Time
	queue, store, workers float64
}

// measure looks at the processor times before and after something.
func (f *fleet) measure(do func() error) (s spell, err error) {
	before, err := f.processors()
	if err != nil {
		return s, err
	}
	s.from = time.Now()
	if err := do(); err != nil {
		return s, err
	}
	s.to = time.Now()
	after, err := f.processors()
	s.queue, s.store, s.workers = after.queue-before.queue, after.store-before.store, after.workers-before.workers
	return s, err
}

// processors reads the processor times of all since they began.
func (f *fleet) processors() (s spell, err error) {
	if s.store, err = processor(f.servers[0].Process.Pid); err != nil {
		return s, err
	}
	if s.queue, err = processor(f.servers[1].Process.Pid); err != nil {
		return s, err
	}
	for _, w := range f.crew {
		used, err := processor(w.pid())
		if err != nil {
			return s, err
		}
		s.workers += used
	}
	return s, nil
}

// account gathers the result from the workers' logs, the queue and the store: busy is the time in which jobs waited, calm the one
// in which they came one by one.
func (f *fleet) account(ctx context.Context, busy, calm spell) (*FleetResult, error) {
	res := &FleetResult{Fleet: capacity.Fleet{Workers: f.size, Jobs: f.jobs, Sleep: f.sleep.Seconds()}, Seconds: busy.to.Sub(busy.from).Seconds()}
	ended, stop := context.WithCancel(ctx)
	stop()
	var resident []float64
	for _, w := range f.crew {
		resident = append(resident, watch(ended, w.pid()).ResidentMB)
	}
	res.WorkerMB = median(resident)
	res.StoreMB, res.QueueMB = watch(ended, f.servers[0].Process.Pid).ResidentMB, watch(ended, f.servers[1].Process.Pid).ResidentMB
	d, err := readDiary(f.crew)
	if err != nil {
		return nil, err
	}
	res.Answered = d.answered(busy.from, busy.to)
	res.Share = float64(res.Answered) / (res.Seconds * float64(f.size) / f.sleep.Seconds())
	per := float64(max(res.Answered, 1))
	res.QueueCPU, res.StoreCPU, res.WorkerCPU = busy.queue/per, busy.store/per, busy.workers/per
	res.CalmQueueCPU = calm.queue / float64(max(d.answered(calm.from, calm.to), 1))
	res.Settled, res.Rushed = d.perBin(), calm.from.Sub(d.begun()).Seconds()
	states, err := f.states(ctx)
	if err != nil {
		return nil, err
	}
	res.Handover, res.Wait = percentiles(d.handovers(busy.from, busy.to)), percentiles(d.waits(states, calm.from))
	res.HandoverMS, res.WaitMS = marks(res.Handover), marks(res.Wait)
	if res.Once, err = f.settledOnce(ctx, states, d); err != nil {
		return nil, err
	}
	return res, f.weigh(ctx, res)
}

// weigh looks at what the jobs have left in queue and store.
func (f *fleet) weigh(ctx context.Context, res *FleetResult) error {
	js, err := jetstream.New(f.nc)
	if err != nil {
		return err
	}
	for name, to := range map[string]*float64{jobs.StreamEvents: &res.EventBytes, "KV_" + jobs.BucketState: &res.StateBytes} {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		info := s.CachedInfo().State
		*to = float64(info.Bytes) / float64(max(info.Msgs, 1))
		if name == jobs.StreamEvents {
			res.Events = float64(info.Msgs) / float64(f.jobs)
		}
	}
	some := min(f.jobs, weighed)
	for i := range some {
		for _, prefix := range []string{"restricted/", "release/"} {
			for o := range f.client.ListObjects(ctx, ownBucket, minio.ListObjectsOptions{Prefix: prefix + f.job(i).ID + "/", Recursive: true}) {
				if o.Err != nil {
					return o.Err
				}
				res.Objects += 1 / float64(some)
				switch name := path.Base(o.Key); {
				case name == store.PlanName, name == store.ReportName, name == archive.DraftName, path.Ext(name) == ".mp4":
				default:
					res.ObjectBytes += float64(o.Size) / float64(some)
				}
			}
		}
	}
	return nil
}

// states reads the record of each of the fleet's jobs.
func (f *fleet) states(ctx context.Context) (map[string]jobs.State, error) {
	all := map[string]jobs.State{}
	err := f.queue.States(ctx, func(s jobs.State) bool {
		if strings.HasPrefix(s.ID, fleetPrefix) {
			all[s.ID] = s
		}
		return true
	})
	return all, err
}

// settledOnce counts the jobs that were claimed once, have one answer among the events, and one derivative and one manifest in
// the store.
func (f *fleet) settledOnce(ctx context.Context, states map[string]jobs.State, d diary) (int, error) {
	var answers []seen
	left := len(states)
	err := f.queue.Follow(ctx, "", time.Time{}, func(e jobs.Event) bool {
		if answered(e) {
			answers = append(answers, seen{Event: e})
			left--
		}
		return left > 0
	})
	if err != nil {
		return 0, err
	}
	of := map[string]jobs.Priority{}
	for i := range f.jobs {
		id := f.job(i).ID
		s, there := states[id]
		if there && s.Phase == jobs.Released && s.Epoch == 1 && s.Attempts == 1 && d.claims[id] == 1 {
			of[id] = s.Priority
		}
	}
	return f.once(ctx, fleetPrefix, answers, of)
}
