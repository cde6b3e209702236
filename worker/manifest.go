package main

import (
	"runtime"
	"time"

	"veil/worker/archive"
	"veil/worker/jobs"
	"veil/worker/store"
)

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
