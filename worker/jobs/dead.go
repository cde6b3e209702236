package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// DeadSchema names the version of the dead letter's format.
const DeadSchema = "veil.dead/1"

// DeadLetter says that a job failed for good, on the subject dead.ID. It holds nothing of the job's content: what the error
// said in full stands in the job's record.
type DeadLetter struct {
	Schema     string    `json:"schema"`
	ID         string    `json:"id"` // "~" for a message whose id was none
	Generation int       `json:"generation,omitempty"`
	Code       string    `json:"code"`
	Remedy     string    `json:"remedy,omitempty"`
	Attempts   int       `json:"attempts,omitempty"`
	Failures   int       `json:"failures,omitempty"`
	Deaths     int       `json:"deaths,omitempty"`
	Time       time.Time `json:"time"`
}

// putDead stores the dead letter of a failed job unless it is there.
func (q *Queue) putDead(ctx context.Context, s State) error {
	have, err := q.DeadLetter(ctx, s.ID)
	if err == nil && have.Generation == s.Generation {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return q.sendDead(ctx, DeadLetter{ID: s.ID, Generation: s.Generation, Code: s.Code, Remedy: s.Remedy,
		Attempts: s.Attempts, Failures: s.Failures, Deaths: s.Deaths})
}

func (q *Queue) sendDead(ctx context.Context, d DeadLetter) error {
	d.Schema, d.Time = DeadSchema, q.o.Now().UTC()
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode dead letter: %w", err)
	}
	if _, err := q.js.Publish(ctx, deadSubject(d.ID), data); err != nil {
		return fmt.Errorf("publish dead letter of %s: %w", d.ID, err)
	}
	return nil
}

// DeadLetter reads the dead letter of one job; "~" is that of messages without a valid id. The error is ErrNotFound where
// there is none.
func (q *Queue) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	if !ValidID(id) && id != unreadableToken {
		return DeadLetter{}, fmt.Errorf("read dead letter: %w", ErrNotFound)
	}
	m, err := q.dead.GetLastMsgForSubject(ctx, deadSubject(id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("read dead letter of %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter of %s: %w", id, err)
	}
	var d DeadLetter
	if err := json.Unmarshal(m.Data, &d); err != nil {
		return DeadLetter{}, fmt.Errorf("decode dead letter of %s: %w", id, err)
	}
	return d, nil
}

// DeadLetters lists all of them by id.
func (q *Queue) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	info, err := q.dead.Info(ctx, jetstream.WithSubjectFilter("dead.*"))
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	var all []DeadLetter
	for subject := range info.State.Subjects {
		d, err := q.DeadLetter(ctx, strings.TrimPrefix(subject, "dead."))
		if errors.Is(err, ErrNotFound) {
			continue // dropped meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b DeadLetter) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// CountDead is how many dead letters there are.
func (q *Queue) CountDead(ctx context.Context) (int, error) {
	info, err := q.dead.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return int(info.State.Msgs), nil
}

// Requeue tries a failed job again, as Retry does, and takes its letter away.
func (q *Queue) Requeue(ctx context.Context, id string) (State, error) {
	if _, err := q.DeadLetter(ctx, id); err != nil {
		return State{}, err
	}
	s, _, err := q.load(ctx, id)
	if err != nil {
		return State{}, err
	}
	if err := inPhase(&s, Failed); err != nil {
		return s, err
	}
	return q.Retry(ctx, id, RetryOptions{})
}

// Drop takes a letter away; the job stays failed.
func (q *Queue) Drop(ctx context.Context, id string) error {
	if _, err := q.DeadLetter(ctx, id); err != nil {
		return err
	}
	return q.purgeDead(ctx, id)
}

func (q *Queue) purgeDead(ctx context.Context, id string) error {
	if err := q.dead.Purge(ctx, jetstream.WithPurgeSubject(deadSubject(id))); err != nil {
		return fmt.Errorf("drop dead letter of %s: %w", id, err)
	}
	return nil
}
