package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"veil/pipeline/decide"
	"veil/worker/archive"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

func TestJobIsReleased(t *testing.T) {
	s := newShop(t)
	s.hand("one", "ok clip canarytext")
	s.work(s.daemonOf(s.flags()))
	state := s.settled("one")
	if state.Phase != jobs.Released || state.Result.Envelope == "" {
		t.Fatalf("%+v", state)
	}
	files := filesIn(t, s.store)
	name := store.DerivativeName(jobs.Job{ID: "one"}.DerivativeName())
	for _, want := range []string{"release/one/1/" + name, "release/one/1/report.json", "release/one/1/manifest.json", "restricted/one/job.json",
		"restricted/one/state.json", "restricted/one/1/1/job.json", "restricted/one/1/1/plan.json", "restricted/one/1/1/contact.png",
		"restricted/one/1/1/manifest.json", "restricted/one/1/1/log.jsonl", "restricted/one/1/1/annex.json", "restricted/one/1/1/draft"} {
		if _, ok := files[want]; !ok {
			t.Errorf("%s is missing", want)
		}
	}
	m := s.readManifest("release/one/1/manifest.json")
	if archive.DigestOf(files["release/one/1/"+name]) != m.Derivative.SHA256 || archive.DigestOf(files["release/one/1/report.json"]) != m.Report.SHA256 ||
		archive.DigestOf(files["restricted/one/1/1/plan.json"]) != m.Withheld.Plan.SHA256 || archive.DigestOf(files["release/one/1/manifest.json"]) != state.Result.Envelope ||
		m.Outcome != seal.Released || m.Original.SHA256 != archive.DigestOf([]byte("ok clip canarytext")) {
		t.Errorf("the manifest names other bytes: %+v", m)
	}
	for path, b := range files {
		if strings.HasPrefix(path, "release/") && (bytes.Contains(b, []byte("canarycase")) || bytes.Contains(b, []byte("one.mp4")) || bytes.Contains(b, []byte("canaryrequester"))) {
			t.Errorf("%s names the case", path)
		}
	}
	s.mu.Lock()
	log := s.log.String()
	s.mu.Unlock()
	if strings.Contains(log, "canary") || strings.Contains(log, ".mp4") || !strings.Contains(log, `"stage":"render"`) {
		t.Errorf("the log says too much or too little:\n%s", log)
	}
	s.noScratch()
}

func TestFates(t *testing.T) {
	s := newShop(t)
	inline := func(change func(*decide.Policy)) func(*jobs.Job) {
		return func(j *jobs.Job) {
			p, err := decide.Shipped("disclosure")
			if err != nil {
				t.Fatal(err)
			}
			change(&p)
			if j.PolicyInline, err = json.Marshal(p); err != nil {
				t.Fatal(err)
			}
			j.Policy = ""
		}
	}
	tests := []struct {
		id, text  string
		change    func(*jobs.Job)
		phase     jobs.Phase
		code      string
		failures  int
		faultSays string
	}{
		{"unreadable", "unreadable analyze", nil, jobs.Failed, "unreadable", 1, ""},
		{"refused", "refuse it", nil, jobs.Failed, "verify", 1, ""},
		{"crashing", "crash render", nil, jobs.Failed, "crashed", 3, ""},
		{"odd", "lost verify", nil, jobs.Failed, "internal", 3, ""},
		{"fulldisk", "full render", nil, jobs.Failed, "no_space", 3, ""},
		{"gone", "", nil, jobs.Failed, "source_missing", 1, ""},
		{"other", "ok", func(j *jobs.Job) { j.Source.SHA256 = archive.DigestOf([]byte("else")) }, jobs.Failed, "source_changed", 1, ""},
		{"version", "ok", func(j *jobs.Job) { j.Source.Version = "3" }, jobs.Failed, "source_missing", 1, ""},
		{"bucket", "ok", func(j *jobs.Job) { j.Source.Bucket = "nowhere" }, jobs.Rejected, "rejected", 0, "prefix"},
		{"nopolicy", "ok", func(j *jobs.Job) { j.Policy = "nobody" }, jobs.Rejected, "rejected", 0, "policy"},
		{"weak", "ok", inline(func(p *decide.Policy) { p.Fill = "mosaic" }), jobs.Rejected, "rejected", 0, "--allow-weak-fill"},
		{"ignore", "ok", inline(func(p *decide.Policy) { p.Unsure = "ignore" }), jobs.Rejected, "rejected", 0, "--allow-unsure-ignore"},
		{"nonsense", "ok", inline(func(p *decide.Policy) { p.Fill, p.Cover = "canary", "canary" }), jobs.Rejected, "rejected", 0, "fill is something else"},
		{"undecided", "ok", func(j *jobs.Job) {
			j.Decisions = fmt.Appendf(nil, `{"schema":"veil.decisions/1","plan":%q,"by":"me","dismiss":[{"finding":"F1","reason":"a poster"}]}`, archive.DigestOf(nil))
		}, jobs.Failed, "no_plan", 1, ""},
		{"inline", "ok", inline(func(*decide.Policy) {}), jobs.Released, "", 0, ""},
	}
	for _, tt := range tests {
		if tt.change == nil {
			tt.change = func(*jobs.Job) {}
		}
		s.hand(tt.id, tt.text, tt.change)
	}
	s.work(s.daemonOf(s.flags()))
	for _, tt := range tests {
		state := s.answer(tt.id)
		if state.Phase != tt.phase || state.Code != tt.code || state.Failures != tt.failures {
			t.Errorf("%s: %s with %s after %d failures (%s)", tt.id, state.Phase, state.Code, state.Failures, state.Detail)
		}
		if faults := strings.Join(state.Faults, "; "); !strings.Contains(faults, tt.faultSays) || strings.Contains(faults, "canary") {
			t.Errorf("%s: faults %q", tt.id, faults)
		}
	}
	s.noScratch()
}

func TestHeldJobIsDecidedWithoutLookingAgain(t *testing.T) {
	s := newShop(t)
	s.hand("held", "hold it")
	s.work(s.daemonOf(s.flags()))
	held := s.settled("held")
	if held.Phase != jobs.Held || !slices.Equal(held.Result.Findings, []string{"face_outside"}) {
		t.Fatalf("%+v", held)
	}
	for path := range filesIn(t, s.store) {
		if strings.HasPrefix(path, "release/") {
			t.Errorf("%s is out", path)
		}
	}
	plan := filesIn(t, s.store)["restricted/held/1/1/plan.json"]
	if held.Plan == nil || held.Plan.SHA256 != archive.DigestOf(plan) {
		t.Fatalf("the record names another plan: %+v", held.Plan)
	}
	looked := s.count("analyze", "hold it")
	decisions := fmt.Appendf(nil, `{"schema":"veil.decisions/1","plan":%q,"by":"me","cover":[{"rect":[1,1,20,20],"reason":"a face"}],"dismiss":[{"finding":"F1","reason":"covered"}]}`, archive.DigestOf(plan))
	if _, err := s.s.Queue.Retry(t.Context(), "held", jobs.RetryOptions{Decisions: decisions}); err != nil {
		t.Fatal(err)
	}
	// The stand-in finds the face again, so the second generation is held too, on a plan of its own.
	again := s.until("held", func(st jobs.State) bool { return st.Phase.Final() && st.Generation == 2 })
	if again.Phase != jobs.Held || again.Plan.Generation != 2 || s.count("analyze", "hold it") != looked {
		t.Errorf("%+v, analyzed %d times, before %d", again, s.count("analyze", "hold it"), looked)
	}
	if m := s.readManifest("restricted/held/2/2/manifest.json"); !m.Redaction.Decided || m.Outcome != seal.Held || m.Supersedes == "" {
		t.Errorf("%+v", m)
	}
}

func TestCancelWhileRunning(t *testing.T) {
	s := newShop(t)
	s.hand("hanging", "hang render")
	s.work(s.daemonOf(s.flags()))
	for s.count("render", "hang render") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := s.s.Queue.Cancel(t.Context(), "hanging"); err != nil {
		t.Fatal(err)
	}
	s.settled("hanging")
	s.hand("next", "ok")
	if state := s.answer("next"); state.Phase != jobs.Released {
		t.Errorf("%+v", state)
	}
	time.Sleep(50 * time.Millisecond)
	s.noScratch()
}

func TestStalledStageEnds(t *testing.T) {
	s := newShop(t)
	f := s.flags()
	f.Stall, f.MaxFailures = 200*time.Millisecond, 2
	s.hand("hanging", "hang analyze")
	s.work(s.daemonOf(f))
	if state := s.answer("hanging"); state.Phase != jobs.Failed || state.Code != failure.Stalled || state.Failures != 2 {
		t.Errorf("%+v", state)
	}
}

func TestSoftAndHardStop(t *testing.T) {
	s := newShop(t)
	s.hand("slow", "slow render")
	first := s.work(s.daemonOf(s.flags()))
	for s.count("render", "slow render") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	s.hand("waiting", "ok")
	first.soft()
	first.wait()
	if state := s.answer("slow"); state.Phase != jobs.Released {
		t.Errorf("a soft stop did not let the running job finish: %+v", state)
	}
	s.hand("hanging", "hang verify")
	second := s.work(s.daemonOf(s.flags()))
	for s.count("verify", "hang verify") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	second.soft()
	second.hard()
	second.wait()
	state, err := s.s.Queue.State(t.Context(), "hanging")
	if err != nil || state.Phase != jobs.Queued || state.Attempts != 0 || state.Failures != 0 {
		t.Errorf("not handed back as it was: %+v, %v", state, err)
	}
	s.noScratch()
}

func TestLaterAttemptStartsAtTheStoredPlan(t *testing.T) {
	s := newShop(t)
	s.hand("twice", "hang render")
	f := s.flags()
	first := s.work(s.daemonOf(f))
	for s.count("render", "hang render") == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	first.hard()
	first.soft()
	first.wait()
	s.work(s.daemonOf(f))
	for s.count("render", "hang render") < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	if n := s.count("analyze", "hang render"); n != 1 {
		t.Errorf("analyzed %d times", n)
	}
}
