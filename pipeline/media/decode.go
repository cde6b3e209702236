package media

// Range is an excerpt by time stamps, both ends included, in ticks of the source's time base.
type Range struct {
	FirstPTS int64 `json:"first_pts"`
	LastPTS  int64 `json:"last_pts"`
}

// FrameInfo is what is known of a decoded frame besides its pixels.
type FrameInfo struct {
	// Number counts the source's frames in presentation order from 0, frames before an excerpt included.
	Number int
	// PTS is in the source's time base and always greater than that of the frame before. It is the source's own stamp,
	// except where that repeats or runs backwards: then it is one more than the last, and the frame is marked damaged.
	PTS int64
	// Digest is the Adler-32 of the decoded planes before any conversion, eight lower-case hex digits: the same in
	// every view of the clip.
	Digest string
	// Damaged marks a frame that may show something else than was recorded: from a decode error or corrupt mark to the
	// next clean key frame, and where time stamps fail. Why names the first cause.
	Damaged bool
	Key     bool
	Why     string
}
