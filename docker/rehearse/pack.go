package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// epoch is the latest time that a file of the image has: SOURCE_DATE_EPOCH, or 1970 where it is not set.
func epoch() (time.Time, error) {
	v := os.Getenv("SOURCE_DATE_EPOCH")
	if v == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	s, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(s, 0).UTC(), nil
}

// pack writes a root file system as a tar: names in order, owners by number, no time above latest. The same tree gives the same
// bytes.
func pack(root string, latest time.Time, w io.Writer) error {
	t := tar.NewWriter(w)
	links := map[uint64]string{} // the first name of a file that has several, by inode
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return packOne(t, path, rel, latest, links)
	})
	return errors.Join(err, t.Close())
}

func packOne(t *tar.Writer, path, rel string, latest time.Time, links map[uint64]string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	var link string
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	case 0, fs.ModeDir:
	default:
		return fmt.Errorf("%s is no file, folder or link: an image cannot hold it here", rel)
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("no owner of a file can be read here")
	}
	h.Name, h.Uname, h.Gname = rel, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
	if h.ModTime = info.ModTime().Truncate(time.Second); h.ModTime.After(latest) {
		h.ModTime = latest
	}
	if h.PAXRecords, err = capabilities(path); err != nil {
		return err
	}
	if first, again := links[stat.Ino]; again {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		return t.WriteHeader(h)
	}
	if info.Mode().IsRegular() && stat.Nlink > 1 {
		links[stat.Ino] = rel
	}
	if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return errors.Join(err, f.Close())
}

// capabilities gives a file's capabilities as a record of its header; nothing where it has none.
func capabilities(path string) (map[string]string, error) {
	var b [64]byte
	n, err := unix.Lgetxattr(path, "security.capability", b[:])
	switch {
	case errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the capabilities of %s: %w", path, err)
	}
	return map[string]string{"SCHILY.xattr.security.capability": string(b[:n])}, nil
}

// packFile packs a root into a compressed file and gives the digest of what was packed.
func packFile(root string, latest time.Time, path string) (sum [sha256.Size]byte, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return sum, err
	}
	h, z := sha256.New(), gzip.NewWriter(f)
	err = errors.Join(pack(root, latest, io.MultiWriter(h, z)), z.Close(), f.Close())
	return [sha256.Size]byte(h.Sum(nil)), err
}
