package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Attempt is one worker's claim on one job. Begin it, work under the context that Begin gives, Commit what was made, make it
// visible, Settle it. It is safe for several goroutines up to Settle, which ends it.
type Attempt struct {
	q   *Queue
	msg jetstream.Msg
	job Job

	mu    sync.Mutex // guards what follows
	state State
	rev   uint64

	cancel context.CancelCauseFunc // of the context that Begin gave
	cause  error                   // the first reason to stop; nil while there is none
	done   bool
	beats  sync.WaitGroup
	unhook func() bool

	told      time.Time
	toldStage string
}

// Job is what is to be done.
func (a *Attempt) Job() Job { return a.job }

// State is the record as this attempt knows it.
func (a *Attempt) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// Result is what is to be made visible, and nil as long as nothing was committed. An attempt that starts with one was left by
// a worker that died after its commit: nothing is to be done anew.
func (a *Attempt) Result() *Result { return a.State().Result }

// Begin starts the heartbeat and returns the context to work under. It ends with ErrEpochLost, ErrCancelled or, once hard
// ends, ErrStopping as its cause. Call it once, right after Next.
func (a *Attempt) Begin(hard context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(hard))
	a.mu.Lock()
	a.cancel = cancel
	a.mu.Unlock()
	a.unhook = context.AfterFunc(hard, a.Stop)
	a.beats.Go(func() { a.beat(ctx) })
	return ctx
}

// Stop ends the attempt's context with ErrStopping: its job goes back uncounted.
func (a *Attempt) Stop() { a.stop(ErrStopping) }

func (a *Attempt) stop(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cause == nil {
		a.cause = cause
	}
	if a.cancel != nil {
		a.cancel(a.cause)
	}
}

// beat looks every CheckEvery whether the job is still this attempt's, and only then, every third of AckWait, tells the
// server that it is being worked on. A server that is away is no reason to stop: the epoch decides later.
func (a *Attempt) beat(ctx context.Context) {
	last := time.Now()
	for wait(ctx, a.q.o.CheckEvery) == nil {
		err := a.check(ctx)
		if errors.Is(err, ErrEpochLost) || errors.Is(err, ErrCancelled) {
			a.stop(err)
			return
		}
		if err != nil || ctx.Err() != nil || time.Since(last) < a.q.ackWait/3-a.q.o.CheckEvery/2 {
			continue
		}
		if err := a.msg.InProgress(); err != nil {
			a.q.o.Log.Warn("heartbeat", "job_id", a.job.ID, "error", err)
			continue
		}
		last = time.Now()
	}
}

// check reads the record: nil where the attempt still owns it.
func (a *Attempt) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	s, _, err := a.reload(ctx)
	if err != nil {
		return err
	}
	return a.owns(s)
}

// reload reads the record as it now is. One that is gone, or that only a newer build can read, is not this attempt's.
func (a *Attempt) reload(ctx context.Context) (State, uint64, error) {
	s, rev, err := a.q.load(ctx, a.job.ID)
	var newer *NewerError
	if errors.Is(err, ErrNotFound) || errors.As(err, &newer) {
		err = ErrEpochLost
	}
	return s, rev, err
}

// owns holds a record against the claim.
func (a *Attempt) owns(s State) error {
	mine := a.State()
	switch {
	case s.Generation != mine.Generation || s.Epoch != mine.Epoch || !s.Submitted.Equal(mine.Submitted): // or forgotten, and handed in anew
		return ErrEpochLost
	case s.Phase == Cancelled:
		return ErrCancelled
	}
	return nil
}

// edit is a compare-and-set on the record that this attempt owns. Its error is ErrEpochLost or ErrCancelled where it owns it
// no longer.
func (a *Attempt) edit(ctx context.Context, change func(*State) error) error {
	for {
		a.mu.Lock()
		next, rev := a.state, a.rev
		a.mu.Unlock()
		if err := change(&next); err != nil {
			return err
		}
		rev, err := a.q.swap(ctx, &next, rev)
		if err != nil && !errors.Is(err, errSwapped) {
			return err
		}
		if err != nil {
			if next, rev, err = a.reload(ctx); err == nil {
				err = a.owns(next)
			}
			if err != nil {
				return err
			}
			// An own write whose answer was given up on has arrived late.
			a.mu.Lock()
			a.state, a.rev = next, rev
			a.mu.Unlock()
			continue
		}
		a.mu.Lock()
		a.state, a.rev = next, rev
		a.mu.Unlock()
		return nil
	}
}

// SavePlan records that the plan of this attempt lies under its restricted prefix, so that a later attempt starts there.
func (a *Attempt) SavePlan(ctx context.Context, sha256 string) error {
	if !isHex(sha256, 64) {
		return fmt.Errorf("save plan of %s: %w", a.job.ID, errNoDigest)
	}
	return a.edit(ctx, func(s *State) error {
		if s.Phase != Running {
			return inPhase(s, Running)
		}
		s.Plan = &Stored{Generation: s.Generation, Epoch: s.Epoch, SHA256: sha256}
		return nil
	})
}

var (
	errNoDigest = errors.New("not a SHA-256 in hex")
	errNoCode   = errors.New("a finding must be a plain code: it travels in events")
)

// Commit decides who publishes: from here on no cancel and no other attempt can win. Everything that r names must lie under
// the attempt's restricted prefix, read back and signed. The error is ErrEpochLost or ErrCancelled where this attempt lost.
func (a *Attempt) Commit(ctx context.Context, r Result) error {
	if r.Outcome != Released && r.Outcome != Held {
		return fmt.Errorf("commit %s: outcome %q: %w", a.job.ID, r.Outcome, ErrPhase)
	}
	if !isHex(r.Envelope, 64) {
		return fmt.Errorf("commit %s: %w", a.job.ID, errNoDigest)
	}
	if r.Plan != "" && !isHex(r.Plan, 64) {
		return fmt.Errorf("commit %s: %w", a.job.ID, errNoDigest)
	}
	for _, f := range r.Findings {
		if !ValidID(f) {
			return fmt.Errorf("commit %s: %w", a.job.ID, errNoCode)
		}
	}
	a.mu.Lock()
	cause := a.cause
	a.mu.Unlock()
	if cause != nil {
		return cause
	}
	return a.edit(ctx, func(s *State) error {
		if s.Phase == Committing {
			return nil
		}
		if err := inPhase(s, Running); err != nil {
			return err
		}
		r.Generation, r.Epoch = s.Generation, s.Epoch
		s.Phase, s.Result = Committing, &r
		if r.Outcome == Held && r.Plan != "" {
			s.Plan = &Stored{Generation: s.Generation, Epoch: s.Epoch, SHA256: r.Plan}
		}
		return nil
	})
}

// Progress tells a stage (a plain name) and how much of it is done, 0 to 100. It may be called for every frame: what is sent
// is one event per stage and ProgressEvery.
func (a *Attempt) Progress(stage string, percent int) {
	if !ValidID(stage) {
		return
	}
	percent = min(max(percent, 0), 100)
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done || a.cause != nil || stage == a.toldStage && now.Sub(a.told) < a.q.o.ProgressEvery {
		return
	}
	a.told, a.toldStage = now, stage
	e := a.q.event(a.state, EventStage)
	e.Stage, e.Percent = stage, &percent
	a.q.sayStage(e)
}
