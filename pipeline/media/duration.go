package media

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// LastDuration is how long the clip's last frame is shown, in source ticks: from its stamp, last, to the end that the
// container gives the video stream. Where the container gives none (Matroska, MPEG-TS), or one that cannot be meant, it is
// the time between the last two frames, gap; where there is only one frame (gap 0), the average of the clip.
//
// Frames carry no duration on their way; the encoder is told this one with EncodeOptions.LastDuration.
func LastDuration(ctx context.Context, t Tools, path string, p *Probe, last, gap int64) (int64, error) {
	in, _, err := openInput(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, _, err := t.ffprobe(ctx, in, "-print_format", "json", "-select_streams", strconv.Itoa(p.Video.Index),
		"-show_entries", "stream=start_pts,duration_ts")
	if err != nil {
		return 0, fmt.Errorf("ask for the clip's end: %w", err)
	}
	var doc struct {
		Streams []struct {
			Start    int64 `json:"start_pts"`
			Duration int64 `json:"duration_ts"`
		} `json:"streams"`
	}
	average := frameTicks(&p.Video)
	if err := json.Unmarshal(out, &doc); err == nil && len(doc.Streams) == 1 && doc.Streams[0].Duration > 0 {
		left := doc.Streams[0].Start + doc.Streams[0].Duration - last
		if left > 0 && left <= 100*max(average, gap) {
			return left, nil
		}
	}
	if gap > 0 {
		return gap, nil
	}
	return average, nil
}
