package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/retention"
	"veil/worker/text"
)

// holdCmd is `veil hold`.
type holdCmd struct {
	Set  holdSetCmd  `cmd:"" help:"Put jobs under legal hold: nothing of them is destroyed until it is lifted."`
	Lift holdLiftCmd `cmd:"" help:"Lift a legal hold."`
	List holdListCmd `cmd:"" default:"withargs" help:"List legal holds."`
}

// wordFlags say who decides and why.
type wordFlags struct {
	Reason string `required:"" placeholder:"TEXT" help:"Why; the access log keeps it."`
	By     string `required:"" placeholder:"NAME" help:"Who decides."`
}

type holdSetCmd struct {
	ID []string `arg:"" help:"Jobs."`
	connect.Flags
	wordFlags
}

// Run sets holds; one that cannot be set stops those behind it.
func (c *holdSetCmd) Run(ctx context.Context, a *app) error {
	return c.each(ctx, a, &c.Flags, c.ID, func(w *retention.Sweeper, id string) error {
		_, err := w.SetHold(ctx, id, c.By, c.Reason)
		return err
	})
}

type holdLiftCmd struct {
	ID []string `arg:"" help:"Jobs."`
	connect.Flags
	wordFlags
}

// Run lifts holds.
func (c *holdLiftCmd) Run(ctx context.Context, a *app) error {
	return c.each(ctx, a, &c.Flags, c.ID, func(w *retention.Sweeper, id string) error { return w.LiftHold(ctx, id, c.By, c.Reason) })
}

// each does one thing to several jobs, and lists the holds that there are then.
func (wordFlags) each(ctx context.Context, a *app, f *connect.Flags, ids []string, do func(*retention.Sweeper, string) error) (err error) {
	s, err := f.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	w := sweeper(s, nil)
	for _, id := range ids {
		err := do(w, id)
		switch {
		case errors.Is(err, retention.ErrNoHold):
			return failure.Usagef("see `veil hold list`", "job %s is under no legal hold", id)
		case errors.Is(err, retention.ErrNoPerson):
			return failure.Usagef("give both", "--reason and --by must say something")
		case err != nil:
			return failure.OfJob(id, err)
		}
	}
	return a.tellHolds(ctx, s)
}

type holdListCmd struct{ connect.Flags }

// Run lists the holds.
func (c *holdListCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	if err := s.Note(ctx, access.Entry{Action: access.Query, What: "legal holds listed"}); err != nil {
		return err
	}
	return a.tellHolds(ctx, s)
}

// tellHolds prints all holds.
func (a *app) tellHolds(ctx context.Context, s *connect.Service) error {
	all, err := retention.Holds(ctx, s.Store)
	if err != nil {
		return failure.OfStore(err)
	}
	list := make([]retention.Hold, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	if a.JSON {
		return a.printJSON(map[string]any{"holds": list})
	}
	if len(list) == 0 {
		a.printf("no legal holds\n")
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, h := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", h.Job, stamp(h.Since), text.Printable(h.By), text.Printable(h.Reason))
	}
	return t.Flush()
}
