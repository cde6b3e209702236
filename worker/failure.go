package main

import (
	"fmt"
	"strings"

	"veil/pipeline"
	"veil/worker/text"
)

// Failure codes that only the command line gives; docs/failures.md tells them beside the pipeline's.
const (
	codeCrashed = "crashed" // a stage's process died
	codeExists  = "exists"  // a file is in the way
	codeBusy    = "busy"    // another run works in the same folder
	codeModels  = "models"  // weights missing or wrong
	codeSandbox = "sandbox" // a part of the required isolation is missing
	codeSetup   = "setup"   // the machine lacks something that doctor asks for

	codeQueue       = "queue"        // NATS does not answer, or is not set up
	codeQueueAccess = "queue_access" // NATS refuses us, or cannot be trusted
	codeStore       = "store"        // the store does not answer
	codeStoreAccess = "store_access" // the store refuses us, or what is named is not there
)

// usagef is a request that makes no sense, with what to do about it.
func usagef(remedy, format string, args ...any) error {
	return &pipeline.Failure{Code: "usage", Detail: fmt.Sprintf(format, args...), Remedy: remedy, Exit: pipeline.ExitUsage}
}

// failedf is any other failure of the command line's own.
func failedf(code, remedy, format string, args ...any) error {
	return &pipeline.Failure{Code: code, Detail: fmt.Sprintf(format, args...), Remedy: remedy, Exit: pipeline.ExitFailed}
}

// failureJSON is a failure as --json prints it.
type failureJSON struct {
	Clip string `json:"clip,omitempty"`
	*pipeline.Failure
}

// asFailure is the pipeline's, in the command line's words.
func asFailure(err error) *pipeline.Failure {
	f := *pipeline.AsFailure(err)
	f.Detail = strings.TrimPrefix(f.Detail, "usage: ")
	if f.Code == "cancelled" {
		f.Detail, f.Remedy = "interrupted, nothing was written", "run it again"
	}
	return &f
}

// failureLine is `veil: CLIP: cause: what to do`, without anything that could move a terminal's cursor.
func failureLine(clip string, f *pipeline.Failure) string {
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
