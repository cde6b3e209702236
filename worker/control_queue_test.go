package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/worker/archive"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/screen"
	"veil/worker/store"
)

// bring submits a clip and waits for a phase.
func (h *house) bring(phase jobs.Phase, content string) string {
	h.t.Helper()
	id := h.submit(content, "--case", "ST/0815")
	h.phase(id, phase)
	return id
}

func TestCancelInEachState(t *testing.T) {
	h := newHouse(t)
	queued := h.submit("ok first")
	contains(t, h.want(0, "cancel", queued), "cancelled")
	h.phase(queued, jobs.Cancelled)
	h.work()
	running := h.bring(jobs.Running, "wait door")
	h.want(0, "cancel", running)
	h.phase(running, jobs.Cancelled)
	held := h.bring(jobs.Held, "hold")
	h.want(0, "cancel", held)
	h.phase(held, jobs.Cancelled)
	h.want(0, "cancel", held) // changes nothing

	released, failed := h.bring(jobs.Released, "ok"), h.bring(jobs.Failed, "fail damaged")
	for _, id := range []string{released, failed} {
		out := h.want(2, "cancel", id, "--json")
		contains(t, out, `"code": "wrong_phase"`)
	}
	h.want(0, "withdraw", released, "--reason", "a face", "--by", "me")
	h.want(2, "cancel", released)
	contains(t, h.want(2, "cancel", "nobody"), "there is no job nobody")
	if keys := h.keys(store.Release + held); len(keys) != 0 {
		t.Errorf("a cancelled job is in the release: %v", keys)
	}
	// Several at once: one that cannot be cancelled stops no other.
	next := h.bring(jobs.Running, "wait other")
	contains(t, h.want(2, "cancel", released, next), next+" cancelled", "job's phase")
	h.want(0, "retry", queued)
	h.phase(queued, jobs.Released)
}

func TestRequeueFromTheDeadLetters(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.bring(jobs.Failed, "fail damaged")
	other := h.bring(jobs.Failed, "fail codec")
	out := h.want(0, "dead")
	contains(t, out, id, other, "damaged", "codec", failure.TextOf("damaged").EN.Remedy)
	out = h.want(0, "dead", "show", id)
	contains(t, out, "damaged", "1 failures", "the clip at "+id+"/clip is broken")
	contains(t, h.want(0, "job", id), "failed (damaged)", "cause", "ST/0815")

	// The clip was copied damaged; now it lies there whole.
	key := store.Incoming + intake.IncomingKey(id)
	h.want(0, "dead", "requeue", id)
	s := h.phase(id, jobs.Failed)
	if s.Generation != 2 {
		t.Errorf("generation is %d", s.Generation)
	}
	if err := h.s.Store.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	contains(t, h.want(1, "retry", id, "--fresh"), "not in the store any more", "hand it in again")
	contains(t, h.want(1, "dead", "requeue", id), "not in the store any more")
	h.phase(id, jobs.Failed)

	h.want(0, "dead", "drop", other)
	contains(t, h.want(2, "dead", "drop", other), "no job")
	h.want(2, "dead", "requeue", other)
	var list struct{ Dead []jobs.DeadLetter }
	if err := json.Unmarshal([]byte(h.want(0, "dead", "list", "--json")), &list); err != nil || len(list.Dead) != 1 || list.Dead[0].ID != id {
		t.Errorf("letters %+v, %v", list, err)
	}
}

// TestDecisionThatWasNotKept: the same command again keeps it; another decision is refused.
func TestDecisionThatWasNotKept(t *testing.T) {
	h := newHouse(t)
	stop := h.workUntil()
	id := h.bring(jobs.Held, "hold")
	stop()
	// The record's copy cannot be written where a folder lies in its place.
	kept := filepath.Join(h.store, "restricted", id, archive.StateName)
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(kept, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	decision := []string{"decide", id, "--dismiss", "F1", "--reason", "a drum", "--by", "A. Officer"}
	if code, out, errs := h.veil(decision...); code == 0 {
		t.Fatalf("said to be done: %s%s", out, errs)
	}
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	contains(t, h.want(2, "decide", id, "--region", "0,0,32,32", "--reason", "more", "--by", "B. Officer"), "by other decisions than these")
	contains(t, h.want(0, decision...), id)
	b, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	var state jobs.State
	if err := json.Unmarshal(b, &state); err != nil || state.Generation != 2 || state.Phase != jobs.Queued {
		t.Errorf("%+v, %v", state, err)
	}
	h.want(2, decision...) // it is decided and kept: nothing is left to do
}

func TestDecideOnAHeldJob(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.bring(jobs.Held, "hold")
	h.want(2, "decide", id)
	h.want(2, "decide", id, "--dismiss", "F1")
	contains(t, h.want(2, "decide", id, "--dismiss", "F7", "--reason", "a drum", "--by", "me"), "F7")
	h.want(2, "decide", id, "--keep", "3", "--reason", "consent", "--by", "me")
	contains(t, h.want(0, "decide", id, "--dismiss", "F1", "--reason", "a drum", "--by", "A. Officer", "--wait"), "released")
	s := h.phase(id, jobs.Released)
	j, err := s.Decoded()
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Plan, By string }
	if err := json.Unmarshal(j.Decisions, &d); err != nil || d.By != "A. Officer" || d.Plan != s.Result.Digests["plan"] {
		t.Errorf("decisions are %s", j.Decisions)
	}
	if s.Generation != 2 {
		t.Errorf("generation is %d", s.Generation)
	}
	contains(t, h.want(2, "decide", id, "--dismiss", "F1", "--reason", "r", "--by", "b"), "only held ones")

	// The same as a document; one that names another plan is refused.
	held := h.bring(jobs.Held, "hold again")
	doc := func(plan string) string {
		return h.file("d.json", `{"schema":"veil.decisions/1","plan":"`+plan+`","by":"me","cover":[{"rect":[0,0,16,16],"reason":"plate"}]}`)
	}
	h.want(2, "decide", held, "--decisions", doc(strings.Repeat("0", 64)))
	h.want(0, "decide", held, "--decisions", doc(s.Result.Digests["plan"]), "--wait")

	// A plan that somebody changed in the store is not decided about.
	third := h.bring(jobs.Held, "hold once more")
	r := h.phase(third, jobs.Held).Result
	key := store.AttemptPrefix(third, r.Generation, r.Epoch) + store.PlanName
	if _, err := archive.PutBytes(t.Context(), h.s.Store, key, append(somePlan(t), ' ')); err != nil {
		t.Fatal(err)
	}
	h.want(4, "decide", third, "--dismiss", "F1", "--reason", "r", "--by", "b")
}

func TestWithdrawEmptiesTheRelease(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.bring(jobs.Released, "ok")
	prefix := store.ReleasePrefix(id, 1)
	if keys := h.keys(prefix); len(keys) != 3 {
		t.Fatalf("the release holds %v", keys)
	}
	h.want(2, "withdraw", id)
	h.want(2, "withdraw", id, "--reason", " ", "--by", "me")
	contains(t, h.want(0, "withdraw", id, "--reason", "a <face> was left", "--by", "A. Officer"), "withdrawn, 3 objects removed")
	if keys := h.keys(store.Release); len(keys) != 0 {
		t.Errorf("the release holds %v", keys)
	}
	b, _, err := h.s.Store.Read(t.Context(), archive.WithdrawalKey(id, 1), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(b), `"reason":"a <face> was left"`, `"by":"A. Officer"`, h.phase(id, jobs.Withdrawn).Result.Envelope)
	restricted := store.AttemptPrefix(id, 1, 1) + store.ManifestName
	if _, err := h.s.Store.Stat(t.Context(), restricted); err != nil {
		t.Errorf("the signed manifest is gone: %v", err)
	}
	h.want(0, "withdraw", id, "--reason", "again", "--by", "B")
	if again, _, _ := h.s.Store.Read(t.Context(), archive.WithdrawalKey(id, 1), 1<<20); string(again) != string(b) {
		t.Errorf("the first word did not stand: %s", again)
	}
	contains(t, h.want(1, "get", id, "-o", t.TempDir()), "withdrawn")

	// Begun anew, and the second release is withdrawn as well.
	h.want(0, "retry", id)
	h.phase(id, jobs.Released)
	h.want(0, "withdraw", id, "--reason", "still", "--by", "me")
	if keys := h.keys(store.Release); len(keys) != 0 {
		t.Errorf("the release holds %v", keys)
	}
	held := h.bring(jobs.Held, "hold")
	h.want(2, "withdraw", held, "--reason", "r", "--by", "b")
}

// names lists a folder, hidden files too.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestGet(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok", "--case", "ST/1", "--name", "take-1")
	h.phase(id, jobs.Released)
	dir := filepath.Join(t.TempDir(), "out")
	h.want(0, "get", id, "-o", dir)
	if have := names(t, dir); have != "take-1.manifest.json take-1.mp4 take-1.report.json" {
		t.Errorf("fetched %s", have)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "take-1.mp4")); string(b) != "covered 1 ok" {
		t.Errorf("the derivative is %q", b)
	}
	h.want(0, "get", id, "-o", dir) // there already
	h.want(0, "get", id, "-o", dir, "--evidence")
	contains(t, names(t, dir), "take-1.plan.json", "take-1.contact.png")
	if info, err := os.Stat(filepath.Join(dir, "take-1.contact.png")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the sheet is %v, %v", info.Mode(), err)
	}

	other := t.TempDir()
	h.file(filepath.Join(other, "take-1.mp4"), "mine")
	contains(t, h.want(1, "get", id, "-o", other), "take-1.mp4 is there and is something else")
	if have := names(t, other); have != "take-1.mp4" {
		t.Errorf("left %s", have)
	}
	contains(t, h.want(2, "get", "nobody", "-o", dir), "there is no job")
	h.want(2, "get", "-o", dir)
	h.want(2, "get", "--case", "no such", "-o", dir)

	// A case with every outcome, and two derivatives of one name.
	twin := h.submit("ok twin", "--case", "ST/1", "--name", "take-1")
	h.phase(twin, jobs.Released)
	held := h.submit("hold", "--case", "ST/1", "--name", "held-1")
	h.phase(held, jobs.Held)
	all := t.TempDir()
	contains(t, h.want(3, "get", "--case", "ST/1", "-o", all), twin+" released", "held for a person")
	contains(t, names(t, all), "take-1-"+id+".mp4", "take-1-"+twin+".mp4")
	h.want(0, "get", held, "--held", "-o", all)
	contains(t, names(t, all), "held-1.held.mp4", "held-1.held.plan.json", "held-1.held.contact.png", "held-1.held.report.json")
}

func TestGetRefusesAWrongDigest(t *testing.T) {
	h := newHouse(t)
	h.work()
	for _, name := range []string{"take.mp4", store.ReportName, store.ManifestName} {
		id := h.submit("ok "+name, "--name", "take")
		h.phase(id, jobs.Released)
		if _, err := archive.PutBytes(t.Context(), h.s.Store, store.ReleasePrefix(id, 1)+name, []byte("something else")); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		contains(t, h.want(4, "get", id, "-o", dir, "--json"), `"code": "wrong_digest"`)
		if have := names(t, dir); have != "" {
			t.Errorf("a wrong %s: left %s", name, have)
		}
	}
}

func TestJobsAndJob(t *testing.T) {
	h := newHouse(t)
	contains(t, h.want(0, "jobs"), "no jobs")
	h.work()
	done := h.submit("ok", "--case", "ST/1", "--deadline", "2001-01-01")
	h.phase(done, jobs.Released)
	failed := h.submit("fail codec", "--case", "ST/2")
	h.phase(failed, jobs.Failed)
	busy := h.submit("wait door", "--case", "ST/1", "--priority", "urgent")
	h.phase(busy, jobs.Running)
	// The record comes first, the event of the stage a moment later.
	out := h.want(0, "jobs")
	for end := time.Now().Add(patience); !strings.Contains(out, "analyze") && time.Now().Before(end); out = h.want(0, "jobs") {
		time.Sleep(20 * time.Millisecond)
	}
	contains(t, out, done, failed, busy, "urgent", "analyze", "late", "codec")
	if strings.Index(out, busy) > strings.Index(out, done) {
		t.Error("the unfinished are not first")
	}
	if strings.Contains(out, "ST/") {
		t.Error("the list names a case")
	}
	if out := h.want(0, "jobs", "--case", "ST/2"); strings.Contains(out, done) || !strings.Contains(out, failed) {
		t.Errorf("filtered by case: %s", out)
	}
	if out := h.want(0, "jobs", "--phase", "released,held"); strings.Contains(out, failed) || !strings.Contains(out, done) {
		t.Errorf("filtered by state: %s", out)
	}
	var list struct {
		Jobs  []screen.View
		Total int
	}
	if err := json.Unmarshal([]byte(h.want(0, "jobs", "--json", "--limit", "1")), &list); err != nil || list.Total != 3 || len(list.Jobs) != 1 ||
		list.Jobs[0].ID != busy || list.Jobs[0].Stage != "analyze" {
		t.Errorf("%+v, %v", list, err)
	}
	h.want(2, "jobs", "--phase", "lost")
	contains(t, h.want(0, "job", busy), "ST/1", "running", "incoming/"+busy+"/clip", "accepted", "started", "analyze")
	contains(t, h.want(0, "job", done), "release/"+done+"/1/", "restricted/"+done+"/1/1/", "late")
	contains(t, h.want(0, "job", failed, "--json"), `"code": "codec"`, `"dead_letter"`, `"events"`)
	h.want(2, "job", "nobody")
	close(h.gate("door"))
	h.phase(busy, jobs.Released)
}

// TestNobodyDecidesByAnOlderRecord: a record that a backup of the queue has brought back is brought forward before a person's word
// about the job is taken.
func TestNobodyDecidesByAnOlderRecord(t *testing.T) {
	h := newHouse(t)
	h.work()
	id := h.submit("ok")
	was := h.phase(id, jobs.Released)
	if err := archive.KeepState(t.Context(), h.s, id); err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, s: h.s}
	old := was
	old.Phase, old.Result, old.Plan, old.Token = jobs.Cancelled, nil, nil, "backup"
	for _, args := range [][]string{{"cancel", id}, {"retry", id}, {"decide", id, "--ground", "F1=33", "--by", "A. Officer"}, {"withdraw", id, "--reason", "a face", "--by", "A. Officer"}} {
		s.putRecord(old)
		code, _, errs := h.veil(args...)
		if now, err := h.s.Queue.State(t.Context(), id); args[0] == "withdraw" {
			if code != 0 || err != nil || now.Phase != jobs.Withdrawn {
				t.Errorf("%v: %d, %s; %s, %v", args, code, errs, now.Phase, err)
			}
		} else if code == 0 || err != nil || now.Phase != jobs.Released || !strings.Contains(errs, "released") {
			t.Errorf("%v: %d, %s; %s, %v", args, code, errs, now.Phase, err)
		}
	}
}
