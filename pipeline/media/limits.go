package media

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// demuxers is the allow-list, by the names that ffmpeg knows them; docs/limits.md tells why.
var demuxers = []string{
	"mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "flv", "mpegts", "mpeg", "mpegvideo", "ogg", "asf",
	"ivf", "h264", "hevc", "mxf",
}

// containerName is the allow-listed name of a demuxer, which may carry several; empty where it is not allowed.
func containerName(name string) string {
	first, _, _ := strings.Cut(name, ",")
	if slices.Contains(demuxers, first) {
		return first
	}
	return ""
}

// checkLimits holds a clip against lim.
func (p *Probe) checkLimits(lim Limits) error {
	v := &p.Video
	if lim.MaxStreams > 0 && p.Streams > lim.MaxStreams {
		return fmt.Errorf("%w: it has %d streams, %d are allowed", ErrLimit, p.Streams, lim.MaxStreams)
	}
	if min(v.StoredWidth, v.StoredHeight) < lim.MinSide {
		return fmt.Errorf("%w: its picture of %dx%d has a side under %d", ErrLimit, v.StoredWidth, v.StoredHeight,
			lim.MinSide)
	}
	if pixels := int64(v.StoredWidth) * int64(v.StoredHeight); lim.MaxPixels > 0 && pixels > lim.MaxPixels {
		return fmt.Errorf("%w: its picture of %dx%d has more than %d pixels", ErrLimit, v.StoredWidth, v.StoredHeight,
			lim.MaxPixels)
	}
	if lim.MaxFrames > 0 && v.Frames > lim.MaxFrames {
		return fmt.Errorf("%w: it has about %d frames, %d are allowed", ErrLimit, v.Frames, lim.MaxFrames)
	}
	if lim.MaxDuration > 0 && p.Duration > lim.MaxDuration.Seconds() {
		return fmt.Errorf("%w: it lasts %s, %s are allowed", ErrLimit,
			time.Duration(p.Duration*float64(time.Second)).Round(time.Second), lim.MaxDuration)
	}
	return nil
}
