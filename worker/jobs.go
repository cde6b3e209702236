package main

import (
	"context"
	"slices"

	"veil/worker/access"
	"veil/worker/casepage"
	"veil/worker/connect"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/screen"
)

// jobsCmd is `veil jobs`.
type jobsCmd struct {
	connect.Flags
	Watch bool     `help:"Go on showing them: live on a terminal, else a line for each change."`
	Case  string   `placeholder:"TEXT" help:"Only jobs of this case."`
	Phase []string `enum:"${phases}" placeholder:"STATE,..." help:"Only jobs in these states: ${phases}."`
	Limit int      `default:"200" placeholder:"N" help:"At most so many; 0 is all."`
}

// Run lists the jobs, the unfinished first.
func (c *jobsCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	if err := s.Note(ctx, access.Entry{Action: access.Query, Case: c.Case, What: "jobs listed"}); err != nil {
		return err
	}
	b := &screen.Board{Queue: s.Queue, Keep: c.keep}
	if c.Watch {
		err := b.Follow(ctx, screen.Watching(a.out, a.JSON), true)
		if ctx.Err() != nil {
			return nil // it was asked to end
		}
		return err
	}
	if err := b.Load(ctx); err != nil {
		return err
	}
	if err := b.Stages(ctx); err != nil {
		return err
	}
	all := b.All()
	total := len(all)
	if c.Limit > 0 {
		all = all[:min(total, c.Limit)]
	}
	if a.JSON {
		return a.printJSON(map[string]any{"jobs": append([]screen.View{}, all...), "total": total})
	}
	if total == 0 {
		a.printf("no jobs\n")
		return nil
	}
	screen.WriteTable(a.out, all, false)
	if total > len(all) {
		a.printf("and %d more (--limit 0 shows all)\n", total-len(all))
	}
	return nil
}

// keep is the filter of the flags.
func (c *jobsCmd) keep(s jobs.State) bool {
	if len(c.Phase) > 0 && !slices.Contains(c.Phase, string(s.Phase)) {
		return false
	}
	return c.Case == "" || casepage.CaseOf(s) == c.Case
}

// phaseNames lists the phases for the grammar.
func phaseNames() (names []string) {
	for _, p := range jobs.Phases() {
		names = append(names, string(p))
	}
	return names
}
