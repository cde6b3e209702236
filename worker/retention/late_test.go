package retention_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
	"veil/worker/store"
)

// TestWrongClockDestroysNothing: neither a machine that is years ahead of the store nor one that is behind it destroys by its own
// clock alone; a dry run still tells what that clock says.
func TestWrongClockDestroysNothing(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.AddDate(1, 0, 0)
	h.submit("one", &at)
	h.end(jobs.Permanent(errors.New("broken")))
	before := h.left("one")
	for name, off := range map[string]time.Duration{"ahead": 3 * 365 * 24 * time.Hour, "behind": -time.Hour} {
		h.Now = func() time.Time { return h.now.Add(off) }
		r, err := h.Run(t.Context(), true)
		if !errors.Is(err, store.ErrClock) || len(r.Jobs) != 0 || !strings.Contains(err.Error(), "nothing was destroyed") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if _, err := h.Run(t.Context(), false); err != nil {
			t.Errorf("%s, dry run: %v", name, err)
		}
	}
	h.want("left", h.left("one"), before)
	h.want("entries", h.entries(access.Filter{}), 1)
}

// TestLateFilesOfADestroyedJob: what an attempt writes of a job that is long destroyed goes with the next run, and is told; what
// is of a job that nobody destroyed stays, and so does a clip that is being handed in under the same id.
func TestLateFilesOfADestroyedJob(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	h.submit("one", &at)
	h.end(jobs.Permanent(errors.New("broken")))
	h.now = day.Add(24 * time.Hour)
	for range 3 {
		h.run(true)
		h.now = h.now.Add(time.Hour)
	}
	h.want("left after both sweeps", h.left("one"), []string(nil))
	entries := h.entries(access.Filter{Job: "one"})

	h.put("restricted/one/1/9/derivative.mp4", "late")
	h.put("release/one/1/00000001.mp4", "late")
	h.put("restricted/two/1/1/plan.json", "whose?")
	steps, _ := h.run(true)
	h.want("at once", steps, map[string]string{"one": "wait", "two": "unknown"})
	h.now = h.now.Add(time.Hour)
	h.put("incoming/one/clip", "of a new job that is not in the queue yet")
	steps, r := h.run(true)
	h.want("an hour later", steps, map[string]string{"one": "late", "two": "unknown"})
	if !r.Jobs[0].Done || r.Jobs[0].Removed != 2 || r.Jobs[0].DestroyAfter == nil {
		t.Errorf("%+v", r.Jobs[0])
	}
	h.want("left", h.left("one"), []string{"incoming/one/clip"})
	h.want("left of another", h.left("two"), []string{"restricted/two/1/1/plan.json"})
	h.want("entries", h.entries(access.Filter{Job: "one"}), entries+1)
	if _, err := h.SetHold(t.Context(), "one", "me", "why"); err != nil {
		t.Fatal(err)
	}
	h.put("restricted/one/1/9/derivative.mp4", "later still")
	h.now = h.now.Add(time.Hour)
	steps, _ = h.run(true)
	h.want("under a hold", steps, map[string]string{"one": "held", "two": "unknown"})
	h.want("left", h.left("restricted/one"), []string{"restricted/one/1/9/derivative.mp4"})
}

// TestDamagedMarkerHoldsBackItsOwnJob alone, is told, and fails the run until somebody removed it.
func TestDamagedMarkerHoldsBackItsOwnJob(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	for _, id := range []string{"a", "b"} {
		h.submit(id, &at)
		h.end(jobs.Permanent(errors.New("broken")))
	}
	h.now = day.Add(24 * time.Hour)
	h.put("destroying/a.json", "{")
	h.put("destroying/gone.json", `{"id":"other"}`)
	r, err := h.Run(t.Context(), true)
	if err == nil || !strings.Contains(err.Error(), "2 of 3 jobs failed") {
		t.Fatalf("%v", err)
	}
	told := map[string]bool{}
	for _, d := range r.Jobs {
		told[d.ID] = strings.Contains(d.Error, "destroying/"+d.ID+".json")
	}
	h.want("told", told, map[string]bool{"a": true, "b": false, "gone": true})
	if n := len(h.left("restricted/a/")); n == 0 {
		t.Error("a was destroyed")
	}
	h.want("left of b", h.left("restricted/b/"), []string(nil))
	for _, id := range []string{"a", "gone"} {
		if err := h.store.Remove(t.Context(), "destroying/"+id+".json"); err != nil {
			t.Fatal(err)
		}
	}
	steps, _ := h.run(true)
	h.want("once they are gone", steps, map[string]string{"a": "destroy", "b": "wait"})
	h.want("left of a", h.left("restricted/a/"), []string(nil))
}

// TestUnreadableHoldHoldsItsOwnJob alone.
func TestUnreadableHoldHoldsItsOwnJob(t *testing.T) {
	h := newHouse(t, folder(t))
	at := day.Add(time.Hour)
	for _, id := range []string{"a", "b"} {
		h.submit(id, &at)
		h.end(jobs.Permanent(errors.New("broken")))
	}
	h.now = day.Add(24 * time.Hour)
	h.put("holds/a.json", strings.Repeat("x", 1<<20))
	steps, _ := h.run(true)
	h.want("steps", steps, map[string]string{"a": "held", "b": "destroy"})
}

// TestDeletionIsStated: of a result that had a manifest stays a signed statement that follows from the manifest and from what was
// stated before, and names nobody; it is there although the first sweep was broken off after the manifest was gone.
func TestDeletionIsStated(t *testing.T) {
	broken := &broken{Store: folder(t)}
	h := newHouse(t, broken)
	key := sealtest.Key(t, 1)
	h.Key = key
	at := day.Add(time.Hour)
	h.submit("canary-id", &at)
	derivative := seal.Digest([]byte("derivative"))
	manifest, err := seal.SealManifest(sealtest.Manifest(derivative), key)
	if err != nil {
		t.Fatal(err)
	}
	event := seal.Event{Kind: seal.Disclosure, Manifest: seal.Digest(manifest), Seq: 1, Predecessor: seal.Digest(manifest), Time: day, Annex: derivative}
	said, err := seal.SealEvent(derivative, event, key)
	if err != nil {
		t.Fatal(err)
	}
	for k, b := range map[string][]byte{"restricted/canary-id/1/2/manifest.json": manifest, "restricted/canary-id/statements/1-1.json": said} {
		h.put(k, string(b))
	}
	h.end(jobs.Permanent(errors.New("broken")))
	h.now = day.Add(24 * time.Hour)
	broken.refuse = "canary-id/state.json" // behind the manifest in the order of keys
	if _, err := h.Run(t.Context(), true); err == nil {
		t.Fatal("the sweep was not broken off")
	}
	if keys := h.left("canary-id/1/2/manifest"); len(keys) != 0 {
		t.Fatalf("the test tries nothing: %v", keys)
	}
	broken.refuse = ""
	h.run(true)
	h.now = h.now.Add(time.Hour)
	h.run(true)

	h.want("left", h.left("canary-id"), []string(nil))
	tomb, err := retention.TombstoneOf(t.Context(), h.store, "canary-id")
	if err != nil || tomb == nil || len(tomb.Statements) != 1 || tomb.Objects == 0 || !tomb.DestroyAfter.Equal(at) {
		t.Fatalf("%+v, %v", tomb, err)
	}
	b, _, err := h.store.Read(t.Context(), retention.TombstonePrefix+seal.Digest([]byte("canary-id"))+".json", 1<<20)
	if err != nil || strings.Contains(string(b), "canary") || strings.Contains(string(b), h.Person) {
		t.Errorf("the tombstone tells %s, %v", b, err)
	}
	fitsSchema(t, "tombstone", b)
	st := tomb.Statements[0]
	e, err := seal.OpenEnvelope([]byte(st.Envelope))
	if err != nil || e.Check(key.Public()) != nil {
		t.Fatalf("%v, %v", err, e.Check(key.Public()))
	}
	got, about, err := seal.ParseEvent(e.Payload)
	if err != nil || about != derivative || got.Kind != seal.Deletion || got.Follows(seal.Digest(manifest), seal.Digest(said), 2) != nil || got.Annex != seal.Digest([]byte(st.Annex)) {
		t.Errorf("%+v about %s, %v", got, about, err)
	}
	annex, err := seal.ParseAnnex([]byte(st.Annex))
	if err != nil || annex.Reason != "destroy_after "+at.Format(time.RFC3339) || annex.By != "" || !slices.Equal(annex.Persons, nil) {
		t.Errorf("%+v, %v", annex, err)
	}
}

// fitsSchema holds a document against its schema, which knows every member of it and no other.
func fitsSchema(t *testing.T, name string, doc []byte) {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("..", "..", "docs", "schema", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(abs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		doc  []byte
		fits bool
	}{{doc, true}, {bytes.Replace(doc, []byte("{"), []byte(`{"more":1,`), 1), false}} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != c.fits {
			t.Errorf("%s: %v\n%s", name, err, c.doc)
		}
	}
}
