package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"veil/pipeline/decide"
)

// releasedMode lets everybody read what was released; plans, sheets and held derivatives are their maker's alone.
const releasedMode = 0o644

// HeldName is where a derivative lies that a person has to look at: NAME.held.EXT beside its final name.
func HeldName(out string) string {
	ext := filepath.Ext(out)
	return strings.TrimSuffix(out, ext) + ".held" + ext
}

// HeldPlanName is where a held clip's plan lies unless the caller named a place for it.
func HeldPlanName(out string) string {
	return strings.TrimSuffix(out, filepath.Ext(out)) + ".held.plan.json"
}

// settle names the outcome and gives the files their final names: plan, report and contact sheet first, the derivative last.
func (c *clip) settle(ctx context.Context) (Outcome, error) {
	if err := c.recordFindings(); err != nil {
		return Outcome{}, err
	}
	out := Outcome{State: Released, Derivative: c.request.Out}
	if c.open() > 0 {
		out.State, out.Derivative = Held, HeldName(c.request.Out)
		if c.request.OnHold == "discard" {
			out.Derivative = ""
		}
	}
	derivative, err := DigestFile(ctx, c.part, nil)
	if err != nil {
		return Outcome{}, fmt.Errorf("read derivative back: %w", err)
	}
	out.Report = c.report(out.State, derivative)
	out.Seconds = seconds(c.plan)
	if out.Account, err = c.account(); err != nil {
		return Outcome{}, err
	}
	if out.Plan = c.request.PlanOut; out.Plan == "" && out.State == Held {
		out.Plan = HeldPlanName(c.request.Out)
	}
	if out.Plan != "" {
		if err := c.scratch.install(out.Plan, c.planBytes, 0o600); err != nil {
			return Outcome{}, err
		}
	}
	if c.request.ReportOut != "" {
		if err := c.scratch.installJSON(c.request.ReportOut, out.Report, 0o644); err != nil {
			return Outcome{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	if out.Derivative == "" {
		return out, nil
	}
	if c.request.SheetOut != "" {
		b, err := os.ReadFile(c.sheetPath())
		if err != nil {
			return Outcome{}, fmt.Errorf("read contact sheet: %w", plainPath(err))
		}
		if err := c.scratch.install(c.request.SheetOut, b, 0o600); err != nil {
			return Outcome{}, err
		}
	}
	if out.State == Released {
		if err := os.Chmod(c.part, releasedMode); err != nil {
			return Outcome{}, fmt.Errorf("open derivative to readers: %w", plainPath(err))
		}
	}
	if c.request.Seal != nil {
		if err := c.request.Seal(ctx, out); err != nil {
			return Outcome{}, err
		}
	}
	return out, c.scratch.publish(c.part, out.Derivative)
}

// recordFindings writes what the last check found, and what lacks a ground, into the plan, in place of what was found earlier,
// so that a person can decide about it by its id. No region changes: the derivative is still this plan's.
func (c *clip) recordFindings() error {
	plan := c.plan
	plan.Findings = slices.DeleteFunc(slices.Clone(plan.Findings), func(f decide.Finding) bool {
		return f.Kind == decide.FindingFaceOutside && !f.Dismissed || f.Kind == decide.FindingNoGround
	})
	found := slices.Clone(c.verified.Findings)
	for _, missing := range plan.MissingGrounds(c.rendered.HasAudio) {
		found = append(found, decide.Finding{Kind: decide.FindingNoGround, Last: len(plan.Frames) - 1,
			Rect: [4]int{0, 0, plan.Source.Width, plan.Source.Height}, Text: missing.String()})
	}
	if len(plan.Findings) == len(c.plan.Findings) && len(found) == 0 {
		return nil
	}
	next := 1
	for _, f := range c.plan.Findings {
		var n int
		if _, err := fmt.Sscanf(f.ID, "F%d", &n); err == nil {
			next = max(next, n+1)
		}
	}
	for _, f := range found {
		f.ID = fmt.Sprintf("F%d", next)
		next++
		plan.Findings = append(plan.Findings, f)
	}
	return c.storePlan(plan)
}

// seconds is the plan's time from its first frame to its last.
func seconds(p decide.Plan) float64 {
	if len(p.Frames) == 0 {
		return 0
	}
	return float64(p.Frames[len(p.Frames)-1].PTS-p.Frames[0].PTS) * tickOf(p)
}

// open counts the findings that nobody has decided about.
func (c *clip) open() int {
	kept := map[int]bool{}
	for _, t := range c.plan.Tracks {
		kept[t.ID] = t.State == decide.StateKept
	}
	n := 0
	for _, f := range c.plan.Findings {
		if !f.Dismissed && !kept[f.Track] {
			n++
		}
	}
	return n
}

// report gives the account of the clip.
func (c *clip) report(state string, derivative FileDigest) Report {
	p := c.plan
	r := Report{
		Schema: ReportSchema, State: state, Source: c.source, Derivative: derivative,
		Plan: decide.Digest(c.planBytes), Policy: policyDigest(p.Policy), PolicyName: p.Policy.Name,
		Build: c.request.Config.Build, Analysis: p.Analysis, Encoder: c.rendered.EncoderArgs, CRF: c.rendered.CRF,
		Frames: len(p.Frames), Excerpt: p.Excerpt, Tracks: len(p.Tracks), Masked: c.rendered.Masked,
		WholeFrames: c.rendered.WholeFrames, Audio: c.audio(), Notes: c.rendered.Notes, Removed: c.rendered.Removed,
		Checks: c.verified.Checks, Findings: published(p.Findings), Container: c.verified.Container, Rounds: c.round, Stages: c.seconds, Warnings: []string{}, Sandbox: c.sandbox,
	}
	dropped := 0
	for _, t := range p.Tracks {
		switch t.State {
		case decide.StateKept:
			r.Kept = append(r.Kept, t.ID)
		case decide.StateDropped:
			if p.LeftVisible(t) {
				dropped++
			}
		}
	}
	if dropped > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of the tracks may be faces and stay visible: the worklist tells where and why", dropped))
	}
	dark := 0
	for _, f := range p.Findings {
		if f.Kind == decide.FindingQuality && f.By == decide.ByPolicy {
			dark++
		}
	}
	if dark > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of the findings are stretches too dark for faces to be found for certain: the policy ignores doubt", dark))
	}
	if lost := c.analyzed.Probe.Video.Frames - int64(len(p.Frames)); lost > 0 && p.Excerpt == nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d pictures of the source gave no frame: the decoder had nothing to start them from", lost))
	}
	if limit := p.Policy.MaxMasked; limit > 0 && r.Masked > limit {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%.1f %% of the picture is masked, the policy warns above %.1f %%", 100*r.Masked, 100*limit))
	}
	return r
}

// audio says what became of the sound.
func (c *clip) audio() string {
	switch {
	case !c.rendered.HasAudio:
		return "none in the source"
	case c.plan.Policy.Audio != "keep":
		return "dropped"
	}
	return "kept: " + c.rendered.AudioTrack
}

// policyDigest names a policy by its canonical bytes; empty where it cannot be encoded, which a validated one always can.
func policyDigest(p decide.Policy) string {
	b, err := p.Encode()
	if err != nil {
		return ""
	}
	return decide.Digest(b)
}
