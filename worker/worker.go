package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/metrics"
	"veil/worker/policy"
	"veil/worker/room"
)

// workerFlags are what veil worker and veil dev share.
type workerFlags struct {
	Slots          int           `group:"worker" default:"0" placeholder:"N" help:"Clips at once; 0: as cores and memory allow."`
	Grace          time.Duration `group:"worker" default:"10m" placeholder:"TIME" help:"How long running clips may go on after the first signal before they are handed back."`
	Stall          time.Duration `group:"worker" default:"15m" placeholder:"TIME" help:"End a stage that made no progress for so long."`
	Reserve        int64         `group:"worker" default:"1024" placeholder:"MIB" help:"Scratch space that stays free."`
	Listen         string        `group:"worker" placeholder:"HOST:PORT" help:"Answer /healthz, /readyz and /metrics here (default: nowhere)."`
	MaxFailures    int           `group:"worker" default:"3" placeholder:"N" help:"Failures of its own after which a job ends in the dead letters."`
	MaxDeaths      int           `group:"worker" default:"10" placeholder:"N" help:"Workers that may die over a job."`
	Collect        time.Duration `group:"worker" default:"1h" placeholder:"TIME" help:"How often what nothing names is removed from the store; 0: never."`
	CollectClips   time.Duration `group:"worker" default:"720h" placeholder:"TIME" help:"A clip that was handed in as a file is removed so long after its job's answer, unless the job is held; 0: never."`
	CollectAge     time.Duration `group:"worker" default:"24h" placeholder:"TIME" help:"What is younger is never removed."`
	Retention      time.Duration `group:"worker" default:"1h" placeholder:"TIME" help:"How often jobs are destroyed whose time is over; 0: never."`
	ObjectLock     bool          `group:"worker" help:"Lock evidence in the store against deletion until the job's destroy-after."`
	RequireSigning bool          `group:"worker" help:"Refuse to start without a key."`
	Trust          string        `group:"worker" placeholder:"FILE" help:"Trust file that says until when the key is good: refuse to start with one that is not good now, and tell its end in the metrics."`
	policy.AllowFlags
}

// Validate refuses numbers that make no sense; kong calls it.
func (f *workerFlags) Validate() error {
	if f.Slots < 0 || f.Grace < 0 || f.Stall < 0 || f.Reserve < 0 || f.Collect < 0 || f.CollectAge < 0 || f.CollectClips < 0 || f.Retention < 0 || f.MaxFailures < 1 || f.MaxDeaths < 1 {
		return errors.New("slots, times and sizes are 0 or more, failures and deaths at least 1")
	}
	if f.Collect > 0 && f.CollectAge < leastCollectAge {
		return errors.New("--collect-age is at least 1h: a slow upload must not be taken for one that was given up")
	}
	return nil
}

const leastCollectAge = time.Hour

// workerCmd is `veil worker`: the daemon.
type workerCmd struct {
	connect.Flags
	workerFlags
	Once bool `group:"worker" help:"End once the queue is empty."`
	Jobs int  `group:"worker" default:"0" placeholder:"N" help:"End after so many jobs; 0: no limit."`
}

// Validate refuses a number that makes no sense; kong calls it.
func (c *workerCmd) Validate() error {
	if c.Jobs < 0 {
		return errors.New("--jobs is 0 or more")
	}
	return c.workerFlags.Validate()
}

// onceEvery is how often a worker that ends with the queue looks whether it is empty.
const onceEvery = 2 * time.Second

// Run works until a signal, or with --once until there is nothing to do.
func (c *workerCmd) Run(ctx context.Context, a *app) error {
	soft, hard, release := stops(ctx)
	defer release()
	log := newLog(a)
	c.Log = log
	c.Person = cmp.Or(c.Person, workerPerson())
	a.sandboxByDefault()
	w, options, err := c.prepare(soft, a)
	if err != nil {
		return err
	}
	w.log, options.Log = log, log
	d := c.daemon(w, a)
	d.reaching = &reaching{flags: &c.Flags, options: options, log: log, first: firstReachWait}
	d.certs = []metrics.Certificate{{Name: "nats-ca", Path: c.NatsCA}, {Name: "nats-client", Path: c.NatsCert}, {Name: "nats-creds", Path: c.NatsCreds}, {Name: "s3-ca", Path: c.S3CA},
		{Name: "source-ca", Path: c.SourceCA}}
	d.most = c.Jobs
	if c.Once {
		d.until = &emptied{every: onceEvery}
	}
	defer func() {
		if w.service != nil {
			_ = w.service.Close()
		}
	}()
	return d.run(soft, hard)
}

// stops gives a context for each of the two signals, and what ends listening to them. A third one ends the process.
func stops(ctx context.Context) (soft, hard context.Context, release func()) {
	soft, softStop := context.WithCancel(ctx)
	hard, hardStop := context.WithCancel(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		defer signal.Stop(signals)
		for _, stop := range []func(){softStop, hardStop} {
			select {
			case <-signals:
				stop()
			case <-done:
				return
			}
		}
	})
	return soft, hard, func() {
		close(done)
		listening.Wait()
		softStop()
		hardStop()
	}
}

// prepare makes a worker that lacks only its connections, and the queue's options.
func (f *workerFlags) prepare(ctx context.Context, a *app) (*worker, jobs.Options, error) {
	set, err := f.Set()
	if err != nil {
		return nil, jobs.Options{}, err
	}
	key, err := a.signingKey(f.RequireSigning)
	if err != nil {
		return nil, jobs.Options{}, err
	}
	if err := f.checkKey(key, time.Now()); err != nil {
		return nil, jobs.Options{}, err
	}
	config, err := a.ready()
	if err != nil {
		return nil, jobs.Options{}, err
	}
	sandbox, err := a.sandboxInForce(ctx, config)
	if err != nil {
		return nil, jobs.Options{}, err
	}
	config = shareThreads(config, f.slots())
	w := &worker{engine: a.engine, crashLog: a.CrashLog, config: config, policies: set, room: room.New(config.Scratch, f.Reserve<<20),
		meters: metrics.New(), stall: f.Stall, sandbox: sandbox, lockEvidence: f.ObjectLock, key: key}
	o := jobs.Options{Validator: f.Validator(set), MaxFailures: f.MaxFailures, MaxDeaths: f.MaxDeaths, Classify: causeFor}
	return w, o, nil
}

// slots is how many clips run at once.
func (f *workerFlags) slots() int {
	if f.Slots > 0 {
		return f.Slots
	}
	return defaultSlots(usableCores(), memory())
}

// daemon is w with what the flags say of serving.
func (f *workerFlags) daemon(w *worker, a *app) *daemon {
	d := &daemon{worker: w, slots: f.slots(), grace: f.Grace, listen: f.Listen, collect: collecting{every: f.Collect, age: f.CollectAge, clips: f.CollectClips},
		retention: f.Retention}
	if f.Trust != "" && w.key != nil {
		d.keyUntil = func() (time.Time, bool) {
			k, err := f.trusted(w.key)
			return k.Until, err == nil && !k.Until.IsZero()
		}
	}
	return d
}
