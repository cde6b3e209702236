package casepage

import (
	"regexp"
	"testing"
	"time"

	"veil/worker/jobs"
)

func TestExpectedPromisesNoMoreThanWasMeasured(t *testing.T) {
	for _, c := range []struct {
		v     speed
		phase jobs.Phase
		ahead int
		want  string
	}{
		{speed{}, jobs.Released, 0, "^$"},
		{speed{clips: 2, now: 1, median: time.Second}, jobs.Queued, 0, "^not known: only 2"},
		{speed{clips: 5, median: time.Minute}, jobs.Queued, 4, "^not known: no worker is at work; 4 clips come first"},
		{speed{clips: 5, now: 2, median: time.Minute}, jobs.Queued, 4, "^about 20.*last 5 clips .1m00s each, 2 at once"},
	} {
		if have := c.v.expected(c.phase, c.ahead); !regexp.MustCompile(c.want).MatchString(have) {
			t.Errorf("%+v: %s", c, have)
		}
	}
	all := []jobs.State{
		{ID: "a", Phase: jobs.Queued, Priority: jobs.Urgent, Submitted: time.Unix(9, 0)},
		{ID: "b", Phase: jobs.Queued, Priority: jobs.Normal, Submitted: time.Unix(1, 0)},
		{ID: "c", Phase: jobs.Queued, Priority: jobs.Normal, Submitted: time.Unix(2, 0)},
		{ID: "d", Phase: jobs.Released, Priority: jobs.Urgent}, {ID: "e", Phase: jobs.Queued, Priority: jobs.Bulk},
	}
	if n := aheadOf(all, all[2]); n != 2 {
		t.Errorf("%d come before c, want 2", n)
	}
}
