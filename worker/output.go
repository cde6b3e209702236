package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/worker/failure"
)

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("too large")
)

// paths are the files of one clip. All are absolute once check has passed, so that a child in another folder, and a
// program that takes a leading dash for an option, read the same.
type paths struct {
	in     string
	out    string
	plan   string // empty: not asked for
	report string
	sheet  string
}

// check makes the paths absolute and refuses what cannot work, before anything is decoded.
func (p *paths) check() error {
	if err := checkInput(&p.in); err != nil {
		return err
	}
	if err := checkMP4(p.out); err != nil {
		return err
	}
	for _, out := range []struct {
		what string
		path *string
	}{{"output", &p.out}, {"plan", &p.plan}, {"report", &p.report}, {"contact sheet", &p.sheet}} {
		if *out.path == "" {
			continue
		}
		if err := checkOutput(out.what, out.path, p.in); err != nil {
			return err
		}
	}
	if same(p.in, pipeline.HeldName(p.out)) {
		return failure.Usagef("choose another name", "a held derivative would lie where the input is")
	}
	return p.distinct()
}

// distinct refuses two outputs under one name.
func (p *paths) distinct() error {
	seen := map[string]bool{}
	for _, path := range []string{p.out, pipeline.HeldName(p.out), p.plan, p.report, p.sheet} {
		if path == "" {
			continue
		}
		if seen[path] {
			return failure.Usagef("name each output apart", "two outputs have the name %s", filepath.Base(path))
		}
		seen[path] = true
	}
	return nil
}

// checkInput makes the path absolute and refuses what is no readable file.
func checkInput(path *string) error {
	abs, err := filepath.Abs(*path)
	if err != nil {
		return failure.Usagef("give its whole path", "input cannot be found: %s", plain(err))
	}
	*path = abs
	if !utf8.ValidString(abs) {
		// A path travels to the stages' processes as JSON, which has no other bytes.
		return failure.Usagef("rename it", "input has a name that is not UTF-8")
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &pipeline.Failure{Code: "not_found", Detail: "input does not exist", Remedy: "check the path", Exit: pipeline.ExitUsage}
	case err != nil:
		return failure.Usagef("check the path", "input cannot be read: %s", plain(err))
	case info.IsDir():
		return failure.Usagef("name a file", "input is a folder")
	case !info.Mode().IsRegular():
		return failure.Usagef("copy it into a file first", "input is not a regular file")
	}
	f, err := os.Open(abs)
	if err != nil {
		return &pipeline.Failure{Code: "permission", Detail: "input cannot be read: " + plain(err).Error(), Remedy: "check the file's owner and mode", Exit: pipeline.ExitUsage}
	}
	return f.Close()
}

// checkMP4 refuses a name that promises another container.
func checkMP4(out string) error {
	if ext := filepath.Ext(out); !strings.EqualFold(ext, ".mp4") || filepath.Base(out) == ext {
		return failure.Usagef("name it NAME.mp4", "output %s is no MP4, and nothing else is written", filepath.Base(out))
	}
	return nil
}

// checkOutput makes the path absolute and refuses one that is the input, that is no plain file, or whose folder does
// not take files.
func checkOutput(what string, path *string, in string) error {
	abs, err := filepath.Abs(*path)
	if err != nil {
		return failure.Usagef("give its whole path", "%s cannot be placed: %s", what, plain(err))
	}
	*path = abs
	if same(abs, in) {
		return failure.Usagef("choose another name", "%s is the input itself", what)
	}
	if info, err := os.Stat(abs); err == nil && !info.Mode().IsRegular() {
		return failure.Usagef("choose another name", "%s %s is there and is not a regular file", what, filepath.Base(abs))
	}
	return checkFolder(what, filepath.Dir(abs))
}

// checkFolder refuses a folder that does not exist or does not take files. It leaves nothing there.
func checkFolder(what, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return failure.Usagef("make it first", "the folder of the %s does not exist: %s", what, dir)
	case err != nil:
		return failure.Usagef("check the path", "the folder of the %s cannot be used: %s", what, plain(err))
	case !info.IsDir():
		return failure.Usagef("choose another place", "the folder of the %s is no folder: %s", what, dir)
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) {
		// A file system without nameless files: ask for the permission instead.
		fd, err = -1, unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	if err != nil {
		return failure.Usagef("check the folder's owner and mode, or choose another", "the folder of the %s cannot be written: %s", what, err)
	}
	if fd >= 0 {
		return unix.Close(fd)
	}
	return nil
}

// same reports whether two paths lead to one file, by whatever names.
func same(a, b string) bool {
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
