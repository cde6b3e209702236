package main

import (
	"context"
	"errors"

	"veil/pipeline"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Failure codes of the commands that speak to the queue.
const (
	codeConflict   = "conflict"     // the id belongs to another job
	codeNoJob      = "no_job"       // there is no such job
	codePhase      = "wrong_phase"  // the job's phase does not allow it
	codeUnanswered = "unanswered"   // the job is not finished
	codeHeld       = "held"         // a person has to look first
	codeWithdrawn  = "withdrawn"    // the release was withdrawn
	codeRejected   = "rejected"     // the job makes no sense or is not allowed
	codeDigest     = "wrong_digest" // the store gave back other bytes than the manifest names
)

// exitConflict is an exit code of its own, so that a script can tell "already handed in as something else" from all the rest.
const exitConflict = 6

// coded makes a failure whose exit code and remedy the table of causes tells.
func coded(code, detail string) error {
	t := causeOf(code)
	return &pipeline.Failure{Code: code, Detail: detail, Remedy: t.en.remedy, Exit: t.exit}
}

// jobError words what queue or store said about one job; nil stays nil.
func jobError(id string, err error) error {
	var known *pipeline.Failure
	var invalid *jobs.InvalidError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &known):
		return err
	case errors.Is(err, jobs.ErrNotFound):
		return coded(codeNoJob, "there is no job "+id)
	case errors.Is(err, jobs.ErrConflict):
		return coded(codeConflict, "job "+id+" was handed in with other content")
	case errors.Is(err, jobs.ErrPhase):
		return coded(codePhase, err.Error())
	case errors.As(err, &invalid):
		return usagef("mend what the line names", "%s", invalid)
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrChanged):
		return coded(codeDigest, "what the store holds of "+id+" is not what was put there")
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDenied):
		return failedf(codeStoreAccess, causeOf(codeStoreAccess).en.remedy, "%s", err)
	case errors.Is(err, store.ErrUnavailable):
		return failedf(codeStore, "try again later, or check the store", "%s", err)
	case errors.Is(err, store.ErrFull):
		return failedf("no_space", "free space in the store", "%s", err)
	case errors.Is(err, store.ErrExists):
		return coded(codeConflict, "the store holds something else under "+id)
	case pipeline.AsFailure(err).Code != "internal":
		return err
	}
	return queueFailure(err)
}
