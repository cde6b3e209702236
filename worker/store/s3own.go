package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	minio "github.com/minio/minio-go/v7"
)

// keepsVersions asks once whether the bucket keeps versions, or once kept them.
func (s *s3Store) keepsVersions(ctx context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.versioned != nil {
		return *s.versioned, nil
	}
	var conf minio.BucketVersioningConfiguration
	err := s.client.again(ctx, func() (err error) {
		conf, err = s.client.api.GetBucketVersioning(ctx, s.bucket)
		if hasCode(err, "NotImplemented", "VersioningNotConfigured") {
			return nil
		}
		return s3Error(ctx, "ask for versions", err)
	})
	if err != nil {
		return false, err
	}
	has := conf.Status != ""
	s.versioned = &has
	return has, nil
}

// Remove deletes an object with all its versions, and the marks of earlier deletions.
func (s *s3Store) Remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	versions, err := s.keepsVersions(ctx)
	if err != nil {
		return fmt.Errorf("remove %s: %w", key, err)
	}
	if !versions {
		return s.removeVersion(ctx, key, "")
	}
	var all []string
	err = s.client.again(ctx, func() (err error) {
		all, err = s.versions(ctx, key)
		return err
	})
	if err != nil {
		return err
	}
	for _, v := range all {
		if err := s.removeVersion(ctx, key, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *s3Store) removeVersion(ctx context.Context, key, version string) error {
	return s.client.again(ctx, func() error {
		err := s.client.api.RemoveObject(ctx, s.bucket, s.full(key), minio.RemoveObjectOptions{VersionID: version})
		if hasCode(err, "InvalidRequest", "ObjectLocked") { // so MinIO names a lock; others say AccessDenied
			return fmt.Errorf("remove %s: %w: it is locked", key, ErrDenied)
		}
		if err := s3Error(ctx, "remove "+key, err); err != nil && (!errors.Is(err, ErrNotFound) || hasCode(err, "NoSuchBucket")) {
			return err
		}
		return nil
	})
}

// versions are all versions of a key.
func (s *s3Store) versions(ctx context.Context, key string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []string
	opts := minio.ListObjectsOptions{Prefix: s.full(key), Recursive: true, WithVersions: true}
	for info := range s.client.api.ListObjectsIter(ctx, s.bucket, opts) {
		if info.Err != nil {
			return nil, s3Error(ctx, "list versions of "+key, info.Err)
		}
		if info.Key > s.full(key) {
			break
		}
		if info.Key == s.full(key) {
			all = append(all, info.VersionID)
		}
	}
	return all, nil
}

// AbortUploads ends uploads that were begun before a moment.
//
// The MinIO server lists uploads only under an exact key or for a whole bucket, so that both lists are asked for.
func (s *s3Store) AbortUploads(ctx context.Context, prefix string, before time.Time) (int, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	stale := map[string]string{} // keys by upload
	for _, ask := range []string{s.full(prefix), ""} {
		if err := s.staleUploads(ctx, ask, s.full(prefix), before, stale); err != nil {
			if ask == "" && prefix != "" && errors.Is(err, ErrDenied) {
				break // these credentials see our prefix alone
			}
			return 0, err
		}
		if s.full(prefix) == "" {
			break
		}
	}
	n := 0
	for id, key := range stale {
		err := s3Error(ctx, "abort an upload", s.client.api.AbortMultipartUpload(ctx, s.bucket, key, id))
		switch {
		case err == nil:
			n++
		case !errors.Is(err, ErrNotFound): // another ended it
			return n, err
		}
	}
	return n, nil
}

// staleUploads adds the uploads of a listing whose keys begin with a prefix and that are old enough.
func (s *s3Store) staleUploads(ctx context.Context, ask, prefix string, before time.Time, stale map[string]string) error {
	ctx, cancel := context.WithCancel(ctx)
	uploads := s.client.api.ListIncompleteUploads(ctx, s.bucket, ask, true)
	defer func() {
		cancel()
		for range uploads { // the SDK's goroutine ends when nobody is told any more
		}
	}()
	for u := range uploads {
		if u.Err != nil {
			return s3Error(ctx, "list uploads", u.Err)
		}
		if strings.HasPrefix(u.Key, prefix) && u.Initiated.Before(before) {
			stale[u.UploadID] = u.Key
		}
	}
	return nil
}

// Check is described with the interface.
func (s *s3Store) Check(ctx context.Context) (Trust, error) {
	trust := Trust{Kind: "s3"}
	versions, err := s.keepsVersions(ctx)
	if err != nil {
		return trust, err
	}
	trust.Versions = versions
	if trust.Locks, err = s.locks(ctx); err != nil {
		return trust, err
	}
	trust.Encryption, err = probe(ctx, s, func(ctx context.Context, key string, data []byte) (bool, error) {
		return s.create(ctx, key, data, "")
	})
	if err != nil {
		return trust, err
	}
	trust.Conditional = true
	return trust, nil
}
