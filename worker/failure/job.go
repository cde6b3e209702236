package failure

import (
	"context"
	"errors"

	"veil/pipeline"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Failure codes of the commands that speak to the queue.
const (
	Conflict    = "conflict"     // the id belongs to another job
	NoJob       = "no_job"       // there is no such job
	Phase       = "wrong_phase"  // the job's phase does not allow it
	Unanswered  = "unanswered"   // the job is not finished
	Held        = "held"         // a person has to look first
	Withdrawn   = "withdrawn"    // the release was withdrawn
	Rejected    = "rejected"     // the job makes no sense or is not allowed
	Destroyed   = "destroyed"    // the job was destroyed when its time was over
	WrongDigest = "wrong_digest" // the store gave back other bytes than the manifest names
)

// ExitConflict is an exit code of its own, so that a script can tell "already handed in as something else" from all the rest.
const ExitConflict = 6

// Coded makes a failure whose exit code and remedy the table of causes tells.
func Coded(code, detail string) error {
	t := TextOf(code)
	return &pipeline.Failure{Code: code, Detail: detail, Remedy: t.EN.Remedy, Exit: t.Exit}
}

// OfJob words what queue or store said about one job; nil stays nil.
func OfJob(id string, err error) error {
	var known *pipeline.Failure
	var invalid *jobs.InvalidError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &known):
		return err
	case errors.Is(err, jobs.ErrNotFound):
		return Coded(NoJob, "there is no job "+id)
	case errors.Is(err, jobs.ErrConflict):
		return Coded(Conflict, "job "+id+" was handed in with other content")
	case errors.Is(err, jobs.ErrPhase):
		return Coded(Phase, err.Error())
	case errors.As(err, &invalid):
		return Usagef("mend what the line names", "%s", invalid)
	case errors.Is(err, store.ErrClock):
		return Coded(Clock, err.Error())
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrChanged):
		return Coded(WrongDigest, "what the store holds of "+id+" is not what was put there")
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDenied):
		return Newf(StoreAccess, TextOf(StoreAccess).EN.Remedy, "%s", err)
	case errors.Is(err, store.ErrUnavailable):
		return Newf(Store, "try again later, or check the store", "%s", err)
	case errors.Is(err, store.ErrFull):
		return Newf("no_space", "free space in the store", "%s", err)
	case errors.Is(err, store.ErrExists):
		return Coded(Conflict, "the store holds something else under "+id)
	case pipeline.AsFailure(err).Code != "internal":
		return err
	}
	return OfQueue(err)
}
