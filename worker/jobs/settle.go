package jobs

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// Fate is how an attempt ended.
type Fate string

// The fates.
const (
	FateAnswered  Fate = "answered"  // released or held
	FateCancelled Fate = "cancelled" // somebody cancelled the job
	FateLost      Fate = "lost"      // another worker has it: nothing was said
	FateStopping  Fate = "stopping"  // handed back, uncounted
	FateRetry     Fate = "retry"     // queued again after a delay
	FateDead      Fate = "dead"      // failed for good
)

// Settle ends an attempt with what its work came to: nil after its result was made visible, else an error whose type decides.
// It stops the heartbeat, writes the record, tells, and only then, having made sure that the job is still its own, answers
// the server. It works on after ctx has ended, for FinalLimit. An error of its own leaves the job to whoever receives the
// message next.
func (a *Attempt) Settle(ctx context.Context, err error) (Fate, error) {
	a.end()
	ctx, cancel := a.q.final(ctx)
	defer cancel()
	fate := a.fate(err)
	settleErr := a.settle(ctx, fate, err)
	switch {
	case errors.Is(settleErr, ErrEpochLost):
		fate, settleErr = FateLost, nil
	case errors.Is(settleErr, ErrCancelled):
		fate = FateCancelled
		settleErr = a.settle(ctx, fate, nil)
	}
	s := a.State()
	if s.Phase == Failed && fate == FateRetry {
		fate = FateDead
	}
	a.q.o.Log.Info("settled", "job_id", s.ID, "attempt", s.Attempts, "epoch", s.Epoch, "fate", string(fate),
		"phase", string(s.Phase), "code", s.Code)
	return fate, settleErr
}

// end stops the heartbeat: after the last word to the server nothing may follow.
func (a *Attempt) end() {
	a.mu.Lock()
	a.done = true
	cancel := a.cancel
	a.mu.Unlock()
	if a.unhook != nil {
		a.unhook()
	}
	if cancel != nil {
		cancel(context.Canceled)
	}
	a.beats.Wait()
}

// fate reads what became of the attempt. Losing the job outweighs everything; a result that is out outweighs a shutdown; and
// what went wrong while shutting down may be the shutdown's doing, so it does not count.
func (a *Attempt) fate(err error) Fate {
	a.mu.Lock()
	cause := a.cause
	result := a.state.Result
	a.mu.Unlock()
	if err == nil && result == nil {
		err = errNoResult
	}
	var lasting *permanent
	switch {
	case is(ErrEpochLost, cause, err):
		return FateLost
	case is(ErrCancelled, cause, err):
		return FateCancelled
	case err == nil:
		return FateAnswered
	case is(ErrStopping, cause, err):
		return FateStopping
	case errors.As(err, &lasting):
		return FateDead
	}
	return FateRetry
}

func is(target error, errs ...error) bool {
	for _, err := range errs {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// settle is the one switch over what becomes of a job.
func (a *Attempt) settle(ctx context.Context, fate Fate, err error) error {
	switch fate {
	case FateAnswered:
		if err := a.edit(ctx, answered); err != nil {
			return err
		}
		return a.close(ctx)
	case FateCancelled:
		return a.closeCancelled(ctx)
	case FateLost:
		return nil
	case FateStopping:
		if err := a.edit(ctx, handedBack); err != nil {
			return err
		}
		return a.giveBack(ctx, 0)
	case FateDead:
		if err := a.edit(ctx, a.failed(err)); err != nil {
			return err
		}
		return a.close(ctx)
	default:
		return a.retry(ctx, err)
	}
}

// answered is committing to the outcome.
func answered(s *State) error {
	if err := inPhase(s, Committing); err != nil {
		return err
	}
	s.Phase = s.Result.Outcome
	return nil
}

// handedBack is running to queued as if there had been no attempt. A committed result stays committed.
func handedBack(s *State) error {
	if s.Phase == Running {
		s.Phase, s.Attempts = Queued, s.Attempts-1
	}
	return nil
}

// failed is the end in the dead letters.
func (a *Attempt) failed(err error) func(*State) error {
	return func(s *State) error {
		s.Phase, s.Failures = Failed, s.Failures+1
		s.because(a.q.cause(err), detail(err))
		return nil
	}
}

// retry puts the job back into the queue, or fails it where it has had its tries. A committed result is tried for as long as
// it takes: it has won, and everything that remains can be repeated.
func (a *Attempt) retry(ctx context.Context, err error) error {
	if err == nil {
		err = errNoResult
	}
	var later *retryAfter
	waits := errors.As(err, &later)
	var delay time.Duration
	change := func(s *State) error {
		if !waits {
			s.Failures++
		}
		delay = a.q.o.RetryDelay(max(s.Failures, 1))
		if waits {
			delay = later.delay
		}
		s.because(a.q.cause(err), detail(err))
		switch {
		case s.Phase == Committing:
		case s.Failures >= a.q.o.MaxFailures && !waits:
			s.Phase = Failed
		default:
			s.Phase = Queued
		}
		return nil
	}
	if err := a.edit(ctx, change); err != nil {
		return err
	}
	if a.State().Phase == Failed {
		return a.close(ctx)
	}
	e := a.q.event(a.State(), EventRetrying)
	cause := a.q.cause(err)
	e.Code, e.Remedy = cause.Code, cause.Remedy
	a.q.tell(ctx, e)
	return a.giveBack(ctx, delay)
}

// cause is what the world is told of an error. A code that is none could hold anything.
func (q *Queue) cause(err error) Cause {
	c := q.o.Classify(err)
	if !code.MatchString(c.Code) {
		c.Code = CodeInternal
	}
	return c
}

var code = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

const maxDetailBytes = 2000

// detail is what the record keeps of an error.
func detail(err error) string {
	if err == nil {
		err = errNoResult
	}
	text := err.Error()
	if len(text) > maxDetailBytes {
		text = text[:maxDetailBytes]
	}
	return text
}

// close tells the answer and sees the message off.
func (a *Attempt) close(ctx context.Context) error {
	if err := a.confirm(ctx); err != nil {
		return err
	}
	return a.q.finish(ctx, a.msg, a.State())
}

// closeCancelled sees the message of a cancelled job off, unless it was begun anew meanwhile: then the message is the new
// generation's.
func (a *Attempt) closeCancelled(ctx context.Context) error {
	s, _, err := a.reload(ctx)
	if err != nil {
		return err
	}
	if err := a.owns(s); !errors.Is(err, ErrCancelled) {
		return ErrEpochLost
	}
	a.mu.Lock()
	a.state = s
	a.mu.Unlock()
	return a.q.finish(ctx, a.msg, s)
}

// giveBack lets the server deliver the message again after delay, to whoever asks.
func (a *Attempt) giveBack(ctx context.Context, delay time.Duration) error {
	if err := a.confirm(ctx); err != nil {
		return err
	}
	err := nak(a.msg, delay)
	if delay == 0 {
		a.q.wake()
	}
	return err
}

// confirm makes sure, directly before a word to the server, that nobody else has the job: a late word would hit the newer
// attempt.
func (a *Attempt) confirm(ctx context.Context) error {
	s, _, err := a.reload(ctx)
	if err != nil {
		return err
	}
	mine := a.State()
	if s.Token != mine.Token {
		return ErrEpochLost
	}
	return nil
}
