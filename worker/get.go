package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"veil/pipeline"
	"veil/worker/access"
	"veil/worker/casepage"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/fetch"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/text"
)

// getCmd is `veil get`.
type getCmd struct {
	ID []string `arg:"" optional:"" help:"Jobs."`
	connect.Flags
	Case     string `placeholder:"TEXT" help:"All jobs of this case."`
	Out      string `short:"o" required:"" placeholder:"FOLDER" help:"Where the derivatives go, with manifest and report."`
	Held     bool   `help:"Of held jobs fetch what there is to look at: derivative, plan, sheet, report and worklist. They show what is not released."`
	Evidence bool   `help:"Fetch the restricted evidence as well: plan, sheet, reports, event log, annex. It shows faces and names persons."`
	// Recipient makes a disclosure of it, which the access log keeps apart from a look.
	Recipient string `placeholder:"NAME" help:"For whom it is fetched: the access log notes a disclosure."`
}

// gotten is what became of one job.
type gotten struct {
	ID      string            `json:"id"`
	Phase   jobs.Phase        `json:"phase"`
	Files   []string          `json:"files,omitempty"`
	Failure *pipeline.Failure `json:"failure,omitempty"`
}

// Run fetches the jobs, each whole or not at all; one that cannot be fetched stops no other.
func (c *getCmd) Run(ctx context.Context, a *app) (err error) {
	if (len(c.ID) == 0) == (c.Case == "") {
		return failure.Usagef("give ids, or --case", "it must be said which jobs: by id or by case")
	}
	if err := disk.Make(c.Out); err != nil {
		return err
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	states, rows, err := c.states(ctx, s)
	if err != nil {
		return err
	}
	names := fetch.Names(states)
	for _, state := range states {
		if err := s.Note(ctx, c.entry(state.ID)); err != nil {
			return err
		}
		files, err := fetch.Job(ctx, s, state, fetch.Wanted{Held: c.Held, Evidence: c.Evidence}, fetch.Place{Dir: c.Out, Name: names[state.ID]})
		row := gotten{ID: state.ID, Phase: state.Phase, Files: files}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			row.Failure = failure.As(failure.OfJob(state.ID, err))
		}
		rows = append(rows, row)
	}
	return a.tellGotten(rows)
}

// entry is what the access log keeps of one job that is fetched.
func (c *getCmd) entry(id string) access.Entry {
	e := access.Entry{Action: access.Query, Job: id, Case: c.Case, What: "derivative fetched"}
	switch {
	case c.Held:
		e.What = "derivative fetched, held ones with plan and sheet"
	case c.Evidence:
		e.What = "derivative fetched with plan, sheet and reports"
	}
	if c.Recipient != "" {
		e.Action, e.Recipient = access.Disclosure, c.Recipient
	}
	return e
}

// states finds the jobs that were asked for; an id that is none becomes a row at once.
func (c *getCmd) states(ctx context.Context, s *connect.Service) (states []jobs.State, rows []gotten, err error) {
	if c.Case != "" {
		err := s.Queue.States(ctx, func(st jobs.State) bool {
			if casepage.CaseOf(st) == c.Case {
				states = append(states, st)
			}
			return true
		})
		if err == nil && len(states) == 0 {
			err = failure.Coded(failure.NoJob, "the case has no jobs")
		}
		slices.SortFunc(states, func(a, b jobs.State) int { return strings.Compare(a.ID, b.ID) })
		return states, nil, failure.OfJob("", err)
	}
	for _, id := range c.ID {
		st, err := s.Queue.State(ctx, id)
		if errors.Is(err, jobs.ErrNotFound) {
			row, err := c.destroyed(ctx, s, id)
			if err != nil {
				return nil, nil, err
			}
			if row != nil {
				rows = append(rows, *row)
				continue
			}
		}
		if err != nil {
			rows = append(rows, gotten{ID: id, Failure: failure.As(failure.OfJob(id, err))})
			continue
		}
		states = append(states, st)
	}
	return states, rows, nil
}

// destroyed is the row of a job that was destroyed, whose deletion statements are fetched in its place; nil where there was none.
func (c *getCmd) destroyed(ctx context.Context, s *connect.Service, id string) (*gotten, error) {
	t, err := retention.TombstoneOf(ctx, s.Store, id)
	if err != nil || t == nil {
		return nil, failure.OfStore(err)
	}
	if err := s.Note(ctx, c.entry(id)); err != nil {
		return nil, err
	}
	files, err := fetch.Deletions(t.Statements, fetch.Place{Dir: c.Out, Name: jobs.Job{ID: id}.DerivativeName()})
	if err != nil {
		return nil, err
	}
	told := fmt.Sprintf("job %s was destroyed at %s, by %s", id, stamp(t.Destroyed), t.Rule())
	if len(files) > 0 {
		told += "; its signed statement is " + files[0]
	}
	return &gotten{ID: id, Files: files, Failure: failure.As(failure.Coded(failure.Destroyed, told))}, nil
}

// tellGotten prints the files, and ends with the worst code.
func (a *app) tellGotten(rows []gotten) error {
	var codes []submitted
	for _, r := range rows {
		if r.Failure != nil {
			codes = append(codes, submitted{exit: r.Failure.Exit})
		}
	}
	exit := worstExit(codes)
	if a.JSON {
		if err := a.printJSON(map[string]any{"jobs": rows, "exit": exit}); err != nil {
			return err
		}
		return ended(exit)
	}
	for _, r := range rows {
		if r.Failure != nil {
			fmt.Fprintln(a.err, failure.Line(r.ID, r.Failure))
			continue
		}
		a.printf("%s %s %s\n", r.ID, r.Phase, text.Printable(filepath.Base(r.Files[len(r.Files)-1])))
	}
	return ended(exit)
}
