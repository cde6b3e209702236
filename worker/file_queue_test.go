package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/retention"
	"veil/worker/seal"
	"veil/worker/store/storetest"
)

// TestWhoeverTouchesAJobIsLogged: each command leaves its entry, with who, why and to whom.
func TestWhoeverTouchesAJobIsLogged(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok", "--purpose", "Presseanfrage 12/26", "--person", "J. Groß")
	h.phase(id, jobs.Released)
	held := h.submit("hold", "--case", "ST/0815", "--person", "J. Groß")
	h.phase(held, jobs.Held)
	dir := t.TempDir()
	h.want(0, "jobs", "--person", "A", "--occasion", "Übersicht")
	h.want(0, "job", id)
	h.want(0, "case", "ST/0815", "-o", filepath.Join(dir, "case"))
	h.want(0, "get", id, "-o", dir)
	h.want(0, "get", id, "-o", filepath.Join(dir, "out"), "--recipient", "Morgenpost")
	h.want(0, "decide", held, "--dismiss", "F1", "--reason", "eine Trommel", "--by", "J. Doe")
	h.phase(held, jobs.Released)
	h.want(0, "withdraw", held, "--reason", "Widerruf", "--by", "J. Doe")
	h.want(0, "hold", "set", id, "--reason", "Verfahren", "--by", "J. Doe")
	contains(t, h.want(0, "hold", "list"), id, "Verfahren")
	h.want(0, "hold", "lift", id, "--reason", "eingestellt", "--by", "J. Doe")
	h.want(2, "hold", "lift", id, "--reason", "eingestellt", "--by", "J. Doe")
	contains(t, h.want(0, "hold"), "no legal holds")
	var export struct{ Entries []access.Entry }
	if err := json.Unmarshal([]byte(h.want(0, "access", "--json")), &export); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range export.Entries {
		if e.Person == "" || time.Since(e.Time) > time.Hour {
			t.Errorf("%+v", e)
		}
		told = append(told, strings.Join([]string{string(e.Action), e.What, e.Reason, e.Recipient}, "|"))
	}
	text := strings.Join(told, "\n")
	contains(t, text, "collection|clip handed in|Presseanfrage 12/26|", "query|jobs listed|Übersicht|", "query|job shown||", "query|page of a case||",
		"query|derivative fetched||", "disclosure|derivative fetched||Morgenpost", "alteration|decided about the plan|eine Trommel|",
		"deletion|release withdrawn|Widerruf|", "alteration|legal hold set|Verfahren|", "alteration|legal hold lifted|eingestellt|")
	if n := strings.Count(h.want(0, "access", "--job", id, "--action", "disclosure"), "Morgenpost"); n != 1 {
		t.Errorf("%d disclosures", n)
	}
	table := filepath.Join(dir, "access.csv")
	h.want(0, "access", "--csv", table, "--from", "2020-01-01", "--to", time.Now().AddDate(0, 0, 2).Format(time.DateOnly))
	if b, err := os.ReadFile(table); err != nil || strings.Count(string(b), "\r\n") != len(told)+1 {
		t.Errorf("%d lines for %d entries: %v", strings.Count(string(b), "\r\n"), len(told), err)
	}
	h.want(2, "access", "--from", "yesterday")
}

// TestAccessLogHasAPlaceOfItsOwn, and a command that cannot write there does not do its work.
func TestAccessLogHasAPlaceOfItsOwn(t *testing.T) {
	h := newHouse(t)
	h.work()
	own := filepath.Join(t.TempDir(), "log")
	id := h.submit("ok", "--access-log", own)
	h.phase(id, jobs.Released)
	if entries, err := filepath.Glob(filepath.Join(own, "access", "*", "*", "*"+id+".json")); err != nil || len(entries) != 1 {
		t.Errorf("%q, %v", entries, err)
	}
	if keys := h.keys(access.Prefix); len(keys) != 0 {
		t.Errorf("the store holds entries: %q", keys)
	}
	file := h.file("no-folder", "x")
	dir := t.TempDir()
	h.want(1, "get", id, "-o", dir, "--access-log", file)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files were fetched without an entry: %v", len(left), err)
	}
}

func TestRetentionCommand(t *testing.T) {
	h := newHouse(t)
	h.submit("ok", "--destroy-after", time.Now().Add(time.Hour).Format(time.RFC3339))
	contains(t, h.want(0, "retention"), "no job is due", "0 entries of the access log are over")
	id := h.overdue("late")
	contains(t, h.want(0, "retention"), id, "to be cancelled", "--apply does it")
	contains(t, h.want(0, "retention", "--apply"), id, "cancelled")
	// Its record was changed a moment ago, so it waits.
	contains(t, h.want(0, "retention"), id, "waits")
	contains(t, h.want(0, "retention", "--apply"), id, "waits")
	var r struct {
		Applied bool
		Jobs    []struct{ ID, Step string }
	}
	if err := json.Unmarshal([]byte(h.want(0, "retention", "--apply", "--json")), &r); err != nil || !r.Applied || len(r.Jobs) != 1 || r.Jobs[0].Step != "wait" {
		t.Errorf("%+v, %v", r, err)
	}
	h.want(0, "hold", "set", id, "--reason", "Verfahren", "--by", "J. Doe")
	contains(t, h.want(0, "retention"), id, "under legal hold")
}

// overdue hands in a job whose time was over yesterday, as a submitter with another clock may.
func (h *house) overdue(id string) string {
	h.t.Helper()
	q, err := jobs.Open(h.t.Context(), h.s.NC, jobs.Options{Validator: jobs.Validator{AnySource: true, Inline: true},
		Now: func() time.Time { return time.Now().AddDate(0, 0, -2) }})
	if err != nil {
		h.t.Fatal(err)
	}
	yesterday := time.Now().AddDate(0, 0, -1)
	j := jobs.Job{Schema: jobs.JobSchema, ID: id, Source: jobs.Source{Bucket: "cam", Key: "x.mp4"}, Policy: "press", DestroyAfter: &yesterday}
	if _, err := q.Submit(h.t.Context(), j); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestDisclosuresAreChained(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok")
	state := h.phase(id, jobs.Released)
	key, path := h.key()
	h.want(2, "disclose", id, "--recipient", "Morgenpost", "--purpose", " ", "--by", "J. Doe")
	predecessor := state.Result.Envelope
	for n, recipient := range []string{"Morgenpost", "Abendblatt"} {
		var d disclosed
		out := h.want(0, "disclose", id, "--recipient", recipient, "--purpose", "Presseanfrage", "--by", "J. Doe", "--key", path, "--json")
		if err := json.Unmarshal([]byte(out), &d); err != nil || d.Number != n+1 || !d.Signed {
			t.Fatalf("%s: %v", out, err)
		}
		b, _, err := h.s.Store.Read(t.Context(), d.Statement, seal.MaxEnvelope)
		if err != nil {
			t.Fatal(err)
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil || e.Check(key.Public()) != nil || e.SHA256 != d.SHA256 {
			t.Fatalf("%v, %v", err, e.Check(key.Public()))
		}
		said, derivative, err := seal.ParseEvent(e.Payload)
		if err != nil || said.Kind != seal.Disclosure || derivative != state.Result.Digests["derivative"] || said.Follows(state.Result.Envelope, predecessor, n+1) != nil {
			t.Fatalf("%+v, %v", said, err)
		}
		predecessor = d.SHA256
		raw, _, err := h.s.Store.Read(t.Context(), "restricted/"+id+"/statements/annex-"+said.Annex+".json", 1<<20)
		if err != nil || seal.Digest(raw) != said.Annex {
			t.Fatal(err)
		}
		annex, err := seal.ParseAnnex(raw)
		if err != nil || annex.Recipient != recipient || annex.By != "J. Doe" || annex.Purpose != "Presseanfrage" {
			t.Errorf("%+v, %v", annex, err)
		}
		if strings.Contains(string(e.Payload), recipient) {
			t.Error("the statement itself names the recipient")
		}
	}
	contains(t, h.want(0, "disclose", id, "--recipient", "x", "--purpose", "y", "--by", "z"), "disclosure 3", "unsigned")
	h.want(2, "disclose", id, "--recipient", "x", "--purpose", "y", "--by", "z", "--key", h.file("no.key", "x"))
	// What was signed comes along for whoever fetches it, the names only with the restricted evidence.
	for name, args := range map[string][]string{"public": nil, "all": {"--evidence"}} {
		dir := t.TempDir()
		h.want(0, append([]string{"get", id, "-o", dir}, args...)...)
		h.want(0, append([]string{"get", id, "-o", dir}, args...)...) // again changes nothing
		var got []string
		for _, n := range []string{"1", "2", "3"} {
			for _, ending := range []string{".json", ".annex.json"} {
				if found, err := filepath.Glob(filepath.Join(dir, "*.statement-"+n+ending)); err != nil || len(found) > 1 {
					t.Fatal(found, err)
				} else if len(found) == 1 {
					got = append(got, n+ending)
				}
			}
		}
		want := "1.json 2.json"
		if name == "all" {
			want = "1.json 1.annex.json 2.json 2.annex.json"
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: fetched %q, want %s", name, got, want)
		}
	}
	held := h.submit("hold")
	h.phase(held, jobs.Held)
	if code, _, _ := h.veil("disclose", held, "--recipient", "x", "--purpose", "y", "--by", "z"); code == 0 {
		t.Error("what is held was recorded as handed out")
	}
}

// TestWithdrawalIsFetched: whoever asks for a release that was withdrawn gets the signed statement of that.
func TestWithdrawalIsFetched(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok")
	state := h.phase(id, jobs.Released)
	key, path := h.key()
	dir := t.TempDir()
	h.want(0, "disclose", id, "--recipient", "Morgenpost", "--purpose", "Presseanfrage", "--by", "J. Doe", "--key", path)
	h.want(0, "get", id, "-o", dir)
	h.want(0, "withdraw", id, "--reason", "a face was left", "--by", "A. Officer", "--key", path)
	for range 2 { // again changes nothing
		contains(t, h.want(1, "get", id, "-o", dir), "job "+id+" is withdrawn", ".statement-2.json")
	}
	predecessor := state.Result.Envelope
	for n, kind := range []string{seal.Disclosure, seal.Withdrawal} {
		found, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("*.statement-%d.json", n+1)))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		b, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil || e.Check(key.Public()) != nil {
			t.Fatal(err)
		}
		said, _, err := seal.ParseEvent(e.Payload)
		if err != nil || said.Kind != kind || said.Follows(state.Result.Envelope, predecessor, n+1) != nil {
			t.Errorf("%+v, %v", said, err)
		}
		predecessor = e.SHA256
	}
	all := t.TempDir()
	h.want(1, "get", id, "-o", all, "--evidence")
	if annexes, err := filepath.Glob(filepath.Join(all, "*.annex.json")); err != nil || len(annexes) != 2 {
		t.Errorf("with the restricted evidence: %v, %v", annexes, err)
	}
	if clips, err := filepath.Glob(filepath.Join(all, "*.mp4")); err != nil || len(clips) != 0 {
		t.Errorf("fetched of a withdrawn release: %v, %v", clips, err)
	}
}

// TestUnsignedWithdrawalIsTold: where no signed statement of a withdrawal can be fetched, that is said.
func TestUnsignedWithdrawalIsTold(t *testing.T) {
	h := newHouse(t)
	h.work()
	_, path := h.key()
	for name, signed := range map[string][2][]string{"withdrawn without a key": {{"--key", path}, nil}, "disclosed without one": {nil, {"--key", path}}} {
		id := h.submit("ok " + name)
		h.phase(id, jobs.Released)
		h.want(0, append([]string{"disclose", id, "--recipient", "Morgenpost", "--purpose", "Presseanfrage", "--by", "J. Doe"}, signed[0]...)...)
		h.want(0, append([]string{"withdraw", id, "--reason", "a face was left", "--by", "A. Officer"}, signed[1]...)...)
		contains(t, h.want(1, "get", id, "-o", t.TempDir()), "job "+id+" is withdrawn", "no signed statement of that")
	}
}

// TestDestroyedJobIsTold: whoever asks for it hears when and by what rule it was destroyed, and gets the signed statement of that.
func TestDestroyedJobIsTold(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok", "--destroy-after", time.Now().Add(time.Hour).Format(time.RFC3339))
	state := h.phase(id, jobs.Released)
	key, err := seal.NewKey(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(2 * time.Hour)
	w := sweeper(h.s, key)
	w.Now = func() time.Time { return now }
	w.Store = storetest.Clocked(w.Store, w.Now)
	for range 3 {
		if _, err := w.Run(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	dir := t.TempDir()
	for range 2 { // again changes nothing
		contains(t, h.want(1, "get", id, "-o", dir), "job "+id+" was destroyed at", "destroy_after", "statement-1.json")
	}
	contains(t, h.want(1, "get", id, "-o", dir, "--json"), `"code": "destroyed"`)
	contains(t, h.want(2, "get", "nobody", "-o", dir), "there is no job nobody")
	b, err := os.ReadFile(filepath.Join(dir, jobs.Job{ID: id}.DerivativeName()+".statement-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := seal.OpenEnvelope(b)
	if err != nil || e.Check(key.Public()) != nil {
		t.Fatal(err)
	}
	said, derivative, err := seal.ParseEvent(e.Payload)
	if err != nil || said.Kind != seal.Deletion || derivative != state.Result.Digests["derivative"] || said.Follows(state.Result.Envelope, state.Result.Envelope, 1) != nil {
		t.Errorf("%+v about %s, %v", said, derivative, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestDeletionOfTheRightResult: of a job with several results the statement with the derivative's own name is the one about what
// was released last, or about the set that lies there, and the set verifies with it.
func TestDeletionOfTheRightResult(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("hold", "--destroy-after", time.Now().Add(time.Hour).Format(time.RFC3339))
	held := h.phase(id, jobs.Held)
	shown := t.TempDir()
	h.want(0, "get", id, "--held", "-o", shown)
	h.want(0, "decide", id, "--dismiss", "F1", "--reason", "a drum", "--by", "A. Officer", "--wait")
	state := h.phase(id, jobs.Released)
	name := jobs.Job{ID: id}.DerivativeName()
	set, empty := t.TempDir(), t.TempDir()
	h.want(0, "get", id, "-o", set)
	// Whoever looked at the held one calls it by the plain name.
	looked := filepath.Join(t.TempDir(), "looked")
	if err := os.Mkdir(looked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(shown, name+".held.manifest.json"), filepath.Join(looked, name+".manifest.json")); err != nil {
		t.Fatal(err)
	}
	key, err := seal.NewKey(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(2 * time.Hour)
	w := sweeper(h.s, key)
	w.Now = func() time.Time { return now }
	w.Store = storetest.Clocked(w.Store, w.Now)
	if _, err := w.Run(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for dir, about := range map[string]string{set: state.Result.Envelope, empty: state.Result.Envelope, looked: held.Result.Envelope} {
		contains(t, h.want(1, "get", id, "-o", dir), "its signed statement is "+name+".statement-1.json")
		all, err := filepath.Glob(filepath.Join(dir, "*.statement-1.json"))
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name+".statement-1.json"))
		if err != nil {
			t.Fatal(err)
		}
		if st := (retention.Statement{Envelope: string(b)}); st.Manifest() != about {
			t.Errorf("it is about %s, not %s", st.Manifest(), about)
		}
	}
}

// key makes a key to sign with, and its file.
func (h *house) key() (*seal.Key, string) {
	h.t.Helper()
	key, err := seal.NewKey(zeros{})
	if err != nil {
		h.t.Fatal(err)
	}
	private, err := key.EncodePrivate()
	if err != nil {
		h.t.Fatal(err)
	}
	return key, h.file("veil.key", string(private))
}

// zeros is a source of keys for tests.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestReportsOfAPlan: the commands that open no clip.
func TestReportsOfAPlan(t *testing.T) {
	h := newHouse(t)
	plan := h.file("clip.plan.json", string(somePlan(t)))
	dir := filepath.Dir(plan)
	page, table := filepath.Join(dir, "x.html"), filepath.Join(dir, "x.csv")
	plain := func(code int, args ...string) string {
		t.Helper()
		var o, e strings.Builder
		if have := run(t.Context(), args, streams{strings.NewReader(""), &o, &e}, fakeEngine()); have != code {
			t.Fatalf("veil %v ended with %d, want %d: %s%s", args, have, code, o.String(), e.String())
		}
		return o.String() + e.String()
	}
	contains(t, plain(0, "exemptions", plan), "audio: dropped", "0.0 % of the picture area")
	contains(t, plain(0, "exemptions", filepath.Join(dir, "clip.mp4"), "--language", "de", "--html", page, "--csv", table), "")
	contains(t, plain(0, "worklist", plan), "F1", "1 left to decide")
	for path, want := range map[string]string{page: "Schwärzungsverzeichnis", table: "dropped"} {
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s does not hold %q: %v", path, want, err)
		}
	}
	var doc struct{ Schema string }
	if err := json.Unmarshal([]byte(plain(0, "worklist", plan, "--json")), &doc); err != nil || doc.Schema != "veil.worklist/1" {
		t.Errorf("%+v, %v", doc, err)
	}
	plain(2, "exemptions", plan, "--html", plan)
	plain(2, "exemptions", plan, "--report", plan)
	plain(2, "exemptions", filepath.Join(dir, "none.mp4"))
	plain(2, "worklist", page)
}
