package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"veil/pipeline/decide"
	"veil/worker/jobs"
	"veil/worker/store"
)

// ManifestSchema names the version of the manifest's format (docs/worker.md).
const ManifestSchema = "veil.manifest/1"

// MaxManifest bounds a manifest, in bytes.
const MaxManifest = 1 << 20

// Manifest binds a result to what it was made from and with. It goes out with the derivative, so it names no case, requester,
// purpose or place of the source; what stays restricted is bound by its digest.
type Manifest struct {
	Schema     string            `json:"schema"`
	Job        string            `json:"job"`
	Generation int               `json:"generation"`
	Epoch      int               `json:"epoch"`
	Attempt    int               `json:"attempt"`
	Outcome    jobs.Phase        `json:"outcome"` // released or held
	Original   Object            `json:"original"`
	Derivative Derivative        `json:"derivative"`
	Policy     string            `json:"policy"`              // digest of its canonical bytes
	Decisions  string            `json:"decisions,omitempty"` // digest of what a person decided
	Report     string            `json:"report"`
	Withheld   map[string]string `json:"withheld"` // digests of what stays restricted: plan, contact, job
	Findings   []string          `json:"findings"` // kinds that hold the derivative back
	Build      Build             `json:"build"`
	Encoder    []string          `json:"encoder"`
	Sandbox    []string          `json:"sandbox"` // what the processes that read the clip were denied
	Store      store.Trust       `json:"store"`
	Started    time.Time         `json:"started"`
	Ended      time.Time         `json:"ended"`
}

// Object is the original as its store knew it.
type Object struct {
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Version string `json:"version,omitempty"`
	ETag    string `json:"etag,omitempty"`
}

// Derivative is what was made.
type Derivative struct {
	Name       string `json:"name"`
	SHA256     string `json:"sha256"` // of the bytes that the store gave back
	Bytes      int64  `json:"bytes"`
	Encryption string `json:"encryption,omitempty"` // what the store confirms, or "declared"
}

// Build is what it was made with.
type Build struct {
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

// Canonical encodes v with sorted keys and no spaces. Numbers are written as encoding/json does, which is RFC 8785's way for
// whole numbers and for the short fractions that stand in a manifest; keys are ASCII.
func Canonical(v any) ([]byte, error) {
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
