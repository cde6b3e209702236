package main

import (
	"context"
	"fmt"
	"strings"

	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/seal"
)

// discloseCmd is `veil disclose`.
type discloseCmd struct {
	ID string `arg:"" help:"A released job."`
	connect.Flags
	Recipient string `required:"" placeholder:"NAME" help:"To whom it was handed."`
	Purpose   string `required:"" placeholder:"TEXT" help:"What for."`
	By        string `required:"" placeholder:"NAME" help:"Who handed it out."`
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
	key, err := a.signingKey(false)
	if err != nil {
		return err
	}
	s, err := c.Connect(ctx, intake.Options())
	if err != nil {
		return err
	}
	defer connect.Closing(s, &err)
	state, err := current(ctx, s, c.ID)
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
	put, err := archive.State(ctx, s, state, archive.Said{Kind: seal.Disclosure, Key: key,
		Annex: seal.Annex{By: c.By, Recipient: c.Recipient, Purpose: c.Purpose}})
	if err != nil {
		return failure.OfJob(c.ID, err)
	}
	d := disclosed{ID: state.ID, Statement: put.Key, SHA256: put.SHA256, Number: put.Number, Signed: key != nil}
	if a.JSON {
		return a.printJSON(d)
	}
	a.printf("%s disclosure %d recorded%s\n", d.ID, d.Number, map[bool]string{true: "", false: ", unsigned: --key signs it"}[d.Signed])
	return nil
}
