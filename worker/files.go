package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"veil/pipeline"
)

// base is the last element of a path, as a clip is called in what is printed.
func base(path string) string { return filepath.Base(path) }

// scratch is a folder of the command line's own below the scratch root, swept like the pipeline's when this process is
// killed: it has their form, a folder run-* that holds a locked file named lock.
type scratch struct {
	dir  string
	lock *os.File
}

// openScratch makes the folder. The root's lock keeps a sweep away until the folder's own is held.
func openScratch(root string) (*scratch, error) {
	gate, err := lockFile(filepath.Join(root, "lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", plain(err))
	}
	lock, err := lockFile(filepath.Join(dir, "lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratch{dir: dir, lock: lock}, nil
}

// path names a file in the folder.
func (s *scratch) path(name string) string { return filepath.Join(s.dir, name) }

// close removes the folder.
func (s *scratch) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

// lockFile opens and locks a file; closing it, or dying, gives the lock back.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", plain(err))
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take lock: %w", err), f.Close())
	}
	return f, nil
}

// writeFile writes b whole or not at all: synced under temp, which lies in the same file system, then renamed.
func writeFile(temp, path string, b []byte) error {
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", base(path), plain(err))
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", base(path), plain(err)), os.Remove(temp))
	}
	return nil
}

// tempBeside is a hidden name in the folder of path that nothing else uses.
func tempBeside(path string) string {
	return filepath.Join(filepath.Dir(path), ".veil-"+rand.Text()[:12])
}

// copyFile copies a small file whole or not at all.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read %s: %w", base(from), plain(err))
	}
	return writeFile(tempBeside(to), to, b)
}

// writeJSON writes v, indented, whole or not at all.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", base(path), err)
	}
	return writeFile(path+".tmp", path, append(b, '\n'))
}

// digest is a file's SHA-256 and size; "" and false where there is no such file.
func digest(ctx context.Context, path string) (pipeline.FileDigest, bool, error) {
	d, err := pipeline.DigestFile(ctx, path, nil)
	if errors.Is(err, os.ErrNotExist) {
		return d, false, nil
	}
	return d, err == nil, err
}
