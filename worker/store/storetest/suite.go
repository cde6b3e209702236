// Package storetest holds every kind of store against one suite.
//
// It knows the interface of package store and nothing of what lies behind it. It never skips.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"veil/worker/store"
)

// House is one kind of store, empty, with a bucket beside it that clips come from.
type House struct {
	Store  store.Store
	Source store.Source
	Bucket string // of the source
	// Hand puts an object into the source, as its owner does.
	Hand func(key string, data []byte)
	// Litter begins an upload to the store and leaves it unfinished, as a killed worker does.
	Litter func(key string)
	// Hide deletes an object as somebody does who knows nothing of versions: where the store keeps them they stay.
	Hide func(key string)
	// Kind is what Check says.
	Kind string
}

const (
	part  = 5 << 20         // the part size that houses are opened with
	later = 5 * time.Minute // after everything that a test does
)

// Run runs the suite. open makes a new house.
func Run(t *testing.T, open func(t *testing.T) House) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, House)
	}{
		{"round trip", roundTrip}, {"input that lies", inputLies}, {"create", create}, {"create race", createRace},
		{"copy", copies}, {"remove", remove}, {"odd keys", oddKeys}, {"bad keys", badKeys}, {"missing", missing},
		{"versions", versions}, {"listing", listing}, {"uploads", uploads}, {"cancelled", cancelled}, {"never half", neverHalf},
		{"source", source}, {"check", check}, {"large", large},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// put writes and wants no fault.
func put(t *testing.T, h House, key string, data []byte) store.Object {
	t.Helper()
	o, err := h.Store.Put(t.Context(), key, bytes.NewReader(data), store.PutOptions{Size: int64(len(data)), SHA256: Sum(data)})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return o
}

// wantErr wants an error of a kind.
func wantErr(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("have error %v, want %v", err, kind)
	}
}

// keys lists a prefix.
func keys(t *testing.T, h House, prefix string) (all []string) {
	t.Helper()
	for o, err := range h.Store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	return all
}

func wantKeys(t *testing.T, h House, prefix string, want ...string) {
	t.Helper()
	if have := keys(t, h, prefix); !slices.Equal(have, want) {
		t.Fatalf("under %q lie %q, want %q", prefix, have, want)
	}
}

// wantBytes wants an object of certain bytes, however it is read.
func wantBytes(t *testing.T, h House, key string, data []byte) {
	t.Helper()
	var b bytes.Buffer
	o, err := h.Store.Fetch(t.Context(), key, &b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), data) || o.SHA256 != Sum(data) || o.Size != int64(len(data)) || o.Key != key {
		t.Fatalf("fetched %d bytes, described as %+v; want %d with digest %s", b.Len(), o, len(data), Sum(data))
	}
	s, err := h.Store.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if s.SHA256 != "" || s.Size != o.Size || s.ETag != o.ETag || s.ETag == "" || s.Version != o.Version || s.Key != key {
		t.Fatalf("stat says %+v, fetch said %+v", s, o)
	}
	if age := time.Since(s.Time); age < -time.Minute || age > later {
		t.Fatalf("changed %s ago", age)
	}
}

func roundTrip(t *testing.T, h House) {
	for _, size := range []int{0, 1, 70_000, part, part + 1, 2*part + 77} {
		key := fmt.Sprintf("restricted/job/1/1/of-%d", size)
		data := Noise(size, uint64(size))
		o := put(t, h, key, data)
		if o.SHA256 != Sum(data) || o.Size != int64(size) || o.Key != key {
			t.Fatalf("put %d bytes with digest %s: %+v", size, Sum(data), o)
		}
		wantBytes(t, h, key, data)
		data = Noise(size/2+3, 5)
		put(t, h, key, data)
		wantBytes(t, h, key, data)
	}
	data := Noise(1000, 1)
	o, err := h.Store.Put(t.Context(), "plain", bytes.NewReader(data), store.PutOptions{Size: 1000})
	if err != nil || o.SHA256 != Sum(data) {
		t.Fatalf("put without a digest: %+v, %v", o, err)
	}
	have, _, err := h.Store.Read(t.Context(), "plain", 1000)
	if err != nil || !bytes.Equal(have, data) {
		t.Fatalf("read %d bytes: %v", len(have), err)
	}
	_, _, err = h.Store.Read(t.Context(), "plain", 999)
	wantErr(t, err, store.ErrDamaged)
	broken := errors.New("the disk of scratch is full")
	if _, err = h.Store.Fetch(t.Context(), "plain", failing{broken}); !errors.Is(err, broken) || errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a writer that fails: %v", err)
	}
}

// inputLies: what is not what the caller said is never visible, and leaves no upload.
func inputLies(t *testing.T, h House) {
	before := Noise(100, 1)
	for _, size := range []int{1000, 2*part + 5} {
		put(t, h, "a/old", before)
		data := Noise(size, 2)
		broken := errors.New("the disk broke")
		for name, tt := range map[string]struct {
			r    io.ReaderAt
			o    store.PutOptions
			want error
		}{
			"digest": {bytes.NewReader(data), store.PutOptions{Size: int64(size), SHA256: Sum(before)}, store.ErrDamaged},
			"short":  {bytes.NewReader(data[:size-1]), store.PutOptions{Size: int64(size), SHA256: Sum(data)}, nil},
			"broken": {breaks{bytes.NewReader(data), int64(size) - 10, broken}, store.PutOptions{Size: int64(size)}, broken},
		} {
			for _, key := range []string{"a/old", "a/fresh"} {
				_, err := h.Store.Put(t.Context(), key, tt.r, tt.o)
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) || errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("%s of %d: have error %v, want %v", name, size, err, tt.want)
				}
			}
			wantKeys(t, h, "a/", "a/old")
			wantBytes(t, h, "a/old", before)
		}
	}
	wantUploads(t, h, "", 0)
}

func create(t *testing.T, h House) {
	first, second := []byte(`{"first": 1}`), []byte(`{"other": 2}`)
	o, err := h.Store.Create(t.Context(), "release/j/1/manifest.json", first, "application/json")
	if err != nil || o.SHA256 != Sum(first) || o.Size != int64(len(first)) {
		t.Fatalf("create: %+v, %v", o, err)
	}
	for _, data := range [][]byte{second, append(first, ' '), {}} {
		_, err = h.Store.Create(t.Context(), "release/j/1/manifest.json", data, "application/json")
		wantErr(t, err, store.ErrExists)
	}
	// The very same bytes: our own write, whose answer got lost.
	if o, err = h.Store.Create(t.Context(), "release/j/1/manifest.json", first, ""); err != nil || o.SHA256 != Sum(first) {
		t.Fatalf("create again: %+v, %v", o, err)
	}
	wantBytes(t, h, "release/j/1/manifest.json", first)
	if err := h.Store.Remove(t.Context(), "release/j/1/manifest.json"); err != nil {
		t.Fatal(err)
	}
	if _, err = h.Store.Create(t.Context(), "release/j/1/manifest.json", second, ""); err != nil {
		t.Fatalf("create after it was removed: %v", err)
	}
	if _, err = h.Store.Create(t.Context(), "release/j/1/empty", nil, ""); err != nil {
		t.Fatalf("create an empty object: %v", err)
	}
}

// createRace: of 8 creators over 50 keys exactly one wins each, and its bytes stay.
func createRace(t *testing.T, h House) {
	const writers, fresh = 8, 50
	var group sync.WaitGroup
	var wins [fresh]atomic.Int64
	var winner [fresh]atomic.Int64
	for w := range writers {
		group.Go(func() {
			for k := range fresh {
				_, err := h.Store.Create(t.Context(), fmt.Sprintf("race/%02d", k), fmt.Appendf(nil, "writer %d", w), "")
				switch {
				case err == nil:
					wins[k].Add(1)
					winner[k].Store(int64(w))
				case !errors.Is(err, store.ErrExists):
					t.Errorf("writer %d, key %d: %v", w, k, err)
				}
			}
		})
	}
	group.Wait()
	for k := range fresh {
		if n := wins[k].Load(); n != 1 {
			t.Errorf("key %d has %d winners", k, n)
		}
		wantBytes(t, h, fmt.Sprintf("race/%02d", k), fmt.Appendf(nil, "writer %d", winner[k].Load()))
	}
}

func copies(t *testing.T, h House) {
	long := sparse{16*part + 9} // is copied in pieces
	o, err := h.Store.Put(t.Context(), "restricted/j/1/1/long.mp4", long, store.PutOptions{Size: long.size})
	if err == nil {
		o, err = h.Store.Copy(t.Context(), "restricted/j/1/1/long.mp4", "release/j/1/long.mp4", long.sum())
	}
	if err != nil || o.SHA256 != long.sum() || o.Size != long.size {
		t.Fatalf("copy %d bytes: %+v, %v", long.size, o, err)
	}
	for _, size := range []int{0, 10, part + 1} {
		data := Noise(size, 9)
		from, to := fmt.Sprintf("restricted/j/1/1/%d.mp4", size), fmt.Sprintf("release/j/1/%d.mp4", size)
		put(t, h, from, data)
		o, err := h.Store.Copy(t.Context(), from, to, Sum(data))
		if err != nil || o.Key != to || o.SHA256 != Sum(data) {
			t.Fatalf("copy %d bytes: %+v, %v", size, o, err)
		}
		wantBytes(t, h, to, data)
		wantBytes(t, h, from, data)
		again, err := h.Store.Copy(t.Context(), from, to, Sum(data))
		if err != nil || again != o {
			t.Fatalf("copied again what is there already: %+v, %v, first %+v", again, err, o)
		}
	}
	put(t, h, "release/taken", []byte("something"))
	if _, err := h.Store.Copy(t.Context(), "restricted/j/1/1/10.mp4", "release/taken", Sum(Noise(10, 9))); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, h, "release/taken", Noise(10, 9))
	_, err = h.Store.Copy(t.Context(), "restricted/j/1/1/10.mp4", "release/other", Sum(nil))
	wantErr(t, err, store.ErrDamaged)
	_, err = h.Store.Stat(t.Context(), "release/other")
	wantErr(t, err, store.ErrNotFound)
	_, err = h.Store.Copy(t.Context(), "restricted/none", "release/other", Sum(nil))
	wantErr(t, err, store.ErrNotFound)
	wantUploads(t, h, "", 0)
}

func remove(t *testing.T, h House) {
	put(t, h, "a/b/c", []byte("c"))
	put(t, h, "a/b/c.d", []byte("d"))
	put(t, h, "a/b/c.d", []byte("e"))
	for range 2 {
		if err := h.Store.Remove(t.Context(), "a/b/c"); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/b", "a/b/c/d", "nothing/here"} {
		if err := h.Store.Remove(t.Context(), key); err != nil {
			t.Fatalf("remove what is not there, %s: %v", key, err)
		}
	}
	wantKeys(t, h, "", "a/b/c.d")
	if err := h.Store.Remove(t.Context(), "a/b/c.d"); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, h, "")
	_, err := h.Store.Stat(t.Context(), "a/b/c.d")
	wantErr(t, err, store.ErrNotFound)
}

func check(t *testing.T, h House) {
	put(t, h, "restricted/stays", []byte("x"))
	trust, err := h.Store.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if trust.Kind != h.Kind || !trust.Conditional {
		t.Fatalf("found %+v", trust)
	}
	wantKeys(t, h, "", "restricted/stays")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.Store.Check(ctx)
	wantErr(t, err, context.Canceled)
}

func missing(t *testing.T, h House) {
	put(t, h, "there/is", []byte("x"))
	for _, key := range []string{"none", "there", "there/none", "there/is/none"} {
		_, err := h.Store.Stat(t.Context(), key)
		wantErr(t, err, store.ErrNotFound)
		_, err = h.Store.Fetch(t.Context(), key, io.Discard)
		wantErr(t, err, store.ErrNotFound)
		_, _, err = h.Store.Read(t.Context(), key, 10)
		wantErr(t, err, store.ErrNotFound)
	}
	wantKeys(t, h, "there/none")
	h.Hand("clip.mp4", []byte("clip"))
	for name, at := range map[string][3]string{"bucket": {"no-such-bucket", "clip.mp4", ""}, "key": {h.Bucket, "none.mp4", ""},
		"version": {h.Bucket, "clip.mp4", "3L4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY"}} {
		_, err := h.Source.Stat(t.Context(), at[0], at[1], at[2])
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("stat, no %s: %v", name, err)
		}
		if _, err = h.Source.Fetch(t.Context(), at[0], at[1], at[2], io.Discard); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("fetch, no %s: %v", name, err)
		}
	}
	for _, err := range h.Source.List(t.Context(), "no-such-bucket", "") {
		wantErr(t, err, store.ErrNotFound)
	}
}
