package jobs

import (
	"errors"
	"time"
)

// permanent marks an error that trying again cannot mend.
type permanent struct{ err error }

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }

// Permanent says that trying again cannot mend err: the job fails at once and goes to the dead letters. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// retryAfter marks an error that is not the clip's fault.
type retryAfter struct {
	delay time.Duration
	err   error
}

func (e *retryAfter) Error() string { return e.err.Error() }
func (e *retryAfter) Unwrap() error { return e.err }

// RetryAfter says that err is none of the clip's doing (a store that is away, no scratch space): the job waits at least d and
// is tried again, which counts as no failure, however often. RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfter{delay: max(d, 0), err: err}
}

// Causes with which the context of an attempt ends.
var (
	// ErrEpochLost says that another worker has taken the job over: stop, publish nothing.
	ErrEpochLost = errors.New("another worker has taken the job over")
	// ErrCancelled says that somebody cancelled the job.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrStopping says that this worker shuts down and hands its jobs back.
	ErrStopping = errors.New("the worker is shutting down")
)

// errNoResult is what a process gets that ends well and has committed nothing: fail closed.
var errNoResult = errors.New("ended without a result")

// Cause is what the world may know of an error: a stable code and a remedy that holds for every job. It travels in events
// and dead letters, so neither may contain anything of the job.
type Cause struct {
	Code   string `json:"code"`
	Remedy string `json:"remedy,omitempty"`
}

// Codes that this package gives itself.
const (
	CodeInternal   = "internal"
	CodeRejected   = "rejected"
	CodeWorkerDied = "worker_died"
	CodeUnreadable = "unreadable_message"
)
