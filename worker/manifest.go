package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"veil/pipeline/decide"
	"veil/worker/jobs"
	"veil/worker/store"
)

// manifestSchema names the version of the manifest's format (docs/worker.md).
const manifestSchema = "veil.manifest/1"

// maxManifest bounds a manifest, in bytes.
const maxManifest = 1 << 20

// manifest binds a result to what it was made from and with. It goes out with the derivative, so it names no case, requester,
// purpose or place of the source; what stays restricted is bound by its digest.
type manifest struct {
	Schema     string             `json:"schema"`
	Job        string             `json:"job"`
	Generation int                `json:"generation"`
	Epoch      int                `json:"epoch"`
	Attempt    int                `json:"attempt"`
	Outcome    jobs.Phase         `json:"outcome"` // released or held
	Original   manifestObject     `json:"original"`
	Derivative manifestDerivative `json:"derivative"`
	Policy     string             `json:"policy"`              // digest of its canonical bytes
	Decisions  string             `json:"decisions,omitempty"` // digest of what a person decided
	Report     string             `json:"report"`
	Withheld   map[string]string  `json:"withheld"` // digests of what stays restricted: plan, contact, job
	Findings   []string           `json:"findings"` // kinds that hold the derivative back
	Build      manifestBuild      `json:"build"`
	Encoder    []string           `json:"encoder"`
	Sandbox    []string           `json:"sandbox"` // what the processes that read the clip were denied
	Store      store.Trust        `json:"store"`
	Started    time.Time          `json:"started"`
	Ended      time.Time          `json:"ended"`
}

type manifestObject struct {
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Version string `json:"version,omitempty"`
	ETag    string `json:"etag,omitempty"`
}

type manifestDerivative struct {
	Name       string `json:"name"`
	SHA256     string `json:"sha256"` // of the bytes that the store gave back
	Bytes      int64  `json:"bytes"`
	Encryption string `json:"encryption,omitempty"` // what the store confirms, or "declared"
}

type manifestBuild struct {
	Revision       string           `json:"revision"`
	Go             string           `json:"go"`
	Analyzed       string           `json:"analyzed"` // revision that made the plan
	FFmpeg         string           `json:"ffmpeg"`
	OpenCV         string           `json:"opencv"`
	DecoderThreads int              `json:"decoder_threads"`
	EncoderThreads int              `json:"encoder_threads"`
	Threads        int              `json:"threads"` // for the networks; 0 means all cores
	Cores          int              `json:"cores"`
	Networks       []decide.Network `json:"networks"`
}

// manifest gives the canonical bytes of the account of this attempt.
func (t *task) manifest(derivative store.Object, digests map[string]string) ([]byte, error) {
	r := t.outcome.Report
	m := manifest{
		Schema: manifestSchema, Job: t.job.ID, Generation: t.state.Generation, Epoch: t.state.Epoch, Attempt: t.state.Attempts,
		Outcome:  jobs.Phase(t.outcome.State),
		Original: manifestObject{SHA256: t.source.SHA256, Bytes: r.Source.Bytes, Version: t.source.Version, ETag: t.source.ETag},
		Derivative: manifestDerivative{Name: store.DerivativeName(t.job.DerivativeName()), SHA256: derivative.SHA256, Bytes: derivative.Size,
			Encryption: derivative.Encryption},
		Policy: r.Policy, Report: digests[pieceReport], Findings: openFindings(r), Encoder: r.Encoder, Sandbox: r.Sandbox, Store: t.trust,
		Withheld: map[string]string{"plan": digests["plan"], pieceSheet: digests[pieceSheet], pieceJob: digests[pieceJob]},
		Build: manifestBuild{Revision: build().Revision, Go: build().Go, Analyzed: r.Analysis.Build, FFmpeg: r.Analysis.FFmpeg,
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
		m.Decisions = digestOf(t.job.Decisions)
	}
	return canonical(m)
}

// canonical encodes v with sorted keys and no spaces. Numbers are written as encoding/json does, which is RFC 8785's way for
// whole numbers and for the short fractions that stand in a manifest; keys are ASCII.
func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
