package policy

import (
	"bytes"
	"encoding/json"
	"fmt"

	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/failure"
)

// DecisionFlags are what a person can decide about a plan.
type DecisionFlags struct {
	Keep      []int    `placeholder:"N,..." help:"Leave these tracks visible."`
	Region    []region `sep:";" placeholder:"X,Y,W,H[@FROM-TO]" help:"Cover this rectangle too; may be repeated."`
	Dismiss   []string `placeholder:"F1,..." help:"These findings are no reason to hold the clip."`
	Ground    []ground `sep:"none" placeholder:"WHAT=CODE[|BASIS]" help:"Under which code, and which legal basis, is withheld: WHAT is tracks, track:N, regions, frames or sound, the last three with @FROM-TO or without; may be repeated."`
	Reason    string   `placeholder:"TEXT" help:"Why; needed with any of the first three."`
	By        string   `placeholder:"NAME" help:"Who decides; needed with any of the four."`
	Decisions string   `placeholder:"FILE" help:"Decisions as a document, instead of the flags."`
}

// Read gives what a person decided about a plan: from the document, from the flags, or nil. The flags' name the plan by
// its digest, a document names it itself.
func (c *DecisionFlags) Read(plan []byte) (*decide.Decisions, error) {
	reasoned := len(c.Keep)+len(c.Region)+len(c.Dismiss) > 0
	flags := reasoned || len(c.Ground) > 0
	if c.Decisions != "" {
		if flags || c.Reason != "" || c.By != "" {
			return nil, failure.Usagef("put everything into the document, or leave it out", "--decisions stands beside flags that decide")
		}
		return ReadDecisions(c.Decisions)
	}
	if !flags {
		if c.Reason != "" || c.By != "" {
			return nil, failure.Usagef("add --keep, --region, --dismiss or --ground", "--reason and --by say nothing alone")
		}
		return nil, nil
	}
	if reasoned && c.Reason == "" || c.By == "" {
		return nil, failure.Usagef("add --reason TEXT and --by NAME", "a decision needs its reason and who made it")
	}
	d := &decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(plan), By: c.By}
	for _, track := range c.Keep {
		d.Keep = append(d.Keep, decide.KeepTrack{Track: track, Reason: c.Reason})
	}
	for _, r := range c.Region {
		d.Cover = append(d.Cover, decide.CoverRegion{Rect: r.rect, Span: r.span, Reason: c.Reason})
	}
	for _, id := range c.Dismiss {
		d.Dismiss = append(d.Dismiss, decide.DismissFinding{Finding: id, Reason: c.Reason})
	}
	for _, g := range c.Ground {
		d.Ground = append(d.Ground, decide.GroundFor(g))
	}
	return d, nil
}

// ReadDecisions reads a document.
func ReadDecisions(path string) (*decide.Decisions, error) {
	b, err := disk.ReadDocument(path)
	if err != nil {
		return nil, failure.Usagef("name a readable file", "decisions cannot be read: %s", disk.Plain(err))
	}
	d, err := decide.ParseDecisions(b)
	if err != nil {
		return nil, failure.Usagef("mend the document; docs/plan.md tells its fields", "%s", err)
	}
	return &d, nil
}

// EncodeDecisions gives the decisions as a job carries them.
func EncodeDecisions(d *decide.Decisions) (json.RawMessage, error) {
	b, err := d.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode decisions: %w", err)
	}
	return Compact(b)
}

// Compact drops the spaces, so that a document laid out anew is the same one.
func Compact(b []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return nil, fmt.Errorf("compact document: %w", err)
	}
	return out.Bytes(), nil
}
