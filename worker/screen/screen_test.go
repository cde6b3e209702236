package screen

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"veil/worker/jobs"
)

func TestLiveScreenRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &liveScreen{w: &out, size: func() (int, int) { return 60, 6 }}
	row := View{ID: "a", Priority: jobs.Urgent, Phase: jobs.Running, Stage: "render", Percent: 50, Generation: 1, Attempt: 1, Submitted: time.Now()}
	s.show([]View{row, row, row, row, row}, nil)
	first := out.String()
	for _, want := range []string{"render", "[####", "and 2 more"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is missing in:\n%s", want, first)
		}
	}
	for line := range strings.Lines(first) {
		if len(line) > 60 {
			t.Errorf("a line of %d signs", len(line))
		}
	}
	if n := strings.Count(first, "\n"); n != 5 {
		t.Errorf("%d lines on a screen of 6", n)
	}
	out.Reset()
	s.show([]View{row}, nil)
	if !strings.HasPrefix(out.String(), "\x1b[5A\x1b[J") {
		t.Errorf("the second drawing begins with %q", out.String()[:10])
	}
	if b := bar(50); b != "[##########..........]" || bar(-1) != bar(0) || bar(200) != bar(100) {
		t.Errorf("bars are %s %s %s", b, bar(-1), bar(200))
	}
}
