package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"veil/pipeline"
	"veil/pipeline/account"
	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/disk"
	"veil/worker/jobs"
	"veil/worker/proof"
	"veil/worker/seal"
	"veil/worker/store"
)

// put stores everything the attempt made under its own prefix, the manifest last, each read back by the store.
func (t *task) put(ctx context.Context) (r jobs.Result, err error) {
	err = t.stage("put", func() error {
		digests := map[string]string{archive.PieceJob: t.record}
		files := []struct{ piece, name, path, kind string }{
			{archive.PieceDerivative, store.DerivativeName(t.job.DerivativeName()), t.outcome.Derivative, "video/mp4"},
			{archive.PiecePlan, store.PlanName, t.request.PlanOut, "application/json"},
			{archive.PieceReport, store.ReportName, t.request.ReportOut, "application/json"},
			{archive.PieceSheet, store.SheetName, t.scratch.Path(store.SheetName), "image/png"},
		}
		if err := t.putReports(ctx, digests); err != nil {
			return err
		}
		objects := map[string]store.Object{}
		for i, p := range files {
			o, err := t.putFile(ctx, p.name, p.path, p.kind)
			if err != nil {
				return err
			}
			objects[p.piece], digests[p.piece] = o, o.SHA256
			t.attempt.Progress("put", 100*(i+1)/(len(files)+1))
		}
		set, err := t.set(objects)
		if err != nil {
			return err
		}
		var envelope string
		for _, p := range []struct {
			piece, name string
			b           []byte
		}{{archive.PieceLog, store.LogName, set.Log}, {archive.PieceAnnex, store.AnnexName, set.Annex}, {"", store.ManifestName, set.Manifest}} {
			sum, err := archive.PutBytes(ctx, t.service.Store, t.prefix+p.name, p.b)
			if err != nil {
				return err
			}
			if p.piece == "" {
				envelope = sum
			} else {
				digests[p.piece] = sum
			}
		}
		r = jobs.Result{Outcome: jobs.Released, Envelope: envelope, Plan: digests[archive.PiecePlan], Digests: digests}
		if t.key != nil {
			r.Key = t.key.ID()
		}
		if err := t.service.Log(ctx, access.Entry{Action: access.Alteration, Job: t.job.ID, Reason: t.job.Purpose, Count: t.outcome.Report.Tracks,
			What: "derivative made: " + t.outcome.State}); err != nil {
			return err
		}
		if t.outcome.State == pipeline.Held {
			r.Outcome, r.Findings = jobs.Held, proof.OpenFindings(t.outcome.Report)
		}
		return nil
	})
	return r, err
}

// putReports makes the reports for the file, and puts them beside the plan. They follow from plan and report alone, which the
// manifest names.
func (t *task) putReports(ctx context.Context, digests map[string]string) error {
	plan, err := os.ReadFile(t.request.PlanOut)
	if err != nil {
		return fmt.Errorf("read plan: %w", disk.Plain(err))
	}
	report, err := os.ReadFile(t.request.ReportOut)
	if err != nil {
		return fmt.Errorf("read report: %w", disk.Plain(err))
	}
	docs, err := account.Dossier(plan, report)
	if err != nil {
		return fmt.Errorf("make reports: %w", err)
	}
	for _, d := range docs {
		sum := archive.DigestOf(d.Data)
		o := store.PutOptions{Size: int64(len(d.Data)), SHA256: sum, ContentType: d.ContentType}
		if _, err := t.service.Store.Put(ctx, t.prefix+d.Name, bytes.NewReader(d.Data), o); err != nil {
			return fmt.Errorf("put %s: %w", d.Name, err)
		}
		digests[d.Name] = sum
	}
	return nil
}

// set makes the evidence of this attempt. What the store gave back must be what the pipeline made.
func (t *task) set(objects map[string]store.Object) (proof.Pieces, error) {
	o := t.outcome
	derivative, sheet := objects[archive.PieceDerivative], objects[archive.PieceSheet]
	annex := seal.Annex{Source: t.job.Source.Bucket + "/" + t.job.Source.Key, Case: t.job.Case, Requester: t.job.Requester, Purpose: t.job.Purpose,
		Job: t.record}
	if o.Account != nil {
		annex.Persons = o.Account.Persons
	}
	if len(t.job.Decisions) > 0 {
		annex.Decisions = archive.DigestOf(t.job.Decisions)
	}
	if err := t.events.Redacted(o); err != nil {
		return proof.Pieces{}, err
	}
	set, err := proof.Make(proof.Facts{
		Outcome: o, Config: t.config, Revision: build().Revision, Go: build().Go, Begun: t.begun, Annex: annex,
		Job:        &seal.Job{ID: t.job.ID, Generation: t.state.Generation, Epoch: t.state.Epoch, Attempt: t.state.Attempts},
		Supersedes: t.state.Supersedes, Version: t.source.Version, ETag: t.source.ETag, Encryption: derivative.Encryption,
		Store:   &seal.Store{Kind: t.trust.Kind, Encryption: t.trust.Encryption, Conditional: t.trust.Conditional, Versions: t.trust.Versions},
		Contact: &seal.File{SHA256: sheet.SHA256, Bytes: sheet.Size},
	}, t.events, t.key, time.Now())
	if err != nil {
		return proof.Pieces{}, err
	}
	if derivative.SHA256 != o.Report.Derivative.SHA256 || objects[archive.PiecePlan].SHA256 != o.Report.Plan ||
		objects[archive.PiecePlan].SHA256 != archive.DigestOf(set.Plan) || objects[archive.PieceReport].SHA256 != archive.DigestOf(set.Report) {
		return proof.Pieces{}, fmt.Errorf("put derivative: %w", store.ErrDamaged)
	}
	return set, nil
}

// putFile puts one file under the attempt's prefix. Its digest was taken here; the store's is of what came back.
func (t *task) putFile(ctx context.Context, name, path, kind string) (store.Object, error) {
	d, err := pipeline.DigestFile(ctx, path, nil)
	if err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", name, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", name, disk.Plain(err))
	}
	defer f.Close()
	o, err := t.service.Store.Put(ctx, t.prefix+name, f, store.PutOptions{Size: d.Bytes, SHA256: d.SHA256, ContentType: kind})
	if err != nil {
		return store.Object{}, fmt.Errorf("put %s: %w", pieceOf(name), err)
	}
	if o.SHA256 != d.SHA256 {
		return store.Object{}, fmt.Errorf("put %s: %w", pieceOf(name), store.ErrDamaged)
	}
	o.Size = d.Bytes
	return o, nil
}

// pieceOf names an object in an error: the derivative's own name is the submitter's choice.
func pieceOf(name string) string {
	switch name {
	case archive.DraftName, store.PlanName, store.LogName, store.AnnexName, store.ReportName, store.SheetName, store.ManifestName, store.JobName:
		return name
	}
	return archive.PieceDerivative
}
