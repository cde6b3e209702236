package main

import (
	"context"
	"os"
	"time"

	"veil/pipeline"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/store"
	"veil/worker/text"
)

// setupCmd is `veil setup`: it makes what is missing at the servers and holds what is there against what veil needs.
type setupCmd struct {
	connect.Flags
	Replicas int           `group:"setup" default:"1" placeholder:"N" help:"Copies of everything in the queue; a cluster wants 3."`
	AckWait  time.Duration `group:"setup" default:"2m" placeholder:"TIME" help:"How long a silent worker keeps its job."`
	Events   time.Duration `group:"setup" default:"2160h" placeholder:"TIME" help:"How long events are kept."`
	Monitor  string        `group:"setup" placeholder:"URL" help:"The NATS server's monitoring port, to ask whether it syncs each write."`
	Rebuild  bool          `group:"setup" help:"Bring back the record of every job from the store, after the queue's own files were lost or set back to a backup."`
	Wait     time.Duration `group:"setup" default:"0s" placeholder:"TIME" help:"Wait so long for servers that do not answer yet."`
	// BucketPolicy needs an account that owns the bucket or may make it.
	BucketPolicy string `group:"setup" type:"existingfile" placeholder:"FILE" help:"Make the store's bucket where it is missing, and put this policy on it."`
}

// Validate refuses numbers that make no sense; kong calls it.
func (c *setupCmd) Validate() error {
	if c.Replicas < 1 || c.Replicas > 5 || c.AckWait < 5*time.Second || c.Events < time.Hour || c.Wait < 0 {
		return failure.Usagef("give 1 to 5 replicas, at least 5s to acknowledge, and at least 1h for events", "the numbers make no sense")
	}
	return nil
}

// setupAnswer is what setup tells.
type setupAnswer struct {
	Queue   jobs.Report      `json:"queue"`
	Store   store.Trust      `json:"store"`
	Key     string           `json:"key"` // fingerprint of the signing key, or "unsigned"
	Rebuilt *archive.Rebuilt `json:"rebuilt,omitempty"`
}

// setupAgain is the pause between two tries to reach the servers.
const setupAgain = time.Second

// Run sets up, and waits for servers that do not answer yet.
func (c *setupCmd) Run(ctx context.Context, a *app) error {
	for end := time.Now().Add(c.Wait); ; {
		err := c.run(ctx, a)
		if err == nil || !failure.Away(err) || !time.Now().Before(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(setupAgain):
		}
	}
}

// run sets up. It ends with exit 1 where something that is there differs from what veil needs.
func (c *setupCmd) run(ctx context.Context, a *app) error {
	key, err := a.signingKey(false)
	if err != nil {
		return err
	}
	s, err := c.Open()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if c.BucketPolicy != "" {
		policy, err := os.ReadFile(c.BucketPolicy)
		if err != nil {
			return failure.Usagef("name a readable file", "--bucket-policy cannot be read: %s", disk.Plain(err))
		}
		if err := c.PrepareBucket(ctx, policy); err != nil {
			return err
		}
	}
	answer := setupAnswer{Key: keyName(key)}
	answer.Queue, err = jobs.Setup(ctx, s.NC, jobs.SetupOptions{Replicas: c.Replicas, AckWait: c.AckWait, EventsAge: c.Events, Monitor: c.Monitor})
	if err != nil {
		return failure.OfQueue(err)
	}
	if answer.Store, err = s.CheckStore(ctx); err != nil {
		return err
	}
	if c.Rebuild {
		if s.Queue, err = jobs.Open(ctx, s.NC, jobs.Options{Validator: jobs.Validator{AnySource: true}}); err != nil {
			return failure.OfQueue(err)
		}
		if answer.Rebuilt, err = archive.Rebuild(ctx, s); err != nil {
			return failure.OfJob("of the store", err)
		}
	}
	if a.JSON {
		err = a.printJSON(answer)
	} else {
		a.printSetup(answer)
	}
	if err == nil && (len(answer.Queue.Differences) > 0 || answer.Rebuilt != nil && len(answer.Rebuilt.Unreadable)+len(answer.Rebuilt.Missing) > 0) {
		err = status(pipeline.ExitFailed)
	}
	return err
}

// printSetup is the answer for people.
func (a *app) printSetup(s setupAnswer) {
	for _, c := range s.Queue.Created {
		a.printf("made       %s\n", text.Printable(c))
	}
	if len(s.Queue.Created) == 0 {
		a.printf("queue      everything is there\n")
	}
	a.printf("sync       %s\n", s.Queue.Sync)
	if s.Queue.Sync == jobs.SyncUnknown {
		a.printf("           the server tells on its monitoring port only: --monitor URL\n")
	}
	for _, d := range s.Queue.Differences {
		a.printf("differs    %s: %s is %s, should be %s\n", text.Printable(d.Where), text.Printable(d.Field), text.Printable(d.Have), text.Printable(d.Want))
	}
	a.printf("store      %s, encryption %s, conditional writes %s\n", s.Store.Kind, orWord(s.Store.Encryption, "none"), yesNo(s.Store.Conditional))
	a.printf("key        %s\n", s.Key)
	if r := s.Rebuilt; r != nil {
		a.printf("rebuilt    %d records: %d answered, %d to do; %d were there, %d of them too old\n", r.Answered+r.Open, r.Answered, r.Open, r.There, r.Behind)
		if r.Emptied > 0 {
			a.printf("emptied    %d releases that were withdrawn and lay there again\n", r.Emptied)
		}
		for _, id := range r.Unreadable {
			a.printf("unreadable %s\n", text.Printable(id))
		}
		for _, id := range r.Missing {
			a.printf("missing    %s: the store lacks its result\n", text.Printable(id))
		}
	}
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
