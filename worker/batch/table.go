package batch

import (
	"fmt"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/input"
)

// Row is how one clip of a batch ended.
type Row struct {
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
	OutcomeFailed     = "failed"
	OutcomeSkipped    = "skipped"
	OutcomeNotStarted = "not started"
)

// findings words a number of findings.
func findings(n int) string {
	if n == 1 {
		return "1 finding for a person to look at"
	}
	return fmt.Sprintf("%d findings for a person to look at", n)
}

// failedRow is the row of a clip that ended with an error.
func failedRow(s input.Source, err error) Row {
	f := failure.As(err)
	cause := f.Detail
	if f.Remedy != "" {
		cause += ": " + f.Remedy
	}
	return Row{Clip: s.Label, Outcome: OutcomeFailed, Cause: cause, Failure: f, exit: f.Exit}
}

// Worst is the exit code of a batch.
func Worst(rows []Row) int {
	has := map[int]bool{}
	clips := 0
	for _, r := range rows {
		has[r.exit] = true
		if r.Outcome != OutcomeSkipped {
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
