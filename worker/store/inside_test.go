package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	minio "github.com/minio/minio-go/v7"

	"veil/worker/store/servers"
)

// TestUnsafe: Check refuses a store where two writers win, one where the loser overwrites, and one that lets a late one win.
func TestUnsafe(t *testing.T) {
	open := func() *dirStore {
		s, err := OpenDir(t.TempDir(), DirOptions{Encryption: Off})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s.(*dirStore)
	}
	put := func(ctx context.Context, s Store, key string, data []byte) error {
		_, err := s.Put(ctx, key, bytes.NewReader(data), PutOptions{Size: int64(len(data))})
		return err
	}
	for name, bad := range map[string]func(s *dirStore) creator{
		"no condition": func(s *dirStore) creator {
			return func(ctx context.Context, key string, data []byte) (bool, error) {
				return true, put(ctx, s, key, data)
			}
		},
		"look, then write": func(s *dirStore) creator {
			return func(ctx context.Context, key string, data []byte) (bool, error) {
				if _, err := s.Stat(ctx, key); err == nil {
					return false, nil
				}
				return true, put(ctx, s, key, data)
			}
		},
		"the loser overwrites": func(s *dirStore) creator {
			return func(ctx context.Context, key string, data []byte) (bool, error) {
				won, err := s.create(ctx, key, data)
				if err == nil && !won {
					err = put(ctx, s, key, data)
				}
				return won, err
			}
		},
		"the last wins": func(s *dirStore) creator {
			return func(ctx context.Context, key string, data []byte) (bool, error) {
				return bytes.Equal(data, writerBytes(0)) || bytes.Equal(data, writerBytes(probeWriters)), put(ctx, s, key, data)
			}
		},
	} {
		s := open()
		if _, err := probe(t.Context(), s, bad(s)); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v", name, err)
		}
		for o, err := range s.List(t.Context(), "") {
			t.Errorf("%s: left behind: %+v, %v", name, o, err)
		}
	}
	s := open()
	if _, err := probe(t.Context(), s, s.create); err != nil {
		t.Errorf("a good store: %v", err)
	}
}

// losing lets a server do what it is told, and loses its first answer to some kind of request.
type losing struct {
	next http.RoundTripper
	kind func(*http.Request) bool
	lost atomic.Int64
}

func (l *losing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err == nil && l.kind(req) && l.lost.Add(1) == 1 {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, &netError{io.EOF}
	}
	return resp, err
}

// TestLostAnswers: every kind of request may be done and not answered; the operation succeeds all the same.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	lostAnswers(t, servers.Versitygw(t, servers.Options{}))
	lostAnswers(t, servers.MinIO(t, servers.Options{}))
}

func lostAnswers(t *testing.T, srv *servers.Server) {
	t.Helper()
	srv.MakeBucket("veil", false)
	query := func(r *http.Request, key string) bool { return r.URL.Query().Has(key) }
	put := func(s Store) error {
		data := bytes.Repeat([]byte("x"), 2*minPartSize)
		_, err := s.Put(t.Context(), "big", bytes.NewReader(data), PutOptions{Size: int64(len(data))})
		return err
	}
	small := func(s Store) error {
		_, err := s.Put(t.Context(), "small", strings.NewReader("x"), PutOptions{Size: 1})
		return err
	}
	for name, tt := range map[string]struct {
		kind func(*http.Request) bool
		call func(Store) error
	}{
		"begin an upload": {func(r *http.Request) bool { return r.Method == "POST" && query(r, "uploads") }, put},
		"part":            {func(r *http.Request) bool { return r.Method == "PUT" && query(r, "partNumber") }, put},
		"complete":        {func(r *http.Request) bool { return r.Method == "POST" && query(r, "uploadId") }, put},
		"read back":       {func(r *http.Request) bool { return r.Method == "GET" }, put},
		"put":             {func(r *http.Request) bool { return r.Method == "PUT" }, small},
		"copy": {func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }, func(s Store) error {
			_, err := s.Copy(t.Context(), "small", "copy", digestOf([]byte("x")))
			return err
		}},
		"create": {func(r *http.Request) bool { return r.Header.Get("If-None-Match") != "" }, func(s Store) error {
			_, err := s.Create(t.Context(), "fresh", []byte("{}"), "")
			return err
		}},
		"remove": {func(r *http.Request) bool { return r.Method == "DELETE" }, func(s Store) error {
			return s.Remove(t.Context(), "small")
		}},
	} {
		s, err := OpenS3(S3Options{Endpoint: srv.Endpoint, Bucket: "veil", AccessKey: srv.AccessKey, SecretKey: srv.SecretKey,
			PartSize: minPartSize, Encryption: Off})
		if err != nil {
			t.Fatal(err)
		}
		if err := small(s); err != nil {
			t.Fatal(err)
		}
		l := &losing{next: s.(*s3Store).client.patience.next, kind: tt.kind}
		s.(*s3Store).client.patience.next = l
		if err := tt.call(s); err != nil || l.lost.Load() == 0 {
			t.Errorf("%s, %s: %d answers of that kind, %v", srv.Name, name, l.lost.Load(), err)
		}
		_ = s.Close()
	}
	if n := leftOpen(t, srv); n > 1 {
		t.Errorf("%d uploads are open: an upload whose beginning was not answered is the only one that may stay", n)
	}
}

func leftOpen(t *testing.T, srv *servers.Server) (n int) {
	t.Helper()
	for u := range srv.Client().ListIncompleteUploads(t.Context(), "veil", "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		n++
	}
	return n
}

// damaging gives back other bytes than were written.
type damaging struct{ next http.RoundTripper }

func (d damaging) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err == nil && req.Method == "GET" && resp.ContentLength > 0 {
		data, rerr := io.ReadAll(resp.Body)
		if rerr != nil {
			return nil, rerr
		}
		_ = resp.Body.Close()
		data[len(data)/2] ^= 1
		resp.Body = io.NopCloser(bytes.NewReader(data))
	}
	return resp, err
}

// TestDamage: one bit that a store flips is found, and what is damaged does not stay.
func TestDamage(t *testing.T) {
	t.Parallel()
	srv := servers.Versitygw(t, servers.Options{})
	srv.MakeBucket("veil", false)
	s, err := OpenS3(S3Options{Endpoint: srv.Endpoint, Bucket: "veil", AccessKey: srv.AccessKey, SecretKey: srv.SecretKey,
		PartSize: minPartSize, Encryption: Off})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	data := bytes.Repeat([]byte("x"), minPartSize+1)
	if _, err := s.Put(t.Context(), "good", bytes.NewReader(data), PutOptions{Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	c := s.(*s3Store).client
	c.patience.next = damaging{c.patience.next}
	for name, call := range map[string]func() (Object, error){
		"small": func() (Object, error) {
			return s.Put(t.Context(), "a", bytes.NewReader(data), PutOptions{Size: 10})
		},
		"parts": func() (Object, error) {
			return s.Put(t.Context(), "a", bytes.NewReader(data), PutOptions{Size: int64(len(data))})
		},
		"copy": func() (Object, error) { return s.Copy(t.Context(), "good", "a", digestOf(data)) },
	} {
		if o, err := call(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: what is damaged stays: %v", name, err)
		}
	}
}

// TestErrorKinds holds what servers and disks say against the package's words.
func TestErrorKinds(t *testing.T) {
	for _, tt := range []struct {
		code   string
		status int
		want   error
	}{
		{"XMinioStorageFull", 507, ErrFull}, {"InsufficientStorage", 507, ErrFull}, {"QuotaExceeded", 403, ErrFull},
		{"XMinioAdminBucketQuotaExceeded", 400, ErrFull}, {"507 Insufficient Storage", 507, ErrFull},
		{"NoSuchKey", 404, ErrNotFound}, {"NoSuchBucket", 404, ErrNotFound}, {"404 Not Found", 404, ErrNotFound},
		{"AccessDenied", 403, ErrDenied}, {"SignatureDoesNotMatch", 403, ErrDenied}, {"RequestTimeTooSkewed", 403, ErrDenied},
		{"ExpiredToken", 400, ErrDenied}, {"", 401, ErrDenied}, {"SlowDown", 503, ErrUnavailable}, {"InternalError", 500, ErrUnavailable},
		{"502 Bad Gateway", 502, ErrUnavailable}, {"", 504, ErrUnavailable}, {"TooManyRequests", 429, ErrUnavailable},
		{"RequestTimeout", 400, ErrUnavailable}, {"PreconditionFailed", 412, ErrChanged}, {"BadDigest", 400, ErrDamaged},
		{"XAmzContentSHA256Mismatch", 400, ErrDamaged}, {"KeyTooLongError", 400, ErrKey}, {"NotImplemented", 501, nil},
		{"MalformedXML", 400, nil},
	} {
		err := s3Error(t.Context(), "try", fmt.Errorf("wrapped: %w", minio.ErrorResponse{Code: tt.code, StatusCode: tt.status,
			Message: "Erika-Mustermann.mp4", Key: "Erika-Mustermann.mp4"}))
		if tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && isOurs(err) {
			t.Errorf("%s, %d: %v, want %v", tt.code, tt.status, err, tt.want)
		}
		if strings.Contains(err.Error(), "Mustermann") {
			t.Errorf("tells the key: %v", err)
		}
	}
	for errno, want := range map[syscall.Errno]error{syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.ENOENT: ErrNotFound,
		syscall.ENOTDIR: ErrNotFound, syscall.EACCES: ErrDenied, syscall.EROFS: ErrDenied, syscall.EIO: ErrUnavailable,
		syscall.ESTALE: ErrUnavailable, syscall.ENAMETOOLONG: ErrKey} {
		err := dirError("try", &fs.PathError{Op: "open", Path: "/in/Erika-Mustermann.mp4", Err: errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) || strings.Contains(err.Error(), "Mustermann") {
			t.Errorf("%v: %v, want %v", errno, err, want)
		}
	}
}
