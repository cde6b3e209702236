package pipeline

import (
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/media/mp4"
)

// ReportSchema names the version of the report's format.
const ReportSchema = "veil.report/1"

// Report is the account for the file: what was done, with what, and what came out. It names no path, title or place.
type Report struct {
	Schema      string             `json:"schema"`
	State       string             `json:"state"`
	Source      FileDigest         `json:"source"`
	Derivative  FileDigest         `json:"derivative"`
	Plan        string             `json:"plan"`   // SHA-256 of the plan's bytes
	Policy      string             `json:"policy"` // SHA-256 of the policy's canonical bytes
	PolicyName  string             `json:"policy_name"`
	Build       string             `json:"build"`
	Analysis    decide.Analysis    `json:"analysis"`
	Encoder     []string           `json:"encoder"`
	CRF         int                `json:"crf"`
	Frames      int                `json:"frames"`
	Excerpt     *decide.Excerpt    `json:"excerpt,omitempty"`
	Tracks      int                `json:"tracks"`
	Kept        []int              `json:"kept,omitempty"`
	Masked      float64            `json:"masked"`
	WholeFrames int                `json:"whole_frames"`
	Audio       string             `json:"audio"`
	Notes       []media.Note       `json:"notes"`
	Removed     []media.Removed    `json:"removed"`
	Checks      []Check            `json:"checks"`
	Findings    []decide.Finding   `json:"findings"`
	Container   mp4.Counts         `json:"container"`
	Warnings    []string           `json:"warnings"`
	Rounds      int                `json:"rounds"`
	Stages      map[string]float64 `json:"stages"` // seconds by stage: analyze, render, verify
	// Sandbox lists what the processes that read the clip were confined by, as they found it themselves.
	Sandbox []string `json:"sandbox,omitempty"`
}

// FileDigest names bytes.
type FileDigest struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}
