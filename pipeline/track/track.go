// Package track turns the detections of a clip into tracks: one person's face followed from frame to frame.
//
// It is pure. It owns association, the filling of gaps in both directions, the reach beyond birth and death, and the
// cuts at scene changes. It never looks at a pixel, never decides whether a track is covered (package decide does) and
// imports the standard library only. All coordinates are upright storage pixels of the source, origin top left.
package track

// Box is a rectangle in upright storage pixels: X, Y is the top left corner, W and H are positive. It may reach beyond
// the picture.
type Box struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Detection is one face that one network saw in one frame.
type Detection struct {
	// Box holds the face from forehead to chin.
	Box Box `json:"box"`
	// Score is the network's confidence, 0 to 1. Scores of different networks are not comparable.
	Score float64 `json:"score"`
	// Detector names the network: "yunet" or "centerface" (or "person" for a finding confirmed by a person, "verify"
	// for a face that the check on the output found).
	Detector string `json:"detector"`
	// Long is the long side, in pixels, of the picture that the network was shown.
	Long int `json:"long,omitempty"`
	// Turn is by how many quarters, clockwise, the clip was turned for the sweep that saw this; Box is upright all the same.
	Turn int `json:"turn,omitempty"`
}

// Look is a closer look at one face in one frame: cut out, brought to a size at which the second network sees well, and shown to it
// upright and turned by quarters.
type Look struct {
	// Box is the face's, as Faces gives it for the detections of the frame.
	Box Box `json:"box"`
	// Score is the highest that the network gave the face at any quarter, 0 to 1; 0 where it saw none.
	Score float64 `json:"score"`
}

// Motion is the camera's motion from the previous frame to this one: a point (x, y) of the previous frame is found at
// (A[0]x + A[1]y + A[2], A[3]x + A[4]y + A[5]) in this one.
type Motion struct {
	A [6]float64 `json:"a"`
	// Known is false where the motion could not be measured; A is then the identity.
	Known bool `json:"known"`
	// Cut marks the first frame of a new scene; nothing is carried across it.
	Cut bool `json:"cut,omitempty"`
}

// Frame is what the analysis knows of one frame, in presentation order.
type Frame struct {
	// Time is the frame's presentation time in seconds from the first frame; it never decreases.
	Time       float64
	Detections []Detection
	// Looks are the closer looks at some of the faces.
	Looks []Look
	// Searched lists the networks that looked at this frame; a frame that a network did not look at says nothing.
	Searched []string
	Motion   Motion
}

// Source says how a track's box in one frame came about.
type Source string

const (
	Detected Source = "detected" // a network saw it in this frame
	Filled   Source = "filled"   // between two detections: the swept hull of both directions
	Extended Source = "extended" // before the first or after the last detection
)

// Sample is a track's place in one frame.
type Sample struct {
	Frame int // index in presentation order, from 0
	// Box is the area that the face may occupy (for Filled and Extended: the swept hull), evened out over time and before
	// padding: up to a tenth of its sides may be missing on each side.
	Box    Box
	Score  float64
	Source Source
}

// Track is one face through time. Samples are contiguous: one for each frame from Samples[0].Frame to the last, and no
// scene cut lies inside.
type Track struct {
	ID      int // from 1, in order of first appearance
	Samples []Sample
	// Seen counts the frames with a detection; BestFast and BestSecond are the highest scores by the network that
	// looks most often (YuNet) and by the second opinion (CenterFace); MeanFast is the mean of the best four of the
	// former, 0 where it has none.
	Seen       int
	BestFast   float64
	BestSecond float64
	MeanFast   float64
	// Sure is false where the evidence is too weak to call it a face for certain; decide's policy says how doubt is
	// treated.
	Sure bool
	// Refuted says that closer looks speak against a face where the rest speaks for one: it is not Sure.
	Refuted bool
	// BornInside and DiedInside mark a track that begins or ends in mid-picture and not at a cut, an edge or the
	// clip's end: something for the reviewer to look at.
	BornInside, DiedInside bool
}
