package proof

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/seal"
)

// Names of the files of a key.
const (
	KeyName    = "veil.key"
	PublicName = "veil.pub"
)

// KeyVariable is the one that may hold the key itself, as PEM, where there is no file for it.
const KeyVariable = "VEIL_SIGNING_KEY"

// maxKey bounds a key file, in bytes.
const maxKey = 64 << 10

// LoadKey reads the signing key: from a file that nobody but its owner can read (or the group that root gave it to), or from
// KeyVariable. Nil without an error
// where neither is given.
func LoadKey(path string) (*seal.Key, error) {
	if path == "" {
		text, ok := os.LookupEnv(KeyVariable)
		if !ok || text == "" {
			return nil, nil
		}
		key, err := seal.ParseKey([]byte(text))
		if err != nil {
			return nil, failure.Usagef("make one with `veil keygen`", "%s %s", KeyVariable, err)
		}
		return key, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, failure.Usagef("make one with `veil keygen`", "the key cannot be read: %s", disk.Plain(err))
	}
	if info.Size() > maxKey || !info.Mode().IsRegular() {
		return nil, failure.Usagef("name veil.key", "%s holds no key", filepath.Base(path))
	}
	if tooOpen(info.Mode().Perm(), ownerOf(info), os.Geteuid()) {
		return nil, failure.Usagef("chmod 600 it; if others could read it, make a new one", "others can read the key %s", filepath.Base(path))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.Usagef("check the file's owner and mode", "the key cannot be read: %s", disk.Plain(err))
	}
	key, err := seal.ParseKey(b)
	if err != nil {
		return nil, failure.Usagef("name veil.key; `veil keygen` makes one", "%s %s", filepath.Base(path), err)
	}
	return key, nil
}

// tooOpen reports whether others than whoever runs this can read a key. Root may hand one to a group, as those who mount secrets for a
// service that does not run as root do.
func tooOpen(mode os.FileMode, owner, me int) bool {
	if owner == 0 && me != 0 {
		return mode&0o037 != 0
	}
	return mode&0o077 != 0
}

// ownerOf is the account that a file belongs to; -1 where the system does not say.
func ownerOf(info os.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// MakeKey makes a key and writes both halves into a folder. It overwrites neither.
func MakeKey(dir string) (*seal.Key, error) {
	for _, name := range []string{KeyName, PublicName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return nil, failure.Usagef("choose another folder: whoever loses a key cannot get it back", "%s is there already", name)
		}
	}
	key, err := seal.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := key.EncodePrivate()
	if err != nil {
		return nil, err
	}
	public, err := key.EncodePublic()
	if err != nil {
		return nil, err
	}
	if err := WriteNew(filepath.Join(dir, KeyName), private, 0o600); err != nil {
		return nil, err
	}
	if err := WriteNew(filepath.Join(dir, PublicName), public, 0o644); err != nil {
		return nil, errors.Join(err, os.Remove(filepath.Join(dir, KeyName)))
	}
	return key, nil
}

// WriteNew writes a file that is not there yet, and makes it last.
func WriteNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return failure.Usagef("name a folder that can be written to", "%s cannot be written: %s", filepath.Base(path), disk.Plain(err))
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), disk.Plain(err))
	}
	return nil
}
