package decide

import (
	"slices"

	"veil/pipeline/track"
)

// PlanSchema names the version of the plan's format.
const PlanSchema = "veil.plan/1"

// Plan is the hinge between the two passes: which area of which frame is covered, why, and by whom that was decided.
// It belongs to one source (by digest) and carries the whole policy, so that a render needs the source and the plan only.
// Rectangles are upright storage pixels.
type Plan struct {
	Schema   string    `json:"schema"`
	Source   Source    `json:"source"`
	Excerpt  *Excerpt  `json:"excerpt,omitempty"`
	Analysis Analysis  `json:"analysis"`
	Policy   Policy    `json:"policy"`
	Tracks   []Track   `json:"tracks"`
	Findings []Finding `json:"findings"`
	Frames   []Frame   `json:"frames"`
	// Sound holds the grounds that a person gave for the sound that the policy withholds, range by range; nil where nobody
	// did (WithheldSound tells what is in force).
	Sound []SoundRange `json:"sound,omitempty"`
	// Decided records the decisions that were applied to an earlier plan, named by its digest.
	Decided *Decided `json:"decided,omitempty"`
}

// Source names the bytes a plan was made for, and the picture's geometry.
type Source struct {
	SHA256 string `json:"sha256"` // lower-case hex, 64 digits
	Bytes  int64  `json:"bytes"`
	Stream int    `json:"stream"` // index of the video stream in the container
	Width  int    `json:"width"`  // upright storage pixels, as decoded
	Height int    `json:"height"`
	// TimeBase is the stream's tick in seconds, "1/12800"; PTS are counted in it.
	TimeBase string `json:"time_base"`
	// Interlaced says that masks are aligned to 32 rows instead of 16.
	Interlaced bool `json:"interlaced,omitempty"`
}

// Excerpt is the part of the source that is rendered. Frame numbers count from 0 in presentation order.
type Excerpt struct {
	First    int   `json:"first"` // source frame number of the plan's first frame
	Last     int   `json:"last"`  // source frame number of the plan's last frame
	FirstPTS int64 `json:"first_pts"`
	LastPTS  int64 `json:"last_pts"`
	// OriginPTS is the source's first frame, from which times are counted; Decide works it out where it is 0.
	OriginPTS int64 `json:"origin_pts"`
	// From and To are the times asked for, in seconds from the first frame of the source; To is exclusive.
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Network is one detector as it was used.
type Network struct {
	Name      string  `json:"name"`
	SHA256    string  `json:"sha256"` // of the weights as loaded from disk
	Engine    string  `json:"engine"` // "onnxruntime 1.31.1" or "opencv 4.6.0"
	Longs     []int   `json:"longs"`  // long sides of the pictures it was shown
	Threshold float64 `json:"threshold"`
	Every     int     `json:"every"` // looked at every n-th frame
}

// Analysis records how the first pass looked.
type Analysis struct {
	Build          string    `json:"build"` // revision of veil
	FFmpeg         string    `json:"ffmpeg"`
	OpenCV         string    `json:"opencv"`
	DecoderThreads int       `json:"decoder_threads"`
	Width          int       `json:"width"` // of the analysed picture
	Height         int       `json:"height"`
	Networks       []Network `json:"networks"`
	// Turned lists by how many degrees, clockwise, the clip was turned to be searched once more, as faces in it lie or hang
	// upside down: some of 90, 180 and 270.
	Turned []int `json:"turned,omitempty"`
}

// Track is a face that was followed, as the plan tells it.
type Track struct {
	ID    int     `json:"id"`
	First int     `json:"first"` // frame indices within the plan, inclusive
	Last  int     `json:"last"`
	Seen  int     `json:"seen"`  // frames with a detection
	Score float64 `json:"score"` // best score of the second opinion, or of the fast network where that never saw it
	Sure  bool    `json:"sure"`
	// State is "covered", "kept" (a person decided to leave it visible) or "dropped" (doubtful, and the policy ignores
	// doubt or closer looks saw no face there).
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"` // "policy", or who decided
	// BornInside and DiedInside mark births and deaths in mid-picture, for the reviewer.
	BornInside bool `json:"born_inside,omitempty"`
	DiedInside bool `json:"died_inside,omitempty"`
	// Best is the frame index with the best detection, BestBox its box: [x, y, w, h]; of a dropped track the best that no mask
	// held, if there was one.
	Best    int    `json:"best"`
	BestBox [4]int `json:"best_box"`
	// Code and Basis are why it is covered.
	Code  string `json:"code,omitempty"`
	Basis string `json:"basis,omitempty"`
}

// Finding is something a person has to look at before the clip may be released: an unsure track where the policy says
// review, or a face that the check on the output saw outside every mask.
type Finding struct {
	ID    string `json:"id"`   // "F1", "F2", ...
	Kind  string `json:"kind"` // "unsure", "face_outside", "quality", "kept_lost", "no_ground"
	First int    `json:"first"`
	Last  int    `json:"last"`
	Rect  [4]int `json:"rect"`
	Track int    `json:"track,omitempty"`
	Text  string `json:"text"`
	// Dismissed is set by a decision.
	Dismissed bool   `json:"dismissed,omitempty"`
	Reason    string `json:"reason,omitempty"`
	By        string `json:"by,omitempty"`
}

// Frame is one decoded frame of the source and what is covered in it.
type Frame struct {
	PTS int64 `json:"pts"`
	// Digest is the decoder's Adler-32 over the decoded planes, eight hex digits: the render stops where it differs.
	Digest string `json:"digest"`
	// Whole covers the whole picture: damage, or the policy's whole-frame mode. Why is its reason.
	Whole bool   `json:"whole,omitempty"`
	Why   string `json:"why,omitempty"`
	// Code and Basis are the ground for covering it whole.
	Code    string   `json:"code,omitempty"`
	Basis   string   `json:"basis,omitempty"`
	Cut     bool     `json:"cut,omitempty"` // first frame of a scene
	Regions []Region `json:"regions,omitempty"`
}

// WhyPolicy is why a frame is covered whole where the policy says so; any other reason is damage.
const WhyPolicy = "policy"

// Track states.
const (
	StateCovered = "covered"
	StateKept    = "kept"
	StateDropped = "dropped"
)

// ByPolicy is who decided where no person did, and why it leaves a track visible.
const (
	ByPolicy      = "policy"
	ReasonIgnored = "doubtful, and the policy ignores doubt"
	ReasonRefuted = "closer looks saw no face there"
)

// LeftVisible tells that one of the plan's tracks is covered neither by itself nor, where it is seen best, by other masks.
func (p *Plan) LeftVisible(t Track) bool {
	return t.State == StateDropped && !p.Frames[t.Best].covers(t.BestBox)
}

// covers tells that a box lies in one of the masks of a frame, or that the frame is covered whole.
func (f *Frame) covers(box [4]int) bool {
	return f.Whole || slices.ContainsFunc(f.Regions, func(r Region) bool {
		in := track.Box{X: float64(box[0]), Y: float64(box[1]), W: float64(box[2]), H: float64(box[3])}
		out := track.Box{X: float64(r.Rect[0]), Y: float64(r.Rect[1]), W: float64(r.Rect[2]), H: float64(r.Rect[3])}
		switch {
		case r.Kept:
			return false
		case r.Ellipse:
			return ellipseHolds(out, in)
		}
		return in.X >= out.X && in.Y >= out.Y && in.X+in.W <= out.X+out.W && in.Y+in.H <= out.Y+out.H
	})
}

// Finding kinds.
const (
	FindingUnsure      = "unsure"
	FindingFaceOutside = "face_outside"
	FindingQuality     = "quality"
	FindingKeptLost    = "kept_lost"
	// FindingNoGround tells what is withheld without a code or a legal basis, where the policy asks for them. It cannot be
	// dismissed: it goes when the grounds are given.
	FindingNoGround = "no_ground"
)

// Region kinds.
const (
	KindFace  = "face"
	KindHead  = "head"
	KindFixed = "fixed" // from the policy
	KindAdded = "added" // by a person
)

// Region is one covered area of one frame.
type Region struct {
	Track int `json:"track,omitempty"` // 0: belongs to no track
	// Rect is x, y, w, h: inside the picture, grown by the margin and aligned outwards to the codec's blocks.
	Rect [4]int `json:"rect"`
	// Ellipse covers the ellipse inscribed in Rect instead of Rect itself; that ellipse contains the grown box whole.
	Ellipse bool         `json:"ellipse,omitempty"`
	Kind    string       `json:"kind"`
	Source  track.Source `json:"source,omitempty"`
	// Box is the track's own box, before growing and aligning, cut to the picture; all zero where there is no track.
	Box [4]int `json:"box,omitzero"`
	// Face is the width in pixels of the face below, for the mosaic's cells; 0 if unknown.
	Face int `json:"face,omitempty"`
	// Kept marks the place of a track that stays visible: nothing is covered, and the check on the output accepts a
	// face here.
	Kept bool `json:"kept,omitempty"`
	// Code and Basis are why it is covered, where it belongs to no track; a track has its own.
	Code  string `json:"code,omitempty"`
	Basis string `json:"basis,omitempty"`
}

// Decided records which decisions made this plan out of another, and how that one came about.
type Decided struct {
	Plan      string    `json:"plan"` // SHA-256 of the plan's bytes that they were made for
	Decisions Decisions `json:"decisions"`
	// Before is the record of the plan that they were made for; nil where Decide made it.
	Before *Decided `json:"before,omitempty"`
}
