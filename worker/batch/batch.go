// Package batch redacts many clips, one after another, into a folder: it remembers each in a record, does nothing twice, and
// overwrites nothing that no earlier run made. How one clip is redacted is its caller's business.
package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/input"
	"veil/worker/screen"
)

// Batch redacts many clips, one after another, into a folder.
type Batch struct {
	Request pipeline.Request // what is the same for all clips; its Config comes from ready
	Inputs  []string         // files and folders
	Out     string           // folder
	Plans   string           // folders of further outputs, empty where they are not asked for
	Reports string
	Sheets  string

	Ready func() (pipeline.Config, error) // called once the folders are there
	Meter func(label string) screen.Meter // shows how far a clip is
	Clip  func(context.Context, pipeline.Request, disk.Paths, screen.Meter) (pipeline.Outcome, error)

	conditions conditions
	ledger     *ledger
	shared     map[string]bool
}

// Run redacts what an earlier run has not finished and gives a row for each clip. One that fails does not stop the others.
func (b *Batch) Run(ctx context.Context) ([]Row, error) {
	if err := b.prepare(); err != nil {
		return nil, err
	}
	config, err := b.Ready()
	if err != nil {
		return nil, err
	}
	b.Request.Config = config
	sources, err := input.Gather(b.Inputs, b.Out)
	if err != nil {
		return nil, err
	}
	if b.conditions, err = conditionsOf(ctx, b.Request); err != nil {
		return nil, err
	}
	if b.ledger, err = openLedger(b.Out); err != nil {
		return nil, err
	}
	defer b.ledger.close()
	b.shared = input.SharedLabels(sources)
	if err := input.Assign(sources, b.ledger.taken()); err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(sources))
	for _, s := range sources {
		rows = append(rows, b.one(ctx, s))
	}
	return rows, nil
}

// prepare makes the output folder, and those that the other outputs go to, below folders that exist.
func (b *Batch) prepare() error {
	for _, f := range []struct {
		what string
		path *string
	}{{"output", &b.Out}, {"plans", &b.Plans}, {"reports", &b.Reports}, {"contact sheets", &b.Sheets}} {
		if *f.path == "" {
			continue
		}
		abs, err := filepath.Abs(*f.path)
		if err != nil {
			return failure.Usagef("give its whole path", "%s cannot be placed: %s", f.what, disk.Plain(err))
		}
		*f.path = abs
		info, err := os.Stat(abs)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if err := disk.CheckFolder(f.what, filepath.Dir(abs)); err != nil {
				return err
			}
			if err := os.Mkdir(abs, 0o777); err != nil {
				return failure.Usagef("choose another place", "the folder of the %s cannot be made: %s", f.what, disk.Plain(err))
			}
		case err == nil && !info.IsDir():
			return failure.Usagef("name a folder", "several clips, or a folder of clips, go to a folder, and the %s is a file", f.what)
		}
		if err := disk.CheckFolder(f.what, abs); err != nil {
			return err
		}
	}
	return nil
}

// one brings one clip to its row.
func (b *Batch) one(ctx context.Context, s input.Source) Row {
	switch {
	case s.Skip != "":
		return Row{Clip: s.Label, Outcome: OutcomeSkipped, Cause: s.Skip}
	case ctx.Err() != nil:
		return Row{Clip: s.Label, Outcome: OutcomeNotStarted, Cause: "interrupted", exit: pipeline.ExitFailed}
	case s.Err != nil:
		return failedRow(s, s.Err)
	}
	p := b.paths(s)
	m := b.Meter(s.Label)
	defer m.Close()
	src, err := pipeline.DigestFile(ctx, s.Path, m.Event)
	if err != nil {
		return failedRow(s, err)
	}
	if done, ok, err := b.finished(ctx, s, p, src); ok || err != nil {
		if err != nil {
			return failedRow(s, err)
		}
		return done
	}
	return b.redo(ctx, s, p, m)
}

// paths are the files of one clip of the batch.
func (b *Batch) paths(s input.Source) disk.Paths {
	p := disk.Paths{In: s.Path, Out: filepath.Join(b.Out, s.Out)}
	stem := strings.TrimSuffix(s.Out, ".mp4")
	for _, f := range []struct {
		folder, ending string
		path           *string
	}{{b.Plans, ".plan.json", &p.Plan}, {b.Reports, ".report.json", &p.Report}, {b.Sheets, ".sheet.png", &p.Sheet}} {
		if f.folder != "" {
			*f.path = filepath.Join(f.folder, stem+f.ending)
		}
	}
	return p
}

// finished reports whether an earlier run finished the clip under the same conditions, with its row.
func (b *Batch) finished(ctx context.Context, s input.Source, p disk.Paths, src pipeline.FileDigest) (Row, bool, error) {
	rec, known := b.ledger.records[s.Out]
	_, err := os.Lstat(p.Out)
	there := err == nil
	if !known {
		if there {
			return Row{}, false, failure.Newf(failure.Exists, "move it, or choose another folder", "%s is there and was not made by an earlier run", s.Out)
		}
		return Row{}, false, nil
	}
	unchanged := rec.Source == src && rec.Conditions.change(b.conditions) == ""
	if rec.State == pipeline.Held && there {
		if !unchanged {
			return Row{}, false, failure.Newf(failure.Exists, "move it, then run the batch again",
				"%s was rendered after an earlier run held the clip, and the inputs have changed since", s.Out)
		}
		return Row{Clip: s.Label, Outcome: pipeline.Released, Earlier: true, Cause: "rendered since it was held, left alone", Derivative: p.Out}, true, nil
	}
	if rec.State == stateStarted || !unchanged || missing(p.Plan, p.Report) {
		return Row{}, false, nil
	}
	return b.kept(ctx, s, p, rec)
}

// kept gives the row of a clip that needs nothing, if its derivative is still what was written.
func (b *Batch) kept(ctx context.Context, s input.Source, p disk.Paths, rec record) (Row, bool, error) {
	done := Row{Clip: s.Label, Outcome: rec.State, Earlier: true, Cause: "done by an earlier run, nothing changed", Derivative: p.Out}
	if rec.State == pipeline.Held {
		done.Cause = fmt.Sprintf("held by an earlier run, nothing changed: %s", findings(rec.Findings))
		done.Derivative, done.exit = pipeline.HeldName(p.Out), pipeline.ExitHeld
	}
	if rec.Derivative == nil {
		done.Derivative = ""
		return done, true, nil
	}
	if missing(p.Sheet) {
		return Row{}, false, nil
	}
	now, there, err := disk.Digest(ctx, done.Derivative)
	if err != nil || !there || now != *rec.Derivative {
		return Row{}, false, err
	}
	return done, true, nil
}

// missing reports whether one of the files that were asked for is not there.
func missing(files ...string) bool {
	for _, path := range files {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return true
		}
	}
	return false
}

// redo removes what an earlier run made of the clip, so that no name promises what is no longer true, and redacts it.
func (b *Batch) redo(ctx context.Context, s input.Source, p disk.Paths, m screen.Meter) Row {
	for _, path := range []string{p.Out, p.Plan, p.Report, p.Sheet} {
		if path == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return failedRow(s, failure.Usagef("check the folder's owner and mode", "folder of the output cannot be made: %s", disk.Plain(err)))
		}
	}
	if _, known := b.ledger.records[s.Out]; known {
		for _, old := range []string{p.Out, pipeline.HeldName(p.Out), pipeline.HeldPlanName(p.Out)} {
			if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
				return failedRow(s, fmt.Errorf("remove what an earlier run made: %w", disk.Plain(err)))
			}
		}
	}
	if err := p.Check(); err != nil {
		return failedRow(s, err)
	}
	rec := record{State: stateStarted, Key: s.Key(b.shared[s.Label]), Name: s.Out, Conditions: b.conditions}
	if err := b.ledger.put(rec); err != nil {
		return failedRow(s, err)
	}
	out, err := b.Clip(ctx, b.Request, p, m)
	if err != nil {
		return failedRow(s, errors.Join(err, b.forget(s, p)))
	}
	return b.settle(s, rec, out)
}

// forget drops the record of a clip that failed, unless a derivative was left under its name.
func (b *Batch) forget(s input.Source, p disk.Paths) error {
	if _, err := os.Lstat(p.Out); err == nil {
		return nil
	}
	return b.ledger.drop(s.Out)
}

// settle records how a clip ended.
func (b *Batch) settle(s input.Source, rec record, out pipeline.Outcome) Row {
	rec.State, rec.Source = out.State, out.Report.Source
	if out.Derivative != "" {
		rec.Derivative = &out.Report.Derivative
	}
	r := Row{Clip: s.Label, Outcome: out.State, Derivative: out.Derivative, Plan: out.Plan}
	if out.State == pipeline.Held {
		for _, f := range out.Report.Findings {
			if !f.Dismissed {
				rec.Findings++
			}
		}
		r.Cause, r.exit = findings(rec.Findings), pipeline.ExitHeld
	}
	if err := b.ledger.put(rec); err != nil {
		return failedRow(s, err)
	}
	return r
}
