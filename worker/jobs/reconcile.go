package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// rescanEvery bounds how long one watch is trusted.
const rescanEvery = time.Hour

// answerWithin bounds how long the server may take to begin a watch, and for each question of a look: it may have gone away in the middle of it.
const answerWithin = 30 * time.Second

// Reconcile looks every interval for unfinished jobs without a message, as a submitter that died between record and message
// leaves them, and publishes their wake-up again, until ctx ends. Every worker runs it; one of them looks, the others stand by.
// That one keeps the subjects of unfinished jobs in memory, fed by a watch, so that a bucket full of finished ones costs nothing.
func (q *Queue) Reconcile(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		err := q.keep(ctx, interval)
		if err != nil && !errors.Is(err, errOtherKeeper) && ctx.Err() == nil {
			q.o.Log.Warn("reconcile", "error", err)
			_ = wait(ctx, interval)
		}
	}
}

// keep reconciles once nobody else does, for rescanEvery at most or until somebody else does.
func (q *Queue) keep(ctx context.Context, interval time.Duration) error {
	k, err := newKeeping(q.nc, interval)
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.wait(ctx); err != nil {
		return err
	}
	k.announce()
	return q.reconcile(ctx, interval, k)
}

// reconcile is one watch over the bucket.
func (q *Queue) reconcile(ctx context.Context, interval time.Duration, k *keeping) error {
	watch, cancel := context.WithTimeout(ctx, rescanEvery)
	defer cancel()
	begun := time.AfterFunc(answerWithin, cancel) // the watch lives as long as the context that it is begun with
	w, err := q.kv.WatchAll(watch)
	begun.Stop()
	if err != nil {
		return fmt.Errorf("watch states: %w", err)
	}
	defer func() { _ = w.Stop() }()
	t := time.NewTicker(interval)
	defer t.Stop()
	r := reconciler{q: q, open: map[string]string{}, missing: map[string]int{}, patience: int(q.ackWait/interval) + 1}
	known := false // the watch has shown everything that was there
	for {
		look := false
		select {
		case <-watch.Done():
			return nil
		case m := <-k.words:
			if err := k.answer(m); err != nil {
				return err
			}
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errWatchEnded
			case e == nil:
				known, look = true, true
			default:
				r.note(e)
			}
		case <-t.C:
			look = known
		}
		if !look {
			continue
		}
		if err := r.look(watch); err != nil {
			return err
		}
		k.announce()
	}
}

type reconciler struct {
	q        *Queue
	open     map[string]string // subject by id
	missing  map[string]int    // looks in a row that found no message
	patience int               // looks that a running job may be without a message
}

// note takes in a change of a record.
func (r *reconciler) note(e jetstream.KeyValueEntry) {
	s, err := parseState(e.Value())
	if e.Operation() != jetstream.KeyValuePut || err != nil || s.Phase.Final() {
		delete(r.open, e.Key())
		delete(r.missing, e.Key())
		return
	}
	r.open[s.ID] = s.subject()
}

// look compares the unfinished jobs with the messages that there are.
func (r *reconciler) look(ctx context.Context) error {
	if len(r.open) == 0 {
		return nil
	}
	asked, cancel := context.WithTimeout(ctx, answerWithin)
	info, err := r.q.jobs.Info(asked, jetstream.WithSubjectFilter("job.>"))
	cancel()
	if err != nil {
		return fmt.Errorf("list messages: %w", err)
	}
	for id, subject := range r.open {
		if info.State.Subjects[subject] > 0 {
			delete(r.missing, id)
			continue
		}
		r.missing[id]++
		asked, cancel := context.WithTimeout(ctx, answerWithin)
		err := r.mend(asked, id)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// mend publishes the wake-up of one job if its record still asks for it. There is no message id: the server would swallow one
// that it has seen within the last minutes. The limit of one message per subject keeps it single. A running job gets the time
// that a silent worker has.
func (r *reconciler) mend(ctx context.Context, id string) error {
	s, _, err := r.q.load(ctx, id)
	var newer *NewerError
	switch {
	case errors.Is(err, ErrNotFound), errors.As(err, &newer):
		return nil
	case err != nil:
		return err
	case s.Phase.Final(), s.Phase == Running && r.missing[id] <= r.patience:
		return nil
	}
	if s.Phase == Queued && s.Attempts == 0 {
		r.q.tell(ctx, r.q.event(s, EventAccepted)) // before a worker can tell of its first stage
	}
	if err := r.q.publishJob(ctx, s, ""); err != nil {
		return err
	}
	r.q.o.Log.Info("published again", "job_id", id, "phase", string(s.Phase))
	return nil
}
