package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// copyBytes is the buffer of one stream.
const copyBytes = 256 << 10

// digester passes bytes on and digests them.
type digester struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func newDigester(w io.Writer) *digester { return &digester{w: w, hash: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.hash.Write(p[:n])
	d.n += int64(n)
	return n, err
}

func (d *digester) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// digestOf digests a small piece.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// errWrite marks a fault of the writer that a stream goes into: it is not the store's.
type errWrite struct{ err error }

func (e errWrite) Error() string { return "write what was fetched: " + e.err.Error() }
func (e errWrite) Unwrap() error { return e.err }

// pump copies r into w until the end, a fault or the end of ctx. A fault of w is an errWrite.
func pump(ctx context.Context, w io.Writer, r io.Reader, buf []byte) error {
	for {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return errWrite{werr}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ended is the error of a context that ended, with its cause.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// either is the first of two errors, for checks of which one fault is enough.
func either(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// both tells two errors in one line.
func both(a, b error) error {
	if a == nil || b == nil {
		return either(a, b)
	}
	return fmt.Errorf("%w; and then: %w", a, b)
}

// bounded keeps what is written, up to a limit.
type bounded struct {
	data  []byte
	limit int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(b.data)+len(p)) > b.limit {
		return 0, fmt.Errorf("%w: it is longer than %d bytes", ErrDamaged, b.limit)
	}
	b.data = append(b.data, p...)
	return len(p), nil
}
