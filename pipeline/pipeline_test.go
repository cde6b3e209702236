package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
)

// fakeStages stands for the three stages: it writes what a test asks for and counts its calls.
type fakeStages struct {
	t        *testing.T
	verdicts []VerifyResult // one a call; the last repeats
	onRender func(RenderRequest) error
	packets  int64 // pictures that the source says it holds
	onPlan   func(*decide.Plan)

	analyzed, rendered, verified int
	crfs                         []int
	extrasSeen                   []string
	probes                       []*media.Probe // that renders were given
}

func (f *fakeStages) Analyze(_ context.Context, r AnalyzeRequest, _ func(Event)) (AnalyzeResult, error) {
	f.analyzed++
	f.extrasSeen = append(f.extrasSeen, r.ExtraIn)
	plan := testPlan(f.t, r)
	if f.onPlan != nil {
		f.onPlan(&plan)
	}
	b, err := plan.Encode()
	if err != nil {
		return AnalyzeResult{}, err
	}
	res := AnalyzeResult{Frames: 1, Seconds: 1}
	res.Probe.Video.Frames = f.packets
	return res, os.WriteFile(r.PlanOut, b, 0o600)
}

func (f *fakeStages) Render(_ context.Context, r RenderRequest, _ func(Event)) (RenderResult, error) {
	f.rendered++
	crf := r.CRF
	if crf == 0 {
		crf = 20
	}
	f.crfs = append(f.crfs, crf)
	f.probes = append(f.probes, r.Probe)
	if f.onRender != nil {
		if err := f.onRender(r); err != nil {
			return RenderResult{}, err
		}
	}
	return RenderResult{CRF: crf, Seconds: 1}, os.WriteFile(r.Out, []byte("derivative"), 0o644)
}

func (f *fakeStages) Verify(_ context.Context, r VerifyRequest, _ func(Event)) (VerifyResult, error) {
	v := f.verdicts[min(f.verified, len(f.verdicts)-1)]
	f.verified++
	extras := []extra{}
	for _, k := range v.Findings {
		extras = append(extras, extra{Frame: k.First, Detection: track.Detection{Box: track.Box{X: 1, Y: 1, W: 20, H: 20}, Score: 0.9, Detector: "centerface"}})
	}
	return v, errors.Join(writeJSON(r.ExtraOut, extras), writeJSON(r.FramesOut, Shown{}))
}

// testPlan is a plan of two frames for the request's clip.
func testPlan(t *testing.T, r AnalyzeRequest) decide.Plan {
	t.Helper()
	plan, err := decide.Decide(decide.Input{
		Source:      decide.Source{SHA256: r.SHA256, Bytes: 6, Width: 64, Height: 64, TimeBase: "1/25"},
		Policy:      r.Policy,
		FrameStamps: []decide.FrameStamp{{PTS: 0, Digest: "00000001"}, {PTS: 1, Digest: "00000002", Time: 0.04}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func testRequest(t *testing.T) Request {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "in.mp4")
	if err := os.WriteFile(in, []byte("source"), 0o644); err != nil {
		t.Fatal(err)
	}
	policy, err := decide.Shipped("press")
	if err != nil {
		t.Fatal(err)
	}
	return Request{Config: Config{Scratch: filepath.Join(dir, "scratch")}, In: in, Out: filepath.Join(dir, "out.mp4"), Policy: policy}
}

// everyCheck passes.
func everyCheck() (list []Check) {
	for _, name := range CheckNames() {
		list = append(list, Check{Name: name, Result: "passed"})
	}
	return list
}

var (
	allPassed = VerifyResult{Checks: everyCheck()}
	aFinding  = VerifyResult{Checks: everyCheck(),
		Findings: []decide.Finding{{Kind: "face_outside", First: 0, Last: 1, Rect: [4]int{1, 1, 20, 20}, Text: "a face"}}}
)

// onlyFiles fails unless the folder of the request holds just the named files and an empty scratch root.
func onlyFiles(t *testing.T, r Request, names ...string) {
	t.Helper()
	want := map[string]bool{"in.mp4": true, "scratch": true}
	for _, n := range names {
		want[n] = true
	}
	entries, err := os.ReadDir(filepath.Dir(r.In))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("left behind: %s", e.Name())
		}
		delete(want, e.Name())
	}
	for n := range want {
		if n != "scratch" {
			t.Errorf("missing: %s", n)
		}
	}
	runs, err := filepath.Glob(filepath.Join(r.Config.Scratch, runPrefix+"*"))
	if err != nil || len(runs) > 0 {
		t.Errorf("scratch is left: %v %v", runs, err)
	}
}

func TestRedactReleases(t *testing.T) {
	r := testRequest(t)
	r.PlanOut, r.ReportOut = filepath.Join(filepath.Dir(r.In), "p.json"), filepath.Join(filepath.Dir(r.In), "r.json")
	f := &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}
	out, err := Redact(context.Background(), f, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.State != Released || out.Derivative != r.Out || out.Report.Stages["render"] != 1 {
		t.Errorf("outcome %+v", out)
	}
	onlyFiles(t, r, "out.mp4", "p.json", "r.json")
}

func TestRedactHoldsAfterTwoRounds(t *testing.T) {
	r := testRequest(t)
	f := &fakeStages{t: t, verdicts: []VerifyResult{aFinding}, packets: 3}
	out, err := Redact(context.Background(), f, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range f.probes {
		if p == nil || p.Video.Frames != 3 {
			t.Errorf("render %d was not told what the first pass saw: %+v", i, p)
		}
	}
	if out.State != Held || f.rendered != 1+maxRounds || f.analyzed != 1+maxRounds {
		t.Errorf("state %s after %d renders and %d analyses", out.State, f.rendered, f.analyzed)
	}
	if f.extrasSeen[0] != "" || f.extrasSeen[1] == "" {
		t.Errorf("findings did not go back into the plan: %q", f.extrasSeen)
	}
	onlyFiles(t, r, "out.held.mp4", "out.held.plan.json")

	// A person dismisses what was found: the same plan is rendered again and released.
	b, err := os.ReadFile(out.Plan)
	if err != nil {
		t.Fatal(err)
	}
	r.Plan = out.Plan
	r.Decisions = &decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(b), By: "A. Officer",
		Dismiss: []decide.DismissFinding{{Finding: "F1", Reason: "a drum"}}}
	f = &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}
	out, err = Redact(context.Background(), f, r, nil)
	if err != nil || out.State != Released {
		t.Fatalf("%v %v", out.State, err)
	}
	if f.probes[0] != nil {
		t.Errorf("a render without a first pass was told what it saw: %+v", f.probes[0])
	}
	onlyFiles(t, r, "out.held.mp4", "out.held.plan.json", "out.mp4")
}

// TestRedactTellsOfLostPictures: what a decoder leaves out without a word stands in the report (R11).
func TestRedactTellsOfLostPictures(t *testing.T) {
	for packets, warnings := range map[int64]int{0: 0, 2: 0, 5: 1} {
		f := &fakeStages{t: t, verdicts: []VerifyResult{allPassed}, packets: packets}
		out, err := Redact(context.Background(), f, testRequest(t), nil)
		if err != nil || len(out.Report.Warnings) != warnings {
			t.Errorf("%d pictures for 2 frames: warnings %q, %v", packets, out.Report.Warnings, err)
		}
	}
}

// TestReportWarnsOfWhatStaysVisible: what may be a face and is not covered, and what is too dark where doubt is ignored, are no secret.
func TestReportWarnsOfWhatStaysVisible(t *testing.T) {
	dropped := decide.Track{ID: 1, Last: 1, Seen: 2, State: decide.StateDropped, Reason: decide.ReasonRefuted, By: decide.ByPolicy, BestBox: [4]int{8, 8, 16, 16}}
	for name, c := range map[string]struct {
		change func(*decide.Plan)
		want   string
	}{
		"nothing": {func(*decide.Plan) {}, ""},
		"visible": {func(p *decide.Plan) { p.Tracks = []decide.Track{dropped} }, "1 of the tracks may be faces"},
		"under other mask": {func(p *decide.Plan) {
			p.Tracks = []decide.Track{dropped}
			p.Frames[0].Regions = []decide.Region{{Rect: [4]int{0, 0, 32, 32}, Kind: decide.KindAdded}}
		}, ""},
		"dark": {func(p *decide.Plan) {
			p.Findings = []decide.Finding{{ID: "F1", Kind: decide.FindingQuality, Last: 1, Rect: [4]int{0, 0, 64, 64}, Dismissed: true,
				Reason: decide.ReasonIgnored, By: decide.ByPolicy}}
		}, "1 of the findings are stretches too dark"},
	} {
		f := &fakeStages{t: t, verdicts: []VerifyResult{allPassed}, onPlan: c.change}
		out, err := Redact(context.Background(), f, testRequest(t), nil)
		if err != nil || out.State != Released {
			t.Errorf("%s: %s, %v", name, out.State, err)
			continue
		}
		if got := strings.Join(out.Report.Warnings, "; "); (got != "") != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: warnings %q", name, got)
		}
	}
}

func TestRedactDiscardsOnHold(t *testing.T) {
	r := testRequest(t)
	r.OnHold = "discard"
	out, err := Redact(context.Background(), &fakeStages{t: t, verdicts: []VerifyResult{aFinding}}, r, nil)
	if err != nil || out.State != Held || out.Derivative != "" {
		t.Fatalf("%+v %v", out, err)
	}
	onlyFiles(t, r, "out.held.plan.json")
}

func TestRedactLowersCRFUntilTheFigureHolds(t *testing.T) {
	r := testRequest(t)
	noisy := VerifyResult{TooNoisy: true, Checks: []Check{{Name: checkUntouched, Result: "failed", Text: "PSNR 30 dB"}}}
	f := &fakeStages{t: t, verdicts: []VerifyResult{noisy, noisy, allPassed}}
	if _, err := Redact(context.Background(), f, r, nil); err != nil {
		t.Fatal(err)
	}
	if len(f.crfs) != 3 || f.crfs[0] != 20 || f.crfs[1] != 16 || f.crfs[2] != 12 {
		t.Errorf("crfs %v", f.crfs)
	}
	f = &fakeStages{t: t, verdicts: []VerifyResult{noisy}}
	if _, err := Redact(context.Background(), f, testRequest(t), nil); !errors.Is(err, ErrVerify) {
		t.Errorf("noise that stays must fail: %v", err)
	}
}

func TestRedactFailsClosed(t *testing.T) {
	boom := errors.New("boom")
	failed := VerifyResult{Checks: []Check{{Name: checkMasks, Result: "failed", Text: "frame 3"}}}
	strange := VerifyResult{Checks: []Check{{Name: checkContainer, Result: "failed", Text: "byte 3"}}}
	notDone := VerifyResult{Checks: []Check{{Name: checkMasks, Result: "not done"}}}
	incomplete := VerifyResult{Checks: everyCheck()[1:]}
	for name, c := range map[string]struct {
		stages func(r Request) *fakeStages
		want   error
	}{
		"a failed check":      {func(Request) *fakeStages { return &fakeStages{verdicts: []VerifyResult{failed}} }, ErrVerify},
		"a strange container": {func(Request) *fakeStages { return &fakeStages{verdicts: []VerifyResult{strange}} }, ErrContainer},
		"a check is missing":  {func(Request) *fakeStages { return &fakeStages{verdicts: []VerifyResult{incomplete}} }, ErrVerify},
		"no check":            {func(Request) *fakeStages { return &fakeStages{verdicts: []VerifyResult{{}}} }, ErrVerify},
		"a check not done":    {func(Request) *fakeStages { return &fakeStages{verdicts: []VerifyResult{notDone}} }, ErrVerify},
		"a render that fails": {func(Request) *fakeStages { return &fakeStages{onRender: func(RenderRequest) error { return boom }} }, boom},
		"a source that changes": {func(r Request) *fakeStages {
			return &fakeStages{verdicts: []VerifyResult{allPassed}, onRender: func(RenderRequest) error { return os.WriteFile(r.In, []byte("other!"), 0o644) }}
		}, ErrVerify},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(t)
			f := c.stages(r)
			f.t = t
			if _, err := Redact(context.Background(), f, r, nil); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			onlyFiles(t, r)
		})
	}
}

func TestRedactRefusesWhatMakesNoSense(t *testing.T) {
	same := testRequest(t)
	same.Out = same.In
	folder := testRequest(t)
	folder.Out = filepath.Join(filepath.Dir(folder.In), "nowhere", "out.mp4")
	weak := testRequest(t)
	weak.Policy.Fill = "mosaic"
	foreign := testRequest(t)
	foreign.Plan = filepath.Join(filepath.Dir(foreign.In), "foreign.json")
	b, err := testPlan(t, AnalyzeRequest{SHA256: strings.Repeat("ab", 32), Policy: foreign.Policy}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign.Plan, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Request{"output is input": same, "no folder": folder, "weak public fill": weak, "another clip's plan": foreign} {
		if _, err := Redact(context.Background(), &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}, r, nil); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSweepRemovesWhatDeadRunsLeft(t *testing.T) {
	root, out := filepath.Join(t.TempDir(), "scratch"), t.TempDir()
	dead, err := openScratch(root)
	if err != nil {
		t.Fatal(err)
	}
	part, err := dead.partFor(filepath.Join(out, "a b\"c\n.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	bystander := filepath.Join(out, "keep.mp4")
	for _, p := range []string{part, bystander} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	alive, err := openScratch(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil { // as a kill does
		t.Fatal(err)
	}
	if err := Sweep(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(part); !errors.Is(err, os.ErrNotExist) {
		t.Error("a dead run's output is left")
	}
	if _, err := os.Stat(bystander); err != nil {
		t.Error("sweep took what is not its own")
	}
	if _, err := os.Stat(alive.dir); err != nil {
		t.Error("sweep took a run that is alive")
	}
	if err := alive.close(); err != nil {
		t.Fatal(err)
	}
}
