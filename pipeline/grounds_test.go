package pipeline

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veil/pipeline/decide"
)

// required asks for grounds and has one for faces alone.
func required(label bool) *decide.Grounds {
	return &decide.Grounds{Required: true, Label: label, Tracks: "§ 22", Codes: []decide.Code{{Code: "§ 22", Basis: "§ 22 KUG"}}}
}

// TestRedactHoldsWithoutGrounds: what is withheld without a ground is held, and released when a person gives it.
func TestRedactHoldsWithoutGrounds(t *testing.T) {
	r := testRequest(t)
	r.PlanOut = filepath.Join(filepath.Dir(r.In), "p.json")
	r.Policy.Grounds = required(false)
	r.Policy.Regions = []decide.FixedRegion{{Rect: [4]int{0, 0, 16, 16}}}
	f := &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}
	out, err := Redact(context.Background(), f, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := func(o Outcome) (all []string) {
		for _, x := range o.Report.Findings {
			all = append(all, x.Kind)
		}
		return all
	}
	if out.State != Held || !slices.Equal(kinds(out), []string{decide.FindingNoGround}) {
		t.Fatalf("%s with %v", out.State, kinds(out))
	}
	plan, err := os.ReadFile(r.PlanOut)
	if err != nil {
		t.Fatal(err)
	}
	r.Plan = filepath.Join(filepath.Dir(r.In), "held.json")
	if err := os.WriteFile(r.Plan, plan, 0o600); err != nil {
		t.Fatal(err)
	}
	decisions := decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(plan), By: "A. Officer",
		Dismiss: []decide.DismissFinding{{Finding: "F1", Reason: "never mind"}}}
	r.Decisions = &decisions
	if _, err := Redact(context.Background(), f, r, nil); err == nil {
		t.Fatal("missing grounds were dismissed")
	}
	decisions.Dismiss, decisions.Ground = nil, []decide.GroundFor{{What: decide.GroundRegions, Code: "§ 22"}}
	if out, err = Redact(context.Background(), f, r, nil); err != nil || out.State != Released || len(kinds(out)) != 0 {
		t.Fatalf("%s with %v: %v", out.State, kinds(out), err)
	}
}

// TestRedactLabelsTheFill: a label on the fill passes every check, tells nothing of what is below, and is the same each time.
func TestRedactLabelsTheFill(t *testing.T) {
	for _, fill := range []string{"solid", "surround"} {
		t.Run(fill, func(t *testing.T) {
			policy, err := decide.Shipped("press")
			if err != nil {
				t.Fatal(err)
			}
			policy.Fill, policy.Effort = fill, "fast"
			dir := t.TempDir()
			in := madeClips[0].make(t)
			run := func(name string, grounds *decide.Grounds) []byte {
				t.Helper()
				policy.Grounds = grounds
				out := filepath.Join(dir, name)
				o, err := Redact(context.Background(), Direct{}, Request{Config: testConfig(t), In: in, Out: out, Policy: policy}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if o.State != Released {
					t.Fatalf("held: %+v", o.Report.Findings)
				}
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			first := run("a.mp4", required(true))
			if fill == "solid" {
				return
			}
			if !bytes.Equal(first, run("b.mp4", required(true))) {
				t.Error("the same clip gave other bytes")
			}
			if bytes.Equal(first, run("c.mp4", required(false))) {
				t.Error("the label is not drawn")
			}
		})
	}
}
