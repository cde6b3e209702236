package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	minio "github.com/minio/minio-go/v7"
)

// silences is how often a store may fall silent in one fetch.
const silences = 2

// resumeTries is how often in a row a fetch takes up a broken connection without getting a byte further.
const resumeTries = 5

// resumePause is the pause before the first of them; it doubles.
const resumePause = 200 * time.Millisecond

// place names an object at a server.
type place struct{ bucket, key, version string }

// transfer is one fetch across as many connections as it takes.
type transfer struct {
	client *s3Client
	at     place
	to     *digester
	object Object // as the first answer described it
	begun  bool   // the first answer came
}

// fetch streams an object. The version that the first answer named is the one that every later connection asks for.
func (c *s3Client) fetch(ctx context.Context, at place, w io.Writer) (Object, error) {
	t := &transfer{client: c, at: at, to: newDigester(w)}
	buf := make([]byte, copyBytes)
	pause, stuck, silent := resumePause, 0, 0
	for {
		had := t.to.n
		err := t.connect(ctx, buf)
		if err == nil {
			t.object.SHA256 = t.to.sum()
			return t.object, nil
		}
		err = s3Error(ctx, "fetch an object", err)
		if !errors.Is(err, ErrUnavailable) {
			return Object{}, err
		}
		if t.to.n > had {
			pause, stuck = resumePause, 0
		}
		if errors.Is(err, errIdle) {
			silent++
		}
		if stuck++; stuck > resumeTries || silent >= silences {
			return Object{}, err
		}
		if err := sleep(ctx, pause); err != nil {
			return Object{}, fmt.Errorf("fetch an object: %w", err)
		}
		pause *= 2
	}
}

// connect asks for what is missing and passes it on.
func (t *transfer) connect(ctx context.Context, buf []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := minio.GetObjectOptions{VersionID: t.at.version}
	if t.begun {
		if t.to.n == t.object.Size {
			return nil // it broke after the last byte
		}
		opts.VersionID = t.object.Version
		if err := either(opts.SetRange(t.to.n, t.object.Size-1), opts.SetMatchETag(t.object.ETag)); err != nil {
			return err
		}
	}
	body, info, head, err := t.client.api.GetObject(ctx, t.at.bucket, t.at.key, opts)
	if err != nil {
		return versionError(t.at.version, err)
	}
	defer func() { _ = body.Close() }()
	if !t.begun {
		t.begun, t.object = true, t.client.object(t.at.key, info)
		if t.object.Size < 0 {
			return fmt.Errorf("%w: it does not say how long the object is", ErrUnsafe)
		}
	} else if err := t.continues(info, head.Get("Content-Range")); err != nil {
		return err
	}
	if err := pump(ctx, t.to, body, buf); err != nil {
		return err
	}
	if t.to.n != t.object.Size {
		return &netError{io.ErrUnexpectedEOF}
	}
	return nil
}

// continues holds a later answer against the first: the same object, from the byte that is missing.
func (t *transfer) continues(info minio.ObjectInfo, contentRange string) error {
	now := t.client.object(t.at.key, info)
	if now.ETag != t.object.ETag || now.Version != t.object.Version {
		return ErrChanged
	}
	// bytes FIRST-LAST/TOTAL
	span, total, _ := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	if first != strconv.FormatInt(t.to.n, 10) {
		return fmt.Errorf("%w: it cannot continue a broken transfer", ErrUnsafe)
	}
	if total != "*" && total != strconv.FormatInt(t.object.Size, 10) {
		return ErrChanged
	}
	return nil
}
