package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"net/http"
	"time"

	minio "github.com/minio/minio-go/v7"
)

const (
	abortTimeout = 15 * time.Second // for taking back what was begun, after the caller has gone
	createLimit  = 16 << 20         // bytes that Create takes
	checksumSHA  = "X-Amz-Checksum-Sha256"
	checksumKind = "X-Amz-Checksum-Algorithm"
	// copyParts is how many times the part size one request copies: a store that copies slowly must answer before it
	// seems dead.
	copyParts = 16
)

// full is the key as the server knows it.
func (s *s3Store) full(key string) string { return s.prefix + key }

// own gives an object the key that callers know.
func (s *s3Store) own(key string, o Object, err error) (Object, error) {
	if err != nil {
		return Object{}, err
	}
	o.Key = key
	return o, nil
}

// Stat describes an object.
func (s *s3Store) Stat(ctx context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	o, err := s.client.stat(ctx, s.bucket, s.full(key), "")
	return s.own(key, o, err)
}

// Fetch streams an object.
func (s *s3Store) Fetch(ctx context.Context, key string, w io.Writer) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	o, err := s.client.fetch(ctx, place{s.bucket, s.full(key), ""}, w)
	return s.own(key, o, err)
}

// Read reads a small object.
func (s *s3Store) Read(ctx context.Context, key string, limit int64) ([]byte, Object, error) {
	b := &bounded{limit: limit}
	o, err := s.Fetch(ctx, key, b)
	if err != nil {
		return nil, Object{}, err
	}
	return b.data, o, nil
}

// List gives the objects under a prefix.
func (s *s3Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return s.client.list(ctx, s.bucket, s.full(prefix), s.prefix)
}

// Close closes idle connections.
func (s *s3Store) Close() error { return s.client.Close() }

// Put writes an object whole where it is small, in parts where it is not, and reads it back.
func (s *s3Store) Put(ctx context.Context, key string, r io.ReaderAt, o PutOptions) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	if o.Size < 0 {
		return Object{}, fmt.Errorf("put %s: the size is %d bytes", key, o.Size)
	}
	in := &input{r: readerAt{r}, size: o.Size, want: o.SHA256, whole: sha256.New()}
	var version string
	var err error
	if o.Size <= s.partSize {
		version, err = s.putWhole(ctx, key, in, o.ContentType)
	} else {
		version, err = s.putParts(ctx, key, in, o.ContentType)
	}
	if err != nil {
		return Object{}, err
	}
	return s.readBackOurs(ctx, "put "+key, written{key: key, version: version, size: o.Size, sha256: in.sum()})
}

// input is what a Put reads: each piece twice, once for its digest and once for the wire, so that no piece is in memory.
type input struct {
	r     io.ReaderAt
	size  int64
	want  string    // digest, empty where the caller did not say
	whole hash.Hash // of the pieces so far
}

func (in *input) sum() string { return hex.EncodeToString(in.whole.Sum(nil)) }

// check holds what was read against what the caller said, before it becomes visible.
func (in *input) check() error {
	if in.want != "" && in.sum() != in.want {
		return fmt.Errorf("%w: what is to be written has another digest than was said", ErrDamaged)
	}
	return nil
}

// piece digests a piece of the input.
func (in *input) piece(from, size int64) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, in.whole), io.NewSectionReader(in.r, from, size))
	if err == nil && n != size {
		err = errRead{io.ErrUnexpectedEOF}
	}
	if err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// errRead is a fault of what is to be written: it is not the store's.
type errRead struct{ err error }

func (e errRead) Error() string { return "read what is to be written: " + e.err.Error() }
func (e errRead) Unwrap() error { return e.err }

// readerAt marks faults of the input.
type readerAt struct{ r io.ReaderAt }

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = errRead{err}
	}
	return n, err
}

// options are those of every write.
func (s *s3Store) options(contentType string, headers map[string]string) minio.PutObjectOptions {
	return minio.PutObjectOptions{ContentType: contentType, ServerSideEncryption: s.sse, UserMetadata: headers,
		DisableContentSha256: true} // no chunk signatures: the digest of the whole body is signed
}

// putWhole writes with one request.
func (s *s3Store) putWhole(ctx context.Context, key string, in *input, contentType string) (version string, err error) {
	sum, err := in.piece(0, in.size)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	opts := s.options(contentType, map[string]string{checksumSHA: base64.StdEncoding.EncodeToString(sum[:])})
	err = s.client.again(ctx, func() error {
		info, err := s.client.api.PutObject(ctx, s.bucket, s.full(key), io.NewSectionReader(in.r, 0, in.size), in.size,
			"", hex.EncodeToString(sum[:]), opts)
		version = info.VersionID
		return s.putError(ctx, "put "+key, err)
	})
	return version, err
}

// putError is s3Error for requests that ask for encryption, which a store may not know.
func (s *s3Store) putError(ctx context.Context, verb string, err error) error {
	if s.sse != nil && hasCode(err, "NotImplemented", "InvalidEncryptionAlgorithmError", "XMinioKMSNotConfigured",
		"KMSNotConfigured", "ServerSideEncryptionConfigurationNotFoundError") {
		return fmt.Errorf("%s: %w: it cannot encrypt: set up encryption at the store, or declare that of the disk", verb, ErrUnsafe)
	}
	return s3Error(ctx, verb, err)
}

// putParts writes in parts. Nothing is visible before the last request, and nothing is left after a fault.
func (s *s3Store) putParts(ctx context.Context, key string, in *input, contentType string) (string, error) {
	size := max(s.partSize, (in.size+maxParts-1)/maxParts)
	return s.upload(ctx, "put "+key, upload{key: key, options: s.options(contentType, map[string]string{checksumKind: "SHA256"}),
		parts: int((in.size + size - 1) / size),
		send: func(id string, i int) (minio.CompletePart, error) {
			from := int64(i) * size
			return s.putPart(ctx, partOf{key: key, id: id, number: i + 1, in: in, from: from, size: min(size, in.size-from)})
		}, ready: in.check})
}

// partOf is one part of an upload.
type partOf struct {
	key, id    string
	number     int
	in         *input
	from, size int64
}

func (s *s3Store) putPart(ctx context.Context, p partOf) (done minio.CompletePart, err error) {
	sum, err := p.in.piece(p.from, p.size)
	if err != nil {
		return done, fmt.Errorf("put %s: %w", p.key, err)
	}
	opts := minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true,
		CustomHeader: http.Header{checksumSHA: {base64.StdEncoding.EncodeToString(sum[:])}}}
	err = s.client.again(ctx, func() error {
		part, err := s.client.api.PutObjectPart(ctx, s.bucket, s.full(p.key), p.id, p.number,
			io.NewSectionReader(p.in.r, p.from, p.size), p.size, opts)
		done = minio.CompletePart{PartNumber: p.number, ETag: part.ETag, ChecksumSHA256: part.ChecksumSHA256}
		return s3Error(ctx, "put a part of "+p.key, err)
	})
	return done, err
}

// upload is a multipart upload: what sends its parts, numbered from 0.
type upload struct {
	key     string
	options minio.PutObjectOptions
	parts   int
	send    func(id string, i int) (minio.CompletePart, error)
	ready   func() error // is asked before the object becomes visible
}

// upload runs one, and aborts it after a fault.
func (s *s3Store) upload(ctx context.Context, verb string, u upload) (version string, err error) {
	var id string
	if err := s.client.again(ctx, func() (err error) {
		id, err = s.client.api.NewMultipartUpload(ctx, s.bucket, s.full(u.key), u.options)
		return s.putError(ctx, verb, err)
	}); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
			defer cancel()
			// Best effort: AbortUploads finds what stays.
			_ = s.client.api.AbortMultipartUpload(clean, s.bucket, s.full(u.key), id)
		}
	}()
	done := make([]minio.CompletePart, u.parts)
	for i := range done {
		if done[i], err = u.send(id, i); err != nil {
			return "", err
		}
	}
	if err := u.ready(); err != nil {
		return "", fmt.Errorf("%s: %w", verb, err)
	}
	tries := 0
	err = s.client.again(ctx, func() error {
		tries++
		info, err := s.client.api.CompleteMultipartUpload(slowly(ctx), s.bucket, s.full(u.key), id, done, minio.PutObjectOptions{})
		version = info.VersionID
		return s3Error(ctx, verb, err)
	})
	if tries > 1 && errors.Is(err, ErrNotFound) {
		return "", nil // the first answer got lost, and the upload is complete: reading it back tells
	}
	return version, err
}

// written is what was just written, and has to be read back.
type written struct {
	key, version string
	size         int64
	sha256       string
}

// readBack holds what the store gives back against what was written, and against the encryption that is wanted.
func (s *s3Store) readBack(ctx context.Context, verb string, w written) (Object, error) {
	if w.version == versionNull {
		w.version = ""
	}
	at := place{s.bucket, s.full(w.key), w.version}
	o, err := s.client.fetch(ctx, at, io.Discard)
	for _, pause := range retries {
		// versitygw replaces an object by removing and linking: for a moment there is none.
		if !errors.Is(err, ErrNotFound) || sleep(ctx, pause) != nil {
			break
		}
		o, err = s.client.fetch(ctx, at, io.Discard)
	}
	if err != nil {
		return Object{}, fmt.Errorf("%s: read it back: %w", verb, err)
	}
	if o.Size != w.size || o.SHA256 != w.sha256 {
		return Object{}, fmt.Errorf("%s: %w", verb, ErrDamaged)
	}
	if err := s.client.want.accept(confirmed(o)); err != nil {
		return Object{}, fmt.Errorf("%s: %w", verb, err)
	}
	return s.own(w.key, o, nil)
}

// readBackOurs is readBack for what nobody else writes: what is damaged, or lies there in the clear, is removed.
func (s *s3Store) readBackOurs(ctx context.Context, verb string, w written) (Object, error) {
	o, err := s.readBack(ctx, verb, w)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnsafe) {
		err = both(err, s.removeVersion(context.WithoutCancel(ctx), w.key, w.version))
	}
	return o, err
}
