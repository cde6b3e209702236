package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"veil/pipeline"
	"veil/worker/clips"
	"veil/worker/failure"
	"veil/worker/text"
)

// row is how one clip of a batch ended.
type row struct {
	Clip       string            `json:"clip"`
	Outcome    string            `json:"outcome"` // released, held, failed, skipped or "not started"
	Earlier    bool              `json:"earlier,omitempty"`
	Cause      string            `json:"cause,omitempty"`
	Derivative string            `json:"derivative,omitempty"`
	Plan       string            `json:"plan,omitempty"`
	Failure    *pipeline.Failure `json:"failure,omitempty"`
	exit       int
}

// Outcomes of a batch's clip besides the pipeline's.
const (
	outcomeFailed     = "failed"
	outcomeSkipped    = "skipped"
	outcomeNotStarted = "not started"
)

// findings words a number of findings.
func findings(n int) string {
	if n == 1 {
		return "1 finding for a person to look at"
	}
	return fmt.Sprintf("%d findings for a person to look at", n)
}

// failedRow is the row of a clip that ended with an error.
func failedRow(s clips.Source, err error) row {
	f := failure.As(err)
	cause := f.Detail
	if f.Remedy != "" {
		cause += ": " + f.Remedy
	}
	return row{Clip: s.Label, Outcome: outcomeFailed, Cause: cause, Failure: f, exit: f.Exit}
}

// worst is the exit code of a batch.
func worst(rows []row) int {
	has := map[int]bool{}
	clips := 0
	for _, r := range rows {
		has[r.exit] = true
		if r.Outcome != outcomeSkipped {
			clips++
		}
	}
	for _, code := range failure.Severity {
		if has[code] {
			return code
		}
	}
	if clips == 0 {
		return pipeline.ExitUsage
	}
	return pipeline.ExitReleased
}

// tell prints the table and ends with the worst exit code.
func (b *batch) tell(rows []row) error {
	code := worst(rows)
	if b.app.JSON {
		if err := b.app.printJSON(map[string]any{"clips": rows, "exit": code}); err != nil {
			return err
		}
		return ended(code)
	}
	w := tabwriter.NewWriter(b.app.streams.out, 0, 0, 2, ' ', 0)
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
	for _, o := range []string{pipeline.Released, pipeline.Held, outcomeFailed, outcomeSkipped, outcomeNotStarted} {
		if count[o] > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", count[o], o))
		}
	}
	if len(rows) == 0 || code == pipeline.ExitUsage && count[outcomeFailed] == 0 {
		return failure.Usagef("name clips, or a folder that holds some", "no clip among the inputs")
	}
	b.app.printf("%s\n", strings.Join(sums, ", "))
	return ended(code)
}
