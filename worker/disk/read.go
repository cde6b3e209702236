package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"veil/pipeline"
)

// Base is the last element of a path, as a clip is called in what is printed.
func Base(path string) string { return filepath.Base(path) }

// Digest is a file's SHA-256 and size; "" and false where there is no such file.
func Digest(ctx context.Context, path string) (pipeline.FileDigest, bool, error) {
	d, err := pipeline.DigestFile(ctx, path, nil)
	if errors.Is(err, os.ErrNotExist) {
		return d, false, nil
	}
	return d, err == nil, err
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("too large")
)

// Same reports whether two paths lead to one file, by whatever names.
func Same(a, b string) bool {
	if a == b {
		return true
	}
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib)
}

// maxDocument bounds what is read as a policy or as decisions, in bytes.
const maxDocument = 16 << 20

// ReadDocument reads a small regular file whole.
func ReadDocument(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if info.Size() > maxDocument {
		return nil, &os.PathError{Op: "read", Path: path, Err: errTooLarge}
	}
	return os.ReadFile(path)
}

// IsFolder reports whether path is there and is a folder.
func IsFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Plain drops operation and path from a file error.
func Plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
