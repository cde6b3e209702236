package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Threads as shipped. More would not be faster at the sizes met in practice, and other numbers decode damaged clips to
// other pixels.
const (
	defaultDecoderThreads = 2
	defaultEncoderThreads = 3
)

// DefaultTools finds ffmpeg and ffprobe on the search path. Errors: ErrMissingTool.
func DefaultTools() (Tools, error) {
	t := Tools{DecoderThreads: defaultDecoderThreads, EncoderThreads: defaultEncoderThreads}
	for name, path := range map[string]*string{"ffmpeg": &t.FFmpeg, "ffprobe": &t.FFprobe} {
		found, err := exec.LookPath(name)
		if err != nil {
			return Tools{}, fmt.Errorf("%w: %s is not on the search path", ErrMissingTool, name)
		}
		*path = found
	}
	return t, nil
}

// Versions asks ffmpeg for its version, "5.1.9-0+deb12u1".
func (t Tools) Versions(ctx context.Context) (string, error) {
	out, _, err := t.output(ctx, t.FFmpeg, nil, 1<<16, "-version")
	if err != nil {
		return "", fmt.Errorf("ask ffmpeg for its version: %w", err)
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 || fields[0] != "ffmpeg" || fields[1] != "version" {
		return "", fmt.Errorf("%w: ffmpeg tells no version", ErrMissingTool)
	}
	return fields[2], nil
}

// childInput is how a child names the file that it is given as its first extra file. The clip's own name is thereby never
// read as an option or a protocol, and never occurs in what the child prints.
const childInput = "file:/proc/self/fd/3"

// openInput opens a clip for a child. Only regular files are read: a pipe or a device would block or never end.
func openInput(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open clip: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%w: it is not a regular file", ErrUnreadable)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open clip: %w", err)
	}
	return f, info.Size(), nil
}

// output runs a program to its end and returns what it printed: of stdout at most limit bytes (more is an error), of
// stderr the last 8 KB. A status other than 0 is an error.
func (t Tools) output(ctx context.Context, name string, in *os.File, limit int64, args ...string) (out, stderr []byte,
	err error) {
	cmd := Command(ctx, name, args...)
	if in != nil {
		cmd.ExtraFiles = []*os.File{in}
	}
	tail := &tailWriter{}
	cmd.Stderr = tail
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	child, err := StartChild(cmd)
	if err != nil {
		return nil, nil, startError(err)
	}
	var buf bytes.Buffer
	n, readErr := io.Copy(&buf, io.LimitReader(pipe, limit+1))
	if n > limit {
		child.Kill()
		readErr = fmt.Errorf("%w: it describes itself in more than %d bytes", ErrLimit, limit)
	}
	err = child.Wait()
	if ctx.Err() != nil {
		return nil, tail.Bytes(), context.Cause(ctx)
	}
	if readErr != nil {
		return nil, tail.Bytes(), readErr
	}
	return buf.Bytes(), tail.Bytes(), err
}

// startError names a program that could not be started.
func startError(err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrMissingTool, err)
	}
	return err
}

// tailWriter keeps the last 8 KB written to it. It serves one writer.
type tailWriter struct{ b []byte }

const tailBytes = 8 << 10

func (w *tailWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	if len(w.b) > 2*tailBytes {
		w.b = append(w.b[:0], w.b[len(w.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (w *tailWriter) Bytes() []byte { return w.b[max(0, len(w.b)-tailBytes):] }
