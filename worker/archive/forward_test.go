package archive

import (
	"testing"

	"veil/worker/jobs"
)

// TestFollows tells a later record of a job from one that a worker may still have ahead of it.
func TestFollows(t *testing.T) {
	at := func(p jobs.Phase, generation, epoch int) jobs.State {
		return jobs.State{Phase: p, Generation: generation, Epoch: epoch}
	}
	for name, c := range map[string]struct {
		kept, have jobs.State
		want       bool
	}{
		"answered since":                    {at(jobs.Released, 1, 1), at(jobs.Queued, 1, 0), true},
		"answered since, and claimed again": {at(jobs.Released, 1, 1), at(jobs.Running, 1, 2), true},
		"cancelled before any attempt":      {at(jobs.Cancelled, 1, 0), at(jobs.Running, 1, 1), true},
		"begun anew since":                  {at(jobs.Queued, 2, 1), at(jobs.Held, 1, 1), true},
		"withdrawn since":                   {at(jobs.Withdrawn, 1, 1), at(jobs.Released, 1, 1), true},
		"a hold cancelled since":            {at(jobs.Cancelled, 1, 1), at(jobs.Held, 1, 1), true},
		"a later attempt":                   {at(jobs.Running, 1, 3), at(jobs.Queued, 1, 1), true},
		"the first pass of this attempt":    {at(jobs.Running, 1, 1), at(jobs.Running, 1, 1), false},
		"an earlier attempt":                {at(jobs.Running, 1, 1), at(jobs.Running, 1, 2), false},
		"an earlier generation":             {at(jobs.Failed, 1, 3), at(jobs.Running, 2, 4), false},
		"the same answer":                   {at(jobs.Released, 1, 1), at(jobs.Released, 1, 1), false},
		"withdrawn, not copied yet":         {at(jobs.Released, 1, 1), at(jobs.Withdrawn, 1, 1), false},
		"being made visible":                {at(jobs.Running, 1, 1), at(jobs.Committing, 1, 1), false},
	} {
		if got := follows(c.kept, c.have); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
