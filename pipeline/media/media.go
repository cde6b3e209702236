// Package media reads and writes video: it probes a clip, decodes it to raw frames with their own time stamps, and encodes
// raw frames to a clean MP4.
//
// Parsing is left to ffmpeg and ffprobe, run as child processes; frames travel to and from them as NUT. The package owns
// those processes (each is killed and waited for before a call returns or Close ends) and their stderr (read, classified,
// never handed on raw, for it prints titles and places). It never decides what is covered, never looks at a pixel, and
// knows no OpenCV. Buffers belong to the caller.
package media

import (
	"errors"
	"fmt"
	"time"
)

// What can be wrong with a clip, or with the machine. Errors of this package wrap one of these; the text says what is
// wrong in the clip's terms.
var (
	ErrMissingTool  = errors.New("ffmpeg or ffprobe missing")
	ErrUnreadable   = errors.New("cannot be read as video")
	ErrNoVideo      = errors.New("holds no video")
	ErrNoFrames     = errors.New("holds no decodable frame")
	ErrNotAVideo    = errors.New("is a still picture")
	ErrFormat       = errors.New("container is not on the allow-list")
	ErrCodec        = errors.New("no decoder for its codec")
	ErrEncrypted    = errors.New("is encrypted")
	ErrLimit        = errors.New("exceeds a limit")
	ErrDamaged      = errors.New("is damaged")
	ErrSizeChange   = errors.New("changes its picture size")
	ErrTimestamps   = errors.New("has time stamps that repeat or run backwards")
	ErrChanged      = errors.New("decodes to other frames than the plan was made for")
	ErrEncoder      = errors.New("encoder failed")
	ErrNoSpace      = errors.New("no space left for the output")
	ErrNoAudioTrack = errors.New("has no such audio track")
	ErrEmptyExcerpt = errors.New("excerpt holds no frame")
	ErrStalled      = errors.New("decoder hangs")
)

// Tools names the programs and how many threads they may use. The zero value is not usable; see DefaultTools.
type Tools struct {
	FFmpeg  string // path of ffmpeg
	FFprobe string
	// DecoderThreads and EncoderThreads are pinned, not taken from the machine: pixels depend on both.
	DecoderThreads int
	EncoderThreads int
}

// Limits bound what is accepted before anything is decoded. Zero means no limit.
type Limits struct {
	MinSide     int           `json:"min_side"`   // pixels, shorter side
	MaxPixels   int64         `json:"max_pixels"` // per frame
	MaxFrames   int64         `json:"max_frames"`
	MaxDuration time.Duration `json:"max_duration"`
	MaxStreams  int           `json:"max_streams"`
}

// DefaultLimits are what the command line starts with: 4K, four hours at 60 frames a second.
func DefaultLimits() Limits {
	return Limits{MinSide: 2, MaxPixels: 4096 * 2304, MaxFrames: 1_000_000, MaxDuration: 5 * time.Hour, MaxStreams: 32}
}

// Rational is a fraction; Den is positive.
type Rational struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// String gives "num/den".
func (r Rational) String() string { return fmt.Sprintf("%d/%d", r.Num, r.Den) }

// Float is the value; 0 where Den is 0.
func (r Rational) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// PixelFormat is one of ffmpeg's names; only those below travel through the pipeline.
type PixelFormat string

const (
	YUV420P   PixelFormat = "yuv420p"
	YUV422P   PixelFormat = "yuv422p"
	YUV444P   PixelFormat = "yuv444p"
	YUV420P10 PixelFormat = "yuv420p10le"
	YUV422P10 PixelFormat = "yuv422p10le"
	YUV444P10 PixelFormat = "yuv444p10le"
	BGR24     PixelFormat = "bgr24"
)

// Layout is the shape of one raw frame: planes one after another, rows without padding, samples of 10 bit in two bytes,
// low byte first.
type Layout struct {
	Width  int         `json:"width"`
	Height int         `json:"height"`
	Format PixelFormat `json:"format"`
}

// Plane is one plane of a frame.
type Plane struct {
	Offset         int // in bytes from the frame's start
	Width, Height  int // in samples
	Stride         int // in bytes
	ShiftX, ShiftY int // log2 of the subsampling against the picture
}

// Planes lists the planes in order Y, U, V (or the one of bgr24, whose samples are then 3 bytes wide).
func (l Layout) Planes() []Plane {
	if l.Format == BGR24 {
		return []Plane{{Width: l.Width, Height: l.Height, Stride: 3 * l.Width}}
	}
	sx, sy := 0, 0
	switch l.Format {
	case YUV420P, YUV420P10:
		sx, sy = 1, 1
	case YUV422P, YUV422P10:
		sx = 1
	}
	bytes := l.Depth() / 8
	if l.Depth() == 10 {
		bytes = 2
	}
	cw, ch := (l.Width+(1<<sx)-1)>>sx, (l.Height+(1<<sy)-1)>>sy
	y := Plane{Width: l.Width, Height: l.Height, Stride: l.Width * bytes}
	u := Plane{Offset: y.Stride * y.Height, Width: cw, Height: ch, Stride: cw * bytes, ShiftX: sx, ShiftY: sy}
	v := u
	v.Offset += u.Stride * u.Height
	return []Plane{y, u, v}
}

// Depth is the number of bits of a sample: 8 or 10.
func (l Layout) Depth() int {
	switch l.Format {
	case YUV420P10, YUV422P10, YUV444P10:
		return 10
	}
	return 8
}

// Size is the number of bytes of one frame.
func (l Layout) Size() int {
	p := l.Planes()
	last := p[len(p)-1]
	return last.Offset + last.Stride*last.Height
}
