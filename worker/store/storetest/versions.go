package storetest

import (
	"slices"
	"testing"
	"time"

	"veil/worker/store"
)

// allVersions lists the keys of every version under a prefix.
func allVersions(t *testing.T, h House, prefix string) (all []string) {
	t.Helper()
	for o, err := range h.Store.ListVersions(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	return all
}

// versions: what was replaced or hidden is listed with its versions, and RemoveAll leaves none of it.
func versions(t *testing.T, h House) {
	trust, err := h.Store.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		put(t, h, "restricted/gone/1/1/plan.json", Noise(10+i, 1))
	}
	put(t, h, "restricted/gone/job.json", []byte("job"))
	put(t, h, "restricted/gone/1/1/hidden.mp4", []byte("hidden"))
	put(t, h, "restricted/gone2/job.json", []byte("another job"))
	h.Hide("restricted/gone/1/1/hidden.mp4")
	h.Litter("restricted/gone/1/1/half.mp4")
	wantKeys(t, h, "restricted/gone/", "restricted/gone/1/1/plan.json", "restricted/gone/job.json")
	want := []string{"restricted/gone/1/1/plan.json", "restricted/gone/job.json"}
	if trust.Versions { // and the mark of the deletion
		want = []string{"restricted/gone/1/1/hidden.mp4", "restricted/gone/1/1/hidden.mp4", "restricted/gone/1/1/plan.json",
			"restricted/gone/1/1/plan.json", "restricted/gone/1/1/plan.json", "restricted/gone/job.json"}
	}
	if have := allVersions(t, h, "restricted/gone/"); !slices.Equal(have, want) {
		t.Fatalf("versions of %q, want %q", have, want)
	}
	n, err := store.RemoveAll(t.Context(), h.Store, "restricted/gone/")
	if err != nil || n != len(want) {
		t.Fatalf("removed %d versions of %d: %v", n, len(want), err)
	}
	if have := allVersions(t, h, "restricted/gone/"); len(have) > 0 {
		t.Fatalf("still there: %q", have)
	}
	wantUploads(t, h, "restricted/gone/", 0)
	wantKeys(t, h, "", "restricted/gone2/job.json")
	if n, err := store.RemoveAll(t.Context(), h.Store, "restricted/gone/"); n != 0 || err != nil {
		t.Fatalf("removed %d versions of nothing: %v", n, err)
	}
	if trust.Locks {
		return // the kinds with locks have a test of their own
	}
	if locked, err := h.Store.Lock(t.Context(), "restricted/gone2/job.json", time.Now().Add(time.Hour)); locked || err != nil {
		t.Fatalf("locked where there are no locks: %t, %v", locked, err)
	}
}
