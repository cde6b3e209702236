package decide

// DecisionsSchema names the version of the decisions' format.
const DecisionsSchema = "veil.decisions/1"

// Decisions is what a person decided about one plan, named by the SHA-256 of its bytes.
type Decisions struct {
	Schema  string           `json:"schema"`
	Plan    string           `json:"plan"`
	By      string           `json:"by"`
	Keep    []KeepTrack      `json:"keep,omitempty"`
	Dismiss []DismissFinding `json:"dismiss,omitempty"`
	Cover   []CoverRegion    `json:"cover,omitempty"`
}

// KeepTrack leaves one track of this clip visible (R17: by track, never by face).
type KeepTrack struct {
	Track  int    `json:"track"`
	Reason string `json:"reason"`
}

// DismissFinding says that a finding is no reason to hold the clip.
type DismissFinding struct {
	Finding string `json:"finding"`
	Reason  string `json:"reason"`
}

// CoverRegion covers a rectangle for a time range.
type CoverRegion struct {
	Rect   [4]int `json:"rect"`
	Span   *Span  `json:"span,omitempty"` // nil: the whole clip
	Reason string `json:"reason"`
}
