package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"veil/pipeline"
	"veil/pipeline/account"
	"veil/worker/access"
	"veil/worker/archive"
	"veil/worker/disk"
	"veil/worker/jobs"
	"veil/worker/store"
)

// put stores everything the attempt made under its own prefix, the manifest last, each read back by the store.
func (t *task) put(ctx context.Context) (r jobs.Result, err error) {
	err = t.stage("put", func() error {
		digests := map[string]string{archive.PieceJob: t.record}
		pieces := []struct{ piece, name, path, kind string }{
			{archive.PieceDerivative, store.DerivativeName(t.job.DerivativeName()), t.outcome.Derivative, "video/mp4"},
			{"plan", store.PlanName, t.request.PlanOut, "application/json"},
			{archive.PieceReport, store.ReportName, t.request.ReportOut, "application/json"},
			{archive.PieceSheet, store.SheetName, t.scratch.Path(store.SheetName), "image/png"},
		}
		var derivative store.Object
		if err := t.putReports(ctx, digests); err != nil {
			return err
		}
		for i, p := range pieces {
			o, err := t.putFile(ctx, p.name, p.path, p.kind)
			if err != nil {
				return err
			}
			if p.piece == archive.PieceDerivative {
				derivative = o
			}
			digests[p.piece] = o.SHA256
			t.attempt.Progress("put", 100*(i+1)/(len(pieces)+1))
		}
		report := t.outcome.Report
		if derivative.SHA256 != report.Derivative.SHA256 || digests["plan"] != report.Plan {
			return fmt.Errorf("put derivative: %w", store.ErrDamaged)
		}
		m, err := t.manifest(derivative, digests)
		if err != nil {
			return err
		}
		envelope, err := archive.PutBytes(ctx, t.service.Store, t.prefix+store.ManifestName, m)
		if err != nil {
			return err
		}
		if err := t.service.Note(ctx, access.Entry{Action: access.Alteration, Job: t.job.ID, Reason: t.job.Purpose, Count: t.outcome.Report.Tracks,
			What: "derivative made: " + t.outcome.State}); err != nil {
			return err
		}
		r = jobs.Result{Outcome: jobs.Released, Envelope: envelope, Plan: digests["plan"], Digests: digests}
		if t.outcome.State == pipeline.Held {
			r.Outcome, r.Findings = jobs.Held, openFindings(report)
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
	case archive.DraftName, store.PlanName, store.ReportName, store.SheetName, store.ManifestName, store.JobName:
		return name
	}
	return archive.PieceDerivative
}

// manifest gives the canonical bytes of the account of this attempt.
func (t *task) manifest(derivative store.Object, digests map[string]string) ([]byte, error) {
	r := t.outcome.Report
	m := archive.Manifest{
		Schema: archive.ManifestSchema, Job: t.job.ID, Generation: t.state.Generation, Epoch: t.state.Epoch, Attempt: t.state.Attempts,
		Outcome:  jobs.Phase(t.outcome.State),
		Original: archive.Object{SHA256: t.source.SHA256, Bytes: r.Source.Bytes, Version: t.source.Version, ETag: t.source.ETag},
		Derivative: archive.Derivative{Name: store.DerivativeName(t.job.DerivativeName()), SHA256: derivative.SHA256, Bytes: derivative.Size,
			Encryption: derivative.Encryption},
		Policy: r.Policy, Report: digests[archive.PieceReport], Findings: openFindings(r), Encoder: r.Encoder, Sandbox: r.Sandbox, Store: t.trust,
		Withheld: map[string]string{"plan": digests["plan"], archive.PieceSheet: digests[archive.PieceSheet], archive.PieceJob: digests[archive.PieceJob]},
		Build: archive.Build{Revision: build().Revision, Go: build().Go, Analyzed: r.Analysis.Build, FFmpeg: r.Analysis.FFmpeg,
			OpenCV: r.Analysis.OpenCV, DecoderThreads: r.Analysis.DecoderThreads, EncoderThreads: t.config.Tools.EncoderThreads,
			Threads: t.config.Threads, Cores: runtime.NumCPU(), Networks: r.Analysis.Networks},
		Started: t.begun, Ended: time.Now().UTC(),
	}
	if m.Sandbox == nil {
		m.Sandbox = []string{}
	}
	if m.Findings == nil {
		m.Findings = []string{}
	}
	if len(t.job.Decisions) > 0 {
		m.Decisions = archive.DigestOf(t.job.Decisions)
	}
	return archive.Canonical(m)
}

// openFindings gives the kinds of what a person has to decide about, each once.
func openFindings(r pipeline.Report) []string {
	kept, seen := map[int]bool{}, map[string]bool{}
	for _, t := range r.Kept {
		kept[t] = true
	}
	var kinds []string
	for _, f := range r.Findings {
		if f.Dismissed || kept[f.Track] || seen[f.Kind] {
			continue
		}
		seen[f.Kind] = true
		kinds = append(kinds, f.Kind)
	}
	return kinds
}
