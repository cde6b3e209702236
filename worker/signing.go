package main

import (
	"context"
	"time"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/proof"
	"veil/worker/seal"
)

// unsigned stands for the fingerprint of a key that is not there.
const unsigned = "unsigned"

// signingKey reads the key that the settings name; nil where there is none and none is demanded.
func (a *app) signingKey(demanded bool) (*seal.Key, error) {
	key, err := proof.LoadKey(a.Key)
	if err == nil && key == nil && demanded {
		return nil, failure.Usagef("name one with --key; `veil keygen` makes one", "there is no key to sign with, and --require-signing demands one")
	}
	return key, err
}

// keyName is a key's fingerprint.
func keyName(key *seal.Key) string {
	if key == nil {
		return unsigned
	}
	return key.ID()
}

// trusted finds the key in the trust file that the flags name.
func (f *workerFlags) trusted(key *seal.Key) (seal.TrustedKey, error) {
	b, err := disk.ReadDocument(f.Trust)
	if err != nil {
		return seal.TrustedKey{}, failure.Usagef("name a readable file", "the trust file cannot be read: %s", disk.Plain(err))
	}
	t, err := seal.ParseTrust(b)
	if err != nil {
		return seal.TrustedKey{}, failure.Usagef("mend it; docs/evidence.md tells its fields", "%s", err)
	}
	for _, k := range t.Keys {
		if seal.KeyID(k.Public) == key.ID() {
			return k, nil
		}
	}
	return seal.TrustedKey{}, failure.Usagef("add it, or sign with a key that is there", "the trust file does not know the key %s", key.ID())
}

// checkKey refuses a key that the trust file, where one is named, does not call good at that time: what it signs would fail.
func (f *workerFlags) checkKey(key *seal.Key, now time.Time) error {
	if f.Trust == "" || key == nil {
		return nil
	}
	k, err := f.trusted(key)
	switch {
	case err != nil:
		return err
	case !k.Compromised.IsZero():
		return failure.Usagef("sign with another key", "the trust file calls the key %s compromised", key.ID())
	case now.Before(k.From), !k.Until.IsZero() && !now.Before(k.Until):
		return failure.Usagef("sign with a key that is good now", "the trust file does not call the key %s good at this time", key.ID())
	}
	return nil
}

// sealedBy says whether the sets of this run are signed, and by which key.
func (a *app) sealedBy() string {
	key, err := proof.LoadKey(a.Key)
	if err != nil || key == nil {
		return "unsigned: nobody vouches for it (--key signs)"
	}
	return "signed by " + key.ID()
}

// seals has the set of a clip's evidence written beside its derivative, just before that appears. What is returned keeps the
// event log.
func (a *app) seals(r *pipeline.Request, p disk.Paths) (*proof.Recorder, error) {
	key, err := a.signingKey(false)
	if err != nil {
		return nil, err
	}
	if err := freeNames(p, r.Plan); err != nil {
		return nil, err
	}
	begun := time.Now()
	events := proof.Begin(time.Now, map[string]string{"build": build().Revision})
	config := r.Config
	r.Seal = func(_ context.Context, o pipeline.Outcome) error {
		if err := events.Redacted(o); err != nil {
			return err
		}
		f := proof.Facts{Outcome: o, Config: config, Revision: build().Revision, Go: build().Go, Begun: begun, Annex: seal.Annex{Source: disk.Base(p.In)}}
		if o.Account != nil {
			f.Annex.Persons = o.Account.Persons
		}
		set, err := proof.Make(f, events, key, time.Now())
		if err != nil {
			return err
		}
		return set.Write(o.Derivative, o.State == pipeline.Released)
	}
	return events, nil
}

// freeNames refuses names under which the set would overwrite something else: the plan that is rendered, another output, or
// what belongs to an earlier set.
func freeNames(p disk.Paths, plan string) error {
	for _, out := range []string{p.Out, pipeline.HeldName(p.Out)} {
		if err := proof.CheckFree(out); err != nil {
			return err
		}
		stem := evidence.Stem(out)
		own := map[string]string{stem + evidence.PlanEnding: p.Plan, stem + evidence.ReportEnding: p.Report, stem + evidence.LogEnding: "",
			stem + evidence.AnnexEnding: "", stem + evidence.ManifestEnding: ""}
		for path, allowed := range own {
			if plan != "" && out == p.Out && disk.Same(path, plan) {
				return failure.Usagef("choose another name", "the evidence of %s would overwrite the plan itself", disk.Base(out))
			}
			for _, other := range []string{p.In, p.Plan, p.Report, p.Sheet} {
				if other == path && other != allowed {
					return failure.Usagef("name each output apart", "%s belongs to the evidence of %s", disk.Base(path), disk.Base(out))
				}
			}
		}
	}
	return nil
}
