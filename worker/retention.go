package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"veil/pipeline"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/retention"
	"veil/worker/screen"
	"veil/worker/seal"
	"veil/worker/text"
)

// retentionCmd is `veil retention`.
type retentionCmd struct {
	connect.Flags
	Apply    bool   `help:"Destroy what is due; without it nothing is changed."`
	Progress string `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// sweeper is what destroys, with the connections of a service; key signs what is stated about it.
func sweeper(s *connect.Service, key *seal.Key) *retention.Sweeper {
	return &retention.Sweeper{Queue: s.Queue, Store: s.Store, Log: s.Access, Now: time.Now, Person: s.Person, Key: key,
		Quiet: max(retention.DefaultQuiet, 3*s.Queue.AckWait())}
}

// Run shows what is due, or destroys it.
func (c *retentionCmd) Run(ctx context.Context, a *app) (err error) {
	key, err := a.signingKey(false)
	if err != nil {
		return err
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	m := screen.NewMeter(c.Progress, a.err, "retention")
	defer m.Close()
	w := sweeper(s, key)
	w.Progress = func(done, all int) { m.Event(pipeline.Event{Stage: "destroy", Done: int64(done), Total: int64(all)}) }
	r, err := w.Run(ctx, c.Apply)
	m.Close()
	if err != nil && r.Failed == 0 {
		return failure.OfJob("", err)
	}
	if a.JSON {
		err = a.printJSON(r)
	} else {
		err = a.printRetention(r)
	}
	if err == nil && r.Failed > 0 {
		err = ended(pipeline.ExitFailed)
	}
	return err
}

// steps are the words for what becomes of a job: in a dry run, and when it was done.
var steps = map[string][2]string{
	retention.StepHeld:    {"under legal hold", "under legal hold"},
	retention.StepCancel:  {"to be cancelled", "cancelled"},
	retention.StepWait:    {"waits", "waits"},
	retention.StepDestroy: {"to be destroyed", "destroyed"},
	retention.StepAgain:   {"to be looked at again", "nothing is left"},
	retention.StepLate:    {"late remains to be destroyed", "late remains destroyed"},
	retention.StepUnknown: {"nothing tells until when it may stay", "nothing tells until when it may stay"},
}

// printRetention is the report for people.
func (a *app) printRetention(r retention.Report) error {
	count := map[string]int{}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, d := range r.Jobs {
		word := steps[d.Step][0]
		switch {
		case d.Error != "":
			word = "failed: " + d.Error
		case d.Done:
			word = steps[d.Step][1]
		}
		count[d.Step]++
		until := "-"
		if d.DestroyAfter != nil {
			until = d.DestroyAfter.UTC().Format(time.RFC3339)
		}
		removed := ""
		if d.Removed > 0 {
			removed = fmt.Sprintf("%d objects", d.Removed)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.ID, until, text.Printable(word), removed)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	if len(r.Jobs) == 0 {
		a.printf("no job is due\n")
	}
	verb := "are over"
	if r.Applied {
		verb = "were over and are gone"
	}
	a.printf("%d entries of the access log %s", r.Access.Entries, verb)
	if r.Access.Kept > 0 {
		a.printf(", %d are kept by a legal hold", r.Access.Kept)
	}
	a.printf("\n")
	if n := count[retention.StepDestroy] + count[retention.StepAgain] + count[retention.StepLate] + count[retention.StepCancel]; !r.Applied && n+r.Access.Entries > 0 {
		a.printf("nothing was changed: --apply does it\n")
	}
	return nil
}

// workerPerson is what the access log calls a worker of this machine.
func workerPerson() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return "veil worker on " + host
}
