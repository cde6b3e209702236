package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"veil/worker/store"
	"veil/worker/store/servers"
)

// wantEncryption opens a bucket with a wish, and wants what Check and objects say of it.
func wantEncryption(t *testing.T, s *servers.Server, wish store.Encryption, want string) {
	t.Helper()
	o := options(s, fresh("veil"))
	s.MakeBucket(o.Bucket, false)
	o.Encryption = wish
	st := openS3(t, o)
	trust, err := st.Check(t.Context())
	if err != nil || trust.Encryption != want {
		t.Fatalf("%q: found %+v, %v", wish, trust, err)
	}
	data := make([]byte, partSize+1)
	put, err := st.Put(t.Context(), "a", bytes.NewReader(data), store.PutOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	copied, err := st.Copy(t.Context(), "a", "b", put.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	created, err := st.Create(t.Context(), "c", []byte("{}"), "")
	if err != nil {
		t.Fatal(err)
	}
	stat, err := st.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range []store.Object{put, copied, created, stat} {
		if o.Encryption != want {
			t.Errorf("%q, object %d: %+v", wish, i, o)
		}
	}
}

// wantRefused wants a store without encryption to be refused by Check, and by every write, with nothing left in the clear.
func wantRefused(t *testing.T, s *servers.Server) {
	t.Helper()
	o := options(s, fresh("veil"))
	s.MakeBucket(o.Bucket, false)
	for _, wish := range []store.Encryption{store.Required, ""} {
		o.Encryption = wish
		st := openS3(t, o)
		_, err := st.Check(t.Context())
		wantErr(t, err, store.ErrUnsafe)
		for _, size := range []int{10, partSize + 1} {
			_, err = st.Put(t.Context(), "a", bytes.NewReader(make([]byte, size)), store.PutOptions{Size: int64(size)})
			wantErr(t, err, store.ErrUnsafe)
		}
		_, err = st.Create(t.Context(), "a", []byte("{}"), "")
		wantErr(t, err, store.ErrUnsafe)
		for left, err := range st.List(t.Context(), "") {
			t.Errorf("left behind: %+v, %v", left, err)
		}
	}
}

func TestNoEncryption(t *testing.T) {
	t.Parallel()
	s := servers.MinIO(t, servers.Options{})
	wantRefused(t, s)
	wantEncryption(t, s, store.Declared, "declared")
}

func TestDirectoryEncryption(t *testing.T) {
	for wish, want := range map[store.Encryption]string{store.Declared: "declared", store.Off: ""} {
		st, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: wish})
		if err != nil {
			t.Fatal(err)
		}
		trust, err := st.Check(t.Context())
		if err != nil || trust.Encryption != want {
			t.Errorf("%q: found %+v, %v", wish, trust, err)
		}
		o, err := st.Create(t.Context(), "a", nil, "")
		if err != nil || o.Encryption != want {
			t.Errorf("%q: created %+v, %v", wish, o, err)
		}
		_ = st.Close()
	}
	st, err := store.OpenDir(t.TempDir(), store.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	_, err = st.Check(t.Context())
	wantErr(t, err, store.ErrUnsafe)
	if _, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: "maybe"}); err == nil {
		t.Error("took a wish that it does not know")
	}
}

// TestTLS: the store's certificate has to be vouched for, and nothing goes in the clear to another machine.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := servers.Versitygw(t, servers.Options{TLS: true})
	s.MakeBucket("veil", false)
	o := options(s, "veil")
	if _, err := openS3(t, o).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.CAFile = ""
	_, err := openS3(t, o).Check(t.Context())
	wantErr(t, err, store.ErrUnavailable)
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("does not tell why: %v", err)
	}
	o.CAFile = "no-such-file"
	if _, err := store.OpenS3(o); err == nil {
		t.Error("took certificates that are not there")
	}
	for _, plain := range []string{"http://store.example:9000", "http://192.0.2.1"} {
		o := store.S3Options{Endpoint: plain, Bucket: "veil", AccessKey: "a", SecretKey: "b"}
		if _, err := store.OpenS3(o); !errors.Is(err, store.ErrUnsafe) {
			t.Errorf("%s: %v", plain, err)
		}
		o.Plain = true
		if _, err := store.OpenS3(o); err != nil {
			t.Errorf("%s, allowed: %v", plain, err)
		}
	}
	for _, bad := range []string{"", "store.example", "ftp://store.example", "https://", "https://u:p@store.example", "https://store.example/path",
		"https://store.example?x=y", "://"} {
		_, err := store.OpenS3(store.S3Options{Endpoint: bad, Bucket: "veil", AccessKey: "a", SecretKey: "b"})
		if err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("address %q: %v", bad, err)
		}
	}
	for name, change := range map[string]func(*store.S3Options){
		"no key": func(o *store.S3Options) { o.AccessKey = "" }, "no bucket": func(o *store.S3Options) { o.Bucket = "" },
		"small parts": func(o *store.S3Options) { o.PartSize = 1 << 20 }, "prefix": func(o *store.S3Options) { o.Prefix = "a" },
		"way out": func(o *store.S3Options) { o.Prefix = "../" }, "encryption": func(o *store.S3Options) { o.Encryption = "yes" },
	} {
		o := store.S3Options{Endpoint: "https://store.example", Bucket: "veil", AccessKey: "a", SecretKey: "b"}
		change(&o)
		if _, err := store.OpenS3(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
