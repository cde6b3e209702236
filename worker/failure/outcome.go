package failure

import (
	"veil/pipeline"
	"veil/worker/jobs"
)

// outcome is how a job that was not released ended, in the words of its code.
type outcome struct {
	Code, Cause, Remedy string
	Exit                int
}

// OutcomeOf reads an answer; a released job has no code and exit code 0.
func OutcomeOf(s jobs.State) outcome {
	code := s.Code
	switch s.Phase {
	case jobs.Released:
		return outcome{}
	case jobs.Held:
		code = Held
	case jobs.Cancelled:
		code = "cancelled"
	case jobs.Withdrawn:
		code = Withdrawn
	case jobs.Rejected:
		code = Rejected
	case jobs.Queued, jobs.Running, jobs.Committing:
		code = Unanswered
	}
	t := TextOf(code)
	return outcome{Code: code, Cause: t.EN.Cause, Remedy: t.EN.Remedy, Exit: t.Exit}
}

// Severity ranks exit codes: the first that a batch has is its own.
var Severity = []int{pipeline.ExitVerify, pipeline.ExitFailed, pipeline.ExitUnsupported, pipeline.ExitUsage, pipeline.ExitHeld}
