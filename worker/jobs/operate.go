package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Cancel ends a job that nobody has committed yet, waiting, running or held. Against a commit one of the two wins; the loser
// of the race gets ErrPhase. To cancel a cancelled job changes nothing.
func (q *Queue) Cancel(ctx context.Context, id string) (State, error) {
	s, err := q.change(ctx, id, func(s *State) error {
		if s.Phase == Cancelled {
			return errNothing
		}
		if err := inPhase(s, Queued, Running, Held); err != nil {
			return err
		}
		s.Phase = Cancelled
		s.because(Cause{}, "")
		return nil
	})
	if errors.Is(err, errNothing) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("cancel: %w", err)
	}
	q.tell(ctx, q.answer(s))
	return s, nil
}

// errNothing ends a change that finds its work done.
var errNothing = errors.New("nothing to change")

// RetryOptions say how a job begins anew.
type RetryOptions struct {
	// Decisions are a person's decisions about the plan; a held job needs them.
	Decisions json.RawMessage
	// Fresh forgets the stored plan, so that the clip is analyzed again; not with decisions, which are about that plan.
	Fresh bool
}

// Retry begins the next generation of a job that failed, was cancelled or withdrawn, or, with decisions, of a held one. The
// epoch goes on rising, the counters begin at zero.
func (q *Queue) Retry(ctx context.Context, id string, o RetryOptions) (State, error) {
	var failed bool
	s, err := q.change(ctx, id, func(s *State) error {
		failed = s.Phase == Failed
		return q.renew(s, o)
	})
	if err != nil {
		return s, fmt.Errorf("retry: %w", err)
	}
	q.tell(ctx, q.event(s, EventAccepted)) // before a worker can tell of its first stage
	if err := q.publishJob(ctx, s, fmt.Sprintf("%s.%d", s.ID, s.Generation)); err != nil {
		return s, err
	}
	if failed {
		return s, q.purgeDead(ctx, id)
	}
	return s, nil
}

func (q *Queue) renew(s *State, o RetryOptions) error {
	allowed := []Phase{Failed, Cancelled, Withdrawn}
	if len(o.Decisions) > 0 {
		allowed = append(allowed, Held)
	}
	if err := inPhase(s, allowed...); err != nil {
		return err
	}
	if len(o.Decisions) > 0 && (o.Fresh || s.Plan == nil) {
		return fmt.Errorf("decisions need the plan that they are about: %w", ErrPhase)
	}
	if o.Fresh {
		s.Plan = nil
	}
	if len(o.Decisions) > 0 {
		j, err := s.Decoded()
		if err != nil {
			return err
		}
		j.Decisions = o.Decisions
		if err := q.validator().Validate(j); err != nil {
			return err
		}
		if s.Job, err = j.Encode(); err != nil {
			return err
		}
		if len(s.Job) > MaxJobBytes {
			return &InvalidError{Document: "job", Faults: []string{fmt.Sprintf("is larger than %d bytes", MaxJobBytes)}}
		}
	}
	if s.Result != nil {
		s.Supersedes = s.Result.Envelope
	}
	s.Phase, s.Generation, s.Result = Queued, s.Generation+1, nil
	s.Attempts, s.Failures, s.Deaths = 0, 0, 0
	s.because(Cause{}, "")
	return nil
}

// Withdraw marks a released job as withdrawn. Call it before the release is emptied: whoever dies in between repeats it, which
// changes nothing more.
func (q *Queue) Withdraw(ctx context.Context, id string) (State, error) {
	s, err := q.change(ctx, id, func(s *State) error {
		if s.Phase == Withdrawn {
			return errNothing
		}
		if err := inPhase(s, Released); err != nil {
			return err
		}
		s.Phase = Withdrawn
		return nil
	})
	if err != nil && !errors.Is(err, errNothing) {
		return s, fmt.Errorf("withdraw: %w", err)
	}
	return s, q.ensureAnswer(ctx, s)
}

// Restore puts back the record of a job after the server's state was lost; one that is there is left alone. Unfinished jobs go
// back to queued, and a reconciler sends their wake-up. Its Epoch must be the highest that the store holds of the job, so
// that the next attempt writes under a prefix of its own.
func (q *Queue) Restore(ctx context.Context, s State) error {
	if !ValidID(s.ID) || s.Generation < 1 || len(s.Job) == 0 {
		return fmt.Errorf("restore: %w", errNoState)
	}
	if s.Phase == Running || s.Phase == "" {
		s.Phase = Queued
	}
	if s.Phase == Committing && s.Result == nil {
		return fmt.Errorf("restore %s: committing without a result: %w", s.ID, ErrPhase)
	}
	if _, err := q.create(ctx, &s); err != nil && !errors.Is(err, errSwapped) {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// Advance replaces a job's record by what edit makes of it as it now is, by compare-and-set; edit says whether there is anything
// to replace. It is for records that are older than what is known of their job. An attempt that owned the record loses it
// where edit raises the epoch.
func (q *Queue) Advance(ctx context.Context, id string, edit func(State) (State, bool, error)) (bool, error) {
	_, err := q.change(ctx, id, func(s *State) error {
		next, newer, err := edit(*s)
		if err != nil {
			return err
		}
		if !newer {
			return errNothing
		}
		if next.Phase == Running {
			next.Phase = Queued
		}
		*s = next
		return nil
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("bring record of %s forward: %w", id, err)
	}
	q.wake()
	return true, nil
}
