package seal

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Types of statements, and the one name that a subject has: a derivative's own name may tell too much.
const (
	StatementType  = "https://in-toto.io/Statement/v1"
	ManifestType   = "urn:veil:manifest:1"
	EventType      = "urn:veil:statement:1"
	subjectName    = "derivative"
	maxText        = 1000
	frameAlgorithm = "sha256"
)

// ErrType says that the envelope holds a statement of another type than the one that is asked for.
var ErrType = errors.New("holds another kind of statement")

// statement is an in-toto statement (v1) about one derivative.
type statement[P any] struct {
	Type          string    `json:"_type"`
	Predicate     P         `json:"predicate"`
	PredicateType string    `json:"predicateType"`
	Subject       []subject `json:"subject"`
}

type subject struct {
	Digest digestSet `json:"digest"`
	Name   string    `json:"name"`
}

type digestSet struct {
	SHA256 string `json:"sha256"`
}

// about makes a statement about the derivative that a digest names.
func about[P any](derivative, kind string, p P) statement[P] {
	return statement[P]{Type: StatementType, PredicateType: kind, Predicate: p,
		Subject: []subject{{Name: subjectName, Digest: digestSet{derivative}}}}
}

// read reads a statement of one kind and gives the digest of the derivative that it is about.
func read[P any](payload []byte, kind string, p *P) (derivative string, err error) {
	var head struct {
		Kind string `json:"predicateType"`
	}
	if tree, err := parse(payload); err == nil {
		if fields, ok := tree.(map[string]any); ok {
			head.Kind, _ = fields["predicateType"].(string)
		}
	}
	if head.Kind != kind && (head.Kind == ManifestType || head.Kind == EventType) {
		return "", ErrType
	}
	var s statement[P]
	if err := Decode(payload, &s); err != nil {
		return "", err
	}
	if s.Type != StatementType || s.PredicateType != kind {
		return "", ErrType
	}
	if len(s.Subject) != 1 || s.Subject[0].Name != subjectName || !IsDigest(s.Subject[0].Digest.SHA256) {
		return "", fmt.Errorf("%w: subject", ErrContent)
	}
	*p = s.Predicate
	return s.Subject[0].Digest.SHA256, nil
}

// Outcomes of a clip.
const (
	Released = "released"
	Held     = "held"
)

// Manifest binds a derivative to what it was made from, by what and how. It goes out with the derivative: it names no person,
// case, purpose or file, and what stays restricted is bound by digest (Withheld). Fractions are strings (Decimal), times are
// UTC in whole seconds.
type Manifest struct {
	Outcome string `json:"outcome"` // released or held
	Job     *Job   `json:"job,omitempty"`
	// Supersedes is the SHA-256 of the manifest file of the generation before.
	Supersedes string     `json:"supersedes,omitempty"`
	Original   Original   `json:"original"`
	Derivative Derivative `json:"derivative"`
	Report     File       `json:"report"`
	Withheld   Withheld   `json:"withheld"`
	Policy     Policy     `json:"policy"`
	Redaction  Redaction  `json:"redaction"`
	Removed    []Removed  `json:"removed"` // of the source, by kind
	Concealed  Concealed  `json:"concealed"`
	Verified   Verified   `json:"verified"`
	Software   Software   `json:"software"`
	Settings   Settings   `json:"settings"`
	Encoder    []string   `json:"encoder"` // the encoder's arguments, without file names
	Sandbox    []string   `json:"sandbox"` // what the processes that read the clip were denied; empty: nothing
	Store      *Store     `json:"store,omitempty"`
	Times      Times      `json:"times"`
}

// Job is the place of the attempt in a queue; a clip redacted on the command line has none.
type Job struct {
	ID         string `json:"id"`
	Generation int    `json:"generation"`
	Epoch      int    `json:"epoch"`
	Attempt    int    `json:"attempt"`
}

// File names bytes.
type File struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Original is the clip that was redacted, as it was before and after.
type Original struct {
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Version string `json:"version,omitempty"`
	ETag    string `json:"etag,omitempty"`
}

// Derivative is the redacted clip. The subject names its SHA-256 as well; both are the same.
type Derivative struct {
	SHA256     string `json:"sha256"`
	Bytes      int64  `json:"bytes"`
	Encryption string `json:"encryption,omitempty"` // what the store confirms, or "declared"
	Frames     Frames `json:"frames"`
}

// Frames names every decoded frame: its time stamp, and a digest of its samples as `ffmpeg -f framehash` takes it.
type Frames struct {
	Algorithm   string   `json:"algorithm"` // sha256
	Width       int      `json:"width"`
	Height      int      `json:"height"`
	PixelFormat string   `json:"pixel_format"` // ffmpeg's name, "yuv420p"
	TimeBase    string   `json:"time_base"`    // the tick in seconds, "1/12800"
	PTS         []int64  `json:"pts"`          // in ticks, rising
	Digests     []string `json:"digests"`      // as many
}

// Withheld binds what stays restricted.
type Withheld struct {
	Plan File    `json:"plan"`
	Log  LogHead `json:"log"`
	// Annex is the SHA-256 of the annex, which holds 32 random bytes: nobody can find its content by trying names.
	Annex   string `json:"annex"`
	Contact *File  `json:"contact,omitempty"`
}

// Policy names the policy in force.
type Policy struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of its canonical bytes
}

// Redaction sums up what was covered.
type Redaction struct {
	Frames      int      `json:"frames"`
	Tracks      int      `json:"tracks"`
	Kept        int      `json:"kept"`         // tracks that a person decided to leave visible
	Decided     bool     `json:"decided"`      // a person decided about the plan: withheld.plan says who and what
	Masked      string   `json:"masked"`       // share of the picture area over time, 0 to 1
	WholeFrames int      `json:"whole_frames"` // frames that are covered entirely
	Audio       string   `json:"audio"`
	Findings    []string `json:"findings"` // kinds that hold the derivative back
	Notes       []string `json:"notes"`
	Warnings    []string `json:"warnings"`
}

// Removed counts one kind of thing in the source that the derivative does not carry.
type Removed struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// Concealed lists the frames that could not be decoded as they were recorded; each is covered entirely.
type Concealed struct {
	Frames int      `json:"frames"`
	Spans  [][2]int `json:"spans"` // first and last frame, counted from 0
}

// Verified is what the check of the finished file saw.
type Verified struct {
	Checks []Check `json:"checks"`
	PSNR   string  `json:"psnr"`   // of the untouched area, dB; 100 where it is exact
	Rounds int     `json:"rounds"` // how often the clip was rendered again because a face was found outside every mask
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Text   string `json:"text"`
}

// Software is what the derivative was made with.
type Software struct {
	Veil     string    `json:"veil"`     // revision of the build that rendered
	Analyzed string    `json:"analyzed"` // revision of the build that made the plan
	Go       string    `json:"go"`
	FFmpeg   string    `json:"ffmpeg"`
	OpenCV   string    `json:"opencv"`
	Networks []Network `json:"networks"`
}

// Network is one detector as it was used.
type Network struct {
	Name      string `json:"name"`
	SHA256    string `json:"sha256"` // of the weights
	Engine    string `json:"engine"`
	Longs     []int  `json:"longs"` // long sides of the pictures it was shown
	Threshold string `json:"threshold"`
	Every     int    `json:"every"` // looked at every n-th frame
}

// Settings are those that pixels or speed depend on.
type Settings struct {
	DecoderThreads int    `json:"decoder_threads"`
	EncoderThreads int    `json:"encoder_threads"`
	Threads        int    `json:"threads"` // for the networks; 0 means all cores
	Cores          int    `json:"cores"`
	CPU            string `json:"cpu"` // architecture and level, "amd64 v3"
	CRF            int    `json:"crf"`
}

// Store is what the object store was found to keep.
type Store struct {
	Kind        string `json:"kind"`
	Encryption  string `json:"encryption"`
	Conditional bool   `json:"conditional_writes"`
	Versions    bool   `json:"versions"`
}

// Times are of the machine's clock: claims, unless a time stamp proves them.
type Times struct {
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Sealed  time.Time `json:"sealed"` // when the manifest was signed
}

// SealManifest puts a manifest into an envelope and signs it; with a nil key it stays unsigned.
func SealManifest(m Manifest, key *Key) ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("seal manifest: %w", err)
	}
	return Wrap(about(m.Derivative.SHA256, ManifestType, m), key)
}

// ParseManifest reads the payload of an envelope.
func ParseManifest(payload []byte) (Manifest, error) {
	var m Manifest
	derivative, err := read(payload, ManifestType, &m)
	if err != nil {
		return Manifest{}, err
	}
	if derivative != m.Derivative.SHA256 {
		return Manifest{}, fmt.Errorf("%w: the subject is another derivative", ErrContent)
	}
	return m, m.validate()
}

// subjectForm is how the payload of every statement ends: its members are sorted, and the subject is the last of them.
var subjectForm = regexp.MustCompile(`,"subject":\[\{"digest":\{"sha256":"([0-9a-f]{64})"\},"name":"` + subjectName + `"\}\]\}$`)

// Subject is the digest of the derivative that a payload says it is about, read from its last bytes alone; empty where they say
// nothing. It does not tell whether the rest is in order.
func Subject(payload []byte) string {
	m := subjectForm.FindSubmatch(payload[max(0, len(payload)-subjectBytes):])
	if m == nil {
		return ""
	}
	return string(m[1])
}

// subjectBytes is how much of a payload's end subjectForm needs.
const subjectBytes = 160
