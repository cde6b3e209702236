package jobs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ServeOptions say how a worker works.
type ServeOptions struct {
	Slots int           // jobs at once, at least 1
	Most  int           // jobs in all, after which Serve ends; 0: no limit
	Grace time.Duration // how long running jobs may go on after the soft stop before they are handed back
	// Admit, where given, waits until there is room for one more job (memory, scratch space), before each claim.
	Admit func(context.Context) error
	// ReconcileEvery is the interval of the reconciler; default one minute.
	ReconcileEvery time.Duration
	// Settled, where given, hears how each attempt ended.
	Settled func(a *Attempt, fate Fate, err error)
}

// Process does the work of one attempt: everything up to Commit, unless the attempt has a Result already, and what makes the
// result visible. It returns when its context ends, with everything it started gone.
type Process func(ctx context.Context, a *Attempt) error

// Serve claims jobs and has them processed until soft ends; running ones then have Grace to finish, or until hard ends, and
// are handed back uncounted. It returns when all are settled.
func (q *Queue) Serve(soft, hard context.Context, o ServeOptions, process Process) {
	soft, end := context.WithCancel(soft)
	defer end()
	work, stop := context.WithCancel(hard)
	defer stop()
	orElse(&o.ReconcileEvery, time.Minute)
	var slots, helpers sync.WaitGroup
	var begun atomic.Int64
	turn := func() bool { return o.Most <= 0 || begun.Add(1) <= int64(o.Most) }
	for range max(o.Slots, 1) {
		slots.Go(func() { q.slot(soft, work, o, turn, process) })
	}
	helpers.Go(func() { q.Reconcile(soft, o.ReconcileEvery) })
	helpers.Go(func() {
		select {
		case <-soft.Done():
			_ = wait(work, o.Grace)
			stop()
		case <-work.Done():
		}
	})
	slots.Wait()
	end()
	stop()
	helpers.Wait()
}

// slot works on one job after the other, as long as it is given a turn.
func (q *Queue) slot(soft, hard context.Context, o ServeOptions, turn func() bool, process Process) {
	for soft.Err() == nil && hard.Err() == nil && turn() {
		if !q.admitted(soft, o) {
			return
		}
		a, err := q.Next(soft)
		if err != nil {
			return
		}
		ctx := a.Begin(hard)
		if soft.Err() != nil {
			a.Stop()
			err = ErrStopping
		} else {
			err = process(ctx, a)
		}
		fate, settleErr := a.Settle(hard, err)
		if settleErr != nil {
			q.o.Log.Warn("settle", "job_id", a.job.ID, "fate", string(fate), "error", settleErr)
		}
		if o.Settled != nil {
			o.Settled(a, fate, errors.Join(err, settleErr))
		}
	}
}

// admitted waits until there is room for one more job; false where ctx ended first.
func (q *Queue) admitted(ctx context.Context, o ServeOptions) bool {
	for o.Admit != nil {
		err := o.Admit(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		q.o.Log.Warn("admit", "error", err)
		_ = wait(ctx, q.o.PollEvery)
	}
	return ctx.Err() == nil
}
