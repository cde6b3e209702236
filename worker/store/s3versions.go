package store

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	minio "github.com/minio/minio-go/v7"
)

// ListVersions gives every version of every object under a prefix, and the marks of deletions, in order of keys.
func (s *s3Store) ListVersions(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		versions, err := s.keepsVersions(ctx)
		if err != nil {
			yield(Object{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		opts := minio.ListObjectsOptions{Prefix: s.full(prefix), Recursive: true, WithVersions: versions}
		for info := range s.client.api.ListObjectsIter(ctx, s.bucket, opts) {
			if info.Err != nil {
				yield(Object{}, s3Error(ctx, "list versions", info.Err))
				return
			}
			o := s.client.object(strings.TrimPrefix(info.Key, s.prefix), info)
			o.Encryption = "" // listings do not tell
			if !yield(o, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(Object{}, fmt.Errorf("list versions: %w", ended(ctx)))
		}
	}
}

// locks asks whether the bucket can keep objects from being deleted. Credentials that may not ask may not lock either.
func (s *s3Store) locks(ctx context.Context) (bool, error) {
	var mode string
	err := s.client.again(ctx, func() (err error) {
		mode, _, _, _, err = s.client.api.GetObjectLockConfig(ctx, s.bucket)
		if hasCode(err, "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "NotImplemented", "AccessDenied") {
			mode, err = "", nil
		}
		return s3Error(ctx, "ask for locks", err)
	})
	return mode == "Enabled", err
}

// Lock keeps the newest version of an object from being deleted before a moment, in the mode that an administrator can lift.
func (s *s3Store) Lock(ctx context.Context, key string, until time.Time) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	can, err := s.locks(ctx)
	if err != nil || !can {
		return false, err
	}
	o, err := s.client.stat(ctx, s.bucket, s.full(key), "")
	if err != nil {
		return false, err
	}
	mode, until := minio.Governance, until.UTC()
	err = s.client.again(ctx, func() error {
		return s3Error(ctx, "lock "+key, s.client.api.PutObjectRetention(ctx, s.bucket, s.full(key),
			minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, VersionID: o.Version}))
	})
	return err == nil, err
}
