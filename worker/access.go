package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/text"
)

// accessCmd is `veil access`.
type accessCmd struct {
	connect.Flags
	Job    string `placeholder:"ID" help:"Only entries about this job."`
	Case   string `placeholder:"TEXT" help:"Only entries that name this case."`
	Action string `enum:",collection,alteration,query,disclosure,deletion" default:"" placeholder:"ACTION" help:"Only these: collection, alteration, query, disclosure or deletion."`
	From   since  `placeholder:"TIME" help:"Only entries from here on: 2026-01-01, or a time with its zone."`
	To     since  `placeholder:"TIME" help:"Only entries before."`
	CSV    string `name:"csv" placeholder:"FILE" help:"Write them as a table instead."`
}

// Run lists the access log, the oldest entry first.
func (c *accessCmd) Run(ctx context.Context, a *app) (err error) {
	s, err := c.Open()
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	f := access.Filter{Job: c.Job, Case: c.Case, Action: access.Action(c.Action), From: time.Time(c.From), To: time.Time(c.To)}
	list := []access.Entry{}
	for e, err := range s.Access.Entries(ctx, f) {
		if err != nil {
			return failure.OfStore(err)
		}
		list = append(list, e)
	}
	if c.CSV != "" {
		b, err := access.CSV(list)
		if err != nil {
			return err
		}
		if err := disk.Write(disk.PartName(c.CSV), c.CSV, b); err != nil {
			return err
		}
	}
	if a.JSON {
		b, err := access.JSON(list)
		if err != nil {
			return err
		}
		_, err = a.out.Write(b)
		return err
	}
	if c.CSV != "" {
		a.printf("%d entries in %s\n", len(list), text.Printable(c.CSV))
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, e := range list {
		about := e.Job
		if e.Case != "" {
			about += " case " + e.Case
		}
		why := e.Reason
		if e.Recipient != "" {
			why = "to " + e.Recipient + ": " + why
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", stamp(e.Time), e.Action, text.Printable(about), text.Printable(e.Person),
			text.Printable(e.What), text.Printable(why))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	a.printf("%d entries\n", len(list))
	return nil
}

// since is a moment of a flag: a day means its beginning, on this machine's clock.
type since time.Time

// UnmarshalText reads a day, or a time with its zone.
func (s *since) UnmarshalText(text []byte) error {
	if t, err := time.ParseInLocation(time.DateOnly, string(text), time.Local); err == nil {
		*s = since(t)
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no time: give 2026-01-01 or 2026-01-01T12:00:00+01:00", text)
	}
	*s = since(t)
	return nil
}
