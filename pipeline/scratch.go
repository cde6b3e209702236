package pipeline

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	runPrefix  = "run-"
	lockName   = "lock"
	leftName   = "outputs"
	partSuffix = ".veil-part"
	// besidesSuffix is what the encoder keeps beside its output while it adds sound.
	besidesSuffix = ".video"
)

// scratch is one run's folder (0700) under the scratch root. A lock that dies with the process says whether the run is
// alive; the list of output names that it has opened outside the folder lets a later start remove what a killed run left.
type scratch struct {
	dir  string
	lock *os.File
}

// openScratch makes a run's folder and holds its lock.
func openScratch(root string) (*scratch, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	gate, err := lockFile(filepath.Join(root, lockName), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	dir, err := os.MkdirTemp(root, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName), syscall.LOCK_EX)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratch{dir: dir, lock: lock}, nil
}

// path names a file in the run's folder.
func (s *scratch) path(name string) string { return filepath.Join(s.dir, name) }

// partFor gives a temporary name beside final, and notes it down before it can exist.
func (s *scratch) partFor(final string) (string, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("draw a temporary name: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(final))
	if err != nil {
		return "", fmt.Errorf("find output folder: %w", err)
	}
	part := filepath.Join(dir, "."+hex.EncodeToString(b[:])+partSuffix)
	list, err := os.OpenFile(s.path(leftName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("note temporary output: %w", err)
	}
	_, werr := fmt.Fprintf(list, "%q\n%q\n", part, part+besidesSuffix)
	return part, errors.Join(werr, list.Sync(), list.Close())
}

// close removes the run's folder and every temporary output.
func (s *scratch) close() error {
	err := clear(s.dir)
	return errors.Join(err, s.lock.Close())
}

// Sweep removes what runs that were killed have left: their folders under root and their temporary outputs elsewhere.
// Runs that are alive are left alone.
func Sweep(root string) error {
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	gate, err := lockFile(filepath.Join(root, lockName), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer gate.Close()
	dirs, err := filepath.Glob(filepath.Join(root, runPrefix+"*"))
	if err != nil {
		return fmt.Errorf("list scratch folders: %w", err)
	}
	var faults []error
	for _, dir := range dirs {
		lock, err := lockFile(filepath.Join(dir, lockName), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, clear(dir), lock.Close())
	}
	return errors.Join(faults...)
}

// clear removes a run's temporary outputs, then its folder. Only names that this package gives are touched.
func clear(dir string) error {
	var faults []error
	if list, err := os.Open(filepath.Join(dir, leftName)); err == nil {
		lines := bufio.NewScanner(list)
		for lines.Scan() {
			var part string
			if _, err := fmt.Sscanf(lines.Text(), "%q", &part); err != nil || !strings.HasSuffix(strings.TrimSuffix(part, besidesSuffix), partSuffix) {
				continue
			}
			if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
				faults = append(faults, fmt.Errorf("remove temporary output: %w", err))
			}
		}
		faults = append(faults, lines.Err(), list.Close())
	}
	if err := os.RemoveAll(dir); err != nil {
		faults = append(faults, fmt.Errorf("remove scratch folder: %w", err))
	}
	return errors.Join(faults...)
}

// lockFile opens path and takes the lock, which ends with the process or with Close.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", filepath.Base(filepath.Dir(path)), err), f.Close())
	}
	return f, nil
}
