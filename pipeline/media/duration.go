package media

// LastDuration is how long the clip's last frame is shown, in source ticks: from its stamp, last, to the end that the
// container gives the video stream. Where the container gives none (Matroska, MPEG-TS), or one that cannot be meant, it is
// the time between the last two frames, gap; where there is only one frame (gap 0), the average of the clip.
//
// Frames carry no duration on their way; the encoder is told this one with EncodeOptions.LastDuration.
func (p *Probe) LastDuration(last, gap int64) int64 {
	v := &p.Video
	average := frameTicks(v)
	if left := v.EndPTS - last; v.EndPTS != 0 && left > 0 && left <= 100*max(average, gap) {
		return left
	}
	if gap > 0 {
		return gap
	}
	return average
}
