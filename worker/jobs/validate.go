package jobs

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxKeyBytes  = 1024
	maxTextBytes = 400
)

// Validator holds jobs against what an operator allows. The zero value refuses every source.
type Validator struct {
	// Sources are the prefixes that a source may lie under, "bucket" or "bucket/folder"; a prefix ends at a slash of the key.
	Sources []string
	// AnySource leaves the place of the source unchecked: for submitters, who do not know what the workers allow.
	AnySource bool
	// Policies are the names that can be asked for; nil leaves names unchecked.
	Policies []string
	// Inline allows a policy in full; CheckPolicy, where given, returns its faults.
	Inline      bool
	CheckPolicy func(policy json.RawMessage) []string
	// CheckDecisions, where given, returns the faults of the decisions.
	CheckDecisions func(decisions json.RawMessage) []string
	// Now is the clock for times that have passed; nil leaves them unchecked.
	Now func() time.Time
}

// Validate returns an *InvalidError that lists everything in the job that makes no sense or is not allowed. Its texts name
// fields and never repeat what stands in them, as they travel in events.
func (v Validator) Validate(j Job) error {
	var f faults
	v.check(&f, j.withDefaults())
	return f.err("job")
}

func (v Validator) check(f *faults, j Job) {
	if j.Schema != "" && j.Schema != JobSchema {
		f.add("schema is not %s", JobSchema)
	}
	if !ValidID(j.ID) {
		f.add("id must be 1 to 64 of A-Z a-z 0-9 _ -")
	}
	if j.Derivative != "" && !ValidID(j.Derivative) {
		f.add("derivative must be 1 to 64 of A-Z a-z 0-9 _ -")
	}
	switch j.Priority {
	case Urgent, Normal, Bulk:
	default:
		f.add("priority must be urgent, normal or bulk")
	}
	v.checkSource(f, j.Source)
	v.checkPolicy(f, j)
	for _, t := range []struct{ name, text string }{{"case", j.Case}, {"requester", j.Requester}, {"purpose", j.Purpose}} {
		if len(t.text) > maxTextBytes || !printable(t.text) {
			f.add("%s must be at most %d bytes of printable text", t.name, maxTextBytes)
		}
	}
	if j.DestroyAfter != nil {
		if v.Now != nil && !j.DestroyAfter.After(v.Now()) {
			f.add("destroy_after has passed")
		}
		if j.Deadline != nil && j.Deadline.After(*j.DestroyAfter) {
			f.add("deadline is later than destroy_after")
		}
	}
}

func (v Validator) checkSource(f *faults, s Source) {
	before := len(f.list)
	if s.Bucket == "" || len(s.Bucket) > 63 || strings.ContainsAny(s.Bucket, "/\\ ") || strings.Trim(s.Bucket, ".") == "" ||
		!printable(s.Bucket) {
		f.add("source.bucket is no bucket name")
	}
	if !validKey(s.Key) {
		f.add("source.key must be 1 to %d bytes of printable text without empty, . or .. parts", maxKeyBytes)
	}
	if len(s.Version) > maxKeyBytes || !printable(s.Version) {
		f.add("source.version must be at most %d bytes of printable text", maxKeyBytes)
	}
	if s.SHA256 != "" && !isHex(s.SHA256, 64) {
		f.add("source.sha256 must be 64 lower-case hex digits")
	}
	if len(f.list) == before && !v.AnySource && !v.allows(s) {
		f.add("source does not lie under a prefix that the operator allows")
	}
}

// allows holds a well-formed source against the allowed prefixes.
func (v Validator) allows(s Source) bool {
	for _, p := range v.Sources {
		if p = strings.Trim(p, "/"); p != "" && strings.HasPrefix(s.Bucket+"/"+s.Key, p+"/") {
			return true
		}
	}
	return false
}

func (v Validator) checkPolicy(f *faults, j Job) {
	inline := len(j.PolicyInline) > 0
	switch {
	case (j.Policy != "") == inline:
		f.add("exactly one of policy and policy_inline must be given")
	case inline && !v.Inline:
		f.add("policy_inline is not allowed by the operator")
	case inline && !isObject(j.PolicyInline):
		f.add("policy_inline must be an object")
	case inline && v.CheckPolicy != nil:
		for _, fault := range v.CheckPolicy(j.PolicyInline) {
			f.add("policy_inline: %s", fault)
		}
	case !inline && !ValidID(j.Policy):
		f.add("policy must be 1 to 64 of A-Z a-z 0-9 _ -")
	case !inline && v.Policies != nil && !contains(v.Policies, j.Policy):
		f.add("policy is not one that the worker knows")
	}
	if len(j.Decisions) == 0 {
		return
	}
	if !isObject(j.Decisions) {
		f.add("decisions must be an object")
	} else if v.CheckDecisions != nil {
		for _, fault := range v.CheckDecisions(j.Decisions) {
			f.add("decisions: %s", fault)
		}
	}
}

func validKey(key string) bool {
	if key == "" || len(key) > maxKeyBytes || !printable(key) {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
