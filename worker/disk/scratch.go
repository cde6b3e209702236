package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"veil/worker/failure"
)

// Scratch is a folder of the command line's own below the scratch root, swept like the pipeline's when this process is
// killed: it has their form, a folder run-* that holds a locked file named lock.
type Scratch struct {
	Dir  string
	lock *os.File
}

// OpenScratch makes the folder. The root's lock keeps a sweep away until the folder's own is held.
func OpenScratch(root string) (*Scratch, error) {
	gate, err := Lock(filepath.Join(root, "lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", Plain(err))
	}
	lock, err := Lock(filepath.Join(dir, "lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Scratch{Dir: dir, lock: lock}, nil
}

// Path names a file in the folder.
func (s *Scratch) Path(name string) string { return filepath.Join(s.Dir, name) }

// Close removes the folder.
func (s *Scratch) Close() error { return errors.Join(os.RemoveAll(s.Dir), s.lock.Close()) }

// Lock opens and locks a file; closing it, or dying, gives the lock back.
func Lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", Plain(err))
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

// MakeScratch makes the scratch root and refuses one that others could write to.
func MakeScratch(dir string) error {
	remedy := "name a folder of your own with --scratch"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failure.Usagef(remedy, "scratch folder cannot be made: %s", Plain(err))
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return failure.Usagef(remedy, "scratch folder cannot be used: %s", Plain(err))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return failure.Usagef(remedy, "scratch folder %s is not a folder that you alone can write to", dir)
	}
	return nil
}
