package screen

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"veil/worker/jobs"
	"veil/worker/text"
)

// View is one job as lists show it: nothing that tells what the clip is about.
type View struct {
	ID         string        `json:"id"`
	Priority   jobs.Priority `json:"priority"`
	Phase      jobs.Phase    `json:"phase"`
	Stage      string        `json:"stage,omitempty"`
	Percent    int           `json:"percent,omitempty"`
	Generation int           `json:"generation"`
	Attempt    int           `json:"attempt"`
	Code       string        `json:"code,omitempty"`
	Submitted  time.Time     `json:"submitted"`
	Updated    time.Time     `json:"updated"`
	Deadline   *time.Time    `json:"deadline,omitempty"`
	Late       bool          `json:"late,omitempty"`
}

// ViewOf shows a record.
func ViewOf(s jobs.State) View {
	v := View{ID: s.ID, Priority: s.Priority, Phase: s.Phase, Generation: s.Generation, Attempt: s.Attempts, Code: s.Code,
		Submitted: s.Submitted, Updated: s.Updated}
	if j, err := s.Decoded(); err == nil {
		v.Deadline = j.Deadline
	}
	if v.Deadline != nil {
		end := time.Now()
		if v.Phase.Final() {
			end = v.Updated
		}
		v.Late = end.After(*v.Deadline)
	}
	return v
}

// stage adds what the job's last event said, where that is of the attempt that runs.
func (v View) stage(e jobs.Event) View {
	if e.Event == jobs.EventStage && e.Generation == v.Generation && e.Attempt == v.Attempt && v.Phase == jobs.Running {
		v.Stage = e.Stage
		if e.Percent != nil {
			v.Percent = *e.Percent
		}
	}
	return v
}

// sortViews puts the unfinished first, in the order in which they are served, then the finished, the latest first.
func sortViews(all []View) {
	rank := func(v View) int {
		switch {
		case v.Phase.Final():
			return 10
		case v.Phase != jobs.Queued:
			return 0
		}
		return 1 + slices.Index(jobs.Priorities(), v.Priority)
	}
	slices.SortFunc(all, func(a, b View) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		d := a.Submitted.Compare(b.Submitted)
		if rank(a) == 10 {
			d = b.Updated.Compare(a.Updated)
		}
		if d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// barWidth is how many signs a progress bar has.
const barWidth = 20

// bar draws a percentage.
func bar(percent int) string {
	n := min(max(percent, 0), 100) * barWidth / 100
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + "]"
}

// doing is the stage and how far it is.
func (v View) doing(withBar bool) string {
	switch {
	case v.Stage == "":
		return "-"
	case withBar:
		return fmt.Sprintf("%-8s %s %3d %%", v.Stage, bar(v.Percent), v.Percent)
	}
	return fmt.Sprintf("%s %d %%", v.Stage, v.Percent)
}

// Due is how long is left, or how late it is.
func (v View) Due() string {
	switch {
	case v.Deadline == nil:
		return "-"
	case v.Late:
		return "late"
	case v.Phase.Final():
		return "in time"
	}
	return "in " + text.Age(time.Until(*v.Deadline))
}

// WriteTable writes the table.
func WriteTable(w io.Writer, all []View, withBar bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tPRIORITY\tSTATE\tSTAGE\tAGE\tDEADLINE\tATTEMPT\tCODE")
	for _, v := range all {
		code := v.Code
		if code == "" {
			code = "-"
		}
		since := time.Since(v.Submitted)
		if v.Phase.Final() {
			since = v.Updated.Sub(v.Submitted)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d.%d\t%s\n", v.ID, v.Priority, v.Phase, v.doing(withBar), text.Age(since), v.Due(),
			v.Generation, v.Attempt, code)
	}
	_ = t.Flush()
}

// PercentText is a percentage.
func PercentText(p int) string { return fmt.Sprintf("%d %%", p) }
