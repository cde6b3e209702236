package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Next waits for a job and claims it: urgent before normal before bulk. It returns an error only when ctx has ended. The
// attempt is the caller's, who must Begin and Settle it.
func (q *Queue) Next(ctx context.Context) (*Attempt, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-q.turn:
	}
	deaf := func() {} // ends listening; before the first look that finds nothing nobody listens
	defer func() { deaf(); q.turn <- struct{}{} }()
	for looks, listening := 0, false; ; looks++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		msg := q.poll()
		if msg == nil {
			if !listening {
				if stop, err := q.listen(); err != nil {
					q.o.Log.Debug("listen", "error", err)
				} else {
					deaf, listening = stop, true
				}
			}
			if q.idle(ctx, looks) {
				looks = -1 // the next is the first since
			}
			continue
		}
		a, err := q.receive(ctx, msg)
		if err != nil {
			q.o.Log.Warn("receive job", "error", err)
			_ = wait(ctx, writeWait)
		}
		if a != nil {
			if m, err := msg.Metadata(); err == nil && m.NumPending > 0 {
				q.wake() // the next job's wake-up may have been this worker's too
			}
			return a, nil
		}
	}
}

// poll asks each priority in turn for one message that is there now. It asks nothing while the connection is down: a request
// that arrives late would be answered to nobody, and its job wait for AckWait.
func (q *Queue) poll() jetstream.Msg {
	for i, c := range q.consumers {
		if !q.nc.IsConnected() {
			return nil
		}
		batch, err := c.FetchNoWait(1)
		if err == nil {
			for m := range batch.Messages() {
				return m
			}
			err = batch.Error()
		}
		if err != nil {
			q.o.Log.Debug("poll", "priority", string(Priorities()[i]), "error", err)
		}
	}
	return nil
}

// afterWake are the pauses between the looks that follow a wake-up, or the start of listening: the server confirms a message a
// moment before its consumer counts it, and a wake-up may have come a moment too early to be heard.
var afterWake = []time.Duration{5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond}

// idle waits for a wake-up, which it reports, or for the time to look again; looks counts those since the last wake-up.
func (q *Queue) idle(ctx context.Context, looks int) bool {
	pause := q.o.PollEvery
	if looks < len(afterWake) {
		pause = min(pause, afterWake[looks])
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-q.woken:
		return true
	}
	return false
}

// receive looks at the record that the message points to, and claims the job or says what the message needs.
func (q *Queue) receive(ctx context.Context, msg jetstream.Msg) (*Attempt, error) {
	ctx, cancel := q.final(ctx)
	defer cancel()
	priority, id, ok := splitSubject(msg.Subject())
	if !ok {
		if err := q.sendDead(ctx, DeadLetter{ID: unreadableToken, Code: CodeUnreadable}); err != nil {
			return nil, err
		}
		return nil, term(msg, CodeUnreadable)
	}
	for {
		s, rev, err := q.load(ctx, id)
		if errors.Is(err, ErrNotFound) {
			s, rev, err = q.adopt(ctx, msg, priority, id)
		}
		var newer *NewerError
		switch {
		case errors.As(err, &newer):
			q.o.Log.Info("job is for a newer worker", "job_id", id, "version", newer.Version)
			return nil, nak(msg, q.o.NewerDelay)
		case errors.Is(err, errSwapped):
			continue
		case err != nil:
			return nil, errors.Join(err, nak(msg, q.o.PollEvery))
		case s.Phase.Final():
			return nil, q.finish(ctx, msg, s)
		case s.Priority != priority:
			// A stray message: the job's own one lies elsewhere, and the reconciler sees to it that it does.
			return nil, doubleAck(ctx, msg)
		}
		a, err := q.claim(ctx, msg, s, rev)
		if !errors.Is(err, errSwapped) {
			return a, err
		}
		// Who changed the record first? Where another worker took the job, the message is its business.
		now, _, err := q.load(ctx, id)
		if err != nil || now.Epoch > s.Epoch {
			return nil, err
		}
	}
}

// adopt makes the record of a job whose message is all there is: sent by a program that knows only NATS, or the record was
// lost. A job that makes no sense gets a record too, as rejected.
func (q *Queue) adopt(ctx context.Context, msg jetstream.Msg, p Priority, id string) (State, uint64, error) {
	s, err := q.stateOf(msg.Data(), id, p)
	if err != nil {
		return State{}, 0, err
	}
	rev, err := q.create(ctx, &s)
	if err == nil && s.Phase == Queued {
		q.tell(ctx, q.event(s, EventAccepted))
	}
	return s, rev, err
}

// stateOf is the record of a job of which there is nothing but its message.
func (q *Queue) stateOf(data []byte, id string, p Priority) (State, error) {
	s := State{ID: id, Phase: Queued, Generation: 1, Priority: p, Submitted: q.o.Now().UTC()}
	j, err := ParseJob(data, q.validator())
	if err == nil && (j.ID != id || j.Priority != p) {
		err = &InvalidError{Document: "job", Faults: []string{"id and priority must be those of the message's subject"}}
	}
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid):
		s.reject(invalid)
	case err != nil:
		return State{}, err
	default:
		if s.Job, err = j.Encode(); err != nil {
			return State{}, err
		}
		if s.Submission, err = j.Digest(); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

func (q *Queue) validator() Validator {
	v := q.o.Validator
	v.Now = q.o.Now
	return v
}

func (s *State) reject(e *InvalidError) {
	s.Phase, s.Faults = Rejected, e.Faults
	s.because(Cause{Code: CodeRejected}, "")
}

// claim makes the job this worker's, by compare-and-set and before any work. errSwapped says that somebody was faster.
func (q *Queue) claim(ctx context.Context, msg jetstream.Msg, s State, rev uint64) (*Attempt, error) {
	j, err := s.Decoded()
	if err != nil {
		return nil, errors.Join(err, nak(msg, q.o.NewerDelay))
	}
	if s.Phase != Committing {
		j, err = ParseJob(s.Job, q.validator())
		var invalid *InvalidError
		switch {
		case errors.As(err, &invalid):
			s.reject(invalid)
			if _, err := q.swap(ctx, &s, rev); err != nil {
				return nil, err
			}
			return nil, q.finish(ctx, msg, s)
		case err != nil: // a newer version
			return nil, nak(msg, q.o.NewerDelay)
		}
	}
	found := s.Phase
	s.Epoch, s.Worker = s.Epoch+1, q.o.Worker
	if found != Committing {
		s.Phase, s.Attempts = Running, s.Attempts+1
	}
	if found == Running {
		s.Deaths++ // its worker never said a word
	}
	if found == Running && s.Deaths >= q.o.MaxDeaths {
		s.Phase = Failed
		s.because(Cause{Code: CodeWorkerDied}, fmt.Sprintf("%d workers died over this job", s.Deaths))
	} else {
		s.because(Cause{}, "")
	}
	rev, err = q.swap(ctx, &s, rev)
	if err != nil {
		return nil, err
	}
	if s.Phase == Failed {
		return nil, q.finish(ctx, msg, s)
	}
	q.o.Log.Info("claimed", "job_id", s.ID, "attempt", s.Attempts, "epoch", s.Epoch, "phase", string(s.Phase))
	if s.Phase == Running {
		q.tell(ctx, q.event(s, EventStarted))
	}
	return &Attempt{q: q, msg: msg, job: j, state: s, rev: rev}, nil
}

// finish sees a message off whose job has its answer: whoever gave the answer may have died before telling it.
func (q *Queue) finish(ctx context.Context, msg jetstream.Msg, s State) error {
	if s.Phase == Failed {
		if err := q.putDead(ctx, s); err != nil {
			return err
		}
	}
	if err := q.ensureAnswer(ctx, s); err != nil {
		return err
	}
	if s.Phase == Failed || s.Phase == Rejected {
		return term(msg, s.Code)
	}
	return doubleAck(ctx, msg)
}

func term(msg jetstream.Msg, reason string) error {
	if err := msg.TermWithReason(reason); err != nil {
		return fmt.Errorf("terminate message: %w", err)
	}
	return nil
}

func nak(msg jetstream.Msg, delay time.Duration) error {
	if err := msg.NakWithDelay(delay); err != nil {
		return fmt.Errorf("give message back: %w", err)
	}
	return nil
}

func doubleAck(ctx context.Context, msg jetstream.Msg) error {
	if err := msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge message: %w", err)
	}
	return nil
}
