package store

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	minio "github.com/minio/minio-go/v7"
)

// s3Error gives an error of the SDK the package's words. It keeps code and status and leaves out the server's message and
// the URL: they name keys, which can be a person's name.
func s3Error(ctx context.Context, verb string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", verb, ended(ctx))
	}
	var w errWrite
	var r errRead
	if errors.As(err, &w) || errors.As(err, &r) || isOurs(err) {
		return fmt.Errorf("%s: %w", verb, err)
	}
	var resp minio.ErrorResponse
	if errors.As(err, &resp) {
		kind, said := responseKind(resp), fmt.Sprintf("%s, status %d", cleanCode(resp.Code), resp.StatusCode)
		if kind == nil {
			return fmt.Errorf("%s: the store refuses: %s", verb, said)
		}
		return fmt.Errorf("%s: %w: %s", verb, kind, said)
	}
	var ne *netError
	if errors.As(err, &ne) {
		return fmt.Errorf("%s: %w: %w", verb, ErrUnavailable, ne)
	}
	var syn *xml.SyntaxError
	if errors.As(err, &syn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %w: its answer makes no sense", verb, ErrUnavailable)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// isOurs reports an error that has the package's words already.
func isOurs(err error) bool {
	for _, s := range []error{ErrNotFound, ErrExists, ErrChanged, ErrDenied, ErrUnavailable, ErrDamaged, ErrUnsafe, ErrFull, ErrKey} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// cleanCode is an error code as S3 has them: one word. A proxy in front may say anything.
func cleanCode(code string) string {
	for _, r := range code {
		if (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return "no code"
		}
	}
	if code == "" || len(code) > 64 {
		return "no code"
	}
	return code
}

var (
	notFoundCodes = []string{"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchUpload", "NotFound", "InvalidVersionId"}
	deniedCodes   = []string{"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"InvalidTokenId", "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed",
		"InvalidSecurity", "XMinioInvalidAccessKey", "MethodNotAllowed"}
	fullCodes = []string{"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage",
		"InsufficientCapacity"}
	keyCodes     = []string{"XMinioInvalidObjectName", "KeyTooLongError", "InvalidBucketName", "ObjectParentIsFile", "ExistingObjectIsDirectory"}
	damagedCodes = []string{"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody"}
)

// responseKind finds the sentinel for what a store answered; nil where there is none.
func responseKind(e minio.ErrorResponse) error {
	has := func(codes []string) bool { return slices.Contains(codes, e.Code) }
	switch {
	case has(fullCodes) || e.StatusCode == http.StatusInsufficientStorage:
		return ErrFull
	case has(keyCodes):
		return ErrKey
	case has(damagedCodes):
		return ErrDamaged
	case has(notFoundCodes) || e.StatusCode == http.StatusNotFound:
		return ErrNotFound
	case has(deniedCodes) || e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden:
		return ErrDenied
	case isTaken(e):
		return ErrChanged
	case e.Code == "NotImplemented":
		return nil
	case e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusRequestTimeout:
		return ErrUnavailable
	case e.Code == "RequestTimeout" || e.Code == "SlowDown" || e.Code == "ServiceUnavailable" || e.Code == "InternalError":
		return ErrUnavailable
	}
	return nil
}

// isTaken reports that a condition of a request was not met.
func isTaken(e minio.ErrorResponse) bool {
	return e.Code == "PreconditionFailed" || e.StatusCode == http.StatusPreconditionFailed
}

// hasCode reports whether the store answered with one of some codes.
func hasCode(err error, codes ...string) bool {
	var resp minio.ErrorResponse
	return errors.As(err, &resp) && slices.Contains(codes, resp.Code)
}
