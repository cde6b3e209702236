package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pruneTries is how often a write is begun again because a remover took its empty folder away.
const pruneTries = 20

// Put writes a file beside its final name, reads it back, and renames it.
func (s *dirStore) Put(ctx context.Context, key string, r io.ReaderAt, o PutOptions) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	fill := func(f *os.File) error {
		return pump(ctx, f, io.NewSectionReader(r, 0, o.Size), make([]byte, copyBytes))
	}
	return s.write(ctx, key, draft{size: o.Size, sha256: o.SHA256, fill: fill, publish: s.rename})
}

// Create writes a file beside its final name and links it to that name, which only one of several can do.
func (s *dirStore) Create(ctx context.Context, key string, data []byte, _ string) (Object, error) {
	won, err := s.create(ctx, key, data)
	if err != nil {
		return Object{}, err
	}
	have, obj, err := s.Read(ctx, key, int64(len(data)))
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) || err == nil && string(have) != string(data) {
		if won {
			return Object{}, fmt.Errorf("create %s: %w", key, ErrDamaged)
		}
		return Object{}, fmt.Errorf("create %s: %w", key, ErrExists)
	}
	if err != nil {
		return Object{}, fmt.Errorf("create %s: %w", key, err)
	}
	return obj, nil
}

// create reports whether the key was free and is ours now.
func (s *dirStore) create(ctx context.Context, key string, data []byte) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	fill := func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}
	_, err := s.write(ctx, key, draft{size: int64(len(data)), sha256: digestOf(data), fill: fill, publish: s.link})
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Copy copies a file and reads the copy back before it becomes visible.
func (s *dirStore) Copy(ctx context.Context, from, to, sha256 string) (Object, error) {
	if err := checkKey(to); err != nil {
		return Object{}, err
	}
	src, o, err := s.open(from)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = src.Close() }()
	// Another worker may have been here: what is right already is not replaced.
	if there, err := s.Stat(ctx, to); err == nil && there.Size == o.Size {
		if have, err := s.Fetch(ctx, to, io.Discard); err == nil && have.SHA256 == sha256 {
			return have, nil
		}
	}
	fill := func(f *os.File) error { return pump(ctx, f, src, make([]byte, copyBytes)) }
	return s.write(ctx, to, draft{size: o.Size, sha256: sha256, fill: fill, publish: s.rename})
}

// draft is a file to be: how it is filled, what must be in it then, and how it gets its name.
type draft struct {
	size    int64
	sha256  string // empty where nobody knows
	fill    func(*os.File) error
	publish func(temp, key string) error
}

// write makes a draft the object of a key. Nothing is visible before it was read back, and nothing is left after a fault.
func (s *dirStore) write(ctx context.Context, key string, d draft) (Object, error) {
	file, err := s.temp(path.Dir(key))
	if err != nil {
		return Object{}, fmt.Errorf("write %s: %w", key, err)
	}
	temp := path.Join(path.Dir(key), path.Base(file.Name()))
	defer func() {
		_ = file.Close()
		_ = s.root.Remove(temp) // after a rename it is gone already
	}()
	if err := d.fill(file); err != nil {
		return Object{}, dirError("write "+key, unwrapWrite(err))
	}
	if err := file.Sync(); err != nil {
		return Object{}, dirError("write "+key, err)
	}
	sum, err := readBack(ctx, file, d.size)
	if err != nil {
		return Object{}, dirError("read back "+key, err)
	}
	if d.sha256 != "" && sum != d.sha256 {
		return Object{}, fmt.Errorf("read back %s: %w", key, ErrDamaged)
	}
	if err := d.publish(temp, key); err != nil {
		return Object{}, err
	}
	if err := s.syncDir(path.Dir(key)); err != nil {
		return Object{}, err
	}
	info, err := file.Stat()
	if err != nil {
		return Object{}, dirError("write "+key, err)
	}
	o := s.object(key, info)
	o.SHA256 = sum
	return o, nil
}

// unwrapWrite turns a fault of the file that we write into the store's own.
func unwrapWrite(err error) error {
	var w errWrite
	if errors.As(err, &w) {
		return w.err
	}
	return err
}

// readBack digests what the disk has of a file, not what the page cache remembers where that can be told apart.
func readBack(ctx context.Context, file *os.File, size int64) (string, error) {
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) // advice; some file systems have no use for it
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	d := newDigester(io.Discard)
	if err := pump(ctx, d, file, make([]byte, copyBytes)); err != nil {
		return "", err
	}
	if d.n != size {
		return "", fmt.Errorf("%w: %d bytes of %d", ErrDamaged, d.n, size)
	}
	return d.sum(), nil
}

// temp makes a file of our own in a folder, and the folder where it is missing.
func (s *dirStore) temp(dir string) (*os.File, error) {
	for range pruneTries {
		if err := s.makeDirs(dir); err != nil {
			return nil, err
		}
		var random [12]byte
		_, _ = rand.Read(random[:]) // never fails
		name := path.Join(dir, tempPrefix+hex.EncodeToString(random[:]))
		file, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder was empty, and was removed by another
		}
		if err != nil {
			return nil, dirError("make a file", err)
		}
		return file, nil
	}
	return nil, fmt.Errorf("make a file: %w: its folder is removed again and again", ErrUnavailable)
}

// makeDirs makes a folder and those above it, and has each entry on the disk before it goes on.
func (s *dirStore) makeDirs(dir string) error {
	if info, err := s.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	made := ""
	for part := range strings.SplitSeq(dir, "/") {
		above := cmp.Or(made, ".")
		made = path.Join(made, part)
		err := s.root.Mkdir(made, 0o700)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed by another meanwhile: the file will miss it, and begins again
			return nil
		case errors.Is(err, syscall.ENOTDIR):
			return fmt.Errorf("make a folder: %w: a part of the key is an object", ErrExists)
		case errors.Is(err, fs.ErrExist):
			if info, serr := s.root.Stat(made); serr == nil && !info.IsDir() {
				return fmt.Errorf("make a folder: %w: a part of the key is an object", ErrExists)
			}
		case err != nil:
			return dirError("make a folder", err)
		default:
			if err := s.syncDir(above); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *dirStore) rename(temp, key string) error {
	err := s.root.Rename(temp, key)
	if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("write %s: %w: it is the beginning of other keys", key, ErrExists)
	}
	if err != nil {
		return dirError("write "+key, err)
	}
	return nil
}

func (s *dirStore) link(temp, key string) error {
	err := s.root.Link(temp, key)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("create %s: %w", key, ErrExists)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
		return fmt.Errorf("create %s: %w: its file system has no hard links", key, ErrUnsafe)
	case err != nil:
		return dirError("create "+key, err)
	}
	return nil
}

// syncDir has a folder's entries on the disk.
func (s *dirStore) syncDir(dir string) error {
	f, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed by another together with what we wrote
	}
	if err != nil {
		return dirError("sync a folder", err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return dirError("sync a folder", err)
	}
	return nil
}

// Remove deletes a file and the folders that are empty then.
func (s *dirStore) Remove(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if info, err := s.root.Lstat(key); err == nil && info.IsDir() {
		return nil // keys begin like that, but none is that
	}
	if err := s.root.Remove(key); err != nil && dirKind(err) != ErrNotFound {
		return dirError("remove "+key, err)
	}
	if err := s.syncDir(path.Dir(key)); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	s.prune(path.Dir(key))
	return nil
}

// prune removes folders upwards until one is not empty.
func (s *dirStore) prune(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if s.root.Remove(dir) != nil {
			return
		}
	}
}

// AbortUploads removes files that were begun before a moment and never got their names.
func (s *dirStore) AbortUploads(ctx context.Context, prefix string, before time.Time) (int, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	var stale []string
	var failed error
	s.walk(ctx, walk{prefix: prefix, yield: func(o Object, err error) bool {
		if err != nil {
			failed = err
			return false
		}
		if strings.HasPrefix(path.Base(o.Key), tempPrefix) && older(o, before) {
			stale = append(stale, o.Key)
		}
		return true
	}}, ".")
	if failed != nil {
		return 0, failed
	}
	n := 0
	for _, name := range stale {
		switch err := s.root.Remove(name); {
		case err == nil:
			n++
			s.prune(path.Dir(name))
		case !errors.Is(err, fs.ErrNotExist):
			return n, dirError("remove an unfinished file", err)
		}
	}
	return n, nil
}

// sortEntries puts a folder's entries into the order of the keys that begin with them.
func sortEntries(entries []fs.DirEntry) {
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(name(a), name(b)) })
}
