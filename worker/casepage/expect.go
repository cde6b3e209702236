package casepage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/text"
)

// speed is what was measured of the clips that were answered last.
type speed struct {
	clips  int
	median time.Duration // from a worker's claim to the answer
	now    int           // clips in work just now
}

const (
	speedClips = 20 // of the last answers, so many are looked at
	speedLeast = 3  // fewer say nothing
)

// measureSpeed reads how long the last clips took, from their events.
func measureSpeed(ctx context.Context, s *connect.Service, all []jobs.State) (speed, error) {
	var v speed
	var done []jobs.State
	for _, st := range all {
		switch st.Phase {
		case jobs.Running, jobs.Committing:
			v.now++
		case jobs.Released, jobs.Held:
			done = append(done, st)
		}
	}
	slices.SortFunc(done, func(a, b jobs.State) int { return b.Updated.Compare(a.Updated) })
	var took []time.Duration
	for _, st := range done[:min(len(done), speedClips)] {
		events, err := s.Queue.History(ctx, st.ID)
		if err != nil {
			return v, err
		}
		if d, ok := workTime(events); ok {
			took = append(took, d)
		}
	}
	slices.Sort(took)
	if v.clips = len(took); v.clips > 0 {
		v.median = took[v.clips/2]
	}
	return v, nil
}

// workTime is from the last claim to the last answer.
func workTime(events []jobs.Event) (time.Duration, bool) {
	var began, ended time.Time
	for _, e := range events {
		switch e.Event {
		case jobs.EventStarted:
			began = e.Time
		case jobs.EventReleased, jobs.EventHeld:
			ended = e.Time
		}
	}
	return ended.Sub(began), !began.IsZero() && ended.After(began)
}

// expected says when a clip will be ready, in words that promise no more than was measured. ahead is how many clips come first.
func (v speed) expected(phase jobs.Phase, ahead int) string {
	switch {
	case phase.Final():
		return ""
	case v.clips < speedLeast:
		return fmt.Sprintf("not known: only %d clips were measured so far", v.clips)
	case v.now == 0:
		return fmt.Sprintf("not known: no worker is at work; %d clips come first, the last ones took about %s each", ahead, text.Age(v.median))
	}
	if phase != jobs.Queued {
		ahead = 0
	}
	rounds := ahead/v.now + 1
	end := time.Now().Add(time.Duration(rounds) * v.median)
	return fmt.Sprintf("about %s, if it goes on as with the last %d clips (%s each, %d at once); a longer clip takes longer",
		end.Local().Format("2006-01-02 15:04"), v.clips, text.Age(v.median), v.now)
}

// aheadOf counts the waiting clips that are served before a job: those of a higher class, and earlier ones of its own.
func aheadOf(all []jobs.State, s jobs.State) (n int) {
	class := func(p jobs.Priority) int { return slices.Index(jobs.Priorities(), p) }
	for _, o := range all {
		if o.Phase != jobs.Queued || o.ID == s.ID {
			continue
		}
		if class(o.Priority) < class(s.Priority) || o.Priority == s.Priority && o.Submitted.Before(s.Submitted) {
			n++
		}
	}
	return n
}
