package failure

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"

	"veil/pipeline"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Away tells a server that does not answer just now from what waiting cannot mend.
func Away(err error) bool {
	f := As(err)
	return f.Code == Queue || f.Code == Store
}

// OfQueue words what went wrong between us and NATS; addresses and file names stay out of it.
func OfQueue(err error) error {
	var path *os.PathError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, jobs.ErrNotSetUp):
		return Newf(Queue, "run `veil setup`", "the queue is not set up on this server")
	case errors.Is(err, jobs.ErrSubmitOnly):
		return Newf(QueueAccess, "ask the operator, or leave --submit-only out where the account may do more", "%s", jobs.ErrSubmitOnly)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrPermissionViolation):
		return Newf(QueueAccess, "check --nats-creds and what the account may do", "the NATS server refuses access")
	case errors.As(err, &path):
		return Usagef("check --nats-creds, --nats-ca, --nats-cert and --nats-key", "a file for NATS cannot be read: %s", path.Err)
	case isTLS(err):
		return Newf(QueueAccess, "check --nats-ca, --nats-cert and --nats-key", "no trust between here and the NATS server: %s", err)
	}
	return Newf(Queue, "check --nats and the server, or start `veil dev`", "the NATS server does not answer: %s", err)
}

// isTLS tells certificates that do not fit from servers that are away.
func isTLS(err error) bool {
	text := err.Error()
	return strings.Contains(text, "tls:") || strings.Contains(text, "x509:")
}

// OfStore words what went wrong with the store as a whole.
func OfStore(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, store.ErrClock):
		return Coded(Clock, err.Error())
	case errors.Is(err, store.ErrUnsafe):
		return Newf(StoreUnsafe, "docs/store.md tells what a store must keep", "%s", err)
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrNotFound):
		return Newf(StoreAccess, "check the bucket or folder, and the access key", "%s", err)
	case errors.Is(err, store.ErrUnavailable):
		return Newf(Store, "check --s3-endpoint and the store", "%s", err)
	case errors.Is(err, store.ErrFull):
		return Newf("no_space", "free space in the store", "%s", err)
	}
	return err
}

// OfFile words what went wrong with a file or a folder of this machine, or of one that is mounted here; nil stays nil. The path
// stays out of it.
func OfFile(what string, err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return Newf("no_space", "free space and run it again", "%s: %s", what, err)
	}
	return &pipeline.Failure{Code: File, Detail: what + ": " + err.Error(), Remedy: "check the folder, its owner and its disk", Exit: pipeline.ExitUsage}
}
