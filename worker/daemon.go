package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"veil/pipeline"
	"veil/worker/archive"
	"veil/worker/jobs"
	"veil/worker/metrics"
	"veil/worker/retention"
	"veil/worker/store"
)

// daemon is a worker with all that serves it: health and metrics, collecting, the record's copies.
type daemon struct {
	*worker
	slots   int
	most    int // jobs after which it ends; 0: no limit
	grace   time.Duration
	collect collecting
	// retention is how often jobs are destroyed whose time is over; 0: never.
	retention time.Duration
	listen    string

	certs []metrics.Certificate
	// keyUntil tells until when the signing key is good, if that is known; nil where nobody can know.
	keyUntil func() (time.Time, bool)
	until    *emptied // ends the work once the queue is empty; nil: never

	reaching *reaching // connects at the start; nil where service is there already
	up       atomic.Bool
}

// admit waits for scratch space, and says so: a worker that takes no job for want of it looks idle otherwise.
func (d *daemon) admit(ctx context.Context) error {
	return d.room.Admit(ctx, func(free, need int64) {
		d.log.Warn("waiting for scratch space", "code", "no_space", "free_mib", max(free, 0)>>20, "needed_mib", need>>20)
	})
}

// run reaches queue and store and works until soft ends; running jobs then have grace to finish, or until hard ends. It returns
// when everything that it started is gone.
func (d *daemon) run(soft, hard context.Context) error {
	soft, stop := context.WithCancel(soft)
	defer stop()
	d.meters.Worker(build().Revision, d.slots, d.room.Reserve())
	stopHealth, err := d.meters.Serve(metrics.Health{
		Listen: d.listen, Unready: func(ctx context.Context) string { return d.unready(soft, ctx) }, Certs: d.certs, Log: d.log,
		Sources: d.sources, KeyUntil: d.keyUntil,
	})
	if err != nil {
		return err
	}
	defer stopHealth()
	if d.reaching != nil {
		if d.service, d.trust, err = d.reaching.reach(soft); err != nil {
			if soft.Err() != nil { // stopped while it waited: there is nothing to hand back
				d.log.Info("stopped")
				return nil
			}
			return err
		}
		if err := d.checkLock(); err != nil {
			return err
		}
	}
	d.up.Store(true)
	var helpers sync.WaitGroup
	helpers.Go(func() { d.every(soft, "collect", d.collect.every, d.collectOnce) })
	helpers.Go(func() { d.every(soft, "retention", d.retention, d.destroyOnce) })
	if d.until != nil {
		helpers.Go(func() { d.until.watch(soft, d.service.Queue, stop) })
	}
	d.log.Info("serving", "slots", d.slots, "build", build().Revision, "sandbox", d.sandbox, "key", keyName(d.key))
	d.service.Queue.Serve(soft, hard, jobs.ServeOptions{
		Slots: d.slots, Most: d.most, Grace: d.grace, Admit: d.admit, Settled: func(a *jobs.Attempt, f jobs.Fate, err error) { d.settled(hard, a, f, err) },
	}, d.counted)
	stop()
	helpers.Wait()
	d.log.Info("stopped")
	return nil
}

// sources are what metrics ask; false before queue and store were reached.
func (d *daemon) sources() (metrics.Sources, bool) {
	if !d.up.Load() {
		return metrics.Sources{}, false
	}
	return metrics.Sources{Queue: d.service.Queue, Connected: d.service.NC.IsConnected, Free: d.room.Free, Store: d.storeAnswers, Holds: d.holds}, true
}

// storeAnswers asks the store for something that is not there.
func (d *daemon) storeAnswers(ctx context.Context) error {
	_, err := d.service.Store.Stat(ctx, "probe/metrics")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// holds tells which jobs are under a legal hold.
func (d *daemon) holds(ctx context.Context) (func(id string) bool, error) {
	holds, err := retention.Holds(ctx, d.service.Store)
	return func(id string) bool { _, held := holds[id]; return held }, err
}

// unready says in one word why this worker takes no jobs now.
func (d *daemon) unready(soft, ctx context.Context) string {
	if soft.Err() != nil {
		return "stopping"
	}
	if !d.up.Load() {
		return d.reaching.word()
	}
	if _, err := d.service.Queue.Depth(ctx); err != nil || !d.service.NC.IsConnected() {
		return "queue"
	}
	if d.room.Low() {
		return "scratch"
	}
	return ""
}

// counted is process with its running count.
func (d *daemon) counted(ctx context.Context, a *jobs.Attempt) error {
	defer d.meters.Working()()
	if d.until != nil {
		d.until.begin()
		defer d.until.end()
	}
	return d.process(ctx, a)
}

// keepLimit bounds the copy of a record, which may have to happen while the worker shuts down.
const keepLimit = 20 * time.Second

// settled counts how an attempt ended and keeps the answer's record in the store.
func (d *daemon) settled(ctx context.Context, a *jobs.Attempt, fate jobs.Fate, err error) {
	s := a.State()
	d.meters.Settled(s, fate, err)
	if fate == jobs.FateLost || fate == jobs.FateStopping {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	if err := archive.KeepState(ctx, d.service, s.ID); err != nil && !errors.Is(err, jobs.ErrNotFound) {
		d.log.Warn("keep record", "job_id", s.ID, "code", causeFor(err).Code)
	}
}

// emptied watches for the end of the work: nothing runs here, and nothing is left in the queue.
type emptied struct {
	mu      sync.Mutex
	running int
	every   time.Duration
}

func (e *emptied) begin() { e.mu.Lock(); e.running++; e.mu.Unlock() }
func (e *emptied) end()   { e.mu.Lock(); e.running--; e.mu.Unlock() }

func (e *emptied) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running == 0
}

// watch calls stop once two looks in a row find nothing to do.
func (e *emptied) watch(ctx context.Context, q *jobs.Queue, stop func()) {
	t := time.NewTicker(e.every)
	defer t.Stop()
	for quiet := 0; quiet < 2; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		depth, err := q.Depth(ctx)
		left := 0
		for _, n := range depth {
			left += n
		}
		if err == nil && left == 0 && e.idle() {
			quiet++
		} else {
			quiet = 0
		}
	}
	stop()
}

// collecting says when what nothing names is removed.
type collecting struct {
	every time.Duration // 0: never
	age   time.Duration // younger objects are left alone: somebody may be putting them
	clips time.Duration // after its job's answer a clip that was handed in goes so late; 0: never
}

// every does a piece of housekeeping now and then, each worker at moments of its own, until ctx ends.
func (d *daemon) every(ctx context.Context, what string, interval time.Duration, do func(context.Context) error) {
	if interval <= 0 {
		return
	}
	wait := time.Duration(rand.Int64N(int64(interval)))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn(what, "code", causeFor(err).Code)
		}
		wait = interval
	}
}

// destroyOnce destroys what may stay no longer, in store, queue and access log.
func (d *daemon) destroyOnce(ctx context.Context) error {
	r, err := sweeper(d.service, d.key).Run(ctx, true)
	done := 0
	for _, j := range r.Jobs {
		if j.Done {
			done++
		}
	}
	if done+r.Failed+r.Access.Entries > 0 {
		d.log.Info("retention", "jobs", done, "failed", r.Failed, "entries", r.Access.Entries)
	}
	return err
}

// collectOnce tidies the store, and removes the scratch folders of dead processes.
func (d *daemon) collectOnce(ctx context.Context) error {
	if err := store.CheckClock(ctx, d.service.Store, time.Now); err != nil {
		return err // what is old cannot be told
	}
	n, err := archive.Tidy(ctx, d.service, d.collect.age)
	clips := 0
	if d.collect.clips > 0 {
		var dropped error
		clips, dropped = archive.DropClips(ctx, d.service, d.collect.clips)
		err = errors.Join(err, dropped)
	}
	if n.Attempts+n.Releases+n.Uploads+clips > 0 {
		d.log.Info("collected", "attempts", n.Attempts, "releases", n.Releases, "uploads", n.Uploads, "clips", clips)
	}
	return errors.Join(err, pipeline.Sweep(d.config.Scratch))
}

// newLog is the daemon's log: JSON lines that name no clip, case or place.
func newLog(a *app) *slog.Logger { return slog.New(slog.NewJSONHandler(a.err, nil)) }

// shareThreads gives each of the clips that run at once its part of the cores.
func shareThreads(c pipeline.Config, slots int) pipeline.Config {
	if c.Threads == 0 && slots > 1 {
		c.Threads = max(1, usableCores()/slots)
	}
	return c
}
