package jobs

import (
	"errors"
	"testing"
)

// TestSleeperOfForgottenJob: an attempt that slept while its job was cancelled, forgotten and handed in again has lost its epoch,
// although the new one's counts the same.
func TestSleeperOfForgottenJob(t *testing.T) {
	h := newHouse(t)
	q, q2 := h.queue(), h.queue()
	submit(t, q, "x")
	old := next(t, q) // sleeps: no heartbeat
	if _, err := q2.Cancel(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := q2.Forget(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	j := job("x")
	j.Requester = "somebody else"
	if _, err := q2.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	now := next(t, q2)
	if was, is := old.State(), now.State(); was.Generation != is.Generation || was.Epoch != is.Epoch {
		t.Fatalf("%d.%d became %d.%d: nothing to mistake", was.Generation, was.Epoch, is.Generation, is.Epoch)
	}
	if err := old.Commit(t.Context(), Result{Outcome: Released, Envelope: digest}); !errors.Is(err, ErrEpochLost) {
		t.Errorf("the old attempt's commit: %v", err)
	}
	if s, err := q2.State(t.Context(), "x"); err != nil || s.Phase != Running || s.Result != nil {
		t.Errorf("%s, result %+v, %v", s.Phase, s.Result, err)
	}
}
