package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// StateSchema names the version of the state record's format.
const StateSchema = "veil.state/1"

const (
	stateFormat  = "veil.state/"
	stateVersion = 1
)

// Phase is where a job stands.
type Phase string

// The phases. Queued, Running and Committing are unfinished; the others answer the job and change only by a person's word.
const (
	Queued     Phase = "queued"
	Running    Phase = "running"
	Committing Phase = "committing" // a result has won and is being made visible: no cancel any more
	Released   Phase = "released"
	Held       Phase = "held"
	Cancelled  Phase = "cancelled"
	Failed     Phase = "failed" // in the dead letters
	Rejected   Phase = "rejected"
	Withdrawn  Phase = "withdrawn"
)

// Phases lists them all, the unfinished first.
func Phases() []Phase {
	return []Phase{Queued, Running, Committing, Released, Held, Cancelled, Failed, Rejected, Withdrawn}
}

// Final reports whether the job has its answer.
func (p Phase) Final() bool { return p != Queued && p != Running && p != Committing }

// State is what is known of a job: the one truth, changed by compare-and-set only.
type State struct {
	Schema string `json:"schema"`
	ID     string `json:"id"`
	Phase  Phase  `json:"phase"`
	// Generation counts from 1; a retry or a decision begins the next.
	Generation int `json:"generation"`
	// Epoch rises with every claim and never falls: it is the fence, and names the attempt's prefix in the store.
	Epoch int `json:"epoch"`
	// Attempts counts this generation's claims, less those that were handed back; Failures those that ended in an error of the
	// clip, Deaths those whose worker never said a word.
	Attempts int `json:"attempts"`
	Failures int `json:"failures"`
	Deaths   int `json:"deaths"`
	// Worker is who claimed last; Token marks the last write, so that a writer whose answer got lost knows its own.
	Worker string `json:"worker,omitempty"`
	Token  string `json:"token"`
	// Plan lies where the analysis of an earlier attempt put it; a later attempt starts there.
	Plan *Stored `json:"plan,omitempty"`
	// Supersedes is the envelope of the last result of an earlier generation; empty where there was none.
	Supersedes string `json:"supersedes,omitempty"`
	// Result is set from committing on.
	Result *Result `json:"result,omitempty"`
	// Code and Detail say why the job waits, failed or was rejected. Detail may name the clip: it stays in the record.
	Code   string   `json:"code,omitempty"`
	Remedy string   `json:"remedy,omitempty"`
	Detail string   `json:"detail,omitempty"`
	Faults []string `json:"faults,omitempty"`
	// Submission is the digest of the job as first handed in; Job is the job as it now is, with decisions.
	Submission string          `json:"submission"`
	Job        json.RawMessage `json:"job,omitempty"`
	Priority   Priority        `json:"priority"`
	Submitted  time.Time       `json:"submitted"`
	Updated    time.Time       `json:"updated"`
}

// Stored names a document under the restricted prefix of one attempt.
type Stored struct {
	Generation int    `json:"generation"`
	Epoch      int    `json:"epoch"`
	SHA256     string `json:"sha256"`
}

// Result is what an attempt has put under its own restricted prefix, read back and signed.
type Result struct {
	Outcome    Phase  `json:"outcome"` // Released or Held
	Generation int    `json:"generation"`
	Epoch      int    `json:"epoch"` // with Generation, the prefix it lies under
	Envelope   string `json:"envelope"`
	// Key is the fingerprint of the key that signed the envelope; empty: it is not signed.
	Key string `json:"key,omitempty"`
	// Plan is the digest of the final plan that lies with it; of a held job it is the one that decisions are about.
	Plan string `json:"plan,omitempty"`
	// Digests are whatever else publishing needs, by name.
	Digests map[string]string `json:"digests,omitempty"`
	// Findings are the neutral reasons of a hold, as codes.
	Findings []string `json:"findings,omitempty"`
}

// Decoded is the job itself. Nothing is checked anew: what was accepted once stays readable for whoever lists it.
func (s State) Decoded() (Job, error) {
	var j Job
	if err := json.Unmarshal(s.Job, &j); err != nil {
		return Job{}, fmt.Errorf("decode job %s: %w", s.ID, err)
	}
	return j, nil
}

// subject is where the job's wake-up lies.
func (s State) subject() string { return jobSubject(s.Priority, s.ID) }

func (s State) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// parseState reads a record. A field that this build does not know would be lost by the next write, so such a record counts
// as newer and is left alone.
func parseState(data []byte) (State, error) {
	if err := checkVersion(data, stateFormat, stateVersion); err != nil {
		return State{}, err
	}
	var s State
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return State{}, fmt.Errorf("decode state: %w", err)
	}
	if s.Schema != StateSchema || !ValidID(s.ID) || s.Generation < 1 || s.Epoch < 0 || !contains(phaseNames(), string(s.Phase)) {
		return State{}, fmt.Errorf("decode state: %w", errNoState)
	}
	return s, nil
}

// because records why the job is where it is.
func (s *State) because(c Cause, detail string) {
	s.Code, s.Remedy, s.Detail = c.Code, c.Remedy, detail
}

func phaseNames() (names []string) {
	for _, p := range Phases() {
		names = append(names, string(p))
	}
	return names
}
