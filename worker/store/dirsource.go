package store

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
)

// dirSource has folders as buckets. It has no way to write, and keeps no versions.
type dirSource struct {
	root *os.Root
}

// OpenDirSource opens a folder whose folders are buckets, to read from them only.
func OpenDirSource(root string) (Source, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, dirError("open the folder of sources", err)
	}
	return &dirSource{root: r}, nil
}

// bucket opens one folder: links may lead nowhere outside of it.
func (s *dirSource) bucket(bucket string) (folder, error) {
	if err := checkBucket(bucket); err != nil {
		return folder{}, err
	}
	r, err := s.root.OpenRoot(bucket)
	if err != nil {
		return folder{}, dirError("open a bucket", err)
	}
	return folder{root: r, want: Off}, nil
}

func noVersion(version string) error {
	if version != "" {
		return fmt.Errorf("%w: a folder keeps no versions", ErrNotFound)
	}
	return nil
}

// Stat describes a file.
func (s *dirSource) Stat(ctx context.Context, bucket, key, version string) (Object, error) {
	if err := noVersion(version); err != nil {
		return Object{}, err
	}
	f, err := s.bucket(bucket)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = f.Close() }()
	return f.Stat(ctx, key)
}

// Fetch streams a file: ErrChanged where it was written or replaced meanwhile.
func (s *dirSource) Fetch(ctx context.Context, bucket, key, version string, w io.Writer) (Object, error) {
	if err := noVersion(version); err != nil {
		return Object{}, err
	}
	f, err := s.bucket(bucket)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = f.Close() }()
	return f.Fetch(ctx, key, w)
}

// List gives the files below a folder.
func (s *dirSource) List(ctx context.Context, bucket, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		f, err := s.bucket(bucket)
		if err != nil {
			yield(Object{}, err)
			return
		}
		defer func() { _ = f.Close() }()
		f.List(ctx, prefix)(yield)
	}
}

// Close closes the folder.
func (s *dirSource) Close() error {
	if err := s.root.Close(); err != nil {
		return fmt.Errorf("close the folder of sources: %w", err)
	}
	return nil
}
