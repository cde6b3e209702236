package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
)

// AllowFlags are what an operator lets jobs ask for.
type AllowFlags struct {
	Sources           []string `name:"allow" group:"jobs" sep:"," placeholder:"BUCKET[/PREFIX]" help:"Where clips may come from, beside what was handed in as files; may be repeated."`
	Policies          string   `group:"jobs" placeholder:"FOLDER" help:"Further policies: NAME.json each."`
	AllowInline       bool     `group:"jobs" help:"Take policies that a job brings along in full."`
	AllowWeakFill     bool     `group:"jobs" help:"Take policies that blur or pixelate: faces can be brought back from that."`
	AllowUnsureIgnore bool     `group:"jobs" help:"Take policies that leave doubtful faces uncovered."`
}

// Set is the policies that jobs can name.
type Set map[string]decide.Policy

var shippedPolicies = []string{decide.Press, decide.Disclosure, decide.Court}

// Set reads the shipped policies and the operator's own, and refuses those that the flags do not allow.
func (f AllowFlags) Set() (Set, error) {
	set := Set{}
	for _, name := range shippedPolicies {
		p, err := decide.Shipped(name)
		if err != nil {
			return nil, err
		}
		if len(f.weak(p)) == 0 {
			set[name] = p
		}
	}
	if f.Policies == "" {
		return set, nil
	}
	paths, err := filepath.Glob(filepath.Join(f.Policies, "*.json"))
	if err != nil || !disk.IsFolder(f.Policies) {
		return nil, failure.Usagef("name a folder with policies in it", "--policies is no folder")
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if slices.Contains(shippedPolicies, name) || !jobs.ValidID(name) {
			return nil, failure.Usagef("give it another name: 1 to 64 of A-Z a-z 0-9 _ -, not a shipped policy's", "%s is no name for a policy", disk.Base(path))
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, failure.Usagef("make it readable", "policy %s cannot be read: %s", name, disk.Plain(err))
		}
		p, err := decide.ParsePolicy(b)
		if err != nil {
			return nil, failure.Usagef("mend the policy; docs/policy.md tells its fields", "policy %s: %s", name, err)
		}
		if faults := f.weak(p); len(faults) > 0 {
			return nil, failure.Usagef("allow it by the flag, or mend the policy", "policy %s: %s", name, strings.Join(faults, "; "))
		}
		set[name] = p
	}
	return set, nil
}

// weak lists what of a policy the operator has not allowed.
func (f AllowFlags) weak(p decide.Policy) (faults []string) {
	if (p.Fill == "blur" || p.Fill == "mosaic") && !f.AllowWeakFill {
		faults = append(faults, "fill blur and mosaic need the operator's --allow-weak-fill")
	}
	if p.Unsure == "ignore" && !f.AllowUnsureIgnore {
		faults = append(faults, "unsure ignore needs the operator's --allow-unsure-ignore")
	}
	return faults
}

// Of gives the policy that a job asks for; its decisions' plan may hold another, which was allowed when it was made.
func (s Set) Of(j jobs.Job) (decide.Policy, error) {
	if len(j.PolicyInline) > 0 {
		p, err := decide.ParsePolicy(j.PolicyInline)
		if err != nil {
			return p, fmt.Errorf("%w: %w", pipeline.ErrUsage, err)
		}
		return p, nil
	}
	p, ok := s[j.Policy]
	if !ok {
		return p, failure.Usagef("name one that the worker knows", "the policy is not known")
	}
	return p, nil
}

// Validator holds jobs against what the operator allows.
func (f AllowFlags) Validator(set Set) jobs.Validator {
	return jobs.Validator{
		Sources: append([]string{connect.IncomingBucket}, f.Sources...), Policies: slices.Sorted(maps.Keys(set)), Inline: f.AllowInline,
		CheckPolicy: func(raw json.RawMessage) []string {
			p, err := decide.ParsePolicy(raw)
			return append(neutral(err), f.weak(p)...)
		},
		CheckDecisions: func(raw json.RawMessage) []string {
			_, err := decide.ParseDecisions(raw)
			return neutral(err)
		},
		Now: time.Now,
	}
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// neutral gives the faults without what stood in the document: they travel in events.
func neutral(err error) []string {
	var invalid *decide.InvalidError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return []string{"makes no sense"}
	}
	var out []string
	for _, f := range invalid.Faults {
		field, rest, found := strings.Cut(f, " is ")
		if strings.HasPrefix(f, "unknown field") || strings.HasPrefix(f, "field ") {
			out = append(out, "holds a field that is unknown or stands there twice")
			continue
		}
		if found {
			f = field + " is " + withoutFirst(rest)
		}
		out = append(out, f)
	}
	return slices.Compact(out)
}

// withoutFirst takes away the first quoted word, which is what the document held; the others are what may stand there.
func withoutFirst(s string) string {
	at := quoted.FindStringIndex(s)
	if at == nil {
		return s
	}
	return s[:at[0]] + "something else" + s[at[1]:]
}
