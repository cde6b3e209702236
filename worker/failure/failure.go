// Package failure holds veil's failures outside the pipeline: the codes that command line and worker give beside the
// pipeline's own, the words for each code in two languages, and the wording of what queue, store and jobs say. A failure is
// one line, what is wrong and what to do; it holds no stack trace and no other program's output.
package failure

import (
	"fmt"
	"path/filepath"
	"strings"

	"veil/pipeline"
	"veil/worker/text"
)

// ClipError names the clip that an error is about.
type ClipError struct {
	Clip string
	Err  error
}

// About wraps err with the clip it is about; nil stays nil.
func About(path string, err error) error {
	if err == nil {
		return nil
	}
	return &ClipError{Clip: filepath.Base(path), Err: err}
}

func (c *ClipError) Error() string { return c.Clip + ": " + c.Err.Error() }

func (c *ClipError) Unwrap() error { return c.Err }

// Failure codes that only the command line gives; docs/failures.md tells them beside the pipeline's.
const (
	Crashed = "crashed"    // a stage's process died
	Exists  = "exists"     // a file is in the way
	Busy    = "busy"       // another run works in the same folder
	Models  = "models"     // weights missing or wrong
	Sandbox = "sandbox"    // a part of the required isolation is missing
	Setup   = "setup"      // the machine lacks something that doctor asks for
	File    = "permission" // a file or folder cannot be read or written

	Queue       = "queue"        // NATS does not answer, or is not set up
	QueueAccess = "queue_access" // NATS refuses us, or cannot be trusted
	Store       = "store"        // the store does not answer
	StoreAccess = "store_access" // the store refuses us, or what is named is not there
)

// Usagef is a request that makes no sense, with what to do about it.
func Usagef(remedy, format string, args ...any) error {
	return &pipeline.Failure{Code: "usage", Detail: fmt.Sprintf(format, args...), Remedy: remedy, Exit: pipeline.ExitUsage}
}

// Newf is any other failure of the command line's own.
func Newf(code, remedy, format string, args ...any) error {
	return &pipeline.Failure{Code: code, Detail: fmt.Sprintf(format, args...), Remedy: remedy, Exit: pipeline.ExitFailed}
}

// Named is a failure as --json prints it.
type Named struct {
	Clip string `json:"clip,omitempty"`
	*pipeline.Failure
}

// As is the pipeline's, in the command line's words.
func As(err error) *pipeline.Failure {
	f := *pipeline.AsFailure(err)
	f.Detail = strings.TrimPrefix(f.Detail, "usage: ")
	if f.Code == "cancelled" {
		f.Detail, f.Remedy = "interrupted, nothing was written", "run it again"
	}
	return &f
}

// Line is `veil: CLIP: cause: what to do`, without anything that could move a terminal's cursor.
func Line(clip string, f *pipeline.Failure) string {
	parts := []string{"veil"}
	if clip != "" {
		parts = append(parts, text.Printable(clip))
	}
	parts = append(parts, text.Printable(f.Detail))
	if f.Remedy != "" {
		parts = append(parts, text.Printable(f.Remedy))
	}
	return strings.Join(parts, ": ")
}

// Failure codes that only a worker gives.
const (
	SourceMissing = "source_missing" // the clip is not where the job says
	TooLarge      = "too_large"      // the clip does not fit into scratch
	Stalled       = "stalled"        // a stage made no progress
	NoPlan        = "no_plan"        // decisions without the plan they are about
	StoreUnsafe   = "store_unsafe"   // the store does not keep what veil needs
	Clock         = "clock"          // the clocks of this machine and of the store differ
)
