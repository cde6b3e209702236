package store_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	minio "github.com/minio/minio-go/v7"
	"go.uber.org/goleak"

	"veil/worker/store"
	"veil/worker/store/servers"
	"veil/worker/store/storetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // these tests wait for lines and servers more than they work
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const partSize = 5 << 20

var bucketNumber atomic.Int64

// fresh is a name of a bucket that nobody used.
func fresh(kind string) string { return fmt.Sprintf("%s-%d", kind, bucketNumber.Add(1)) }

// options lead to a bucket of a server.
func options(s *servers.Server, bucket string) store.S3Options {
	return store.S3Options{Endpoint: s.Endpoint, Bucket: bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		CAFile: s.CAFile, PartSize: partSize, Encryption: store.Declared}
}

func openS3(t *testing.T, o store.S3Options) store.Store {
	t.Helper()
	s, err := store.OpenS3(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openSource(t *testing.T, o store.S3Options) store.Source {
	t.Helper()
	s, err := store.OpenS3Source(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// house makes buckets of a server. change edits the store's options.
func house(t *testing.T, s *servers.Server, versions bool, change func(*store.S3Options)) storetest.House {
	t.Helper()
	bucket, from := fresh("veil"), fresh("clips")
	s.MakeBucket(bucket, versions)
	s.MakeBucket(from, versions)
	o := options(s, bucket)
	change(&o)
	raw := s.Client()
	return storetest.House{Store: openS3(t, o), Source: openSource(t, options(s, "")), Bucket: from, Kind: "s3",
		Hand: func(key string, data []byte) {
			t.Helper()
			hand(t, raw, from, key, data)
		},
		Litter: func(key string) {
			t.Helper()
			litter(t, raw, bucket, o.Prefix+key)
		},
		Hide: func(key string) {
			t.Helper()
			if err := raw.RemoveObject(t.Context(), bucket, o.Prefix+key, minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}}
}

func TestDirectory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.House {
		root, from := t.TempDir(), t.TempDir()
		s, err := store.OpenDir(root, store.DirOptions{Encryption: store.Declared})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(from, "clips"), 0o755); err != nil {
			t.Fatal(err)
		}
		src, err := store.OpenDirSource(from)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(); _ = src.Close() })
		write := func(path string, data []byte) {
			t.Helper()
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
				t.Error(err)
			}
		}
		return storetest.House{Store: s, Source: src, Bucket: "clips", Kind: "directory",
			Hand: func(key string, data []byte) { t.Helper(); write(filepath.Join(from, "clips", key), data) },
			Litter: func(key string) {
				t.Helper()
				write(filepath.Join(root, filepath.Dir(key), ".veil-tmp-"+fmt.Sprint(time.Now().UnixNano())), []byte("half"))
			},
			Hide: func(key string) {
				t.Helper()
				if err := os.Remove(filepath.Join(root, key)); err != nil {
					t.Fatal(err)
				}
			}}
	})
}

func TestVersitygw(t *testing.T) {
	t.Parallel()
	s := servers.Versitygw(t, servers.Options{})
	storetest.Run(t, func(t *testing.T) storetest.House {
		return house(t, s, false, func(*store.S3Options) {})
	})
	t.Run("faults", func(t *testing.T) { faults(t, s) })
	t.Run("locks", func(t *testing.T) { locks(t, s) })
	wantRefused(t, s)
	wantEncryption(t, s, store.Declared, "declared")
	wantEncryption(t, s, store.Off, "")
	t.Run("dead server", func(t *testing.T) { deadServer(t, s) })
}

// TestMinIO encrypts, keeps versions, and has the store below a prefix: all three at once.
func TestMinIO(t *testing.T) {
	t.Parallel()
	s := servers.MinIO(t, servers.Options{KMS: true, TLS: true})
	storetest.Run(t, func(t *testing.T) storetest.House {
		return house(t, s, true, func(o *store.S3Options) { o.Encryption, o.Prefix = store.Required, "below/here/" })
	})
	t.Run("faults", func(t *testing.T) { faults(t, s) })
	t.Run("locks", func(t *testing.T) { locks(t, s) })
	wantEncryption(t, s, store.Required, "AES256")
	wantEncryption(t, s, store.Declared, "declared")
	t.Run("dead server", func(t *testing.T) { deadServer(t, s) })
}

// locks: in a bucket with object lock nothing goes before its time, and everything after it.
func locks(t *testing.T, server *servers.Server) {
	bucket := fresh("locked")
	if err := server.Client().MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{ObjectLocking: true}); err != nil {
		t.Fatal(err)
	}
	s := openS3(t, options(server, bucket))
	trust, err := s.Check(t.Context())
	if err != nil || !trust.Locks || !trust.Versions {
		t.Fatalf("%+v, %v", trust, err)
	}
	if _, err := s.Put(t.Context(), "restricted/j/1/1/manifest.json", strings.NewReader("evidence"), store.PutOptions{Size: 8}); err != nil {
		t.Fatal(err)
	}
	const kept = 3 * time.Second
	begun := time.Now()
	locked, err := s.Lock(t.Context(), "restricted/j/1/1/manifest.json", begun.Add(kept))
	if err != nil || !locked {
		t.Fatalf("locked: %t, %v", locked, err)
	}
	if _, err := store.RemoveAll(t.Context(), s, "restricted/j/"); !errors.Is(err, store.ErrDenied) && time.Since(begun) < kept {
		t.Fatalf("removed what is locked: %v", err)
	}
	time.Sleep(time.Until(begun.Add(kept + time.Second)))
	if n, err := store.RemoveAll(t.Context(), s, "restricted/j/"); n == 0 || err != nil {
		t.Fatalf("removed %d when the lock was over: %v", n, err)
	}
	if _, err := s.Lock(t.Context(), "restricted/j/1/1/manifest.json", time.Now().Add(kept)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("locked what is not there: %v", err)
	}
}

// hand puts an object as its owner does.
func hand(t *testing.T, c *minio.Core, bucket, key string, data []byte) string {
	t.Helper()
	info, err := c.PutObject(t.Context(), bucket, key, bytes.NewReader(data), int64(len(data)), "", "", minio.PutObjectOptions{})
	if err != nil {
		t.Errorf("put %q as the owner: %v", key, err)
	}
	return info.VersionID
}

// litter begins an upload, sends a part, and leaves it.
func litter(t *testing.T, c *minio.Core, bucket, key string) {
	t.Helper()
	id, err := c.NewMultipartUpload(t.Context(), bucket, key, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := storetest.Noise(partSize, 1)
	if _, err := c.PutObjectPart(t.Context(), bucket, key, id, 1, bytes.NewReader(data), partSize, minio.PutObjectPartOptions{}); err != nil {
		t.Fatal(err)
	}
}
