package mp4

// maxSoundFrame is the largest frame that AAC allows, in bytes a channel.
const maxSoundFrame = 768

// soundFrame walks one sample of sound.
func (w *walker) soundFrame(c *cursor, t *track, size int64) {
	at := c.at
	if limit := int64(maxSoundFrame) * 8; size > limit {
		w.found(SoundData, at, t.path, "sound frame %d has %d bytes, more than a frame may have", w.a.SoundFrames, size)
	}
	c.skip(size)
}
