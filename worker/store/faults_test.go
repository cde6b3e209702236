package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	minio "github.com/minio/minio-go/v7"

	"veil/worker/store"
	"veil/worker/store/servers"
	"veil/worker/store/storetest"
)

// canary stands in the key of a source: no error may repeat it, nor a secret.
const canary = "Erika-Mustermann.mp4"

// idle is the patience of the tests that lose it; a busy machine is never silent for so long.
const idle = 2 * time.Second

// wantErr wants an error of a kind that tells no secrets.
func wantErr(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("have error %v, want %v", err, kind)
	}
	for _, s := range []string{canary, "secret", "://", "Signature="} {
		if strings.Contains(err.Error(), s) {
			t.Fatalf("the error tells %q: %v", s, err)
		}
	}
}

// faults hold S3 stores against what only S3 stores can suffer.
func faults(t *testing.T, s *servers.Server) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *servers.Server)
	}{
		{"resumed fetch", resumedFetch}, {"changed while fetched", changedWhileFetched}, {"versions", versions},
		{"silent server", silentServer}, {"broken upload", brokenUpload}, {"lost answer", lostAnswer},
		{"wrong credentials", wrongCredentials}, {"no bucket", noBucket}, {"read only", readOnly}, {"least privilege", leastPrivilege},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			tt.test(t, s)
		})
	}
}

// proxied gives a proxy in front of a server, and options that lead through it.
func proxied(t *testing.T, s *servers.Server, bucket string) (*storetest.Proxy, store.S3Options) {
	t.Helper()
	p := storetest.NewProxy(t, s.Endpoint)
	o := options(s, bucket)
	o.Endpoint, o.Idle = p.Endpoint, idle
	return p, o
}

func resumedFetch(t *testing.T, s *servers.Server) {
	bucket, clip := fresh("clips"), storetest.Noise(4<<20, 7)
	s.MakeBucket(bucket, false)
	hand(t, s.Client(), bucket, canary, clip)
	p, o := proxied(t, s, "")
	src := openSource(t, o)
	p.Break(storetest.Fault{After: 900_000, Times: 3})
	var b bytes.Buffer
	got, err := src.Fetch(t.Context(), bucket, canary, "", &b)
	if err != nil || got.SHA256 != storetest.Sum(clip) || !bytes.Equal(b.Bytes(), clip) || got.Size != int64(len(clip)) {
		t.Fatalf("fetched %d bytes over a broken line: %+v, %v", b.Len(), got, err)
	}
	if p.Hits() != 3 {
		t.Fatalf("the line broke %d times", p.Hits())
	}
	p.Break(storetest.Fault{After: 0, Times: 1000})
	begun := time.Now()
	_, err = src.Fetch(t.Context(), bucket, canary, "", io.Discard)
	wantErr(t, err, store.ErrUnavailable)
	if d := time.Since(begun); d > 30*time.Second {
		t.Fatalf("gave up after %s", d)
	}
}

func changedWhileFetched(t *testing.T, s *servers.Server) {
	before, after := storetest.Noise(4<<20, 1), storetest.Noise(4<<20, 2)
	for _, keeps := range []bool{false, true} {
		bucket, owner := fresh("clips"), s.Client()
		s.MakeBucket(bucket, keeps)
		first := hand(t, owner, bucket, canary, before)
		p, o := proxied(t, s, "")
		src := openSource(t, o)
		p.Break(storetest.Fault{After: 2 << 20, Times: 1})
		var b bytes.Buffer
		w := &then{w: &b, at: 1 << 20, do: func() { hand(t, owner, bucket, canary, after) }}
		got, err := src.Fetch(t.Context(), bucket, canary, "", w)
		if p.Hits() != 1 {
			t.Fatal("the line did not break")
		}
		if !keeps {
			wantErr(t, err, store.ErrChanged)
			continue
		}
		if err != nil || got.SHA256 != storetest.Sum(before) || got.Version != first || first == "" {
			t.Fatalf("began with version %s, and fetched %+v, %v", first, got, err)
		}
		now, err := src.Fetch(t.Context(), bucket, canary, "", io.Discard)
		if err != nil || now.SHA256 != storetest.Sum(after) || now.Version == first {
			t.Fatalf("fetched the newest: %+v, %v", now, err)
		}
	}
}

// then is a writer that does something when so many bytes have come.
type then struct {
	w  io.Writer
	at int
	do func()
}

func (t *then) Write(p []byte) (int, error) {
	if t.at -= len(p); t.at <= 0 && t.do != nil {
		t.do()
		t.do = nil
	}
	return t.w.Write(p)
}

func versions(t *testing.T, s *servers.Server) {
	bucket, owner := fresh("clips"), s.Client()
	s.MakeBucket(bucket, true)
	first, second := []byte("first"), []byte("the second")
	v1, v2 := hand(t, owner, bucket, canary, first), hand(t, owner, bucket, canary, second)
	src := openSource(t, options(s, ""))
	for version, want := range map[string][]byte{v1: first, v2: second, "": second} {
		at, err := src.Stat(t.Context(), bucket, canary, version)
		if err != nil || version != "" && at.Version != version {
			t.Fatalf("stat version %q: %+v, %v", version, at, err)
		}
		got, err := src.Fetch(t.Context(), bucket, canary, version, io.Discard)
		if err != nil || got.SHA256 != storetest.Sum(want) || got.Version != at.Version || got.Version == "" {
			t.Fatalf("fetch version %q: %+v, %v", version, got, err)
		}
	}
	if err := owner.RemoveObject(t.Context(), bucket, canary, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := src.Stat(t.Context(), bucket, canary, "")
	wantErr(t, err, store.ErrNotFound)
	if got, err := src.Fetch(t.Context(), bucket, canary, v1, io.Discard); err != nil || got.SHA256 != storetest.Sum(first) {
		t.Fatalf("fetch a version of what was deleted: %+v, %v", got, err)
	}

	st := openS3(t, options(s, bucket))
	trust, err := st.Check(t.Context())
	if err != nil || !trust.Versions {
		t.Fatalf("check: %+v, %v", trust, err)
	}
	data := storetest.Noise(partSize+1, 1)
	o, err := st.Put(t.Context(), "restricted/a", bytes.NewReader(data), store.PutOptions{Size: int64(len(data))})
	if err != nil || o.Version == "" {
		t.Fatalf("put: %+v, %v", o, err)
	}
	for _, key := range []string{"restricted/a", canary} {
		if err := st.Remove(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	for left := range owner.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		t.Errorf("left behind: %+v", left)
	}
}

// silentServer: a store that stops in the middle is given up in bounded time, whatever it stops with.
func silentServer(t *testing.T, s *servers.Server) {
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	clip := storetest.Noise(3*partSize, 7)
	hand(t, s.Client(), bucket, "there", clip)
	p, o := proxied(t, s, bucket)
	st := openS3(t, o)
	put := func() error {
		_, err := st.Put(t.Context(), "gone", bytes.NewReader(clip), store.PutOptions{Size: int64(len(clip))})
		return err
	}
	for _, tt := range []struct {
		name  string
		fault storetest.Fault
		call  func() error
	}{
		{"answer", storetest.Fault{After: 1 << 20, Times: 9, Stall: true}, func() error {
			_, err := st.Fetch(t.Context(), "there", io.Discard)
			return err
		}},
		{"first answer", storetest.Fault{After: 0, Times: 9, Stall: true}, func() error {
			_, err := st.Stat(t.Context(), "there")
			return err
		}},
		{"upload", storetest.Fault{Requests: true, After: 3 << 20, Times: 9, Stall: true}, put},
		{"answer to an upload", storetest.Fault{After: 0, Times: 9, Stall: true}, put},
		{"listing", storetest.Fault{After: 0, Times: 9, Stall: true}, func() error {
			for _, err := range st.List(t.Context(), "") {
				return err
			}
			return nil
		}},
	} {
		p.Heal()
		p.Break(tt.fault)
		begun := time.Now()
		err := tt.call()
		if err == nil {
			t.Fatalf("%s: no error", tt.name)
		}
		wantErr(t, err, store.ErrUnavailable)
		if d := time.Since(begun); d < idle || d > 4*idle+5*time.Second {
			t.Errorf("%s: gave up after %s", tt.name, d)
		}
	}
	p.Heal()
	if _, err := st.Stat(t.Context(), "gone"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a broken upload is visible: %v", err)
	}
	if _, err := st.AbortUploads(t.Context(), "", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	// A long transfer that goes on is not given up: the reader's own pauses do not count.
	pause := func() { time.Sleep(idle + idle/4) }
	slow := &then{w: &then{w: io.Discard, at: 1 << 20, do: pause}, at: 1, do: pause}
	if o, err := st.Fetch(t.Context(), "there", slow); err != nil || o.SHA256 != storetest.Sum(clip) {
		t.Fatalf("a slow reader: %+v, %v", o, err)
	}
}

func brokenUpload(t *testing.T, s *servers.Server) {
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	before, data := storetest.Noise(1000, 1), storetest.Noise(3*partSize+5, 2)
	hand(t, s.Client(), bucket, "a/old", before)
	p, o := proxied(t, s, bucket)
	st := openS3(t, o)
	for _, size := range []int{partSize, len(data)} {
		for _, key := range []string{"a/old", "a/fresh"} {
			p.Break(storetest.Fault{Requests: true, After: 3 << 20, Times: 1000})
			_, err := st.Put(t.Context(), key, bytes.NewReader(data), store.PutOptions{Size: int64(size)})
			wantErr(t, err, store.ErrUnavailable)
			p.Break(storetest.Fault{})
		}
		var keys []string
		for o, err := range st.List(t.Context(), "") {
			if err != nil || o.Size != int64(len(before)) {
				t.Fatalf("listed %+v, %v", o, err)
			}
			keys = append(keys, o.Key)
		}
		if !slices.Equal(keys, []string{"a/old"}) {
			t.Fatalf("after a broken upload there are %q", keys)
		}
		if o, err := st.Fetch(t.Context(), "a/old", io.Discard); err != nil || o.SHA256 != storetest.Sum(before) {
			t.Fatalf("the old object: %+v, %v", o, err)
		}
	}
	if n, err := st.AbortUploads(t.Context(), "", time.Now().Add(time.Hour)); err != nil || n != 0 {
		t.Fatalf("%d uploads were left open: %v", n, err)
	}
	p.Break(storetest.Fault{Requests: true, After: 3 << 20, Times: 1})
	hits := p.Hits()
	if o, err := st.Put(t.Context(), "a/fresh", bytes.NewReader(data), store.PutOptions{Size: int64(len(data))}); err != nil || o.SHA256 != storetest.Sum(data) {
		t.Fatalf("put over a line that broke once: %+v, %v", o, err)
	}
	if p.Hits() != hits+1 {
		t.Fatal("the line did not break")
	}
}

// lostAnswer: what was done and not answered is found done.
func lostAnswer(t *testing.T, s *servers.Server) {
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	p, o := proxied(t, s, bucket)
	st := openS3(t, o)
	warm := func() {
		if _, err := st.Stat(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		p.Break(storetest.Fault{After: 0, Times: 1})
	}
	warm()
	if _, err := st.Create(t.Context(), "release/manifest.json", []byte("{}"), ""); err != nil {
		t.Fatalf("create whose answer got lost: %v", err)
	}
	warm()
	_, err := st.Create(t.Context(), "release/manifest.json", []byte("other"), "")
	wantErr(t, err, store.ErrExists)
	warm()
	if err := st.Remove(t.Context(), "release/manifest.json"); err != nil {
		t.Fatalf("remove whose answer got lost: %v", err)
	}
	if p.Hits() != 3 {
		t.Fatalf("%d answers got lost", p.Hits())
	}
}

// calls are all that a store can be asked.
func calls(t *testing.T, st store.Store) map[string]error {
	t.Helper()
	data := []byte("data")
	all := map[string]error{}
	_, all["stat"] = st.Stat(t.Context(), "a")
	_, all["fetch"] = st.Fetch(t.Context(), "a", io.Discard)
	_, all["put"] = st.Put(t.Context(), "a", bytes.NewReader(data), store.PutOptions{Size: 4})
	_, all["create"] = st.Create(t.Context(), "a", data, "")
	_, all["copy"] = st.Copy(t.Context(), "a", "b", storetest.Sum(data))
	_, all["abort"] = st.AbortUploads(t.Context(), "", time.Now())
	_, all["check"] = st.Check(t.Context())
	all["remove"] = st.Remove(t.Context(), "a")
	for _, err := range st.List(t.Context(), "") {
		all["list"] = err
	}
	return all
}

func deadServer(t *testing.T, s *servers.Server) {
	bucket := fresh("veil")
	s.MakeBucket(bucket, false)
	o := options(s, bucket)
	o.Idle = idle
	st, src := openS3(t, o), openSource(t, o)
	s.Pause()
	defer s.Resume()
	begun := time.Now()
	_, err := st.Stat(t.Context(), "a")
	wantErr(t, err, store.ErrUnavailable)
	if d := time.Since(begun); d > 2*idle+2*time.Second {
		t.Errorf("gave up a stopped server after %s", d)
	}
	s.Resume()
	s.Kill()
	_, err = src.Stat(t.Context(), bucket, canary, "")
	wantErr(t, err, store.ErrUnavailable)
	for range 3 {
		_, err = st.Create(t.Context(), "a", []byte("x"), "")
		wantErr(t, err, store.ErrUnavailable)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the worker shuts down")
	time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
	_, err = src.Fetch(ctx, bucket, canary, "", io.Discard)
	wantErr(t, err, cause)
	wantErr(t, err, context.Canceled)
	s.Start()
	if _, err = st.Create(t.Context(), "a", []byte("x"), ""); err != nil {
		t.Fatalf("after it came back: %v", err)
	}
}
