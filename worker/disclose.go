package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"veil/worker/access"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/seal"
	"veil/worker/store"
)

// discloseCmd is `veil disclose`.
type discloseCmd struct {
	ID string `arg:"" help:"A released job."`
	connect.Flags
	Recipient string `required:"" placeholder:"NAME" help:"To whom it was handed."`
	Purpose   string `required:"" placeholder:"TEXT" help:"What for."`
	By        string `required:"" placeholder:"NAME" help:"Who handed it out."`
	Key       string `placeholder:"FILE" help:"Private key that signs the record; without it the record is unsigned."`
}

// disclosed is the answer of veil disclose.
type disclosed struct {
	ID        string `json:"id"`
	Statement string `json:"statement"` // key in the store
	SHA256    string `json:"sha256"`
	Number    int    `json:"number"`
	Signed    bool   `json:"signed"`
}

// Run records a disclosure: the access log first, then the annex with the names, then the statement that binds it.
func (c *discloseCmd) Run(ctx context.Context, a *app) (err error) {
	for _, s := range []string{c.Recipient, c.Purpose, c.By} {
		if strings.TrimSpace(s) == "" {
			return failure.Usagef("give all three", "--recipient, --purpose and --by must say something")
		}
	}
	key, err := readKey(c.Key)
	if err != nil {
		return err
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	state, err := s.Queue.State(ctx, c.ID)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if state.Phase != jobs.Released || state.Result == nil {
		return failure.Coded(failure.Phase, fmt.Sprintf("job %s is %s, and only what is released can be handed out", c.ID, state.Phase))
	}
	if err := s.Note(ctx, access.Entry{Action: access.Disclosure, Job: c.ID, Person: c.By, Recipient: c.Recipient, Reason: c.Purpose,
		What: "disclosure recorded"}); err != nil {
		return err
	}
	d, err := c.record(ctx, s, state, key)
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	if a.JSON {
		return a.printJSON(d)
	}
	a.printf("%s disclosure %d recorded%s\n", d.ID, d.Number, map[bool]string{true: "", false: ", unsigned: --key signs it"}[d.Signed])
	return nil
}

// readKey reads a private key; nil where none is named.
func readKey(path string) (*seal.Key, error) {
	if path == "" {
		return nil, nil
	}
	b, err := disk.ReadDocument(path)
	if err != nil {
		return nil, failure.Usagef("name a readable key", "--key cannot be read: %s", disk.Plain(err))
	}
	key, err := seal.ParseKey(b)
	if err != nil {
		return nil, failure.Usagef("name a key that `veil keygen` made", "--key: %s", err)
	}
	return key, nil
}

// maxDisclosures bounds the statements of one generation.
const maxDisclosures = 1000

// record puts the next statement about a release. Two at once cannot take the same number: the loser takes the next.
func (c *discloseCmd) record(ctx context.Context, s *connect.Service, state jobs.State, key *seal.Key) (disclosed, error) {
	r := state.Result
	annex, err := seal.Annex{By: c.By, Recipient: c.Recipient, Purpose: c.Purpose}.Encode(rand.Reader)
	if err != nil {
		return disclosed{}, err
	}
	names := fmt.Sprintf("%s%s/statements/annex-%s.json", store.Restricted, state.ID, seal.Digest(annex))
	if _, err := s.Store.Create(ctx, names, annex, "application/json"); err != nil {
		return disclosed{}, err
	}
	predecessor := r.Envelope
	for n := 1; n <= maxDisclosures; n++ {
		at := statementKey(state, n)
		have, _, err := s.Store.Read(ctx, at, seal.MaxEnvelope)
		if err == nil {
			predecessor = seal.Digest(have)
			continue
		}
		if !errors.Is(err, store.ErrNotFound) {
			return disclosed{}, err
		}
		e := seal.Event{Kind: seal.Disclosure, Manifest: r.Envelope, Seq: n, Predecessor: predecessor, Time: seal.Second(time.Now()), Annex: seal.Digest(annex)}
		b, err := seal.SealEvent(r.Digests["derivative"], e, key)
		if err != nil {
			return disclosed{}, err
		}
		_, err = s.Store.Create(ctx, at, b, "application/json")
		if errors.Is(err, store.ErrExists) {
			n-- // another was faster: its statement is the predecessor now
			continue
		}
		if err != nil {
			return disclosed{}, err
		}
		return disclosed{ID: state.ID, Statement: at, SHA256: seal.Digest(b), Number: n, Signed: key != nil}, nil
	}
	return disclosed{}, failure.Coded(failure.Phase, fmt.Sprintf("job %s has %d statements, which is as many as there can be", state.ID, maxDisclosures))
}

// statementKey is where the n-th later statement about a release lies.
func statementKey(state jobs.State, n int) string {
	return fmt.Sprintf("%s%s/statements/%d-%d.json", store.Restricted, state.ID, state.Result.Generation, n)
}
