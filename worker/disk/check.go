package disk

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

// CheckInput makes the path absolute and refuses what is no readable file.
func CheckInput(path *string) error {
	abs, err := filepath.Abs(*path)
	if err != nil {
		return failure.Usagef("give its whole path", "input cannot be found: %s", Plain(err))
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
		return failure.Usagef("check the path", "input cannot be read: %s", Plain(err))
	case info.IsDir():
		return failure.Usagef("name a file", "input is a folder")
	case !info.Mode().IsRegular():
		return failure.Usagef("copy it into a file first", "input is not a regular file")
	}
	f, err := os.Open(abs)
	if err != nil {
		return &pipeline.Failure{Code: "permission", Detail: "input cannot be read: " + Plain(err).Error(), Remedy: "check the file's owner and mode", Exit: pipeline.ExitUsage}
	}
	return f.Close()
}

// CheckMP4 refuses a name that promises another container.
func CheckMP4(out string) error {
	if ext := filepath.Ext(out); !strings.EqualFold(ext, ".mp4") || filepath.Base(out) == ext {
		return failure.Usagef("name it NAME.mp4", "output %s is no MP4, and nothing else is written", filepath.Base(out))
	}
	return nil
}

// CheckOutput makes the path absolute and refuses one that is the input, that is no plain file, or whose folder does
// not take files.
func CheckOutput(what string, path *string, in string) error {
	abs, err := filepath.Abs(*path)
	if err != nil {
		return failure.Usagef("give its whole path", "%s cannot be placed: %s", what, Plain(err))
	}
	*path = abs
	if Same(abs, in) {
		return failure.Usagef("choose another name", "%s is the input itself", what)
	}
	if info, err := os.Stat(abs); err == nil && !info.Mode().IsRegular() {
		return failure.Usagef("choose another name", "%s %s is there and is not a regular file", what, filepath.Base(abs))
	}
	return CheckFolder(what, filepath.Dir(abs))
}

// CheckFolder refuses a folder that does not exist or does not take files. It leaves nothing there.
func CheckFolder(what, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return failure.Usagef("make it first", "the folder of the %s does not exist: %s", what, dir)
	case err != nil:
		return failure.Usagef("check the path", "the folder of the %s cannot be used: %s", what, Plain(err))
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
