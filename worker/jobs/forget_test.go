package jobs

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// mentions counts the messages in all streams whose subject or content names a job.
func mentions(t *testing.T, q *Queue, id string) (n int) {
	t.Helper()
	for _, s := range []jetstream.Stream{q.jobs, q.events, q.dead, q.state} {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains([]byte(m.Subject), []byte(id)) || bytes.Contains(m.Data, []byte(id)) {
				n++
			}
		}
	}
	return n
}

// TestForgetLeavesNothing: of a forgotten job no message is left in any stream, not even the mark of its record's deletion, and
// other jobs keep theirs.
func TestForgetLeavesNothing(t *testing.T) {
	q := newHouse(t).queue()
	submit(t, q, "gone", "stays")
	if err := q.Forget(t.Context(), "gone"); !errors.Is(err, ErrPhase) {
		t.Errorf("forgot an unfinished job: %v", err)
	}
	for range 2 {
		a := next(t, q)
		a.Begin(t.Context())
		settle(t, a, Permanent(errClip), FateDead)
	}
	if n, err := q.Remains(t.Context(), "gone"); n < 3 || err != nil {
		t.Fatalf("%d messages of a failed job: %v", n, err)
	}
	for range 2 { // again changes nothing
		if err := q.Forget(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.Remains(t.Context(), "gone"); n != 0 || err != nil {
		t.Errorf("%d messages remain: %v", n, err)
	}
	if n := mentions(t, q, "gone"); n != 0 {
		t.Errorf("%d messages still name the job", n)
	}
	_, letter := q.DeadLetter(t.Context(), "stays")
	s, state := q.State(t.Context(), "stays")
	history, told := q.History(t.Context(), "stays")
	if err := errors.Join(letter, state, told); err != nil || s.Phase != Failed || len(history) == 0 {
		t.Errorf("of the other job: %+v, %d events, %v", s, len(history), err)
	}
	if _, err := q.State(t.Context(), "gone"); !errors.Is(err, ErrNotFound) {
		t.Errorf("its state: %v", err)
	}
	// The id is free again.
	submit(t, q, "gone")
	if err := q.purgeMark(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if s, err := q.State(context.WithoutCancel(t.Context()), "gone"); err != nil || s.Phase != Queued {
		t.Errorf("%+v, %v", s, err)
	}
}
