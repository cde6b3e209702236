package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"veil/worker/store"
)

// odd are keys that have been lost in an escaping before.
var odd = []string{"with space", "plus+and%20percent", "100%", "ümläut/日本語.mp4", "a&b=c?d#e;f", "quote'\"<x>", "back\\slash",
	"dots...", ".hidden/..more", "tilde~", "e\u0301", "!*()[]{}|^`$@,:"}

func oddKeys(t *testing.T, h House) {
	for i, key := range odd {
		put(t, h, "odd/"+key, Noise(i+1, 1))
	}
	want := make([]string, len(odd))
	for i, key := range odd {
		want[i] = "odd/" + key
		wantBytes(t, h, "odd/"+key, Noise(i+1, 1))
		if _, err := h.Store.Copy(t.Context(), "odd/"+key, "copy/"+key, Sum(Noise(i+1, 1))); err != nil {
			t.Errorf("copy %q: %v", key, err)
		}
		_, err := h.Store.Create(t.Context(), "odd/"+key, []byte("other"), "")
		wantErr(t, err, store.ErrExists)
	}
	slices.Sort(want)
	wantKeys(t, h, "odd/", want...)
	for _, key := range want {
		if err := h.Store.Remove(t.Context(), key); err != nil {
			t.Errorf("remove %q: %v", key, err)
		}
	}
	wantKeys(t, h, "odd/")
}

func badKeys(t *testing.T, h House) {
	h.Hand("clip.mp4", []byte("clip"))
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", ".", "./a", "a/.", "nul\x00", "line\n",
		"latin\xe4", strings.Repeat("a", 256), strings.Repeat("a/", 512) + "a", "a/.veil-tmp-1"} {
		_, err := h.Store.Put(t.Context(), key, bytes.NewReader(nil), store.PutOptions{})
		if !errors.Is(err, store.ErrKey) {
			t.Errorf("put %q: %v", key, err)
		}
		_, err = h.Store.Create(t.Context(), key, nil, "")
		if !errors.Is(err, store.ErrKey) {
			t.Errorf("create %q: %v", key, err)
		}
		_, statErr := h.Store.Stat(t.Context(), key)
		_, fetchErr := h.Store.Fetch(t.Context(), key, io.Discard)
		_, fromErr := h.Store.Copy(t.Context(), key, "x", "")
		_, toErr := h.Store.Copy(t.Context(), "x", key, "")
		for i, err := range []error{statErr, fetchErr, fromErr, toErr, h.Store.Remove(t.Context(), key)} {
			if !errors.Is(err, store.ErrKey) {
				t.Errorf("call %d of %q: %v", i, key, err)
			}
		}
	}
	for _, at := range [][2]string{{"..", "a"}, {".", "a"}, {"", "a"}, {h.Bucket, ".."}, {h.Bucket, "../x/clip.mp4"}, {h.Bucket, ""},
		{h.Bucket + "/..", "a"}, {h.Bucket, "a/../clip.mp4"}} {
		_, err := h.Source.Stat(t.Context(), at[0], at[1], "")
		if !errors.Is(err, store.ErrKey) {
			t.Errorf("stat source %q: %v", at, err)
		}
		if _, err := h.Source.Fetch(t.Context(), at[0], at[1], "", io.Discard); !errors.Is(err, store.ErrKey) {
			t.Errorf("fetch source %q: %v", at, err)
		}
	}
	for _, prefix := range []string{"../", "a/../", "a\x00"} {
		for _, err := range h.Store.List(t.Context(), prefix) {
			wantErr(t, err, store.ErrKey)
		}
	}
	wantKeys(t, h, "")
}

func listing(t *testing.T, h House) {
	want := []string{"l/a-b", "l/a/b", "l/a.b", "l/a0", "l/a/b-c", "l/many-more", "l/z", "other"}
	for _, key := range want {
		put(t, h, key, []byte("x"))
	}
	slices.Sort(want)
	wantKeys(t, h, "", want...)
	under := func(prefix string) (some []string) {
		for _, k := range want {
			if strings.HasPrefix(k, prefix) {
				some = append(some, k)
			}
		}
		return some
	}
	for _, prefix := range []string{"l/", "l/a", "l/a/", "l/many", "o", "none"} {
		wantKeys(t, h, prefix, under(prefix)...)
	}
	n := 0
	for o, err := range h.Store.List(t.Context(), "l/") {
		if err != nil || o.Size != 1 || o.SHA256 != "" || o.Time.IsZero() {
			t.Fatalf("listed %+v, %v", o, err)
		}
		if n++; n == 3 {
			break // leaves nothing running: the package's leak check tells
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed error
	for _, err := range h.Store.List(ctx, "") {
		failed = err
	}
	wantErr(t, failed, context.Canceled)
	manyListed(t, h)
}

// manyListed: more than one answer of a server holds.
func manyListed(t *testing.T, h House) {
	const many = 1040
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := w; i < many; i += 8 {
				h.Hand(fmt.Sprintf("many/%04d", i*7919%many), []byte("x"))
			}
		})
	}
	group.Wait()
	n := 0
	for o, err := range h.Source.List(t.Context(), h.Bucket, "many/") {
		if err != nil || o.Key != fmt.Sprintf("many/%04d", n) {
			t.Fatalf("number %d is %+v, %v", n, o, err)
		}
		n++
	}
	if n != many {
		t.Fatalf("listed %d objects of %d", n, many)
	}
}

// wantUploads ends unfinished uploads and counts them.
func wantUploads(t *testing.T, h House, prefix string, want int) {
	t.Helper()
	n, err := h.Store.AbortUploads(t.Context(), prefix, time.Now().Add(later))
	if err != nil || n != want {
		t.Fatalf("%d uploads under %q were open, want %d: %v", n, prefix, want, err)
	}
}

func uploads(t *testing.T, h House) {
	put(t, h, "restricted/a/1/1/plan.json", []byte("{}"))
	for _, key := range []string{"restricted/a/1/1/clip.mp4", "restricted/a/1/2/clip.mp4", "restricted/b/1/1/clip.mp4", "release/a/clip.mp4"} {
		h.Litter(key)
	}
	wantKeys(t, h, "", "restricted/a/1/1/plan.json")
	_, err := h.Store.Stat(t.Context(), "restricted/a/1/1/clip.mp4")
	wantErr(t, err, store.ErrNotFound)
	n, err := h.Store.AbortUploads(t.Context(), "", time.Now().Add(-later))
	if err != nil || n != 0 {
		t.Fatalf("aborted %d that were begun since: %v", n, err)
	}
	wantUploads(t, h, "incoming/", 0)
	wantUploads(t, h, "restricted/a/1/2/", 1)
	wantUploads(t, h, "restricted/", 2)
	wantUploads(t, h, "", 1)
	wantUploads(t, h, "", 0)
	wantKeys(t, h, "", "restricted/a/1/1/plan.json")
}

// cancelled: whoever cancels a write in its middle finds nothing of it.
func cancelled(t *testing.T, h House) {
	for _, size := range []int64{part / 2, 3 * part} {
		ctx, cancel := context.WithCancel(t.Context())
		r := trips{bytes.NewReader(Noise(int(size), 3)), size - 1000, cancel}
		_, err := h.Store.Put(ctx, "a/gone", r, store.PutOptions{Size: size})
		wantErr(t, err, context.Canceled)
		if errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("blames the store: %v", err)
		}
	}
	wantKeys(t, h, "")
	wantUploads(t, h, "", 0)
	put(t, h, "a/there", Noise(3*part, 3))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := h.Store.Fetch(ctx, "a/there", &after{n: part, f: cancel})
	wantErr(t, err, context.Canceled)
}

// neverHalf: while writers replace an object, whoever reads it sees one of them whole.
func neverHalf(t *testing.T, h House) {
	size := part + 100_000 // in two parts, on S3
	whole := map[string]bool{}
	for i := range 3 {
		whole[Sum(Noise(size, uint64(i)))] = true
	}
	put(t, h, "a/b", Noise(size, 0))
	var group sync.WaitGroup
	done := make(chan struct{})
	for i := range 2 {
		group.Go(func() {
			for range 4 {
				data := Noise(size, uint64(i+1))
				// The other writer may replace it, or be about to, when it is read back: that is told, and no half object.
				_, err := h.Store.Put(t.Context(), "a/b", bytes.NewReader(data), store.PutOptions{Size: int64(size)})
				if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	go func() { group.Wait(); close(done) }()
	reads := 0
	for {
		o, err := h.Store.Fetch(t.Context(), "a/b", io.Discard)
		switch {
		case err == nil && !whole[o.SHA256]:
			t.Fatalf("read what nobody wrote: %+v", o)
		case err != nil && !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrNotFound):
			t.Fatal(err)
		}
		reads++
		select {
		case <-done:
			if reads < 3 {
				t.Errorf("only %d reads in all that time", reads)
			}
			return
		default:
		}
	}
}

func source(t *testing.T, h House) {
	clip := Noise(part+5, 4)
	for _, key := range []string{"cam/a.mp4", "cam/b.mp4", "dog/c.mp4"} {
		h.Hand(key, clip)
	}
	for _, key := range odd {
		h.Hand(key, Noise(100, 4))
	}
	for _, key := range append([]string{"cam/a.mp4"}, odd...) {
		if key != "cam/a.mp4" {
			clip = Noise(100, 4)
		}
		s, err := h.Source.Stat(t.Context(), h.Bucket, key, "")
		if err != nil || s.Size != int64(len(clip)) || s.ETag == "" || s.Key != key {
			t.Fatalf("stat %q: %+v, %v", key, s, err)
		}
		var b bytes.Buffer
		o, err := h.Source.Fetch(t.Context(), h.Bucket, key, s.Version, &b)
		if err != nil || o.SHA256 != Sum(clip) || !bytes.Equal(b.Bytes(), clip) || o.ETag != s.ETag || o.Version != s.Version {
			t.Fatalf("fetch %q: %+v, %v", key, o, err)
		}
	}
	var all []string
	for o, err := range h.Source.List(t.Context(), h.Bucket, "cam/") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	if !slices.Equal(all, []string{"cam/a.mp4", "cam/b.mp4"}) {
		t.Fatalf("listed %q", all)
	}
	var methods []string
	for m := range reflect.TypeOf(h.Source).Methods() {
		methods = append(methods, m.Name)
	}
	if !slices.Equal(methods, []string{"Close", "Fetch", "List", "Stat"}) {
		t.Errorf("a source can do more than read: %q", methods)
	}
}

// large: what streams through is not kept.
func large(t *testing.T, h House) {
	const size = 300 << 20
	watch := WatchHeap()
	o, err := h.Store.Put(t.Context(), "restricted/large", sparse{size}, store.PutOptions{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	f, err := h.Store.Fetch(t.Context(), "restricted/large", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	// Tests that run beside this one have heaps, too.
	peak := watch()
	if t.Logf("the heap grew by %d MiB", peak>>20); peak > size/2 {
		t.Errorf("needed %d MiB of memory to move %d MiB", peak>>20, size>>20)
	}
	if o.Size != size || f.SHA256 != o.SHA256 || f.SHA256 != (sparse{size}).sum() {
		t.Fatalf("put %+v, fetched %+v", o, f)
	}
	wantUploads(t, h, "", 0)
}
