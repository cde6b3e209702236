package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/text"
)

// deadCmd is `veil dead`.
type deadCmd struct {
	List    deadListCmd    `cmd:"" default:"withargs" help:"List the dead letters: jobs that failed for good."`
	Show    deadShowCmd    `cmd:"" help:"Show one letter, and what the error said."`
	Requeue deadRequeueCmd `cmd:"" help:"Try such jobs again."`
	Drop    deadDropCmd    `cmd:"" help:"Take letters away; the jobs stay failed."`
}

type deadListCmd struct{ connect.Flags }

// Run lists the letters.
func (c *deadListCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	letters, err := s.Queue.DeadLetters(ctx)
	if err != nil {
		return failure.OfJob("", err)
	}
	if err := s.Note(ctx, access.Entry{Action: access.Query, What: "dead letters listed", Count: len(letters)}); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(map[string]any{"dead": append([]jobs.DeadLetter{}, letters...)})
	}
	if len(letters) == 0 {
		a.printf("no dead letters\n")
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tCODE\tATTEMPTS\tFAILURES\tDEATHS\tTIME\tWHAT TO DO")
	for _, d := range letters {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", d.ID, d.Code, d.Attempts, d.Failures, d.Deaths,
			d.Time.UTC().Format(time.RFC3339), text.Printable(remedyOf(d)))
	}
	return t.Flush()
}

// remedyOf is what the letter advises, or the code does.
func remedyOf(d jobs.DeadLetter) string {
	if d.Remedy != "" {
		return d.Remedy
	}
	return failure.TextOf(d.Code).EN.Remedy
}

type deadShowCmd struct {
	ID string `arg:"" help:"The job."`
	connect.Flags
}

// Run shows a letter with the record's detail, which may name the clip.
func (c *deadShowCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	d, err := s.Queue.DeadLetter(ctx, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	state, _ := s.Queue.State(ctx, c.ID) // a letter without a record has nothing more to tell
	if err := s.Note(ctx, access.Entry{Action: access.Query, Job: state.ID, What: "dead letter shown"}); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(map[string]any{"letter": d, "detail": state.Detail})
	}
	line := a.liner()
	line("job", "%s, generation %d", d.ID, d.Generation)
	line("code", "%s", d.Code)
	line("cause", "%s", failure.TextOf(d.Code).EN.Cause)
	line("what to do", "%s", remedyOf(d))
	line("tried", "%d attempts, %d failures, %d workers died", d.Attempts, d.Failures, d.Deaths)
	line("time", "%s", d.Time.UTC().Format(time.RFC3339))
	if state.Detail != "" {
		line("detail", "%s", state.Detail)
	}
	return nil
}

type deadRequeueCmd struct {
	ID []string `arg:"" help:"The jobs."`
	connect.Flags
}

// Run tries the jobs again.
func (c *deadRequeueCmd) Run(ctx context.Context, a *app) error {
	return changeEach(ctx, &c.Flags, a, changing{"job tried again", c.ID, true}, func(q *jobs.Queue, id string) (jobs.State, error) { return q.Requeue(ctx, id) })
}

type deadDropCmd struct {
	ID []string `arg:"" help:"The jobs; ~ is the letter of messages that were none."`
	connect.Flags
}

// Run takes the letters away.
func (c *deadDropCmd) Run(ctx context.Context, a *app) error {
	return eachJob(ctx, &c.Flags, a, c.ID, func(s *connect.Service, id string) (jobs.State, error) {
		if err := s.Queue.Drop(ctx, id); err != nil {
			return jobs.State{}, err
		}
		return jobs.State{ID: id, Phase: jobs.Failed}, nil
	})
}
