// Package proof makes the evidence of one clip: it keeps the event log while the clip is worked on, turns what the pipeline
// tells into a manifest and an annex, signs, and writes the set beside a derivative.
//
// It owns how the pipeline's words become those of package seal, and the key files of the command line. It never decodes, never
// checks (package evidence does), and knows no queue and no store: the worker hands over what those told.
package proof

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"veil/pipeline"
	"veil/worker/seal"
)

// Facts are what a manifest is made from.
type Facts struct {
	Outcome  pipeline.Outcome
	Config   pipeline.Config
	Revision string // of this build
	Go       string
	Begun    time.Time
	Annex    seal.Annex
	// What only a worker knows.
	Job        *seal.Job
	Supersedes string
	Version    string // of the original, in its store
	ETag       string
	Encryption string // of the derivative
	Store      *seal.Store
	Contact    *seal.File
}

// Pieces are the files of a set, but for the derivative.
type Pieces struct {
	Plan, Report, Log, Annex, Manifest []byte
}

// Make closes the log and makes every file of the set. With a nil key the manifest stays unsigned.
func Make(f Facts, log *Recorder, key *seal.Key, now time.Time) (p Pieces, err error) {
	account := f.Outcome.Account
	if account == nil {
		return p, fmt.Errorf("make manifest: nothing is known of the derivative's frames")
	}
	r := f.Outcome.Report
	p.Plan = account.Plan
	if p.Report, err = EncodeReport(r); err != nil {
		return p, err
	}
	if p.Annex, err = f.Annex.Encode(rand.Reader); err != nil {
		return p, err
	}
	if err := log.Add("sealed", map[string]string{"derivative": r.Derivative.SHA256, "plan": seal.Digest(p.Plan), "report": seal.Digest(p.Report)}); err != nil {
		return p, err
	}
	p.Log = log.log.Bytes()
	m := f.manifest(account)
	m.Report = file(p.Report)
	m.Withheld = seal.Withheld{Plan: file(p.Plan), Log: log.log.Head(), Annex: seal.Digest(p.Annex), Contact: f.Contact}
	m.Times = seal.Times{Started: seal.Second(f.Begun), Ended: seal.Second(now), Sealed: seal.Second(now)}
	if m.Times.Ended.Before(m.Times.Started) { // the clock was set back
		m.Times.Started = m.Times.Ended
	}
	p.Manifest, err = seal.SealManifest(m, key)
	return p, err
}

// EncodeReport gives the bytes of a report, as the pipeline writes it.
func EncodeReport(r pipeline.Report) ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return append(b, '\n'), nil
}

func file(b []byte) seal.File { return seal.File{SHA256: seal.Digest(b), Bytes: int64(len(b))} }

// manifest is everything but the pieces and the times.
func (f Facts) manifest(a *pipeline.Account) seal.Manifest {
	r := f.Outcome.Report
	m := seal.Manifest{
		Outcome: f.Outcome.State, Job: f.Job, Supersedes: f.Supersedes,
		Original: seal.Original{SHA256: r.Source.SHA256, Bytes: r.Source.Bytes, Version: f.Version, ETag: f.ETag},
		Derivative: seal.Derivative{SHA256: r.Derivative.SHA256, Bytes: r.Derivative.Bytes, Encryption: f.Encryption, Frames: seal.Frames{
			Algorithm: "sha256", Width: a.Shown.Width, Height: a.Shown.Height, PixelFormat: a.Shown.Format, TimeBase: a.Shown.TimeBase,
			PTS: list(a.Shown.PTS), Digests: list(a.Shown.SHA256)}},
		Policy: seal.Policy{Name: r.PolicyName, SHA256: r.Policy},
		Redaction: seal.Redaction{Frames: r.Frames, Tracks: r.Tracks, Kept: len(r.Kept), Decided: a.Decided, Masked: seal.Decimal(r.Masked),
			WholeFrames: r.WholeFrames, Audio: r.Audio, Findings: OpenFindings(r), Notes: []string{}, Warnings: list(r.Warnings)},
		Removed: []seal.Removed{}, Concealed: seal.Concealed{Spans: list(a.Concealed)},
		Verified: seal.Verified{Checks: []seal.Check{}, PSNR: seal.Decimal(a.PSNR), Rounds: r.Rounds},
		Software: seal.Software{Veil: f.Revision, Analyzed: r.Analysis.Build, Go: f.Go, FFmpeg: r.Analysis.FFmpeg, OpenCV: r.Analysis.OpenCV, Networks: []seal.Network{}},
		Settings: seal.Settings{DecoderThreads: f.Config.Tools.DecoderThreads, EncoderThreads: f.Config.Tools.EncoderThreads, Threads: f.Config.Threads,
			Cores: cores(), CPU: CPU(), CRF: r.CRF},
		Encoder: list(r.Encoder), Sandbox: list(r.Sandbox), Store: f.Store,
	}
	for _, n := range r.Notes {
		m.Redaction.Notes = append(m.Redaction.Notes, n.Text)
	}
	for _, d := range r.Removed {
		m.Removed = append(m.Removed, seal.Removed{Kind: d.Kind, Count: d.Count})
	}
	for _, s := range a.Concealed {
		m.Concealed.Frames += s[1] - s[0] + 1
	}
	for _, k := range r.Checks {
		m.Verified.Checks = append(m.Verified.Checks, seal.Check{Name: k.Name, Result: k.Result, Text: k.Text})
	}
	for _, n := range r.Analysis.Networks {
		m.Software.Networks = append(m.Software.Networks, seal.Network{Name: n.Name, SHA256: n.SHA256, Engine: n.Engine, Longs: list(n.Longs),
			Threshold: seal.Decimal(n.Threshold), Every: n.Every})
	}
	return m
}

// list is a list that is never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// OpenFindings gives the kinds of what a person has to decide about, each once; never nil.
func OpenFindings(r pipeline.Report) []string {
	kinds := []string{}
	for _, f := range r.Findings {
		if !f.Dismissed && !slices.Contains(r.Kept, f.Track) && !slices.Contains(kinds, f.Kind) {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}
