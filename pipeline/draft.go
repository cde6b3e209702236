package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"veil/pipeline/decide"
)

// draftSchema names the version of a draft's form: one line of JSON (draftHead), then the plan's bytes.
const draftSchema = "veil.draft/1"

type draftHead struct {
	Schema   string        `json:"schema"`
	Analyzed AnalyzeResult `json:"analyzed"`
}

// handDraft writes what the first pass came to for whoever wants to keep it. Later rounds are not handed out: they follow
// from this one and the check, so a run that takes it up comes to the same derivative.
func (c *clip) handDraft(ctx context.Context) error {
	if c.request.Planned == nil {
		return nil
	}
	head, err := json.Marshal(draftHead{Schema: draftSchema, Analyzed: c.analyzed})
	if err != nil {
		return fmt.Errorf("encode draft: %w", err)
	}
	path := c.scratch.path("draft")
	if err := writeNew(path, bytes.Join([][]byte{head, c.planBytes}, []byte("\n")), 0o600); err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	return c.request.Planned(ctx, path)
}

// takeDraft takes up an earlier run's first pass, and reports whether it fits.
func (c *clip) takeDraft() bool {
	if c.request.Draft == "" || c.request.From != nil || c.request.To != nil {
		return false
	}
	b, err := os.ReadFile(c.request.Draft)
	if err != nil {
		return false
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	var head draftHead
	if err := json.Unmarshal(line, &head); err != nil || head.Schema != draftSchema {
		return false
	}
	plan, err := decide.ParsePlan(rest)
	if err != nil || plan.Source.SHA256 != c.source.SHA256 || plan.Analysis.Build != c.request.Config.Build ||
		policyDigest(plan.Policy) != policyDigest(c.request.Policy) {
		return false
	}
	if err := c.storePlan(plan); err != nil {
		return false
	}
	c.analyzed = head.Analyzed
	c.seconds["analyze"] += head.Analyzed.Seconds
	return true
}
