package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// inspectTime is far more than a sound clip takes; a container made to keep the prober busy ends here.
const inspectTime = 90 * time.Second

// Inspect reads what the container of the clip at path says, and looks at its first frames, before anything else is
// decoded. Every refusal that needs no whole decode comes from here: ErrUnreadable, ErrNotAVideo, ErrNoVideo, ErrFormat,
// ErrCodec, ErrEncrypted, ErrNoFrames and ErrLimit (lim), and the file system's own errors.
func Inspect(ctx context.Context, t Tools, path string, lim Limits) (*Probe, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTime,
		fmt.Errorf("%w: it takes longer than %s to look through its container", ErrUnreadable, inspectTime))
	defer cancel()
	in, size, err := openInput(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	boxes, err := refuseByHead(in, size)
	if err != nil {
		return nil, err
	}
	early := t.lookEarly(ctx, in)
	defer early.end()
	doc, stderr, err := t.describe(ctx, in)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("inspect: %w", context.Cause(ctx))
	}
	if err != nil {
		if boxes {
			return nil, fmt.Errorf("the file %w", ErrNotAVideo)
		}
		return nil, describeError(err, stderr)
	}
	p := &Probe{Bytes: size, Streams: len(doc.Streams), Duration: seconds(doc.Format.Duration)}
	if p.Container = containerName(doc.Format.Name); p.Container == "" {
		return nil, fmt.Errorf("its %w", ErrFormat)
	}
	if !slices.ContainsFunc(doc.Streams, func(s probeStream) bool { return s.Type == "video" || s.Type == "audio" }) {
		return nil, fmt.Errorf("%w: its header names neither picture nor sound, or ends early", ErrUnreadable)
	}
	stream, err := chooseVideo(doc)
	if err != nil {
		return nil, err
	}
	p.Video = newVideoStream(stream)
	var found sight
	if stream == firstVideo(doc) {
		found = early.wait()
	} else {
		early.end()
		found = t.look(ctx, in, strconv.Itoa(stream.Index))
	}
	if err := p.measure(found, stream); err != nil {
		return nil, err
	}
	p.Audio = audioStreams(doc)
	p.Removed = append(removedStreams(doc, stream.Index), p.Removed...)
	if err := p.checkLimits(lim); err != nil {
		return nil, err
	}
	return p, nil
}

// refuseByHead refuses an empty file and pictures by their first bytes. boxes tells a picture in ISO boxes, which may
// hold a video too.
func refuseByHead(in *os.File, size int64) (boxes bool, err error) {
	if size == 0 {
		return false, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	head := make([]byte, 16)
	n, err := in.ReadAt(head, 0)
	if n == 0 && err != nil {
		return false, fmt.Errorf("read clip: %w", err)
	}
	still, boxes := isStill(head[:n])
	if still && !boxes {
		return false, fmt.Errorf("the file %w", ErrNotAVideo)
	}
	return boxes, nil
}

// describeError says in our own words why ffprobe could not read a container.
func describeError(err error, stderr []byte) error {
	has := func(s string) bool { return bytes.Contains(stderr, []byte(s)) }
	switch {
	case errors.Is(err, ErrMissingTool), errors.Is(err, ErrLimit), errors.Is(err, ErrUnreadable):
		return err
	case has("Format not on whitelist"):
		return fmt.Errorf("its %w", ErrFormat)
	case has("moov atom not found"):
		return fmt.Errorf("%w: its index is missing, the file was cut short or never finished", ErrUnreadable)
	case has("partial file"), has("End of file"):
		return fmt.Errorf("%w: it ends in mid-header", ErrUnreadable)
	}
	return fmt.Errorf("%w: it starts like no known container, or its header is broken", ErrUnreadable)
}

// chooseVideo picks the stream that is redacted: the first that is marked as the default, else the first. Covers and
// thumbnails are no video.
func chooseVideo(doc *probeDoc) (*probeStream, error) {
	var first *probeStream
	covers := 0
	for i := range doc.Streams {
		s := &doc.Streams[i]
		if s.Type != "video" {
			continue
		}
		if s.isCover() {
			covers++
			continue
		}
		if s.Disposition["default"] == 1 {
			first = s
			break
		}
		if first == nil {
			first = s
		}
	}
	if first == nil && covers > 0 {
		return nil, fmt.Errorf("its only picture %w (a cover)", ErrNotAVideo)
	}
	if first == nil {
		return nil, fmt.Errorf("the file %w", ErrNoVideo)
	}
	if isEncrypted(first.SideData) || first.Tag == "encv" {
		return nil, fmt.Errorf("its video %w", ErrEncrypted)
	}
	if first.Codec == "" || first.Codec == "unknown" || first.Codec == "none" {
		return nil, fmt.Errorf("%w (%s)", ErrCodec, printable(first.Tag))
	}
	return first, nil
}

// sight is what one stream shows beyond its description.
type sight struct {
	scan   packetScan
	frames []probeFrame
	err    error
}

// look reads the packets and decodes the first frames of the stream that spec names, side by side: both are mostly the start
// of a program.
func (t Tools) look(ctx context.Context, in *os.File, spec string) (s sight) {
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if s.scan, err = t.scanPackets(gctx, in, spec); err != nil {
			return fmt.Errorf("inspect packets: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if s.frames, err = t.firstFrames(gctx, in, spec); err != nil {
			return fmt.Errorf("inspect frames: %w", err)
		}
		return nil
	})
	s.err = group.Wait()
	return s
}

// earlyLook looks at the first video stream while the description that says which one is wanted is still read.
type earlyLook struct {
	cancel context.CancelFunc
	done   chan struct{}
	seen   sight
}

func (t Tools) lookEarly(ctx context.Context, in *os.File) *earlyLook {
	ctx, cancel := context.WithCancel(ctx)
	e := &earlyLook{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		e.seen = t.look(ctx, in, "v:0")
	}()
	return e
}

// wait gives what was seen.
func (e *earlyLook) wait() sight {
	<-e.done
	return e.seen
}

// end stops a look that nobody waits for.
func (e *earlyLook) end() {
	e.cancel()
	<-e.done
}

// firstVideo is the stream that ffprobe calls v:0; nil where there is none.
func firstVideo(doc *probeDoc) *probeStream {
	i := slices.IndexFunc(doc.Streams, func(s probeStream) bool { return s.Type == "video" })
	if i < 0 {
		return nil
	}
	return &doc.Streams[i]
}

// measure takes over what was seen of packets and first frames, and refuses what they rule out.
func (p *Probe) measure(seen sight, s *probeStream) error {
	if seen.err != nil {
		return seen.err
	}
	v, scan, frames := &p.Video, seen.scan, seen.frames
	if scan.encrypted {
		return fmt.Errorf("its video %w", ErrEncrypted)
	}
	v.applyScan(scan, s, p.Duration)
	if len(frames) == 0 && (s.PixelFormat == "" || s.PixelFormat == "unknown" || v.StoredWidth == 0) {
		return fmt.Errorf("its video stream %w", ErrNoFrames)
	}
	p.applyFrames(frames)
	if s.Captions != 0 {
		p.Removed = append(p.Removed, Removed{Kind: "captions", Text: "closed captions in the picture stream", Count: 1})
	}
	if v.HiddenFrames > 0 {
		p.Removed = append(p.Removed, Removed{Kind: "hidden_frames", Text: "frames that an edit list hides",
			Count: v.HiddenFrames})
	}
	p.finish()
	return nil
}

// printable keeps letters, digits and a few marks of a code that comes from the file.
func printable(s string) string {
	out := []rune{}
	for _, r := range s {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' || r == '.' {
			out = append(out, r)
		}
	}
	if len(out) > 16 {
		out = out[:16]
	}
	if len(out) == 0 {
		return "unknown"
	}
	return string(out)
}
