package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"veil/pipeline/media/nut"
)

// EncodeOptions says what is encoded and where to.
type EncodeOptions struct {
	Target *Target
	Probe  *Probe
	// Out is written anew, with mode 0600; it is a complete MP4 only after Finish. A file beside it (Out with ".video"
	// behind) is used while sound is added.
	Out string
	// Audio is the sound to add, as PrepareAudio made it; nil for none.
	Audio *AudioFile
	// FirstPTS is the stamp of the first frame that will be written, in source ticks: the derivative's time zero, unless
	// the sound begins before it.
	FirstPTS int64
	// LastDuration is how long the last frame is shown, in source ticks; 0 means the average of the clip. NUT carries no
	// durations, and the encoder has to know this one when it starts.
	LastDuration int64
}

// Encoder writes one derivative. Its methods are for one goroutine; cancelling the context kills the child.
type Encoder struct {
	o     EncodeOptions
	clock clock
	args  []string

	child  *ffmpegChild
	pipe   *os.File
	nut    *nut.Writer
	size   int
	frames int64
	last   int64
	err    error // first failure; the file is removed by then
	ended  bool

	threads int
	run     func(ffmpegIO, []string) (*ffmpegChild, error) // starts a child that the context of Encode ends
	cause   func() error                                   // why that context ended; nil while it has not
}

// Encode starts an encoder for frames of o.Target.View.Layout.
func Encode(ctx context.Context, t Tools, o EncodeOptions) (*Encoder, error) {
	origin := o.FirstPTS
	if o.Audio != nil {
		origin -= o.Audio.Lead
	}
	c, _, err := newClock(o.Probe.Video.TimeBase, origin)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if o.LastDuration <= 0 {
		o.LastDuration = frameTicks(&o.Probe.Video)
	}
	e := &Encoder{o: o, clock: c, size: o.Target.View.Layout.Size(), last: -1, threads: t.EncoderThreads}
	e.run = func(s ffmpegIO, args []string) (*ffmpegChild, error) { return startFFmpeg(ctx, t, s, args) }
	e.cause = func() error { return context.Cause(ctx) }
	if err := e.start(); err != nil {
		e.Abort()
		return nil, err
	}
	return e, nil
}

// Args are the encoder's arguments without paths, for the record.
func (e *Encoder) Args() []string { return slices.Clone(e.args) }

// Origin is the one offset between source and derivative: the source stamp, in source ticks, of the derivative's time
// zero.
func (e *Encoder) Origin() int64 { return e.clock.origin }

// videoOut is where the pictures go: Out itself, or a file beside it until the sound is added.
func (e *Encoder) videoOut() string {
	if e.o.Audio == nil {
		return e.o.Out
	}
	return Besides(e.o.Out)
}

// Besides names the file in which the encoder keeps the pictures of out while it adds sound.
func Besides(out string) string { return out + ".video" }

func (e *Encoder) start() error {
	if err := createPrivate(e.videoOut()); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	t := e.o.Target
	e.args = slices.Concat([]string{"-copyts", "-fps_mode", "passthrough"}, t.EncoderArgs,
		[]string{"-threads:v", strconv.Itoa(e.threads), "-enc_time_base", fmt.Sprintf("1:%d", e.clock.scale)},
		e.container(t.Profile == Press && e.o.Audio == nil), []string{"-bsf:v", e.setDuration() + ",filter_units=remove_types=6"})
	args := slices.Concat([]string{"-f", "nut", "-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0", "-i", "pipe:0",
		"-map", "0:v:0"}, e.args, []string{"-f", "mp4", "-y", fileURL(e.videoOut())})
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	defer r.Close()
	e.pipe = w
	enlargePipe(w)
	if e.child, err = e.run(ffmpegIO{stdin: r}, args); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}

// container are the muxer's arguments: a file without metadata, encoder names or wall-clock time, in the source's ticks.
func (e *Encoder) container(fast bool) []string {
	flags := "+negative_cts_offsets"
	if fast {
		flags += "+faststart"
	}
	scale := strconv.FormatInt(e.clock.scale, 10)
	return []string{"-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-movflags", flags,
		"-video_track_timescale", scale, "-movie_timescale", strconv.FormatInt(e.clock.movieScale(e.o.Audio != nil), 10),
		"-empty_hdlr_name", "1", "-metadata:s:v", "encoder=veil"}
}

// setDuration gives every packet the last frame's duration. MP4 takes the time between frames from their stamps, so that
// it counts for the last frame alone.
func (e *Encoder) setDuration() string {
	return fmt.Sprintf("setts=pts=PTS:dts=DTS:duration=%d", e.clock.duration(e.o.LastDuration))
}

// Write encodes one frame: pts in source ticks, greater than the last; frame in the target's layout. The frame is not
// kept.
func (e *Encoder) Write(pts int64, frame []byte) error {
	if e.err != nil {
		return e.err
	}
	if e.ended {
		return fmt.Errorf("%w: frame after the end", ErrEncoder)
	}
	if len(frame) != e.size {
		return e.fail(fmt.Errorf("%w: frame %d has %d bytes instead of %d", ErrEncoder, e.frames, len(frame), e.size))
	}
	stamp, err := e.clock.at(pts)
	if err != nil {
		return e.fail(fmt.Errorf("encode frame %d: %w", e.frames, err))
	}
	if stamp <= e.last {
		return e.fail(fmt.Errorf("encode frame %d: %w: stamp %d does not follow the one before", e.frames, ErrTimestamps, pts))
	}
	if e.nut == nil {
		e.nut, err = nut.NewWriter(e.pipe, e.header())
	}
	if err == nil {
		err = e.nut.Write(stamp, frame)
	}
	if err != nil {
		return e.broken(err)
	}
	e.last = stamp
	e.frames++
	return nil
}

// header describes the stream to the encoder. Marks travel on its command line.
func (e *Encoder) header() nut.Header {
	l, sar := e.o.Target.View.Layout, e.o.Probe.Video.SAR
	if sar.Num < 1 || sar.Den < 1 {
		sar = Rational{Num: 1, Den: 1}
	}
	return nut.Header{Tag: rawTag(l.Format), Width: l.Width, Height: l.Height, TimeNum: 1, TimeDen: e.clock.scale,
		AspectNum: int(sar.Num), AspectDen: int(sar.Den)}
}

// broken says why the child took no more: its own words count more than the broken pipe.
func (e *Encoder) broken(err error) error {
	if cause := e.cause(); cause != nil {
		return e.fail(fmt.Errorf("encode frame %d: %w", e.frames, cause))
	}
	// The pipe broke because the child ended, or is about to.
	if werr := e.child.wait(); werr != nil {
		err = werr
	}
	return e.fail(fmt.Errorf("encode frame %d: %w", e.frames, encoderError(err)))
}

// fail records the first failure and leaves no file.
func (e *Encoder) fail(err error) error {
	e.err = err
	e.Abort()
	return err
}

// Finish ends the input, waits for the child, adds the sound, and checks that every frame arrived and the file is on disk.
// After an error there is no file.
func (e *Encoder) Finish() error {
	if e.err != nil {
		return e.err
	}
	if e.ended {
		return fmt.Errorf("%w: finished twice", ErrEncoder)
	}
	e.ended = true
	if e.frames == 0 {
		return e.fail(fmt.Errorf("%w: no frame was written", ErrNoFrames))
	}
	if err := e.pipe.Close(); err != nil {
		return e.fail(fmt.Errorf("end encoding: %w", err))
	}
	if err := e.settle(e.child); err != nil {
		return e.fail(fmt.Errorf("end encoding: %w", err))
	}
	if e.o.Audio != nil {
		if err := e.addSound(); err != nil {
			return e.fail(fmt.Errorf("add sound: %w", err))
		}
		if err := discard(e.videoOut()); err != nil {
			return e.fail(fmt.Errorf("add sound: %w", err))
		}
	}
	if err := syncFile(e.o.Out); err != nil {
		return e.fail(fmt.Errorf("end encoding: %w", encoderError(err)))
	}
	return nil
}

// settle waits for a child and checks that it wrote every frame.
func (e *Encoder) settle(c *ffmpegChild) error {
	err := c.wait()
	switch {
	case e.cause() != nil:
		return e.cause()
	case err != nil:
		return encoderError(err)
	case c.frames() != e.frames:
		return fmt.Errorf("%w: %d frames of %d arrived", ErrEncoder, c.frames(), e.frames)
	}
	return nil
}

// addSound puts pictures and sound into one file. Both are this package's own encodes; they are copied, not encoded
// again. It is a step of its own because ffmpeg reads ahead in a file while a pipe has nothing to give: the order of
// packets, and so the bytes, would hang on timing, and hours of sound would lie in memory.
func (e *Encoder) addSound() error {
	if err := createPrivate(e.o.Out); err != nil {
		return err
	}
	args := slices.Concat([]string{"-copyts", "-i", fileURL(e.videoOut()), "-i", fileURL(e.o.Audio.Path), "-map", "0:v:0", "-map", "1:a:0",
		"-c", "copy", "-copypriorss:a", "1"}, e.container(e.o.Target.Profile == Press),
		[]string{"-bsf:v", e.setDuration(), "-f", "mp4", "-y", fileURL(e.o.Out)})
	c, err := e.run(ffmpegIO{}, args)
	if err != nil {
		return err
	}
	return e.settle(c)
}

// Abort kills the child before its input ends, so that it cannot finish a short file, and removes what it wrote. It is
// safe after Finish has succeeded: then it does nothing.
func (e *Encoder) Abort() {
	if e.err == nil {
		if e.ended {
			return
		}
		e.err = fmt.Errorf("%w: aborted", ErrEncoder)
	}
	if e.child != nil {
		e.child.kill()
		_ = e.child.wait()
	}
	if e.pipe != nil {
		_ = e.pipe.Close()
	}
	_ = os.Remove(e.videoOut())
	_ = os.Remove(e.o.Out)
}

// encoderError classifies what went wrong while writing.
func encoderError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, ErrNoSpace):
		return fmt.Errorf("%w (%w)", ErrNoSpace, err)
	case errors.Is(err, ErrMissingTool), errors.Is(err, ErrTimestamps), errors.Is(err, ErrEncoder):
		return err
	}
	return fmt.Errorf("%w: %w", ErrEncoder, err)
}

// discard removes a file. A confined process may not change folders: it empties the file, and whoever made it for the process
// removes it.
func discard(path string) error {
	err := os.Remove(path)
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// createPrivate makes an empty file that only its owner may read; ffmpeg then writes into it.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close())
	}
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// syncFile brings a file and its name to disk. A confined process may not open the folder; whoever gives the file its final
// name syncs that.
func syncFile(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(p)
		if p != path && errors.Is(err, os.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// fileURL names a file so that no part of its path is taken for an option or a protocol.
func fileURL(path string) string { return "file:" + path }
