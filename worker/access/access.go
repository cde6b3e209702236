// Package access keeps the access log that data protection law asks for: who collected, altered, queried, disclosed or deleted
// what, when, why and to whom.
//
// It lies in a store of its own, or under a prefix of its own, apart from the evidence: it tells of persons, and it has to be
// gone when the year after an entry's own has ended, while evidence may have to stay. Entries are objects that are created once
// and never changed. Expiry is by calendar years of UTC, the same for whoever writes and whoever destroys, and leaves what a
// legal hold covers.
//
// The package owns the entry's format (docs/schema/access.schema.json), its keys and its expiry. It signs nothing and decides
// nothing about a job.
package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"veil/worker/store"
)

// Schema names the version of the entry's format.
const Schema = "veil.access/1"

// Prefix is where entries lie in their store.
const Prefix = "access/"

// ErrInvalid says that an entry lacks what the law asks for.
var ErrInvalid = errors.New("not an entry of the access log")

// Action is what was done with personal data.
type Action string

// The actions.
const (
	Collection Action = "collection" // a clip was handed in
	Alteration Action = "alteration" // a derivative was made, a decision taken, a hold set or lifted
	Query      Action = "query"      // somebody looked
	Disclosure Action = "disclosure" // something was handed out
	Deletion   Action = "deletion"   // something was destroyed or taken back
)

// Actions lists them all.
func Actions() []Action { return []Action{Collection, Alteration, Query, Disclosure, Deletion} }

// Entry is one line of the log.
type Entry struct {
	Schema    string    `json:"schema"`
	Time      time.Time `json:"time"` // UTC, to the millisecond
	Action    Action    `json:"action"`
	Job       string    `json:"job,omitempty"`       // its id; empty where it was about several
	Case      string    `json:"case,omitempty"`      // where a whole case was asked for
	Person    string    `json:"person"`              // who did it, or which worker
	Reason    string    `json:"reason,omitempty"`    // why
	Recipient string    `json:"recipient,omitempty"` // to whom it was disclosed
	What      string    `json:"what"`                // in a few words: the command and what it was about
	Count     int       `json:"count,omitempty"`     // of clips or objects, where there are several
}

const (
	maxWords = 500 // bytes of each text
	maxEntry = 16 << 10
	noJob    = "_" // stands in a key for an entry about no single job; a job's id may be that as well, which does no harm
)

var validJob = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate lists what an entry lacks.
func (e Entry) Validate() error {
	var faults []string
	if !slices.Contains(Actions(), e.Action) {
		faults = append(faults, fmt.Sprintf("action is %q", e.Action))
	}
	if e.Job != "" && !validJob.MatchString(e.Job) {
		faults = append(faults, "job is no id")
	}
	for name, text := range map[string]string{"case": e.Case, "person": e.Person, "reason": e.Reason, "recipient": e.Recipient, "what": e.What} {
		if len(text) > maxWords || strings.ContainsFunc(text, unicode.IsControl) {
			faults = append(faults, fmt.Sprintf("%s is longer than %d bytes or holds control characters", name, maxWords))
		}
	}
	if strings.TrimSpace(e.Person) == "" {
		faults = append(faults, "person is empty")
	}
	if strings.TrimSpace(e.What) == "" {
		faults = append(faults, "what is empty")
	}
	if e.Action == Disclosure && strings.TrimSpace(e.Recipient) == "" {
		faults = append(faults, "recipient of a disclosure is empty")
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		return fmt.Errorf("%w: %s", ErrInvalid, strings.Join(faults, "; "))
	}
	return nil
}

// Short makes a text of somebody else's fit for an entry: blanks for control characters, and no more bytes than an entry takes.
func Short(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
	for len(s) > maxWords {
		r := []rune(s[:maxWords])
		s = string(r[:len(r)-1]) // the last letter may be cut
	}
	return s
}

// Options are a log's settings.
type Options struct {
	Now func() time.Time // default time.Now
}

// Log is an access log in a store. The store stays the caller's.
type Log struct {
	store store.Store
	o     Options
}

// New opens the log that lies in a store.
func New(s store.Store, o Options) *Log {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Log{store: s, o: o}
}

// Write adds an entry; its schema and time are filled in. When it returns without an error the entry is on the disk.
func (l *Log) Write(ctx context.Context, e Entry) error {
	e.Schema, e.Time = Schema, l.o.Now().UTC().Truncate(time.Millisecond)
	if err := e.Validate(); err != nil {
		return fmt.Errorf("write access log: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("write access log: %w", err)
	}
	if _, err := l.store.Create(ctx, l.key(e), b.Bytes(), "application/json"); err != nil {
		return fmt.Errorf("write access log: %w", err)
	}
	return nil
}

// key is access/YEAR/MM-DD/MILLISECONDS-RANDOM-JOB.json, year and day in UTC.
func (l *Log) key(e Entry) string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	job := e.Job
	if job == "" {
		job = noJob
	}
	at := e.Time.UTC()
	return fmt.Sprintf("%s%04d/%s/%013d-%s-%s.json", Prefix, at.Year(), at.Format("01-02"), at.UnixMilli(), hex.EncodeToString(random[:]), job)
}

// place is what a key tells of its entry. Its year is that of the moment: the folder may be named by another calendar.
type place struct {
	job string
	at  time.Time
}

var keyForm = regexp.MustCompile(`^access/[0-9]{4}/[0-9]{2}-[0-9]{2}/([0-9]{13})-[0-9a-f]{12}-([A-Za-z0-9_-]{1,64})\.json$`)

// parseKey reads a key; ok is false where it is none of ours.
func parseKey(key string) (p place, ok bool) {
	m := keyForm.FindStringSubmatch(key)
	if m == nil {
		return place{}, false
	}
	ms, _ := strconv.ParseInt(m[1], 10, 64)
	p.at, p.job = time.UnixMilli(ms).UTC(), m[2]
	return p, true
}

// Filter says which entries are meant; the zero value means all.
type Filter struct {
	From, To time.Time // To is exclusive; zero: no bound
	Job      string
	Case     string
	Action   Action
}

// Entries gives the entries that a filter means, the oldest first.
func (l *Log) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for o, err := range l.store.List(ctx, Prefix) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("read access log: %w", err))
				return
			}
			p, ok := parseKey(o.Key)
			if !ok || !f.From.IsZero() && p.at.Before(f.From) || !f.To.IsZero() && !p.at.Before(f.To) || f.Job != "" && p.job != f.Job {
				continue
			}
			e, err := l.read(ctx, o.Key)
			if errors.Is(err, store.ErrNotFound) {
				continue // expired meanwhile
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if f.Case != "" && e.Case != f.Case || f.Action != "" && e.Action != f.Action {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// read reads one entry.
func (l *Log) read(ctx context.Context, key string) (Entry, error) {
	b, _, err := l.store.Read(ctx, key, maxEntry)
	if err != nil {
		return Entry{}, fmt.Errorf("read access log: %w", err)
	}
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("read access log: entry %s: %w", key, err)
	}
	if e.Schema != Schema {
		return Entry{}, fmt.Errorf("read access log: entry %s: %w: schema is %q", key, ErrInvalid, e.Schema)
	}
	return e, e.Validate()
}
