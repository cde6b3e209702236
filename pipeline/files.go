package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"veil/pipeline/media"
)

// digestChunk is how much of a file is read between two looks at the context.
const digestChunk = 1 << 20

// DigestFile reads a file whole and gives its SHA-256 and size. Progress is told in bytes.
func DigestFile(ctx context.Context, path string, events func(Event)) (FileDigest, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileDigest{}, fmt.Errorf("open clip: %w", plainPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return FileDigest{}, fmt.Errorf("look at clip: %w", plainPath(err))
	}
	if !info.Mode().IsRegular() {
		return FileDigest{}, fmt.Errorf("%w: not a regular file", ErrUsage)
	}
	h := sha256.New()
	buf := make([]byte, digestChunk)
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return FileDigest{}, err
		}
		k, err := f.Read(buf)
		h.Write(buf[:k])
		n += int64(k)
		tell(events, Event{Stage: "digest", Done: n, Total: info.Size()})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return FileDigest{}, fmt.Errorf("read clip: %w", plainPath(err))
		}
	}
	return FileDigest{SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: n}, nil
}

// tell reports progress where somebody listens.
func tell(events func(Event), e Event) {
	if events != nil {
		events(e)
	}
}

// plainPath drops the path from a file error: whoever reports the error names the clip.
func plainPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// install writes b whole or not at all: under a temporary name beside path, synced, then renamed.
func (s *scratch) install(path string, b []byte, mode os.FileMode) error {
	part, err := s.partFor(path)
	if err != nil {
		return err
	}
	if err := writeNew(part, b, mode); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), os.Remove(part))
	}
	return s.publish(part, path)
}

// installJSON installs v, indented.
func (s *scratch) installJSON(path string, v any, mode os.FileMode) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return s.install(path, append(b, '\n'), mode)
}

// publish gives a finished temporary output its final name.
func (s *scratch) publish(part, path string) error {
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("name %s: %w", filepath.Base(path), noSpace(err))
	}
	return syncDir(filepath.Dir(path))
}

// writeNew writes and syncs a file.
func writeNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return noSpace(plainPath(err))
	}
	_, err = f.Write(b)
	return noSpace(plainPath(errors.Join(err, f.Sync(), f.Close())))
}

// writeJSON writes v into a scratch file.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	if err := writeNew(path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// readJSON reads one JSON value.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), plainPath(err))
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open output folder: %w", plainPath(err))
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that cannot
	}
	return errors.Join(err, d.Close())
}

// noSpace gives a full disk its own sentinel.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", media.ErrNoSpace, err)
	}
	return err
}
