package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"veil/pipeline"
	"veil/worker/batch"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/policy"
	"veil/worker/screen"
	"veil/worker/text"
)

// redactCmd is `veil redact`.
type redactCmd struct {
	In  []string `arg:"" name:"in" help:"Clips, or folders of clips. A name with a leading dash goes after --."`
	Out string   `short:"o" required:"" placeholder:"OUT" help:"The derivative (NAME.mp4); for several clips a folder."`

	policy.Flags
	From *policy.Seconds `placeholder:"TIME" help:"Begin here: seconds or [HH:]MM:SS[.mmm] from the first frame."`
	To   *policy.Seconds `placeholder:"TIME" help:"End before this time."`
	outputFlags
}

// outputFlags are what redact and render share.
type outputFlags struct {
	OnHold       string `enum:"keep,discard" default:"keep" help:"A held derivative: keep it as NAME.held.mp4, or discard it."`
	PlanOut      string `placeholder:"FILE" help:"Write the plan (for several clips: a folder)."`
	Report       string `placeholder:"FILE" help:"Write the report (for several clips: a folder)."`
	ContactSheet string `placeholder:"FILE" help:"Write a PNG with frames before and after (for several clips: a folder). It shows faces."`
	Progress     string `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// Run redacts one clip, or a batch.
func (c *redactCmd) Run(ctx context.Context, a *app) error {
	policy, err := c.Load()
	if err != nil {
		return err
	}
	if c.From != nil && c.To != nil && *c.To <= *c.From {
		return failure.Usagef("give a later --to", "the excerpt ends before it begins")
	}
	r := pipeline.Request{Policy: policy, From: c.From.Value(), To: c.To.Value(), OnHold: c.OnHold}
	if c.many() {
		b := batch.Batch{Request: r, Inputs: c.In, Out: c.Out, Plans: c.PlanOut, Reports: c.Report, Sheets: c.ContactSheet, Ready: a.ready,
			Clip:  a.clip,
			Meter: func(label string) screen.Meter { return screen.NewMeter(c.Progress, a.err, label) }}
		rows, err := b.Run(ctx)
		if err != nil {
			return err
		}
		return a.tellBatch(rows)
	}
	p := disk.Paths{In: c.In[0], Out: c.Out, Plan: c.PlanOut, Report: c.Report, Sheet: c.ContactSheet}
	return failure.About(c.In[0], a.single(ctx, r, p, c.Progress))
}

// many reports whether OUT is a folder: several inputs, a folder among them, or an OUT that is or says so.
func (c *redactCmd) many() bool {
	if len(c.In) > 1 || disk.IsFolder(c.Out) || strings.HasSuffix(c.Out, "/") {
		return true
	}
	return disk.IsFolder(c.In[0])
}

// single checks the paths, redacts one clip and prints how it ended.
func (a *app) single(ctx context.Context, r pipeline.Request, p disk.Paths, progress string) error {
	if err := p.Check(); err != nil {
		return err
	}
	config, err := a.ready()
	if err != nil {
		return err
	}
	r.Config = config
	m := screen.NewMeter(progress, a.err, disk.Base(p.In))
	out, err := a.clip(ctx, r, p, m)
	m.Close()
	if err != nil {
		return err
	}
	return a.tellOutcome(p, out)
}

// clip runs the pipeline for one clip, and has its evidence written.
func (a *app) clip(ctx context.Context, r pipeline.Request, p disk.Paths, m screen.Meter) (pipeline.Outcome, error) {
	r.In, r.Out, r.PlanOut, r.ReportOut, r.SheetOut = p.In, p.Out, p.Plan, p.Report, p.Sheet
	events, err := a.seals(&r, p)
	if err != nil {
		return pipeline.Outcome{}, err
	}
	return a.engine.redact(ctx, a.engine.stages(a.CrashLog), r, func(e pipeline.Event) {
		events.Event(e)
		m.Event(e)
	})
}

// tellOutcome prints how a clip ended; a hold ends with its own exit code.
func (a *app) tellOutcome(p disk.Paths, out pipeline.Outcome) error {
	if a.JSON {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printOutcome(p, out)
	}
	if out.State != pipeline.Released {
		return status(pipeline.ExitHeld)
	}
	return nil
}

// printOutcome is the outcome for people.
func (a *app) printOutcome(p disk.Paths, out pipeline.Outcome) {
	r := out.Report
	line := func(name, format string, args ...any) {
		a.printf("  %-11s %s\n", name, text.Printable(fmt.Sprintf(format, args...)))
	}
	a.printf("%s: %s\n", text.Printable(disk.Base(p.In)), out.State)
	if out.Derivative != "" {
		line("derivative", "%s", out.Derivative)
	}
	line("frames", "%d, %d tracks, %.1f %% of the picture covered", r.Frames, r.Tracks, 100*r.Masked)
	if r.WholeFrames > 0 {
		line("", "%d frames covered whole", r.WholeFrames)
	}
	line("sound", "%s", r.Audio)
	for _, n := range r.Analysis.Networks {
		line("network", "%s on %s", n.Name, n.Engine)
	}
	for _, t := range r.Analysis.Turned {
		line("", "searched turned by %d degrees too, as faces lie or hang upside down", t)
	}
	for _, n := range r.Notes {
		line("note", "%s", n.Text)
	}
	for _, w := range r.Warnings {
		line("warning", "%s", w)
	}
	if out.Derivative != "" {
		line("evidence", "%s, %s", evidence.Stem(out.Derivative)+evidence.ManifestEnding, a.sealedBy())
	}
	line("seconds", "analyze %.1f, render %.1f, verify %.1f", r.Stages["analyze"], r.Stages["render"], r.Stages["verify"])
	if out.State == pipeline.Released {
		return
	}
	for _, f := range r.Findings {
		if !f.Dismissed {
			line("finding", "%s: %s (frames %d to %d)", f.ID, f.Text, f.First, f.Last)
		}
	}
	if out.Plan != "" {
		line("plan", "%s", out.Plan)
		line("decide", "veil render CLIP --plan PLAN -o OUT with --region or --dismiss, --reason and --by, or --ground")
	}
}

// tellBatch prints the table and ends with the worst exit code.
func (a *app) tellBatch(rows []batch.Row) error {
	code := batch.Worst(rows)
	if a.JSON {
		if err := a.printJSON(map[string]any{"clips": rows, "exit": code}); err != nil {
			return err
		}
		return ended(code)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLIP\tOUTCOME\tCAUSE")
	count := map[string]int{}
	for _, r := range rows {
		count[r.Outcome]++
		fmt.Fprintf(w, "%s\t%s\t%s\n", text.Printable(r.Clip), r.Outcome, text.Printable(r.Cause))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	var sums []string
	for _, o := range []string{pipeline.Released, pipeline.Held, batch.OutcomeFailed, batch.OutcomeSkipped, batch.OutcomeNotStarted} {
		if count[o] > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", count[o], o))
		}
	}
	if len(rows) == 0 || code == pipeline.ExitUsage && count[batch.OutcomeFailed] == 0 {
		return failure.Usagef("name clips, or a folder that holds some", "no clip among the inputs")
	}
	a.printf("%s\n", strings.Join(sums, ", "))
	return ended(code)
}
