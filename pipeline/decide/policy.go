package decide

// PolicySchema names the version of the policy's format.
const PolicySchema = "veil.policy/1"

// Policy says what is covered and how the derivative is made; it says nothing of where things lie (settings do).
// It is versioned JSON; unknown fields and nonsense are refused with all faults listed.
type Policy struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	// Release is "public" or "restricted". Blur and mosaic are refused for public release.
	Release string `json:"release"`
	Cover   string `json:"cover"`   // "face", "head" or "frame" (the whole picture)
	Fill    string `json:"fill"`    // "solid", "surround", "blur" or "mosaic"
	Shape   string `json:"shape"`   // "rectangle" or "ellipse" (circumscribed)
	Unsure  string `json:"unsure"`  // "mask", "review" or "ignore"
	Damage  string `json:"damage"`  // "fail" or "mask"
	Profile string `json:"profile"` // "press", "court" or "lossless"
	Audio   string `json:"audio"`   // "drop" or "keep"
	Mute    []Span `json:"mute,omitempty"`
	// AudioTrack is the number, from 0, of the audio stream to keep.
	AudioTrack int `json:"audio_track,omitempty"`
	// Effort is "thorough" or "fast".
	Effort  string        `json:"effort"`
	Regions []FixedRegion `json:"regions,omitempty"`
	// MaxMasked is the share of the picture area over time, 0 to 1, above which the report warns; 0 means no limit.
	MaxMasked float64 `json:"max_masked,omitempty"`
	// Margin is how much a face's box is grown on each side, as a share of its side; at least 0.1.
	Margin float64 `json:"margin"`
}

// Span is a time range in seconds from the first frame of the source, To exclusive.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// FixedRegion is an area that is covered whatever is found there: burnt-in names, plates, screens.
type FixedRegion struct {
	Rect   [4]int `json:"rect"` // x, y, w, h in upright storage pixels
	Span   *Span  `json:"span,omitempty"`
	Reason string `json:"reason,omitempty"`
}
