package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/room"
	"veil/worker/store"
)

var (
	errStalled = errors.New("a stage made no progress")
	errNoPlan  = errors.New("the plan that the decisions are about is not there")
)

// sourceError is an error about the original, in contrast to our own store.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "fetch clip: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// How long a job waits after what is none of its doing.
const (
	waitForStore = 15 * time.Second
	waitForRoom  = 20 * time.Second
	waitForHands = time.Minute // something that a person has to mend
)

// fate lets the type of an error decide what becomes of the job: what lies in the clip or the order is lasting, what lies in
// the machine or the store waits uncounted, and everything else counts as a failure. docs/worker.md has the table.
func (w *worker) fate(err error) error {
	var source *sourceError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, jobs.ErrEpochLost), errors.Is(err, jobs.ErrCancelled):
		return err
	case errors.Is(err, room.ErrNoRoom):
		return jobs.RetryAfter(waitForRoom, err)
	case errors.Is(err, room.ErrNeverFits), errors.Is(err, errNoPlan):
		return jobs.Permanent(err)
	case errors.As(err, &source) && (errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrChanged)):
		return jobs.Permanent(err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
		return jobs.RetryAfter(waitForStore, err)
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrUnsafe):
		return jobs.RetryAfter(waitForHands, err)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrExists), errors.Is(err, errStalled):
		return err
	}
	switch f := pipeline.AsFailure(err); f.Code {
	case "missing_tool", failure.Models, failure.Setup:
		return jobs.RetryAfter(waitForHands, err)
	case "no_space":
		if w.room.Crowded() {
			return jobs.RetryAfter(waitForRoom, err) // the neighbours' doing as well
		}
		return err
	default:
		if f.Exit == pipeline.ExitUnsupported || f.Exit == pipeline.ExitVerify || f.Exit == pipeline.ExitUsage {
			return jobs.Permanent(err)
		}
		return err
	}
}

// causeFor gives an error the code that the world is told. Neither code nor remedy holds anything of the job.
func causeFor(err error) jobs.Cause {
	var source *sourceError
	code := ""
	switch {
	case errors.Is(err, errStalled):
		code = failure.Stalled
	case errors.Is(err, errNoPlan):
		code = failure.NoPlan
	case errors.Is(err, room.ErrNeverFits):
		code = failure.TooLarge
	case errors.Is(err, room.ErrNoRoom), errors.Is(err, store.ErrFull):
		code = "no_space"
	case errors.As(err, &source) && errors.Is(err, store.ErrNotFound):
		code = failure.SourceMissing
	case errors.Is(err, store.ErrChanged):
		code = "source_changed"
	case errors.Is(err, store.ErrUnavailable):
		code = failure.Store
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrNotFound):
		code = failure.StoreAccess
	case errors.Is(err, store.ErrUnsafe):
		code = failure.StoreUnsafe
	case errors.Is(err, store.ErrClock):
		code = failure.Clock
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrExists):
		code = failure.WrongDigest
	default:
		code = pipeline.AsFailure(err).Code
	}
	if code == "internal" {
		return jobs.Cause{Code: jobs.CodeInternal}
	}
	return jobs.Cause{Code: code, Remedy: failure.TextOf(code).EN.Remedy}
}

// noRoom gives a full disk its sentinel.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.Join(media.ErrNoSpace, err)
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return failure.Newf(failure.Setup, "run `veil doctor`", "the scratch folder cannot be written: %s", err)
	}
	return err
}
