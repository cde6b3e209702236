package retention

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// TombstonePrefix is where the tombstones of destroyed jobs lie: TOMBSTONE/SHA256(id).json. A tombstone holds no name and no id.
const TombstonePrefix = "destroyed/"

// tombstoneSchema names the version of the tombstone's format (docs/schema/tombstone.schema.json).
const tombstoneSchema = "veil.destroyed/1"

// maxTombstone bounds a tombstone, and maxResults the results that one tells of.
const (
	maxTombstone = 8 << 20
	maxResults   = 1000
)

// maxStatements bounds the later statements of one result.
const maxStatements = 1000

// Tombstone is what stays of a destroyed job.
type Tombstone struct {
	Schema       string      `json:"schema"`
	DestroyAfter time.Time   `json:"destroy_after"`
	Destroyed    time.Time   `json:"destroyed"`
	Objects      int         `json:"objects"`    // versions that the first sweep removed
	Statements   []Statement `json:"statements"` // of each result that had a manifest, the last one first; none where no key was there to sign
}

// Rule says by what the job was destroyed.
func (t Tombstone) Rule() string { return rule(&t.DestroyAfter) }

// Statement is the signed statement that a result was destroyed: what whoever has the derivative checks it with. Its annex tells
// the rule and no person.
type Statement struct {
	Derivative string `json:"derivative"` // SHA-256 of what was destroyed
	Number     int    `json:"number"`     // counted from 1, behind those that were made before
	Envelope   string `json:"envelope"`   // the statement's file
	Annex      string `json:"annex"`      // the annex's file
}

// Manifest is the digest of the manifest whose result was destroyed; none of a statement that cannot be read.
func (st Statement) Manifest() string {
	e, err := seal.OpenEnvelope([]byte(st.Envelope))
	if err != nil {
		return ""
	}
	said, _, err := seal.ParseEvent(e.Payload)
	if err != nil {
		return ""
	}
	return said.Manifest
}

// result is a result that is to be destroyed, and where its chain of statements ends.
type result struct {
	Generation  int    `json:"generation"`
	Epoch       int    `json:"epoch"`
	Derivative  string `json:"derivative"`
	Manifest    string `json:"manifest"`
	Predecessor string `json:"predecessor"`
	Number      int    `json:"number"` // of the next statement
}

func tombstoneKey(id string) string { return TombstonePrefix + seal.Digest([]byte(id)) + ".json" }

// rule is the reason of a deletion, for access log and annex.
func rule(after *time.Time) string { return "destroy_after " + after.UTC().Format(time.RFC3339) }

// TombstoneOf reads what stays of a destroyed job; nil where nothing tells that there was one.
func TombstoneOf(ctx context.Context, s store.Store, id string) (*Tombstone, error) {
	b, _, err := s.Read(ctx, tombstoneKey(id), maxTombstone)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDenied) { // who may not list is refused what is not there
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tombstone: %w", err)
	}
	t := &Tombstone{}
	if json.Unmarshal(b, t) != nil || t.Schema != tombstoneSchema {
		return nil, fmt.Errorf("read tombstone: %w", store.ErrDamaged)
	}
	return t, nil
}

// results lists the results of a job whose manifests can be read, each with the end of its chain of statements.
func (s *Sweeper) results(ctx context.Context, id string) ([]result, error) {
	var list []result
	for o, err := range s.Store.List(ctx, store.Restricted+id+"/") {
		if err != nil {
			return nil, fmt.Errorf("list the store: %w", err)
		}
		generation, epoch, name := 0, 0, ""
		if n, _ := fmt.Sscanf(strings.TrimPrefix(o.Key, store.Restricted+id), "/%d/%d/%s", &generation, &epoch, &name); n != 3 || name != store.ManifestName || len(list) == maxResults {
			continue
		}
		b, _, err := s.Store.Read(ctx, o.Key, seal.MaxEnvelope)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a manifest: %w", err)
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil && !errors.Is(err, seal.ErrUnsigned) {
			continue // nobody can check a statement about it
		}
		r := result{Generation: generation, Epoch: epoch, Derivative: seal.Subject(e.Payload), Manifest: e.SHA256, Predecessor: e.SHA256, Number: 1}
		if r.Derivative == "" {
			continue
		}
		if err := s.follow(ctx, id, &r); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// follow finds the end of a result's chain of statements.
func (s *Sweeper) follow(ctx context.Context, id string, r *result) error {
	for n := 1; n <= maxStatements; n++ {
		b, _, err := s.Store.Read(ctx, store.StatementKey(id, r.Generation, n), seal.MaxEnvelope)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a statement: %w", err)
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil && !errors.Is(err, seal.ErrUnsigned) {
			return nil
		}
		if said, _, err := seal.ParseEvent(e.Payload); err == nil && said.Follows(r.Manifest, r.Predecessor, r.Number) == nil {
			r.Predecessor, r.Number = e.SHA256, r.Number+1
		}
	}
	return nil
}

// bury states the deletion of a job's results and leaves its tombstone. Of an id that was used and destroyed before, the later
// tombstone takes the place of the earlier one and keeps its statements.
func (s *Sweeper) bury(ctx context.Context, d *Due, results []result) error {
	earlier, err := TombstoneOf(ctx, s.Store, d.ID)
	damaged := errors.Is(err, store.ErrDamaged)
	if err != nil && !damaged {
		return err
	}
	t := Tombstone{Schema: tombstoneSchema, DestroyAfter: d.DestroyAfter.UTC(), Destroyed: seal.Second(s.Now()), Objects: d.Removed, Statements: []Statement{}}
	if earlier != nil {
		t.Statements = append(t.Statements, earlier.Statements...)
		if earlier.DestroyAfter.Equal(t.DestroyAfter) { // the same destruction, which was broken off or which another sees to as well
			t.Destroyed, t.Objects = earlier.Destroyed, earlier.Objects+t.Objects
		}
	}
	slices.SortFunc(results, func(a, b result) int { return cmp.Or(b.Generation-a.Generation, b.Epoch-a.Epoch) })
	stated := []Statement{}
	for _, r := range results {
		if s.Key == nil || slices.ContainsFunc(t.Statements, func(have Statement) bool { return have.Manifest() == r.Manifest }) {
			continue // another has stated it before it died
		}
		st, err := s.state(d, r)
		if err != nil {
			return err
		}
		stated = append(stated, st)
	}
	t.Statements = append(stated, t.Statements...)
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode tombstone: %w", err)
	}
	if earlier == nil && !damaged {
		_, err = s.Store.Create(ctx, tombstoneKey(d.ID), b, "application/json")
		if errors.Is(err, store.ErrExists) {
			return nil // another destroys it too, and was faster: its word stands
		}
	} else {
		_, err = s.Store.Put(ctx, tombstoneKey(d.ID), bytes.NewReader(b), store.PutOptions{Size: int64(len(b)), ContentType: "application/json"})
	}
	if err != nil {
		return fmt.Errorf("put tombstone: %w", err)
	}
	return nil
}

// state signs that a result was destroyed.
func (s *Sweeper) state(d *Due, r result) (Statement, error) {
	annex, err := seal.Annex{Reason: rule(d.DestroyAfter)}.Encode(rand.Reader)
	if err != nil {
		return Statement{}, err
	}
	e := seal.Event{Kind: seal.Deletion, Manifest: r.Manifest, Seq: r.Number, Predecessor: r.Predecessor, Time: seal.Second(s.Now()), Annex: seal.Digest(annex)}
	b, err := seal.SealEvent(r.Derivative, e, s.Key)
	if err != nil {
		return Statement{}, err
	}
	return Statement{Derivative: r.Derivative, Number: r.Number, Envelope: string(b), Annex: string(annex)}, nil
}

// attemptPrefixes are where an attempt writes. A clip that somebody hands in anew lies elsewhere.
func attemptPrefixes(id string) []string {
	return []string{store.Release + id + "/", store.Restricted + id + "/"}
}

// stray says what becomes of something in the store that has no record, and of which nothing tells until when it may stay: it
// is late where the job was destroyed before.
func (s *Sweeper) stray(ctx context.Context, id string) (Due, error) {
	t, err := TombstoneOf(ctx, s.Store, id)
	if errors.Is(err, store.ErrDamaged) {
		return Due{ID: id, Step: StepUnknown}, nil
	}
	if err != nil || t == nil {
		return Due{ID: id, Step: StepUnknown}, err
	}
	d := Due{ID: id, Step: StepUnknown, DestroyAfter: &t.DestroyAfter}
	for _, prefix := range attemptPrefixes(id) {
		for o, err := range s.Store.ListVersions(ctx, prefix) {
			if err != nil {
				return d, fmt.Errorf("list the store: %w", err)
			}
			if s.Now().Sub(o.Time) < s.quiet() {
				d.Step = StepWait // somebody may still be writing
				return d, nil
			}
			d.Step = StepLate
		}
	}
	return d, nil
}

// late destroys what an attempt wrote of a job that had been destroyed before.
func (s *Sweeper) late(ctx context.Context, d *Due) error {
	anew, err := s.anew(ctx, d.ID)
	if err != nil || anew {
		return err
	}
	if _, err := s.Queue.State(ctx, d.ID); !errors.Is(err, jobs.ErrNotFound) {
		return err // somebody hands the id in anew
	}
	if h, err := HoldOf(ctx, s.Store, d.ID); err != nil || h != nil { // set since the others were looked for
		d.Step, d.Hold = StepHeld, h
		return err
	}
	if err := s.empty(ctx, d, attemptPrefixes(d.ID)); err != nil {
		return err
	}
	d.Done = true
	return s.noteLate(ctx, d)
}

// noteLate logs that late remains were destroyed.
func (s *Sweeper) noteLate(ctx context.Context, d *Due) error {
	return s.Log.Write(ctx, access.Entry{Action: access.Deletion, Job: d.ID, Person: s.Person, Count: d.Removed,
		What: "late remains of a destroyed job", Reason: rule(d.DestroyAfter)})
}
