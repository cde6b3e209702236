package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"veil/pipeline/decide"
	"veil/pipeline/media"
)

const (
	// crfStep and finestCRF bound the search for an untouched area that is good enough.
	crfStep   = 4
	finestCRF = 4
)

// clip is one clip on its way through the pipeline.
type clip struct {
	request Request
	events  func(Event)
	scratch *scratch
	part    string // temporary name of the derivative, beside its final one

	source    FileDigest
	plan      decide.Plan
	planBytes []byte
	planPath  string
	round     int
	crf       int
	extras    []extra // faces that the checks have found so far

	analyzed AnalyzeResult
	rendered RenderResult
	verified VerifyResult
	seconds  map[string]float64
	sandbox  []string
}

// openClip checks what can be checked before any work, and takes the scratch folder.
func openClip(ctx context.Context, r Request, events func(Event)) (*clip, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkOutput(r.In, r.Out); err != nil {
		return nil, err
	}
	if r.Plan == "" {
		if err := r.Policy.Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	s, err := openScratch(r.Config.Scratch)
	if err != nil {
		return nil, err
	}
	part, err := s.partFor(r.Out)
	if err == nil {
		err = reserve(part)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	c := &clip{request: r, scratch: s, part: part, planPath: s.path("plan.json"), seconds: map[string]float64{}}
	c.events = func(e Event) {
		e.Round = c.round
		tell(events, e)
	}
	return c, nil
}

// checkOutput refuses an output that is the source, or a folder that cannot take it.
func checkOutput(in, out string) error {
	src, err := os.Stat(in)
	if err != nil {
		return fmt.Errorf("open clip: %w", plainPath(err))
	}
	if dst, err := os.Stat(out); err == nil {
		if os.SameFile(src, dst) {
			return fmt.Errorf("%w: output is the input itself: choose another name", ErrUsage)
		}
		if dst.IsDir() {
			return fmt.Errorf("%w: output is a folder: name a file in it", ErrUsage)
		}
	}
	dir, err := os.Stat(filepath.Dir(out))
	if err != nil || !dir.IsDir() {
		return fmt.Errorf("%w: output folder does not exist: make it first", ErrUsage)
	}
	return nil
}

// reserve makes the temporary output, so that a folder that cannot be written is found before any work.
func reserve(part string) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("%w: output folder cannot be written: %w", ErrUsage, noSpace(plainPath(err)))
	}
	return f.Close()
}

// close removes the scratch folder and the temporary derivative.
func (c *clip) close() error { return c.scratch.close() }

// digest reads the source once before anything parses it.
func (c *clip) digest(ctx context.Context) (err error) {
	c.source, err = DigestFile(ctx, c.request.In, c.events)
	return err
}

// sameSource reads the source again: what was redacted is what was named (R2).
func (c *clip) sameSource(ctx context.Context) error {
	after, err := DigestFile(ctx, c.request.In, nil)
	if err != nil {
		return err
	}
	if after != c.source {
		return fmt.Errorf("%w: the source was changed while it was read", ErrVerify)
	}
	return nil
}

// makePlan analyzes the clip, or takes the plan that was handed in with a person's decisions, or an earlier run's draft.
func (c *clip) makePlan(ctx context.Context, s Stages) error {
	if c.request.Plan != "" {
		return c.takePlan()
	}
	if c.takeDraft() {
		return nil
	}
	if err := c.analyze(ctx, s, "", ""); err != nil {
		return err
	}
	return c.handDraft(ctx)
}

// analyze runs the first pass, or (with an earlier raw analysis) its pure second half.
func (c *clip) analyze(ctx context.Context, s Stages, analysisIn, extraIn string) error {
	res, err := s.Analyze(ctx, AnalyzeRequest{
		Config: c.request.Config, In: c.request.In, SHA256: c.source.SHA256, Policy: c.request.Policy,
		From: c.request.From, To: c.request.To, PlanOut: c.planPath, AnalysisOut: c.scratch.path("analysis.json"),
		AnalysisIn: analysisIn, ExtraIn: extraIn,
	}, c.events)
	if err != nil {
		return err
	}
	c.analyzed = res
	c.seconds["analyze"] += res.Seconds
	return c.loadPlan()
}

// loadPlan reads the plan that lies in scratch.
func (c *clip) loadPlan() error {
	b, err := os.ReadFile(c.planPath)
	if err != nil {
		return fmt.Errorf("read plan: %w", plainPath(err))
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	c.plan, c.planBytes = plan, b
	return nil
}

// takePlan reads a plan made earlier, refuses one for other bytes, and applies the decisions.
func (c *clip) takePlan() error {
	b, err := os.ReadFile(c.request.Plan)
	if err != nil {
		return fmt.Errorf("read plan: %w", plainPath(err))
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if plan.Source.SHA256 != c.source.SHA256 {
		return fmt.Errorf("%w: the plan was made for another clip", ErrUsage)
	}
	if d := c.request.Decisions; d != nil {
		if plan, err = decide.Apply(plan, decide.Digest(b), *d); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
	}
	return c.storePlan(plan)
}

// storePlan makes plan the one in force.
func (c *clip) storePlan(plan decide.Plan) error {
	b, err := plan.Encode()
	if err != nil {
		return err
	}
	if err := writeNew(c.planPath, b, 0o600); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return c.loadPlan()
}

// render runs the second pass into the temporary output.
func (c *clip) render(ctx context.Context, s Stages) error {
	res, err := s.Render(ctx, RenderRequest{Config: c.request.Config, In: c.request.In, Plan: c.planPath, Out: c.part,
		CRF: c.crf, Audio: c.scratch.path("audio.m4a"), Probe: c.probe()}, c.events)
	if err != nil {
		return err
	}
	c.rendered = res
	c.seconds["render"] += res.Seconds
	return nil
}

// probe is what the first pass saw of the source; nil where it was another run's.
func (c *clip) probe() *media.Probe {
	if c.analyzed.Frames == 0 {
		return nil
	}
	return &c.analyzed.Probe
}

// verify runs the check on the temporary output. It inspects the source for itself.
func (c *clip) verify(ctx context.Context, s Stages) error {
	res, err := s.Verify(ctx, VerifyRequest{Config: c.request.Config, In: c.request.In, Out: c.part, Plan: c.planPath,
		ExtraOut: c.scratch.path("extra.json"), FramesOut: c.scratch.path("frames.json"), SheetOut: c.sheetPath()}, c.events)
	if err != nil {
		return err
	}
	c.verified = res
	c.seconds["verify"] += res.Seconds
	return nil
}

// sheetPath is where the check draws the contact sheet; empty where none is wanted.
func (c *clip) sheetPath() string {
	if c.request.SheetOut == "" {
		return ""
	}
	return c.scratch.path("contact.png")
}

// finerCRF asks for a finer encoding where the untouched area misses the profile's figure, as long as there is one.
func (c *clip) finerCRF() bool {
	if !c.verified.TooNoisy || c.rendered.CRF <= finestCRF {
		return false
	}
	c.crf = max(c.rendered.CRF-crfStep, finestCRF)
	return true
}

// failedCheck turns the first failed check into an error, or the first one that is missing.
func (c *clip) failedCheck() error {
	for _, k := range c.verified.Checks {
		switch {
		case k.Result == "passed":
		case k.Name == checkContainer:
			return fmt.Errorf("%w: %s", ErrContainer, k.Text)
		default:
			return fmt.Errorf("%w: %s: %s", ErrVerify, strings.ReplaceAll(k.Name, "_", " "), k.Text)
		}
	}
	if missing := c.verified.Missing(); len(missing) > 0 {
		return fmt.Errorf("%w: %s was not checked", ErrVerify, strings.ReplaceAll(missing[0], "_", " "))
	}
	return nil
}

// coverFindings plans again with the faces that the check found, at most maxRounds times; after a draft there is no raw
// analysis to build on, and the clip is looked at again. A plan that a person made is
// left as it is: what was found there is theirs to decide.
func (c *clip) coverFindings(ctx context.Context, s Stages) (bool, error) {
	if len(c.verified.Findings) == 0 || c.request.Plan != "" || c.round == maxRounds {
		return false, nil
	}
	var found []extra
	if err := readJSON(c.scratch.path("extra.json"), &found); err != nil {
		return false, err
	}
	c.extras = append(c.extras, found...)
	if err := writeJSON(c.scratch.path("extras.json"), c.extras); err != nil {
		return false, err
	}
	c.round++
	seen := c.scratch.path("analysis.json")
	if _, err := os.Stat(seen); errors.Is(err, os.ErrNotExist) {
		seen = ""
	}
	return true, c.analyze(ctx, s, seen, c.scratch.path("extras.json"))
}
