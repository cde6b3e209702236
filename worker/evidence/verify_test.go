package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

func TestUntouchedSet(t *testing.T) {
	k := evidencetest.New(t)
	want := map[string]string{
		"envelope": "passed envelope_ok", "signature": "passed valid_time_unproven", "time": "not_done time_unproven",
		"derivative": "passed derivative_same", "container": "passed container_clean", "frames": "passed frames_same", "report": "passed report_same", "plan": "passed plan_same",
		"log": "passed log_same", "annex": "passed annex_same", "original": "not_done original_missing", "pictures": "not_done pictures_no_original",
	}
	r := verify(t, k)
	if diff := cmp.Diff(want, codes(r)); diff != "" || r.Outcome != evidence.Partial {
		t.Errorf("%s: %s", r.Outcome, diff)
	}
	k.Remove(t, evidence.PlanEnding, evidence.LogEnding, evidence.AnnexEnding)
	want["plan"], want["log"], want["annex"] = "withheld plan_withheld", "withheld log_withheld", "withheld annex_withheld"
	r = verify(t, k)
	if diff := cmp.Diff(want, codes(r)); diff != "" || r.Outcome != evidence.Partial {
		t.Errorf("the public part: %s: %s", r.Outcome, diff)
	}
	want["frames"] = "not_done no_decoder"
	if diff := cmp.Diff(want, codes(verify(t, k, blind))); diff != "" {
		t.Errorf("without ffmpeg: %s", diff)
	}
}

// all stands for a decoder that finds the pictures in order.
type all struct{ evidence.FFmpeg }

func (all) Compare(context.Context, string, string, string) ([]evidence.Finding, error) {
	return []evidence.Finding{{Name: "untouched_area", Passed: true, Text: "PSNR 43 dB"}}, nil
}

func TestCompleteOnlyWhereNothingIsLeftOut(t *testing.T) {
	k := evidencetest.New(t)
	a := sealtest.NewAuthority(t, evidencetest.Made.AddDate(-2, 0, 0), evidencetest.Made.AddDate(5, 0, 0))
	k.Write(t, evidence.StampEnding, a.Stamp(t, k.Read(t, evidence.ManifestEnding), evidencetest.Made.AddDate(0, 0, 1)))
	trust := k.Trust()
	trust.Authorities = append(trust.Authorities, a.Root)
	full := func(r *evidence.Request) {
		r.Trust, r.Original, r.Pictures = trust, k.Original, all{evidence.FindFFmpeg("")}
	}
	if r := verify(t, k, full); r.Outcome != evidence.Complete || r.Verdict != string(seal.Proven) {
		t.Errorf("%s, %s: %v", r.Outcome, r.Verdict, codes(r))
	}
	for name, less := range map[string]func(*evidence.Request){
		"no trust":    func(r *evidence.Request) { r.Trust = nil },
		"no original": func(r *evidence.Request) { r.Original = "" },
		"no decoder":  func(r *evidence.Request) { r.Pictures = nil },
		"no stamp": func(r *evidence.Request) {
			r.Trust = k.Trust()
		},
		"plan elsewhere, and not there": func(r *evidence.Request) { r.Plan = filepath.Join(k.Dir, "no.json") },
	} {
		if r := verify(t, k, full, less); r.Outcome != evidence.Partial {
			t.Errorf("%s: %s: %v", name, r.Outcome, codes(r))
		}
	}
}

// TestTampering: each kind has its own message, and nothing else is blamed.
func TestTampering(t *testing.T) {
	k := evidencetest.New(t)
	k.State(t, 1, seal.Release)
	k.State(t, 2, seal.Withdrawal)
	public := []string{"envelope", "signature", "derivative", "frames", "report", "plan", "log", "annex", "original", "statements"}
	keep := map[string][]byte{}
	for _, e := range []string{".mp4", evidence.ManifestEnding, evidence.ReportEnding, evidence.PlanEnding, evidence.LogEnding, evidence.AnnexEnding, evidence.StatementEnding(1), evidence.StatementEnding(2), evidence.StatementAnnexEnding(1)} {
		keep[e] = k.Read(t, e)
	}
	restore := func() {
		for e, b := range keep {
			k.Write(t, e, b)
		}
	}
	swap := func(ending, old, new string) func() {
		return func() {
			b := bytes.Replace(k.Read(t, ending), []byte(old), []byte(new), 1)
			if bytes.Equal(b, keep[ending]) {
				t.Errorf("%s holds no %s", ending, old)
			}
			k.Write(t, ending, b)
		}
	}
	remake := func(args ...string) func() {
		return func() {
			tmp := filepath.Join(t.TempDir(), "x.mp4")
			run(t, append(append([]string{"-i", k.Out}, args...), tmp)...)
			b, err := os.ReadFile(tmp)
			if err != nil {
				t.Fatal(err)
			}
			k.Write(t, ".mp4", b)
		}
	}
	lines := strings.SplitAfter(string(keep[evidence.LogEnding]), "\n")
	log := func(i ...int) func() {
		return func() {
			var b strings.Builder
			for _, i := range i {
				b.WriteString(lines[i])
			}
			k.Write(t, evidence.LogEnding, []byte(b.String()))
		}
	}
	otherPlan := func() {
		// A plan for another clip, and a manifest that was signed with it: the two contradict each other.
		k.Write(t, evidence.PlanEnding, bytes.Replace(keep[evidence.PlanEnding], []byte(k.Manifest.Original.SHA256), []byte(seal.Digest(nil)), 1))
		m := k.Manifest
		m.Withheld.Plan = evidencetest.File(t, k.Stem()+evidence.PlanEnding)
		b, err := seal.SealManifest(m, k.Key)
		if err != nil {
			t.Fatal(err)
		}
		k.Write(t, evidence.ManifestEnding, b)
	}
	tests := []struct {
		name   string
		do     func()
		failed map[string]string // every check that fails
	}{
		{"untouched", func() {}, nil},
		{"re-wrapped", remake("-c", "copy", "-movflags", "+faststart", "-metadata", "title=x"), map[string]string{"derivative": "derivative_rewrapped", "container": "container_foreign"}},
		{"shown slower", remake("-c", "copy", "-bsf:v", "setts=pts=PTS*2:dts=DTS*2:duration=DURATION*2"), map[string]string{"derivative": "derivative_rewrapped_times", "frames": "frames_times", "container": "container_foreign"}},
		{"coded again", remake("-c:v", "libx264", "-crf", "40"), map[string]string{"derivative": "derivative_altered", "frames": "frames_altered", "container": "container_foreign"}},
		{"cut", remake("-c", "copy", "-t", "0.2"), map[string]string{"derivative": "derivative_altered", "frames": "frames_missing", "container": "container_foreign"}},
		{"something behind it", func() { k.Write(t, ".mp4", append(bytes.Clone(keep[".mp4"]), "hidden"...)) }, map[string]string{"derivative": "derivative_rewrapped", "container": "container_foreign"}},
		{"no clip any more", func() { k.Write(t, ".mp4", []byte("nothing")) }, map[string]string{"derivative": "derivative_undecodable", "frames": "frames_undecodable", "container": "container_foreign"}},
		{"report edited", swap(evidence.ReportEnding, "veil.report/1", "veil.report/2"), map[string]string{"report": "report_changed"}},
		{"plan edited", swap(evidence.PlanEnding, "veil.plan/1", "veil.plan/2"), map[string]string{"plan": "plan_changed"}},
		{"annex edited", swap(evidence.AnnexEnding, "A. Officer", "B. Officer"), map[string]string{"annex": "annex_changed"}},
		{"log cut", log(0, 1, 2, 3), map[string]string{"log": "log_short"}},
		{"log reordered", log(0, 2, 1, 3, 4), map[string]string{"log": "log_chain"}},
		{"log entry out", log(0, 1, 3, 4), map[string]string{"log": "log_chain"}},
		{"log continued", log(0, 1, 2, 3, 4, 4), map[string]string{"log": "log_long"}},
		{"log edited", swap(evidence.LogEnding, `"event":"render"`, `"event":"nothing"`), map[string]string{"log": "log_chain"}},
		{"log's end edited", swap(evidence.LogEnding, `"event":"sealed"`, `"event":"opened"`), map[string]string{"log": "log_other"}},
		{"log spaced", swap(evidence.LogEnding, `"event":"render"`, `"event": "render"`), map[string]string{"log": "log_edited"}},
		{"a plan for another clip", otherPlan, map[string]string{"plan": "plan_contradicts", "report": "report_contradicts", "statements": "statement_chain"}},
		{"a second signature", swap(evidence.ManifestEnding, `"signatures":[`, `"signatures":[{"keyid":"`+k.Key.ID()+`","sig":"AAAA"},`), map[string]string{"envelope": "envelope_signatures"}},
		{"signature taken off", func() { k.Sign(t, nil) }, map[string]string{"signature": "unsigned", "statements": "statement_chain"}},
		{"signed by a stranger", func() { k.Sign(t, sealtest.Key(t, 9)) }, map[string]string{"signature": "key_unknown", "statements": "statement_chain"}},
		{"a stranger under our name", func() {
			k.Sign(t, sealtest.Key(t, 9))
			swap(evidence.ManifestEnding, sealtest.Key(t, 9).ID(), k.Key.ID())()
		}, map[string]string{"signature": "signature_bad", "statements": "statement_chain"}},
		{"a field added", swap(evidence.ManifestEnding, `"signatures"`, `"seal":1,"signatures"`), map[string]string{"envelope": "envelope_fields"}},
		{"manifest spaced", swap(evidence.ManifestEnding, `,"payloadType"`, `, "payloadType"`), map[string]string{"envelope": "envelope_not_canonical"}},
		{"manifest of another type", swap(evidence.ManifestEnding, "in-toto+json", "other"), map[string]string{"envelope": "envelope_type"}},
		{"manifest cut", func() { k.Write(t, evidence.ManifestEnding, keep[evidence.ManifestEnding][:100]) }, map[string]string{"envelope": "envelope_not_json"}},
		{"statement in the place of the manifest", func() { k.Write(t, evidence.ManifestEnding, keep[evidence.StatementEnding(1)]) }, map[string]string{"envelope": "manifest_type"}},
		{"statement out of the middle", func() { k.Remove(t, evidence.StatementEnding(1)) }, map[string]string{"statements": "statement_gap"}},
		{"statements changed places", func() { k.Write(t, evidence.StatementEnding(1), keep[evidence.StatementEnding(2)]) }, map[string]string{"statements": "statement_chain"}},
		{"statement edited", swap(evidence.StatementEnding(1), `"payload":"ey`, `"payload":"eY`), map[string]string{"statements": "statement_signature"}},
		{"statement's annex edited", swap(evidence.StatementAnnexEnding(1), "B. Officer", "C. Officer"), map[string]string{"statements": "statement_annex"}},
		{"another original", func() { k.Original = filepath.Join(k.Dir, "clip.report.json") }, map[string]string{"original": "original_other"}},
	}
	original := k.Original
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() { restore(); k.Original = original }()
			tt.do()
			r := verify(t, k, withOriginal(k))
			failed := map[string]string{}
			for _, c := range r.Checks {
				if c.Result == evidence.Failed {
					failed[c.Name] = c.Code
				}
				if c.Text == c.Code || strings.Contains(c.Text, "{") {
					t.Errorf("no words for %s: %s", c.Code, c.Text)
				}
			}
			if tt.failed == nil {
				tt.failed = map[string]string{}
			}
			if diff := cmp.Diff(tt.failed, failed); diff != "" {
				t.Errorf("%s", diff)
			}
			if want := map[bool]string{true: evidence.Partial, false: evidence.Broken}[len(tt.failed) == 0]; r.Outcome != want {
				t.Errorf("outcome %s, want %s", r.Outcome, want)
			}
			for _, name := range public {
				if r.Find(name) == nil && name != "statements" && r.Outcome != evidence.Broken {
					t.Errorf("%s is not told", name)
				}
			}
		})
	}
}

func TestStatementsAreTold(t *testing.T) {
	k := evidencetest.New(t)
	for i, kind := range seal.Kinds() {
		k.State(t, i+1, kind)
	}
	r := verify(t, k)
	if c := r.Find(evidence.CheckStatements); c == nil || c.Code != "statements_same" || c.Args["count"] != "4" {
		t.Errorf("%+v", c)
	}
	var notes []string
	for _, n := range r.Notes {
		notes = append(notes, n.Code)
	}
	if diff := cmp.Diff([]string{"statement_release", "statement_disclosure", "statement_withdrawal", "statement_deletion"}, notes); diff != "" {
		t.Error(diff)
	}
}

// TestRenamedFilesFindTheirSet: by name, by digest, in another folder; a stranger finds none.
func TestRenamedFilesFindTheirSet(t *testing.T) {
	k := evidencetest.New(t)
	clean := func(r *evidence.Result) bool {
		return r.Outcome == evidence.Partial && r.Find(evidence.CheckDerivative).Result == evidence.Passed
	}
	renamed := filepath.Join(k.Dir, "für die Presse [1].MP4")
	if err := os.Rename(k.Out, renamed); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, k, func(r *evidence.Request) { r.Out = renamed }); !clean(r) {
		t.Errorf("renamed: %v", codes(r))
	}
	// Under the name of another set.
	other := evidencetest.New(t)
	taken := filepath.Join(other.Dir, "clip.mp4")
	if err := os.Rename(renamed, taken); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, k, func(r *evidence.Request) { r.Out, r.Set = taken, k.Dir }); !clean(r) {
		t.Errorf("in another folder: %v", codes(r))
	}
	for _, e := range []string{evidence.ManifestEnding, evidence.ReportEnding, evidence.PlanEnding, evidence.LogEnding, evidence.AnnexEnding} {
		if err := os.WriteFile(filepath.Join(other.Dir, "mine"+e), k.Read(t, e), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := verify(t, k, func(r *evidence.Request) { r.Out = taken }); !clean(r) {
		t.Errorf("under another set's name: %v", codes(r))
	}
	lonely := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(lonely, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Verify(context.Background(), evidence.Request{Out: lonely}); !errors.Is(err, evidence.ErrNoSet) {
		t.Errorf("without a set: %v", err)
	}
}
