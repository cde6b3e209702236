package evidence

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"veil/worker/seal"
)

// maxFrames bounds how many frames of a file are named.
const maxFrames = 10_000_000

var pixelFormat = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// FFmpeg names frames with an ffmpeg of this machine (5.1 or later).
type FFmpeg struct {
	Path string // empty: none is there
	// Start starts what command makes, confined as the caller wants; command makes a new one at each call. The file is the one
	// that must be readable. Release is called once the process has ended. Nil: it is started as it is.
	Start func(command func() *exec.Cmd, file string) (cmd *exec.Cmd, release func(), err error)
	// Limit is how long the decoding may take; 0: DefaultLimit.
	Limit time.Duration
	// MaxPixels bounds one picture that is decoded; 0: DefaultMaxPixels.
	MaxPixels int
}

// DefaultLimit is how long a derivative may take to be decoded.
const DefaultLimit = time.Hour

// DefaultMaxPixels is more than any derivative has in one picture.
const DefaultMaxPixels = 8192 * 4608

// ErrSlow says that the pictures were not decoded within the time that was allowed.
var ErrSlow = errors.New("the pictures were not decoded in time")

// FindFFmpeg takes a named program, or the ffmpeg on the PATH.
func FindFFmpeg(named string) FFmpeg {
	if named == "" {
		named = "ffmpeg"
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return FFmpeg{}
	}
	if path, err = filepath.Abs(path); err != nil {
		return FFmpeg{}
	}
	return FFmpeg{Path: path}
}

// Frames is Pictures.Frames by `ffmpeg -f framehash -hash sha256`.
func (f FFmpeg) Frames(ctx context.Context, out, format string) (seal.Frames, error) {
	if f.Path == "" {
		return seal.Frames{}, ErrNoDecoder
	}
	if !pixelFormat.MatchString(format) {
		return seal.Frames{}, errors.New("unknown pixel format")
	}
	abs, err := filepath.Abs(out)
	if err != nil {
		return seal.Frames{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(f.Limit, DefaultLimit), ErrSlow)
	defer cancel()
	stdout, theirs, err := os.Pipe()
	if err != nil {
		return seal.Frames{}, err
	}
	defer stdout.Close()
	cmd, release, err := f.start(func() *exec.Cmd {
		cmd := f.command(ctx, f.frameArgs(abs, format))
		cmd.Stdout = theirs
		return cmd
	}, abs)
	if err := errors.Join(err, theirs.Close()); err != nil {
		return seal.Frames{}, fmt.Errorf("%w: %w", ErrNoDecoder, err)
	}
	defer release()
	frames, err := readFrameHash(stdout)
	if err != nil {
		cancel()
	}
	status := cmd.Wait()
	if slow := context.Cause(ctx); errors.Is(slow, ErrSlow) {
		return seal.Frames{}, ErrSlow
	}
	if err == nil && len(frames.Digests) == 0 {
		err = errors.Join(errors.New("no frame could be decoded"), status)
	}
	frames.PixelFormat = format
	return frames, err
}

// Compare is Pictures.Compare: ErrNotHere.
func (f FFmpeg) Compare(context.Context, string, string, string) ([]Finding, error) {
	return nil, ErrNotHere
}

// start starts the program as the caller wants it.
func (f FFmpeg) start(command func() *exec.Cmd, file string) (*exec.Cmd, func(), error) {
	if f.Start != nil {
		return f.Start(command, file)
	}
	cmd := command()
	return cmd, func() {}, cmd.Start()
}

// command has an empty environment.
func (f FFmpeg) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.Path, args...)
	cmd.Env = []string{"LC_ALL=C"}
	if root := os.Getenv("SYSTEMROOT"); root != "" { // Windows starts nothing without it
		cmd.Env = append(cmd.Env, "SYSTEMROOT="+root)
	}
	return cmd
}

// frameArgs decode every frame once, as it is, and digest its samples. A full-range picture may go under its old name, so that
// nothing converts it.
func (f FFmpeg) frameArgs(path, format string) []string {
	formats := format
	if rest, ok := strings.CutPrefix(format, "yuv"); ok && !strings.HasSuffix(format, "le") {
		formats += "|yuvj" + rest
	}
	return []string{"-hide_banner", "-nostdin", "-nostats", "-loglevel", "quiet", "-protocol_whitelist", "file",
		"-format_whitelist", "mov,mp4,matroska,webm,mpegts,avi", "-max_pixels", strconv.Itoa(cmp.Or(f.MaxPixels, DefaultMaxPixels)), "-noautorotate", "-copyts", "-i", "file:" + path, "-map", "0:v:0", "-vf", "format=" + formats,
		"-fps_mode", "passthrough", "-enc_time_base", "-1", "-c:v", "rawvideo", "-f", "framehash", "-hash", "sha256", "-"}
}

// readFrameHash reads ffmpeg's framehash: lines "stream, dts, pts, duration, size, digest" after a header of lines with #.
func readFrameHash(r io.Reader) (seal.Frames, error) {
	f := seal.Frames{Algorithm: "sha256"}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if head, ok := strings.CutPrefix(line, "#"); ok {
			readFrameHead(&f, head)
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 6 || len(f.Digests) == maxFrames {
			return f, errors.New("ffmpeg's answer makes no sense")
		}
		pts, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64)
		digest := strings.TrimSpace(fields[5])
		if err != nil || !seal.IsDigest(digest) {
			return f, errors.New("ffmpeg's answer makes no sense")
		}
		f.PTS, f.Digests = append(f.PTS, pts), append(f.Digests, digest)
	}
	return f, lines.Err()
}

func readFrameHead(f *seal.Frames, head string) {
	name, value, _ := strings.Cut(head, ":")
	value = strings.TrimSpace(value)
	switch name {
	case "tb 0":
		f.TimeBase = value
	case "dimensions 0":
		w, h, _ := strings.Cut(value, "x")
		f.Width, _ = strconv.Atoi(w)
		f.Height, _ = strconv.Atoi(h)
	}
}
