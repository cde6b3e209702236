package media

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// logTail is how much of a child's stderr is kept.
const logTail = 8 << 10

// ffmpegIO is what a child's standard streams are tied to. Without stdout, progress is read from there.
type ffmpegIO struct {
	stdin  io.Reader
	stdout *os.File
	clip   *os.File // the source, which the child knows as childInput
	// mute are decoders whose errors do not count: the ones of pictures, where only sound is wanted.
	mute []string
}

// ffmpegChild is an ffmpeg of the way out: encoders, and the decoder of sound.
type ffmpegChild struct {
	child    *Child
	log      *messages
	progress *tail
}

// startFFmpeg runs ffmpeg with the options that every call shares in front of args.
func startFFmpeg(ctx context.Context, t Tools, s ffmpegIO, args []string) (*ffmpegChild, error) {
	full := []string{"-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+level+warning"}
	if s.stdout == nil {
		full = append(full, "-progress", "pipe:1")
	}
	cmd := Command(ctx, t.FFmpeg, append(full, args...)...)
	c := &ffmpegChild{log: &messages{mute: s.mute}, progress: &tail{}}
	cmd.Stdin, cmd.Stderr = s.stdin, c.log
	if s.clip != nil {
		cmd.ExtraFiles = []*os.File{s.clip}
	}
	if s.stdout != nil {
		cmd.Stdout = s.stdout
	} else {
		cmd.Stdout = c.progress
	}
	child, err := StartChild(cmd)
	if err != nil {
		return nil, startError(err)
	}
	c.child = child
	return c, nil
}

// wait returns nil only where the child ended with 0 and told no error.
func (c *ffmpegChild) wait() error {
	err := c.child.Wait()
	c.log.end()
	switch {
	case c.log.noSpace:
		return fmt.Errorf("%w: %s", ErrNoSpace, c.log.first)
	case c.log.backward:
		return fmt.Errorf("%w: %s", ErrTimestamps, c.log.first)
	case err != nil && c.log.first != "":
		return fmt.Errorf("ffmpeg: %w: %s", err, c.log.first)
	case err != nil:
		return fmt.Errorf("ffmpeg: %w", err)
	case c.log.errors > 0:
		return fmt.Errorf("ffmpeg: %s", c.log.first)
	}
	return nil
}

func (c *ffmpegChild) kill() { c.child.Kill() }

// frames is the number of frames that the child says it wrote; -1 where it said nothing, or dropped or repeated one.
func (c *ffmpegChild) frames() int64 {
	b := c.progress.bytes()
	last := func(key string) int64 {
		i := bytes.LastIndex(b, []byte("\n"+key+"="))
		if i < 0 {
			return -1
		}
		v, _, _ := strings.Cut(string(b[i+len(key)+2:]), "\n")
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	if last("dup_frames") > 0 || last("drop_frames") > 0 || !bytes.Contains(b, []byte("progress=end")) {
		return -1
	}
	return last("frame")
}

// tail keeps the end of what is written to it, behind a line break.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.b) == 0 {
		t.b = append(t.b, '\n')
	}
	t.b = append(t.b, p...)
	if len(t.b) > 2*logTail {
		t.b = append(t.b[:0], t.b[len(t.b)-logTail:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b)
}

// messages reads a child's stderr line by line and keeps what matters. It is read only once the child has ended.
type messages struct {
	mute     []string // senders that are not listened to
	line     []byte
	first    string // first error, without the sender
	errors   int
	noSpace  bool
	backward bool
}

// Write takes a piece of stderr.
func (m *messages) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' || c == '\r' {
			m.end()
			continue
		}
		if len(m.line) < logTail {
			m.line = append(m.line, c)
		}
	}
	return len(p), nil
}

// end takes the line under way as finished.
func (m *messages) end() {
	s := string(m.line)
	m.line = m.line[:0]
	for _, sender := range m.mute {
		if strings.HasPrefix(s, "["+sender+" @ ") {
			return
		}
	}
	switch {
	case strings.Contains(s, "No space left on device"), strings.Contains(s, "Disk quota exceeded"):
		m.noSpace = true
	case strings.Contains(s, "Non-monotonous DTS"), strings.Contains(s, "backward in time"):
		m.backward = true
	case strings.Contains(s, "[error]"), strings.Contains(s, "[fatal]"), strings.Contains(s, "[panic]"):
	default:
		return
	}
	m.errors++
	if m.first == "" {
		_, after, ok := strings.Cut(s, "] ")
		for ok && strings.HasPrefix(after, "[") {
			_, after, ok = strings.Cut(after, "] ")
		}
		if after == "" {
			after = s
		}
		m.first = after
	}
}
