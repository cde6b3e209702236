// Package evidence checks a derivative against the set of files that belongs to it: the signed manifest, its time stamp, the
// report, the plan, the event log, the annex, and later statements.
//
// It owns which files make a set, what is checked and in which order, and how the answer is worded (English and German; text,
// JSON and a page to print). It needs no pipeline, queue, store or network; what decodes pictures is handed in (Pictures).
// It never says that all is well where something was not looked at: a check has passed, failed, was withheld, or was not done.
package evidence

import (
	"slices"
	"time"
)

// ResultSchema names the version of the answer's format (docs/schema/verification.schema.json).
const ResultSchema = "veil.verification/1"

// Results of a check.
const (
	Passed   = "passed"
	Failed   = "failed"
	Withheld = "withheld" // a restricted piece that was not handed over
	NotDone  = "not_done" // something that the check needs is missing
)

// Outcomes of a verification.
const (
	Complete = "complete" // every check passed
	Partial  = "partial"  // none failed, and some were withheld or not done
	Broken   = "failed"   // at least one failed
)

// Names of the checks, in the order in which they are told.
const (
	CheckEnvelope   = "envelope"
	CheckSignature  = "signature"
	CheckTime       = "time"
	CheckDerivative = "derivative"
	CheckContainer  = "container"
	CheckFrames     = "frames"
	CheckReport     = "report"
	CheckPlan       = "plan"
	CheckLog        = "log"
	CheckAnnex      = "annex"
	CheckContact    = "contact"
	CheckOriginal   = "original"
	CheckPictures   = "pictures"
	CheckStatements = "statements"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	// Code says what was found, one of a fixed list (docs/evidence.md); Args are the figures and names that belong to it.
	Code string            `json:"code"`
	Args map[string]string `json:"args"`
	Text string            `json:"text"` // the code in words
}

// Note is something that whoever reads the answer should know, and that is no check.
type Note struct {
	Code string            `json:"code"`
	Args map[string]string `json:"args"`
	Text string            `json:"text"`
}

// Result is the answer.
type Result struct {
	Schema   string  `json:"schema"`
	Outcome  string  `json:"outcome"`
	Language string  `json:"language"`
	File     string  `json:"file"` // the derivative's name, without its folder
	SHA256   string  `json:"sha256"`
	Manifest string  `json:"manifest,omitempty"` // SHA-256 of the manifest's file
	Key      *Signer `json:"key,omitempty"`
	// Verdict is what the signature is worth (seal.Verdict); empty where it was not judged.
	Verdict string     `json:"verdict,omitempty"`
	Claimed *time.Time `json:"claimed,omitempty"` // when the manifest says that it was signed
	Proven  *time.Time `json:"proven,omitempty"`  // when a time stamp shows that it was there
	Checks  []Check    `json:"checks"`
	Notes   []Note     `json:"notes"`

	stem string // of the set's paths
}

// Signer is the key that the envelope names.
type Signer struct {
	Fingerprint string `json:"fingerprint"`
	// Signed says that the trust file knows the key and that its signature fits; without it the fingerprint is a claim.
	Signed bool   `json:"signed"`
	Name   string `json:"name,omitempty"` // as the trust file has it
}

// note adds a note.
func (r *Result) note(code string, args map[string]string) {
	r.Notes = append(r.Notes, Note{Code: code, Args: orNone(args), Text: words(r.Language, code, args)})
}

// add adds a check. Each code belongs to one result.
func (r *Result) add(name, result, code string, args map[string]string) {
	r.Checks = append(r.Checks, Check{Name: name, Result: result, Code: code, Args: orNone(args), Text: words(r.Language, code, args)})
}

func orNone(args map[string]string) map[string]string {
	if args == nil {
		return map[string]string{}
	}
	return args
}

// order is that of the checks in an answer.
var order = []string{CheckEnvelope, CheckSignature, CheckTime, CheckDerivative, CheckContainer, CheckFrames, CheckReport, CheckPlan, CheckLog,
	CheckAnnex, CheckContact, CheckOriginal, CheckPictures, CheckStatements}

// conclude puts the checks in order and names the outcome.
func (r *Result) conclude() {
	slices.SortStableFunc(r.Checks, func(a, b Check) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	r.Outcome = Complete
	for _, c := range r.Checks {
		switch {
		case c.Result == Failed:
			r.Outcome = Broken
			return
		case c.Result != Passed:
			r.Outcome = Partial
		}
	}
}

// Find gives the check of a name; nil where it is not among them.
func (r *Result) Find(name string) *Check {
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			return &r.Checks[i]
		}
	}
	return nil
}
