package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/policy"
)

// Options are those of a client of the queue: it submits and decides, and claims nothing.
func Options() jobs.Options { return jobs.Options{Validator: Validator()} }

// OrderFlags are what is said of every clip that is handed in.
type OrderFlags struct {
	Policy       string  `group:"order" placeholder:"NAME" help:"Policy by its name (default: press)."`
	PolicyFile   string  `group:"order" placeholder:"FILE" help:"A policy in full, where the operator allows that."`
	Case         string  `group:"order" placeholder:"TEXT" help:"Case reference; it stays in the restricted part."`
	Requester    string  `group:"order" placeholder:"TEXT" help:"Who asked for the clip; restricted."`
	Purpose      string  `group:"order" placeholder:"TEXT" help:"What it is for; restricted."`
	Priority     string  `group:"order" enum:"urgent,normal,bulk" default:"normal" help:"${enum}."`
	Deadline     *moment `group:"order" placeholder:"TIME" help:"When it is needed: 2026-12-01, 2026-12-01T12:00 or with a zone."`
	DestroyAfter *moment `group:"order" placeholder:"TIME" help:"When derivative and evidence are to be destroyed."`
}

// moment is a point in time: a day means its end, a time without a zone is local.
type moment time.Time

// UnmarshalText reads one of the forms.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		*m = moment(t)
		return nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			*m = moment(t)
			return nil
		}
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		*m = moment(t.AddDate(0, 0, 1))
		return nil
	}
	return fmt.Errorf("%q is no time: give 2026-12-01, 2026-12-01T12:00 or 2026-12-01T12:00:00Z", s)
}

// value gives the time as a job takes it; nil stays nil.
func (m *moment) value() *time.Time {
	if m == nil {
		return nil
	}
	t := time.Time(*m).UTC()
	return &t
}

// Template is a job with everything but its id and source.
func (f *OrderFlags) Template() (jobs.Job, error) {
	j := jobs.Job{Schema: jobs.JobSchema, Policy: f.Policy, Case: f.Case, Requester: f.Requester, Purpose: f.Purpose,
		Priority: jobs.Priority(f.Priority), Deadline: f.Deadline.value(), DestroyAfter: f.DestroyAfter.value()}
	if f.PolicyFile == "" {
		if j.Policy == "" {
			j.Policy = decide.Press
		}
		return j, nil
	}
	if j.Policy != "" {
		return j, failure.Usagef("give one of them", "--policy stands beside --policy-file")
	}
	b, err := disk.ReadDocument(f.PolicyFile)
	if err != nil {
		return j, failure.Usagef("name a readable file", "policy cannot be read: %s", disk.Plain(err))
	}
	if _, err := decide.ParsePolicy(b); err != nil {
		return j, failure.Usagef("mend the policy; docs/policy.md tells its fields", "%s", err)
	}
	j.PolicyInline, err = policy.Compact(b)
	return j, err
}

// derivedID gives a job the number that everybody gets who hands in the same content with the same policy, case and decisions:
// so nothing is worked on twice. It is drawn from a digest and says nothing of either.
func derivedID(j jobs.Job, content string) (string, error) {
	b, err := json.Marshal([]string{"veil.id/1", content, j.Policy, string(j.PolicyInline), j.Case, string(j.Decisions)})
	if err != nil {
		return "", fmt.Errorf("derive id: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:10]), nil
}

// Validator is what a submitter can know to be wrong; what the workers allow, they say.
func Validator() jobs.Validator {
	return jobs.Validator{
		AnySource: true, Inline: true, Now: time.Now,
		CheckPolicy:    func(p json.RawMessage) []string { _, err := decide.ParsePolicy(p); return faultsOf(err) },
		CheckDecisions: func(d json.RawMessage) []string { _, err := decide.ParseDecisions(d); return faultsOf(err) },
	}
}

// faultsOf lists what is wrong with a document.
func faultsOf(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}
