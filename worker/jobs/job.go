package jobs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// JobSchema names the version of the job's format (docs/schema/job.schema.json).
const JobSchema = "veil.job/1"

const (
	jobFormat  = "veil.job/"
	jobVersion = 1
)

// MaxJobBytes bounds a job's JSON, policy and decisions included.
const MaxJobBytes = 256 << 10

// Priority is the class a job waits in; a free worker asks for urgent ones first, then normal, then bulk.
type Priority string

// The three priorities.
const (
	Urgent Priority = "urgent"
	Normal Priority = "normal"
	Bulk   Priority = "bulk"
)

// Priorities lists the classes in the order in which they are served.
func Priorities() []Priority { return []Priority{Urgent, Normal, Bulk} }

// Job is one clip to redact. It is versioned JSON; unknown fields and nonsense are refused with all faults listed.
type Job struct {
	Schema string `json:"schema"`
	// ID is chosen by the submitter: 1 to 64 of A-Z a-z 0-9 _ and -. The same id with other content is a conflict.
	ID     string `json:"id"`
	Source Source `json:"source"`
	// Derivative is the name of the released file without its extension, of the same alphabet as ID. Without one it is a
	// neutral number (DerivativeName).
	Derivative string `json:"derivative,omitempty"`
	// Policy names a policy that the worker knows; PolicyInline is one in full, where the operator allows that. Exactly one of
	// the two is given.
	Policy       string          `json:"policy,omitempty"`
	PolicyInline json.RawMessage `json:"policy_inline,omitempty"`
	// Decisions is a person's decisions about the plan of this source, as veil.decisions/1.
	Decisions json.RawMessage `json:"decisions,omitempty"`
	Case      string          `json:"case,omitempty"`
	Requester string          `json:"requester,omitempty"`
	Purpose   string          `json:"purpose,omitempty"`
	Priority  Priority        `json:"priority,omitempty"` // default normal
	// Deadline is when the derivative is needed: it is shown and measured, a late job still runs.
	Deadline *time.Time `json:"deadline,omitempty"`
	// DestroyAfter is when derivative and evidence are to be destroyed.
	DestroyAfter *time.Time `json:"destroy_after,omitempty"`
}

// Source is the object to redact. Version and SHA256 are optional; what is given is held against what is fetched.
type Source struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // 64 lower-case hex digits
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidID reports whether s can be a job's id or a name: 1 to 64 of A-Z a-z 0-9 _ and -.
func ValidID(s string) bool { return name.MatchString(s) }

// DerivativeName is the name under which the derivative is released, without extension: the one the job gives, or eight
// digits drawn from its id, so that the same submission always gets the same name and the name says nothing.
func (j Job) DerivativeName() string {
	if j.Derivative != "" {
		return j.Derivative
	}
	sum := sha256.Sum256([]byte("veil derivative " + j.ID))
	return fmt.Sprintf("%08d", binary.BigEndian.Uint64(sum[:])%100_000_000)
}

// Encode gives the job's canonical bytes: defaults filled in, times in UTC, no spaces.
func (j Job) Encode() ([]byte, error) {
	j = j.withDefaults()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j); err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// Digest is the SHA-256 of the canonical bytes, in hex: it tells whether two submissions are the same.
func (j Job) Digest() (string, error) {
	data, err := j.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

func (j Job) withDefaults() Job {
	if j.Schema == "" {
		j.Schema = JobSchema
	}
	if j.Priority == "" {
		j.Priority = Normal
	}
	j.Deadline, j.DestroyAfter = inUTC(j.Deadline), inUTC(j.DestroyAfter)
	return j
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// ParseJob reads a job and holds it against v. The error is a *NewerError for a format of a later version, else an
// *InvalidError that lists all faults.
func ParseJob(data []byte, v Validator) (Job, error) {
	if err := checkVersion(data, jobFormat, jobVersion); err != nil {
		return Job{}, err
	}
	var j Job
	f := decodeStrict(data, &j, MaxJobBytes)
	if f.unreadable {
		return Job{}, f.err("job")
	}
	if j.Schema == "" {
		f.add("schema is missing, must be %s", JobSchema)
	}
	j = j.withDefaults()
	v.check(&f, j)
	if err := f.err("job"); err != nil {
		return Job{}, err
	}
	return j, nil
}

// NewerError says that a document is of a later version than this build reads: it waits for a newer worker.
type NewerError struct {
	Format  string // "veil.job/" or "veil.state/"
	Version int
}

// Error names the version.
func (e *NewerError) Error() string {
	return fmt.Sprintf("%s%d is newer than this build reads", e.Format, e.Version)
}

// checkVersion looks at nothing but the document's schema; whatever it cannot read it leaves to the strict reading.
func checkVersion(data []byte, format string, newest int) error {
	if len(data) > MaxJobBytes*2 {
		return nil
	}
	var head struct {
		Schema string `json:"schema"`
	}
	_ = json.Unmarshal(data, &head)
	digits, ok := strings.CutPrefix(head.Schema, format)
	if !ok || len(digits) > 6 {
		return nil
	}
	if n, err := strconv.Atoi(digits); err == nil && n > newest {
		return &NewerError{Format: format, Version: n}
	}
	return nil
}
