package jobs

import (
	"errors"
	"testing"
)

func TestHistoryListsTheEventsOfOneJob(t *testing.T) {
	h := newHouse(t)
	q := h.queue()
	if all, err := q.History(t.Context(), "nobody"); err != nil || len(all) != 0 {
		t.Errorf("a job that never was has %v, %v", all, err)
	}
	if _, err := q.LastEvent(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("last event of nobody: %v", err)
	}
	submit(t, q, "one", "two")
	for range 2 {
		a := next(t, q)
		a.Begin(t.Context())
		commit(t, a, Released)
		settle(t, a, nil, FateAnswered)
	}
	all, err := q.History(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	var have []Kind
	for _, e := range all {
		if e.ID != "one" {
			t.Errorf("an event of %s among those of one", e.ID)
		}
		have = append(have, e.Event)
	}
	if len(have) != 3 || have[0] != EventAccepted || have[1] != EventStarted || have[2] != EventReleased {
		t.Errorf("history is %v", have)
	}
	if e, err := q.LastEvent(t.Context(), "two"); err != nil || e.Event != EventReleased {
		t.Errorf("last event of two is %v, %v", e, err)
	}
}
