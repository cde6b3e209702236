package main

import (
	"context"

	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/policy"
	"veil/worker/screen"
)

// submitCmd is `veil submit`.
type submitCmd struct {
	In []string `arg:"" name:"in" help:"Clips, folders of clips, or s3://BUCKET/KEY; a key that ends in / means all clips below it."`
	connect.Flags
	intake.OrderFlags
	Decisions string `group:"order" placeholder:"FILE" help:"What a person decided about the plan of this clip."`
	ID        string `group:"order" placeholder:"ID" help:"The job's id; default: drawn from clip, policy and case, so that nothing runs twice. One clip only."`
	Name      string `group:"order" placeholder:"NAME" help:"Name of the derivative without ending; default: a neutral number. One clip only."`
	Wait      bool   `help:"Wait for the answer; the exit code tells it."`
}

// Run hands the clips in, one after another; one that is refused stops no other.
func (c *submitCmd) Run(ctx context.Context, a *app) (err error) {
	template, err := c.Template()
	if err != nil {
		return err
	}
	if c.Decisions != "" {
		d, err := policy.ReadDecisions(c.Decisions)
		if err != nil {
			return err
		}
		if template.Decisions, err = policy.EncodeDecisions(d); err != nil {
			return err
		}
	}
	template.ID, template.Derivative = c.ID, c.Name
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	found, err := intake.Find(ctx, s, c.In)
	if err != nil {
		return err
	}
	if (c.ID != "" || c.Name != "") && intake.Count(found) > 1 {
		return failure.Usagef("hand them in one by one", "--id and --name are for one clip, here are several")
	}
	rows := make([]submitted, 0, len(found))
	for _, f := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = append(rows, submitOne(ctx, s, a, f, template))
	}
	if c.Wait {
		if err := awaitAnswers(ctx, s, a, rows); err != nil {
			return err
		}
	}
	return a.tellSubmitted(rows)
}

// submitOne hands one clip in.
func submitOne(ctx context.Context, s *connect.Service, a *app, f intake.Found, template jobs.Job) submitted {
	row := submitted{Clip: f.Label, Skipped: f.Skip}
	if f.Skip != "" {
		return row
	}
	m := screen.NewMeter("auto", a.err, f.Label)
	defer m.Close()
	c, err := f.Clip(ctx, s, template, m.Event)
	if err == nil {
		row.ID = c.Job.ID
		var state jobs.State
		state, err = intake.HandIn(ctx, s, c, m.Event)
		row.Phase = state.Phase
	}
	if err != nil {
		row.Failure = failure.As(failure.OfJob(row.ID, err))
		row.exit = row.Failure.Exit
		row.Code, row.Cause, row.Remedy, row.Phase = row.Failure.Code, row.Failure.Detail, row.Failure.Remedy, ""
	}
	return row
}
