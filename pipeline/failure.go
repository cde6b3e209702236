package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"

	"veil/pipeline/media"
)

// ErrVerify says that a check on the derivative failed: nothing is released.
var ErrVerify = errors.New("verification failed")

// ErrContainer says that the derivative's file holds something that is not on the allow-list (docs/container.md). It is an
// ErrVerify too.
var ErrContainer = fmt.Errorf("%w: container", ErrVerify)

// ErrUsage says that the request itself makes no sense.
var ErrUsage = errors.New("usage")

// Exit codes of the command line; each class of failure has one.
const (
	ExitReleased    = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitHeld        = 3
	ExitVerify      = 4
	ExitUnsupported = 5
)

// Failure is an error that crosses a process boundary: a stable code, one line of cause, and what to do.
type Failure struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	Exit   int    `json:"exit"`
}

// Error gives cause and remedy in one line.
func (f *Failure) Error() string {
	if f.Remedy == "" {
		return f.Detail
	}
	return fmt.Sprintf("%s: %s", f.Detail, f.Remedy)
}

// codes is the one list of failure codes (docs/failures.md tells them): the first match decides.
var codes = []struct {
	is     error
	code   string
	remedy string
	exit   int
}{
	{context.Canceled, "cancelled", "", ExitFailed},
	{media.ErrMissingTool, "missing_tool", "install the packages with `make deps`, then run `veil doctor`", ExitFailed},
	{media.ErrEncrypted, "encrypted", "decrypt the clip first", ExitUnsupported},
	{media.ErrUnreadable, "unreadable", "check that the file was copied whole and is a video", ExitUnsupported},
	{media.ErrNoVideo, "no_video", "this tool redacts pictures; a clip with sound only has none", ExitUnsupported},
	{media.ErrNotAVideo, "still_picture", "hand in a video", ExitUnsupported},
	{media.ErrFormat, "format_not_allowed", "convert it to MP4, MOV, MKV, AVI or MPEG-TS first", ExitUnsupported},
	{media.ErrCodec, "codec", "convert it to H.264 or HEVC first", ExitUnsupported},
	{media.ErrNoFrames, "no_frames", "check that the file was copied whole", ExitUnsupported},
	{media.ErrLimit, "limit", "raise the limit in the settings if this clip is meant", ExitUnsupported},
	{media.ErrSizeChange, "size_change", "split the clip where its size changes", ExitUnsupported},
	{media.ErrTimestamps, "timestamps", "hand in the camera's original, or use a policy with damage: mask", ExitUnsupported},
	{media.ErrStalled, "stalled", "run it again; if it hangs again, keep the original and report this", ExitFailed},
	{media.ErrDamaged, "damaged", "hand in the camera's original, or use a policy with damage: mask to cover damaged frames whole", ExitUnsupported},
	{media.ErrChanged, "source_changed", "analyze the clip again", ExitFailed},
	{media.ErrNoAudioTrack, "no_audio_track", "see `veil probe` for the tracks it has", ExitUsage},
	{media.ErrEmptyExcerpt, "empty_excerpt", "see `veil probe` for its duration", ExitUsage},
	{media.ErrNoSpace, "no_space", "free space and run it again", ExitFailed},
	{media.ErrEncoder, "encoder", "run `veil doctor`", ExitFailed},
	{ErrContainer, "container", "nothing was released; keep the original and report this", ExitVerify},
	{ErrVerify, "verify", "nothing was released; keep the original and report this", ExitVerify},
	{ErrUsage, "usage", "", ExitUsage},
	{os.ErrNotExist, "not_found", "check the path", ExitUsage},
	{os.ErrPermission, "permission", "check the file's owner and mode", ExitUsage},
}

// AsFailure gives any error its code, remedy and exit code.
func AsFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return &Failure{Code: c.code, Detail: err.Error(), Remedy: c.remedy, Exit: c.exit}
		}
	}
	return &Failure{Code: "internal", Detail: err.Error(), Exit: ExitFailed}
}
