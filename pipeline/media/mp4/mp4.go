// Package mp4 walks a finished derivative and says of every byte where it belongs: to a box of the allow-list, to a field that
// has the value it may have, to a NAL unit or a sound frame of an allowed kind. What it cannot place is a finding.
//
// It judges files that veil's own muxer wrote, and so it is strict where a player is lenient: a box, a field, a brand or a flag
// that the muxer does not write is a finding even where the standard allows it. It parses MP4 by itself because a library for
// players does the opposite of what is needed here: it skips what it does not know, reads past what is not covered, and holds
// whole tables in memory. It never decodes a picture or a sound, changes nothing, and keeps nothing open.
//
// The bytes may come from anybody. Work is linear in the file's size; memory does not grow with it; whatever is read ends in an
// Account, never in a panic. The package needs the standard library only, so that a small program without ffmpeg can use it.
package mp4

import (
	"errors"
	"fmt"
	"io"
)

// PolicyVersion names the allow-list; it changes when a file may pass or fail that did not before.
const PolicyVersion = "veil.container/1"

// Policy is what may differ between derivatives. All else is the same for every one.
type Policy struct {
	// Sound says that one sound track may stand beside the pictures.
	Sound bool
}

// Derivative is the policy for any derivative: pictures, and sound where the redaction kept it.
func Derivative() Policy { return Policy{Sound: true} }

// Kinds of findings.
const (
	Truncated = "truncated"  // the file, or a box, ends before what it promises
	Trailing  = "trailing"   // bytes behind the last box
	Forbidden = "forbidden"  // a box that is not on the allow-list
	Missing   = "missing"    // a box that has to be there is not
	Repeated  = "repeated"   // a box stands more often than it may
	Fields    = "fields"     // a field has a value that it may not have
	Tracks    = "tracks"     // another track than one of pictures and one of sound
	Tables    = "tables"     // sample tables contradict themselves or each other
	Gap       = "gap"        // media bytes that no sample uses
	Overlap   = "overlap"    // media bytes that two samples use, or chunks out of order
	Hidden    = "hidden"     // a frame that a player does not show
	NALUnit   = "nal_unit"   // a NAL unit that is of no allowed type or not what its type says
	SEI       = "sei"        // a message beside the pictures
	SoundData = "sound_data" // a sound frame that holds anything but sound
)

// Finding is one thing that may not be there.
type Finding struct {
	Kind string `json:"kind"` // one of the constants
	// Offset is where in the file the thing begins, in bytes.
	Offset int64 `json:"offset"`
	// Path names the box, from the outermost: moov/trak[video]/mdia/hdlr. Empty where bytes belong to none.
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Path == "" {
		return fmt.Sprintf("byte %d: %s", f.Offset, f.Reason)
	}
	return fmt.Sprintf("byte %d, %s: %s", f.Offset, f.Path, f.Reason)
}

// Counts is how much a walk saw.
type Counts struct {
	Boxes       int   `json:"boxes"`
	Frames      int64 `json:"frames"`       // pictures
	NALUnits    int64 `json:"nal_units"`    // parameter sets and slices
	SoundFrames int64 `json:"sound_frames"` // 0 without sound
	MediaBytes  int64 `json:"media_bytes"`  // that samples use
}

// Account is what a walk saw, and what of it may not be there.
type Account struct {
	Counts
	// Findings are in the order in which they were met; the walk goes on behind one wherever it still knows where it is.
	Findings []Finding `json:"findings,omitempty"`
	// More counts the findings beyond the first MaxFindings.
	More int64 `json:"more,omitempty"`
}

// Clean says that every byte is accounted for and nothing was found.
func (a *Account) Clean() bool { return len(a.Findings) == 0 }

// Limits of a walk.
const (
	MaxFindings = 50
	// MaxBoxes is far above the 60 or so of a derivative.
	MaxBoxes = 1000
	// maxHeader is the largest box whose fields are read as a whole; the sample tables have no such limit.
	maxHeader = 1 << 12
)

// Walk reads size bytes of r and accounts for each. What is wrong with the file is in Account.Findings; an error says that r could
// not be read, and then the account is what was seen until there. To end a walk early, let r fail.
func Walk(r io.ReaderAt, size int64, p Policy) (*Account, error) {
	w := &walker{r: r, size: size, policy: p, a: &Account{}}
	w.file()
	if w.err == nil {
		w.media()
	}
	return w.a, w.err
}

// walker is one walk under way.
type walker struct {
	r      io.ReaderAt
	size   int64
	policy Policy
	a      *Account
	err    error // of r; nothing is read after it

	mdat   *box
	tracks []*track
	// timescale is the movie's ticks a second, nextID the number that the next track would get.
	timescale, nextID uint32
	duration          uint64 // of the movie, in its ticks
	unsure            bool   // the tables are not such that the media data can be walked by them
}

// found notes a finding.
func (w *walker) found(kind string, at int64, path, format string, args ...any) {
	if w.err != nil {
		return
	}
	if len(w.a.Findings) == MaxFindings {
		w.a.More++
		return
	}
	w.a.Findings = append(w.a.Findings, Finding{Kind: kind, Offset: at, Path: path, Reason: fmt.Sprintf(format, args...)})
}

// read fills p from at. False means that r failed; the caller has checked that the bytes are within size.
func (w *walker) read(p []byte, at int64) bool {
	if w.err != nil {
		return false
	}
	n, err := w.r.ReadAt(p, at)
	if n == len(p) {
		return true
	}
	w.err = readError(at, err)
	return false
}

// readError says where r could not be read.
func readError(at int64, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read at byte %d: %w", at, err)
}
