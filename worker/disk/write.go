// Package disk handles the files of this machine: it writes them whole or not at all, locks them, makes scratch folders that
// die with their process, and says before any work whether an input can be read and an output be placed. It holds files open
// only for its caller, who closes what it is given.
package disk

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"veil/worker/failure"
)

// PartName is where a file lies before it is whole.
func PartName(path string) string {
	return filepath.Join(filepath.Dir(path), ".veil-"+filepath.Base(path)+".part")
}

// renameat2 is the system's; a test takes it away, as network file systems do.
var renameat2 = unix.Renameat2

// RenameNew renames without ever overwriting: by one call where the file system can, else after a look.
func RenameNew(from, to string) error {
	err := renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		if err != nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: os.ErrExist}
	}
	return os.Rename(from, to)
}

// SyncFolder makes names last.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", Plain(err))
	}
	defer f.Close()
	// Network file systems may not know it; the names are there all the same.
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("sync folder: %w", Plain(err))
	}
	return nil
}

// Write writes b whole or not at all: synced under temp, which lies in the same file system, then renamed.
func Write(temp, path string, b []byte) error {
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", Base(path), Plain(err))
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", Base(path), Plain(err)), os.Remove(temp))
	}
	return nil
}

// unnamed makes a file that has no name yet, so that nothing of it stays when the process is killed; a test takes it away, as network
// file systems do.
var unnamed = func(dir string, mode os.FileMode) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, uint32(mode.Perm()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// Replace writes a file whole or not at all, in the place of what is there. Whoever kills it leaves nothing beside it, where the file
// system knows files without names; else a hidden one, as between the last two calls where something is there.
func Replace(path string, b []byte, mode os.FileMode) error {
	err := replaceUnnamed(path, b, mode)
	if errors.Is(err, errNamed) {
		err = replaceNamed(path, b, mode)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", Base(path), err)
	}
	return nil
}

// errNamed says that a file system has no files without names, or gives them none later.
var errNamed = errors.New("files have names here")

func replaceUnnamed(path string, b []byte, mode os.FileMode) error {
	f, err := unnamed(filepath.Dir(path), mode)
	if err != nil {
		return errNamed
	}
	defer f.Close()
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(mode), f.Sync()); err != nil {
		return Plain(err)
	}
	name := func(to string) error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
	}
	err = name(path)
	if errors.Is(err, os.ErrExist) {
		temp := TempBeside(path)
		if err := name(temp); err != nil {
			return errNamed
		}
		if err := os.Rename(temp, path); err != nil {
			return errors.Join(Plain(err), os.Remove(temp))
		}
		return nil
	}
	if err != nil {
		return errNamed
	}
	return nil
}

func replaceNamed(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".veil-*")
	if err != nil {
		return Plain(err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(Plain(err), os.Remove(f.Name()))
	}
	return nil
}

// TempBeside is a hidden name in the folder of path that nothing else uses.
func TempBeside(path string) string {
	return filepath.Join(filepath.Dir(path), ".veil-"+rand.Text()[:12])
}

// Copy copies a small file whole or not at all.
func Copy(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read %s: %w", Base(from), Plain(err))
	}
	return Write(TempBeside(to), to, b)
}

// WriteJSON writes v, indented, whole or not at all.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", Base(path), err)
	}
	return Write(path+".tmp", path, append(b, '\n'))
}

// Make makes a folder where there is none.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failure.Usagef("name a folder that can be written to", "output folder cannot be made: %s", Plain(err))
	}
	return nil
}
