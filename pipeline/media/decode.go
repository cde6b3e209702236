package media

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"veil/pipeline/media/nut"
)

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
	// except where that is missing, repeats or runs backwards: then it is one more than the last, and the frame is marked
	// damaged.
	PTS int64
	// Digest is the Adler-32 of the decoded planes before any conversion, eight lower-case hex digits: the same in
	// every view of the clip.
	Digest string
	// Damaged marks a frame that may show something else than was recorded: from a decode error or corrupt mark to the
	// next clean key frame, and where time stamps fail. Why names the first cause: "decoder", "corrupt", "container",
	// "timestamp".
	Damaged bool
	Key     bool
	Why     string
	// Interlaced is the frame's own mark, whatever the container says of the stream.
	Interlaced bool
}

// Decoder gives the frames of one clip in presentation order. It is for one goroutine; Close may come from another.
type Decoder struct {
	child    *Child
	out      *os.File // our end of the pictures' pipe
	sums     *digests
	log      *decodeLog
	logDone  chan struct{}
	frames   *nut.Reader
	view     View
	probe    *Probe
	cause    func() error // why the context ended, nil while it has not
	in       *os.File
	passed   int // frames handed over
	firstNUT int64
	firstPTS int64
	paired   bool // stamps of both streams are compared from the first frame on, until one of the source's fails
	finished error
}

// Decode starts to decode the video stream of the clip at path, which p describes, and shows it as v asks. r cuts an
// excerpt (nil: the whole clip); the clip is decoded from its start for that, so that the frames are the same.
//
// Frames come from a child process that ends when ctx does. The caller calls Next until it gives io.EOF or an error, and
// then Close.
func Decode(ctx context.Context, t Tools, path string, p *Probe, v View, r *Range) (*Decoder, error) {
	if v.Layout.Width < 1 || v.Layout.Height < 1 || len(v.Layout.Planes()) == 0 {
		return nil, fmt.Errorf("decode: view of %dx%d", v.Layout.Width, v.Layout.Height)
	}
	if r != nil && r.LastPTS < r.FirstPTS {
		return nil, fmt.Errorf("decode: %w", ErrEmptyExcerpt)
	}
	in, _, err := openInput(path)
	if err != nil {
		return nil, err
	}
	d := &Decoder{view: v, probe: p, in: in, logDone: make(chan struct{}), paired: true}
	d.cause = func() error { return context.Cause(ctx) }
	d.log = newDecodeLog(p, t.DecoderThreads, r)
	if err := d.start(Command(ctx, t.FFmpeg, decodeArgs(t, p, v, r)...)); err != nil {
		in.Close()
		return nil, fmt.Errorf("decode: %w", err)
	}
	return d, nil
}

// decodeArgs is the child's command line. It has two outputs: the pictures as the view wants them, and a digest of each
// as it left the decoder. The digests come first: ffmpeg serves its outputs in turn, and a digest that waited behind the
// next picture would wait for ever, since that is read only after the digest. showinfo can make digests too, but takes the
// sums of every sample besides, which costs as much as decoding. The raw "encoders" have one thread each: with more, ffmpeg
// copies every picture on a thread of its own, into memory that is new each time, and holds back as many pictures.
func decodeArgs(t Tools, p *Probe, v View, r *Range) []string {
	args := []string{"-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+level+info"}
	args = append(args, inputLimits()...)
	args = append(args, "-copyts", "-noautorotate", "-threads", strconv.Itoa(t.DecoderThreads),
		"-filter_threads", strconv.Itoa(t.DecoderThreads), "-i", childInput)
	same := []string{"-map", "0:" + strconv.Itoa(p.Video.Index), "-noautoscale", "-fps_mode", "passthrough",
		"-enc_time_base", "-1", "-map_metadata", "-1", "-map_chapters", "-1", "-c:v", "rawvideo", "-threads:v", "1",
		"-flush_packets", "1"}
	args = append(append(args, same...), "-vf", cmp.Or(trim(r), "null"), "-f", "framecrc", "pipe:"+strconv.Itoa(digestFD))
	return append(append(args, same...), "-vf", filterChain(p, v, r), "-f", "nut", "-write_index", "0", "pipe:1")
}

// filterChain is what every frame goes through: first the account of it, then the excerpt, then the view.
func filterChain(p *Probe, v View, r *Range) string {
	chain := "showinfo=checksum=0"
	if t := trim(r); t != "" {
		chain += "," + t
	}
	if p.Video.resizes() {
		chain += fmt.Sprintf(",scale=w=%d:h=%d:flags=bicubic+accurate_rnd+full_chroma_int+bitexact", p.Video.StoredWidth,
			p.Video.StoredHeight)
	}
	if c := v.chain(); c != "" {
		chain += "," + c
	}
	return chain
}

// trim cuts the excerpt. Its end stops the whole decode, so that an excerpt from the start of a long clip is cheap.
func trim(r *Range) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("trim=start_pts=%d:end_pts=%d", r.FirstPTS, r.LastPTS+1)
}

// pipeBytes lets the child run ahead by about a small frame; larger pipes need a privilege.
const pipeBytes = 1 << 20

// enlargePipe makes a pipe larger; a small one is only slower.
func enlargePipe(f *os.File) {
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
	}
}

func (d *Decoder) start(cmd *exec.Cmd) error {
	var ours, theirs [3]*os.File // pictures, words, digests
	for i := range ours {
		var err error
		if ours[i], theirs[i], err = os.Pipe(); err != nil {
			closeAll(ours[:i])
			closeAll(theirs[:i])
			return fmt.Errorf("make a pipe: %w", err)
		}
	}
	enlargePipe(ours[0])
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = theirs[0], theirs[1], []*os.File{d.in, theirs[2]}
	child, err := StartChild(cmd)
	closeAll(theirs[:])
	if err != nil {
		closeAll(ours[:])
		return startError(err)
	}
	d.child, d.out, d.sums = child, ours[0], newDigests(ours[2])
	go func() {
		defer close(d.logDone)
		defer ours[1].Close()
		d.log.read(bufio.NewReaderSize(ours[1], 1<<16))
	}()
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Next decodes the next frame into dst, whose length is the layout's size, and tells what is known of it. The end is
// io.EOF, and comes only when the child has ended well and every count agrees. Errors: ErrNoFrames, ErrSizeChange,
// ErrDamaged (where the child can not go on), ErrStalled, ErrEmptyExcerpt, ErrTimestamps (an excerpt whose ends lie among stamps that
// run backwards), the context's cause.
func (d *Decoder) Next(dst []byte) (FrameInfo, error) {
	if d.finished != nil {
		return FrameInfo{}, d.finished
	}
	info, err := d.next(dst)
	if err != nil {
		if cause := d.cause(); cause != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("decode: %w", cause)
		}
		d.finished = err
	}
	return info, err
}

func (d *Decoder) next(dst []byte) (FrameInfo, error) {
	if len(dst) != d.view.Layout.Size() {
		return FrameInfo{}, fmt.Errorf("decode: buffer of %d bytes, a frame has %d", len(dst), d.view.Layout.Size())
	}
	if d.frames == nil {
		r, err := nut.NewReader(d.out)
		if err != nil {
			return FrameInfo{}, d.end(err)
		}
		if err := checkHeader(r.Header(), d.view.Layout); err != nil {
			if _, told := d.log.next(); told != nil && !errors.Is(told, io.EOF) {
				err = told
			}
			return FrameInfo{}, d.stop(err)
		}
		d.frames = r
	}
	f, err := d.frames.Next()
	if err != nil {
		return FrameInfo{}, d.end(err)
	}
	if f.Size != len(dst) {
		if _, err := d.log.next(); err != nil {
			return FrameInfo{}, d.stop(err)
		}
		return FrameInfo{}, d.stop(ErrSizeChange)
	}
	if err := d.frames.Read(dst); err != nil {
		return FrameInfo{}, d.end(err)
	}
	line, err := d.log.next()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: more pictures came than were told of", ErrDamaged)
	}
	if err == nil {
		err = d.pair(line, f.PTS)
	}
	if err == nil {
		line.Digest, err = d.sums.next()
	}
	if err != nil {
		return FrameInfo{}, d.stop(err)
	}
	d.passed++
	return line.FrameInfo, nil
}

// stop kills the child and names the frame at which decoding ends.
func (d *Decoder) stop(err error) error {
	d.child.Kill()
	return fmt.Errorf("decode frame %d: %w", d.passed, err)
}

// pair holds the frame's stamp in the stream of pictures against that in the account: the differences from the first
// frame are the same, in two time bases. From the first stamp of the source that fails, ffmpeg's muxer makes up its own.
func (d *Decoder) pair(line frameLine, pts int64) error {
	d.paired = d.paired && line.stamped && line.own == line.PTS
	if !d.paired {
		return nil
	}
	if d.passed == 0 {
		d.firstNUT, d.firstPTS = pts, line.PTS
		return nil
	}
	h, tb := d.frames.Header(), d.probe.Video.TimeBase
	if tb.Num < 1 || (pts-d.firstNUT)*h.TimeNum*tb.Den != (line.PTS-d.firstPTS)*tb.Num*h.TimeDen {
		return fmt.Errorf("%w: pictures and their stamps do not pair", ErrDamaged)
	}
	return nil
}

// checkHeader compares what comes with what the view promised.
func checkHeader(h nut.Header, l Layout) error {
	if h.Width != l.Width || h.Height != l.Height || h.Tag != rawTag(l.Format) {
		return fmt.Errorf("the view gives %dx%d, not %dx%d in %s", h.Width, h.Height, l.Width, l.Height, l.Format)
	}
	return nil
}

// rawTag is NUT's code for a pixel format.
func rawTag(f PixelFormat) string {
	return map[PixelFormat]string{YUV420P: "I420", YUV422P: "Y42B", YUV444P: "444P", YUV420P10: "Y3\x0b\x0a",
		YUV422P10: "Y3\x0a\x0a", YUV444P10: "Y3\x00\x0a", BGR24: "BGR\x18"}[f]
}

// end judges the end of the pictures: cause is what ended them. It returns io.EOF where all is well.
func (d *Decoder) end(cause error) error {
	if !errors.Is(cause, io.EOF) && !errors.Is(cause, io.ErrUnexpectedEOF) {
		return d.stop(fmt.Errorf("%w: %w", ErrDamaged, cause))
	}
	<-d.logDone // the pictures are at their end: nothing keeps the child
	status := d.child.Wait()
	count, waiting, err, fault := d.log.state()
	var exit *exec.ExitError
	switch {
	case err != nil:
		return d.stop(err)
	case errors.As(status, &exit) && exit.ExitCode() < 0:
		return d.stop(fmt.Errorf("%w: the decoder was killed", ErrDamaged))
	case fault != nil:
		return d.stop(fault)
	case count == 0:
		return fmt.Errorf("decode: its video stream %w", ErrNoFrames)
	case status != nil:
		return d.stop(fmt.Errorf("%w: the decoder gave up", ErrDamaged))
	case waiting > 0:
		return d.stop(fmt.Errorf("%w: %d pictures are missing at the end", ErrDamaged, waiting))
	case d.passed == 0:
		return fmt.Errorf("decode: the %w", ErrEmptyExcerpt)
	case errors.Is(cause, io.ErrUnexpectedEOF):
		return d.stop(fmt.Errorf("%w: the decoder ended in mid-frame", ErrDamaged))
	}
	return io.EOF
}

// Close kills the child where it still runs, waits for it, and frees what the decoder holds.
func (d *Decoder) Close() error {
	d.child.Kill()
	_ = d.child.Wait()
	<-d.logDone
	d.out.Close()
	d.sums.close()
	d.in.Close()
	return nil
}
