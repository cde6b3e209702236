package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"veil/pipeline"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/policy"
	"veil/worker/screen"
	"veil/worker/text"
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

// submitted is what became of one clip that was handed in.
type submitted struct {
	Clip    string            `json:"clip,omitempty"`
	ID      string            `json:"id,omitempty"`
	Phase   jobs.Phase        `json:"phase,omitempty"`
	Skipped string            `json:"skipped,omitempty"`
	Code    string            `json:"code,omitempty"`
	Cause   string            `json:"cause,omitempty"`
	Remedy  string            `json:"remedy,omitempty"`
	Failure *pipeline.Failure `json:"failure,omitempty"` // why it was not taken in
	exit    int
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

// awaitAnswers waits until every job that was taken in has its answer, and puts it into the rows.
func awaitAnswers(ctx context.Context, s *connect.Service, a *app, rows []submitted) error {
	ids := []string{}
	for _, r := range rows {
		if r.Failure == nil && r.ID != "" && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	b := &screen.Board{Queue: s.Queue, IDs: ids}
	if err := b.Follow(ctx, screen.Waiting(a.err), false); err != nil {
		if ctx.Err() != nil {
			return failure.Newf(failure.Unanswered, "see `veil jobs --watch`", "waiting was interrupted, the jobs go on")
		}
		return err
	}
	for i := range rows {
		r := &rows[i]
		if r.Failure != nil || r.ID == "" {
			continue
		}
		state, err := s.Queue.State(ctx, r.ID)
		if err != nil {
			return failure.OfJob(r.ID, err)
		}
		r.answer(state)
	}
	return nil
}

// answer puts a job's answer into the row.
func (r *submitted) answer(state jobs.State) {
	r.Phase = state.Phase
	if r.Phase == jobs.Released {
		return
	}
	o := failure.OutcomeOf(state)
	r.Code, r.Cause, r.Remedy, r.exit = o.Code, o.Cause, o.Remedy, o.Exit
}

// tellSubmitted prints the ids, and ends with the worst of the clips' exit codes.
func (a *app) tellSubmitted(rows []submitted) error {
	exit := worstExit(rows)
	if a.JSON {
		if err := a.printJSON(map[string]any{"jobs": rows, "exit": exit}); err != nil {
			return err
		}
		return ended(exit)
	}
	for _, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(a.err, "veil: %s: skipped: %s\n", text.Printable(r.Clip), r.Skipped)
		case r.Failure != nil:
			fmt.Fprintln(a.err, failure.Line(cmp.Or(r.Clip, r.ID), r.Failure))
		case r.Code != "":
			a.printf("%s (%s: %s)\n", r.line(), r.Code, r.Cause)
		default:
			a.printf("%s\n", r.line())
		}
	}
	return ended(exit)
}

// line is id, phase and, where it has one, the clip's name.
func (r submitted) line() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.ID, r.Phase, text.Printable(r.Clip)))
}

// worstExit ranks as a batch does; a conflict comes after what failed.
func worstExit(rows []submitted) int {
	for _, code := range append(slices.Clone(failure.Severity[:3]), failure.ExitConflict, pipeline.ExitUsage, pipeline.ExitHeld) {
		if slices.ContainsFunc(rows, func(r submitted) bool { return r.exit == code }) {
			return code
		}
	}
	return 0
}
