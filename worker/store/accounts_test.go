package store_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	minio "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"veil/worker/store"
	"veil/worker/store/servers"
	"veil/worker/store/storetest"
)

func wrongCredentials(t *testing.T, s *servers.Server) {
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	hand(t, s.Client(), bucket, "a", []byte("x"))
	for _, change := range []func(*store.S3Options){
		func(o *store.S3Options) { o.SecretKey = "not-the-secret" },
		func(o *store.S3Options) { o.AccessKey = "nobody-at-all" },
	} {
		o := options(s, bucket)
		change(&o)
		for call, err := range calls(t, openS3(t, o)) {
			if !errors.Is(err, store.ErrDenied) {
				t.Errorf("%s: %v", call, err)
			}
		}
		o.Bucket = ""
		_, err := openSource(t, o).Fetch(t.Context(), bucket, canary, "", io.Discard)
		wantErr(t, err, store.ErrDenied)
	}
}

func noBucket(t *testing.T, s *servers.Server) {
	for call, err := range calls(t, openS3(t, options(s, "no-such-bucket"))) {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// readOnly: the credentials for sources are refused by the server itself, whatever is tried with them.
func readOnly(t *testing.T, s *servers.Server) {
	bucket, clip := fresh("clips"), []byte("clip")
	s.MakeBucket(bucket, false)
	hand(t, s.Client(), bucket, canary, clip)
	k := s.Account(bucket, policies(t, "CLIPS", bucket)[0])
	o := as(options(s, ""), k)
	src := openSource(t, o)
	if got, err := src.Fetch(t.Context(), bucket, canary, "", io.Discard); err != nil || got.SHA256 != storetest.Sum(clip) {
		t.Fatalf("fetch as reader: %+v, %v", got, err)
	}
	for o, err := range src.List(t.Context(), bucket, "") {
		if err != nil || o.Key != canary {
			t.Fatalf("list as reader: %+v, %v", o, err)
		}
	}
	c := s.ClientAs(credentials.NewStaticV4(k.Access, k.Secret, k.Token))
	ctx := t.Context()
	tries := map[string]func() error{
		"put": func() error {
			_, err := c.PutObject(ctx, bucket, canary, strings.NewReader("evil"), 4, "", "", minio.PutObjectOptions{})
			return err
		},
		"put new": func() error {
			_, err := c.PutObject(ctx, bucket, "new", strings.NewReader("evil"), 4, "", "", minio.PutObjectOptions{})
			return err
		},
		"remove": func() error { return c.RemoveObject(ctx, bucket, canary, minio.RemoveObjectOptions{}) },
		"copy": func() error {
			_, err := c.CopyObject(ctx, bucket, canary, bucket, "copy", nil, minio.CopySrcOptions{}, minio.PutObjectOptions{})
			return err
		},
		"upload": func() error {
			_, err := c.NewMultipartUpload(ctx, bucket, "new", minio.PutObjectOptions{})
			return err
		},
		"policy": func() error { return c.SetBucketPolicy(ctx, bucket, `{}`) },
	}
	for name, try := range tries {
		var resp minio.ErrorResponse
		if err := try(); !errors.As(err, &resp) || resp.StatusCode != 403 {
			t.Errorf("%s as reader: %v", name, err)
		}
	}
	_, err := src.Stat(ctx, bucket, "none", "")
	wantErr(t, err, store.ErrNotFound)
	o.Bucket = bucket
	st := openS3(t, o)
	_, err = st.Put(ctx, "a", bytes.NewReader(clip), store.PutOptions{Size: 4})
	wantErr(t, err, store.ErrDenied)
	_, err = st.Check(ctx)
	wantErr(t, err, store.ErrDenied)
	if got, err := src.Stat(ctx, bucket, canary, ""); err != nil || got.Size != 4 {
		t.Fatalf("after all that: %+v, %v", got, err)
	}
}

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// policies are those that docs/store.md gives for a bucket, in their order.
func policies(t *testing.T, placeholder, bucket string) (all []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/store.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range jsonBlock.FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(m[1], placeholder) {
			all = append(all, strings.ReplaceAll(m[1], placeholder, bucket))
		}
	}
	if len(all) == 0 {
		t.Fatalf("docs/store.md has no policy for %s", placeholder)
	}
	return all
}

// as gives options another account.
func as(o store.S3Options, k servers.Keys) store.S3Options {
	o.AccessKey, o.SecretKey, o.SessionToken = k.Access, k.Secret, k.Token
	return o
}

// leastPrivilege: what the documentation gives the worker is enough for all that a store does, and a reader of releases
// gets nothing else.
func leastPrivilege(t *testing.T, s *servers.Server) {
	for _, keeps := range []bool{false, true} {
		bucket := fresh("veil")
		s.MakeBucket(bucket, keeps)
		st := openS3(t, as(options(s, bucket), s.Account(bucket, policies(t, "STORE", bucket)[0])))
		if _, err := st.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		data := storetest.Noise(partSize+1, 1)
		if _, err := st.Put(t.Context(), "restricted/a", bytes.NewReader(data), store.PutOptions{Size: partSize + 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Copy(t.Context(), "restricted/a", "release/a", storetest.Sum(data)); err != nil {
			t.Fatal(err)
		}
		litter(t, s.Client(), bucket, "restricted/b")
		if n, err := st.AbortUploads(t.Context(), "restricted/", time.Now().Add(time.Hour)); err != nil || n != 1 {
			t.Fatalf("aborted %d: %v", n, err)
		}
	}
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	owner := s.Client()
	hand(t, owner, bucket, "release/a", []byte("out"))
	hand(t, owner, bucket, "restricted/a", []byte("in"))
	o := as(options(s, ""), s.Account(bucket, policies(t, "STORE", bucket)[1]))
	src := openSource(t, o)
	if _, err := src.Fetch(t.Context(), bucket, "release/a", "", io.Discard); err != nil {
		t.Fatal(err)
	}
	_, err := src.Fetch(t.Context(), bucket, "restricted/a", "", io.Discard)
	wantErr(t, err, store.ErrDenied)
	o.Bucket = bucket
	_, err = openS3(t, o).Create(t.Context(), "release/b", []byte("x"), "")
	wantErr(t, err, store.ErrDenied)
}
