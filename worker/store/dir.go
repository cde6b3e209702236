package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DirOptions are what an operator says of a folder.
type DirOptions struct {
	// Encryption: a folder confirms nothing, so that Required (the default) is refused by Check.
	Encryption Encryption
}

// dirStore keeps objects as files below one folder. Keys are paths; os.Root keeps symbolic links from leading out of it.
type dirStore struct {
	folder
}

// folder is a tree of files, read only.
type folder struct {
	root *os.Root
	want Encryption
}

// OpenDir opens a folder as a store, and makes it where it is missing. Several processes may use it at once.
func OpenDir(root string, o DirOptions) (Store, error) {
	want, err := o.Encryption.valid()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, dirError("make the store's folder", err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, dirError("open the store's folder", err)
	}
	return &dirStore{folder{root: r, want: want}}, nil
}

func (f folder) Close() error {
	if err := f.root.Close(); err != nil {
		return fmt.Errorf("close the store's folder: %w", err)
	}
	return nil
}

// open opens a regular file and describes it. A file that is being replaced is seen as it was, or as it will be.
func (f folder) open(key string) (*os.File, Object, error) {
	if err := checkKey(key); err != nil {
		return nil, Object{}, err
	}
	// O_NONBLOCK: a named pipe that somebody put there must not hold us up.
	file, err := f.root.OpenFile(key, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Object{}, dirError("open an object", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = file.Close()
		return nil, Object{}, dirError("open an object", err)
	}
	return file, f.object(key, info), nil
}

// object describes a file. The ETag changes whenever the file is written or replaced.
func (f folder) object(key string, info fs.FileInfo) Object {
	o := Object{Key: key, Size: info.Size(), Time: info.ModTime(), Encryption: f.want.record("")}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		o.ETag = fmt.Sprintf("%x-%x-%x", st.Ino, info.ModTime().UnixNano(), info.Size())
	}
	return o
}

// Stat describes an object.
func (f folder) Stat(_ context.Context, key string) (Object, error) {
	file, o, err := f.open(key)
	if err != nil {
		return Object{}, err
	}
	return o, file.Close()
}

// Fetch streams an object.
func (f folder) Fetch(ctx context.Context, key string, w io.Writer) (Object, error) {
	file, o, err := f.open(key)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = file.Close() }()
	d := newDigester(w)
	if err := pump(ctx, d, file, make([]byte, copyBytes)); err != nil {
		return Object{}, dirError("read an object", err)
	}
	file, after, err := f.open(key)
	if err != nil {
		return Object{}, err
	}
	if err := file.Close(); err != nil {
		return Object{}, dirError("read an object", err)
	}
	if after.ETag != o.ETag || d.n != o.Size {
		return Object{}, fmt.Errorf("read an object: %w", ErrChanged)
	}
	o.SHA256 = d.sum()
	return o, nil
}

// Read reads a small object.
func (f folder) Read(ctx context.Context, key string, limit int64) ([]byte, Object, error) {
	b := &bounded{limit: limit}
	o, err := f.Fetch(ctx, key, b)
	if err != nil {
		return nil, Object{}, err
	}
	return b.data, o, nil
}

// List walks the files under a prefix in the order of keys.
func (f folder) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		f.walk(ctx, walk{prefix: prefix, yield: func(o Object, err error) bool {
			if err == nil && strings.HasPrefix(path.Base(o.Key), tempPrefix) {
				return true
			}
			return yield(o, err)
		}}, ".")
	}
}

// walk is one listing: what it looks for and whom it tells.
type walk struct {
	prefix string
	yield  func(Object, error) bool
}

// walk reports whether the listing goes on.
func (f folder) walk(ctx context.Context, w walk, dir string) bool {
	if ctx.Err() != nil {
		return w.yield(Object{}, ended(ctx))
	}
	entries, err := f.entries(dir)
	if err != nil {
		// What vanishes while it is listed was not there.
		return errors.Is(err, ErrNotFound) && dir != "." || w.yield(Object{}, err)
	}
	for _, e := range entries {
		key := strings.TrimPrefix(path.Join(dir, e.Name()), "./")
		if e.IsDir() {
			inside := key + "/"
			if (strings.HasPrefix(inside, w.prefix) || strings.HasPrefix(w.prefix, inside)) && !f.walk(ctx, w, key) {
				return false
			}
			continue
		}
		if !e.Type().IsRegular() || !strings.HasPrefix(key, w.prefix) {
			continue
		}
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return w.yield(Object{}, dirError("list the store", err))
		case !w.yield(f.object(key, info), nil):
			return false
		}
	}
	return true
}

// ListVersions is List: a folder keeps no versions.
func (s *dirStore) ListVersions(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return s.List(ctx, prefix)
}

// Lock does nothing: a folder has no locks.
func (s *dirStore) Lock(_ context.Context, key string, _ time.Time) (bool, error) {
	return false, checkKey(key)
}

// entries are those of a folder in the order that their keys have: a folder's end with a slash.
func (f folder) entries(dir string) ([]fs.DirEntry, error) {
	file, err := f.root.Open(dir)
	if err != nil {
		return nil, dirError("list the store", err)
	}
	defer func() { _ = file.Close() }()
	entries, err := file.ReadDir(-1)
	if err != nil {
		return nil, dirError("list the store", err)
	}
	sortEntries(entries)
	return entries, nil
}

// Check is described with the interface.
func (s *dirStore) Check(ctx context.Context) (Trust, error) {
	trust := Trust{Kind: "directory", Encryption: s.want.record("")}
	if err := s.want.accept(""); err != nil {
		return trust, err
	}
	if _, err := probe(ctx, s, func(ctx context.Context, key string, data []byte) (bool, error) {
		return s.create(ctx, key, data)
	}); err != nil {
		return trust, err
	}
	trust.Conditional = true
	return trust, nil
}

// dirError gives a fault of the file system the package's words. It leaves out the path, which can be a person's name.
func dirError(verb string, err error) error {
	var w errWrite
	if errors.As(err, &w) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", verb, err)
	}
	kind := dirKind(err)
	var perr *fs.PathError
	var lerr *os.LinkError
	switch {
	case errors.As(err, &perr):
		err = perr.Err
	case errors.As(err, &lerr):
		err = lerr.Err
	}
	if kind == nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return fmt.Errorf("%s: %w: %w", verb, kind, err)
}

// dirKind finds the sentinel for a fault of the file system; nil where there is none.
func dirKind(err error) error {
	is := func(all ...syscall.Errno) bool {
		for _, e := range all {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case is(syscall.ENOTDIR, syscall.EISDIR, syscall.ENXIO) || errors.Is(err, fs.ErrNotExist):
		return ErrNotFound
	case is(syscall.EACCES, syscall.EPERM, syscall.EROFS) || isEscape(err):
		return ErrDenied
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return ErrFull
	case is(syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, syscall.EHOSTDOWN, syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE):
		return ErrUnavailable
	case is(syscall.ENAMETOOLONG):
		return ErrKey
	}
	return nil
}

// isEscape reports a symbolic link that leads out of the store: os.Root has no exported error for it.
func isEscape(err error) bool {
	return strings.Contains(err.Error(), "path escapes from parent") || errors.Is(err, syscall.ELOOP)
}

// older reports whether a file was last written before a moment.
func older(o Object, before time.Time) bool { return o.Time.Before(before) }
