package media

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Causes of damage, as FrameInfo.Why names them.
const (
	WhyDecoder   = "decoder"   // the decoder reported an error
	WhyCorrupt   = "corrupt"   // the decoder concealed something
	WhyContainer = "container" // the demuxer reported an error
	WhyTimestamp = "timestamp" // a stamp is missing, repeats or runs backwards
)

// maxLogLine bounds one line of ffmpeg's stderr, in bytes; what is longer is cut.
const maxLogLine = 64 << 10

// frameLine is what showinfo tells of one frame. own is the frame's own stamp; stamped says that it has one.
type frameLine struct {
	FrameInfo
	own     int64
	stamped bool
}

// decodeLog reads the stderr of one decoding child, classifies every line and keeps the account of the frames. Nothing of
// the text leaves it. The reader runs in a goroutine of its own; next and the rest may be called meanwhile.
type decodeLog struct {
	settle int // frames that the decoder may be ahead of the account: threads and reordering

	mu      sync.Mutex
	changed sync.Cond
	lines   []frameLine
	ended   bool
	count   int
	size    string // of the decoded pictures, as told
	resized bool

	why        string // cause of the damage under way, empty where the frames are clean
	sinceFault int    // frames told of since the last fault
	fresh      bool   // a fault came after the last frame
	last       int64
}

// newDecodeLog makes the account for a decoder of so many threads.
func newDecodeLog(p *Probe, threads int) *decodeLog {
	l := &decodeLog{settle: threads + p.Video.Delay}
	l.changed.L = &l.mu
	return l
}

// read takes stderr to its end.
func (l *decodeLog) read(r *bufio.Reader) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line) < maxLogLine {
			line = append(line, piece...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.take(strings.TrimRight(string(line), "\r\n"))
		line = line[:0]
		if err != nil {
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if n := len(l.lines); n > 0 && l.fresh {
		l.lines[n-1].Damaged, l.lines[n-1].Why = true, l.why // what came last is incomplete
	}
	l.changed.Broadcast()
}

// take classifies one line.
func (l *decodeLog) take(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sender, rest, level := splitLine(s)
	switch {
	case strings.HasPrefix(sender, "Parsed_showinfo_0") && strings.HasPrefix(strings.TrimSpace(rest), "n:"):
		l.frame(rest)
	case strings.Contains(rest, "corrupt decoded frame"):
		l.fault(WhyCorrupt)
	case level == "error" || level == "fatal" || level == "panic":
		l.fault(faultOf(sender))
	}
}

// splitLine takes "[sender @ address] [level] text" apart.
func splitLine(s string) (sender, text, level string) {
	for strings.HasPrefix(s, "[") {
		mark, rest, ok := strings.Cut(s[1:], "] ")
		if !ok {
			break
		}
		s = rest
		switch mark {
		case "panic", "fatal", "error", "warning", "info", "verbose", "debug":
			level = mark
		default:
			if sender == "" {
				sender, _, _ = strings.Cut(mark, " @")
			}
		}
	}
	return sender, s, level
}

// faultOf tells whether a demuxer or a decoder complained.
func faultOf(sender string) string {
	first, _, _ := strings.Cut(sender, ",")
	if containerName(first) != "" && first != "h264" && first != "hevc" {
		return WhyContainer
	}
	return WhyDecoder
}

// fault begins or renews damage: it lasts to a key frame that the decoder cannot have begun before the fault.
func (l *decodeLog) fault(why string) {
	if l.why == "" {
		l.why = why
	}
	l.sinceFault, l.fresh = 0, true
}

// frame takes showinfo's line of one frame.
func (l *decodeLog) frame(s string) {
	f := frameLine{FrameInfo: FrameInfo{Number: l.count, Digest: digits(field(s, "checksum")), Key: field(s, "iskey") == "1"}}
	f.Interlaced = field(s, "i") == "T" || field(s, "i") == "B"
	if pts, err := strconv.ParseInt(field(s, "pts"), 10, 64); err == nil {
		f.own, f.stamped = pts, true
	}
	l.count++
	if size := field(s, "s"); l.size == "" {
		l.size = size
	} else if size != l.size {
		l.resized = true
	}
	if l.why != "" && f.Key && !l.fresh && l.sinceFault >= l.settle {
		l.why = ""
	}
	f.Damaged, f.Why = l.why != "", l.why
	l.sinceFault++
	l.fresh = false
	f.PTS = f.own
	if !f.stamped || f.Number > 0 && f.own <= l.last {
		f.PTS, f.Damaged, f.Why = l.last+1, true, WhyTimestamp
	}
	l.last = f.PTS
	l.lines = append(l.lines, f)
	l.changed.Broadcast()
}

// field finds "key:value" or "key: value" in showinfo's line.
func field(s, key string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], key+":")
		if i < 0 {
			return ""
		}
		i += from
		if i == 0 || s[i-1] == ' ' {
			value, _, _ := strings.Cut(strings.TrimLeft(s[i+len(key)+1:], " "), " ")
			return value
		}
		from = i + 1
	}
}

// digits brings a checksum to eight lower-case hex digits.
func digits(s string) string {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return ""
	}
	const width = 8
	hex := strconv.FormatUint(v, 16)
	return strings.Repeat("0", width-len(hex)) + hex
}

// next gives the account of the next frame, io.EOF behind the last. It waits for the line behind it, because a fault at the
// clip's very end belongs to the last frame.
func (l *decodeLog) next() (frameLine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.lines) < 2 && !l.ended {
		l.changed.Wait()
	}
	if l.resized {
		return frameLine{}, ErrSizeChange
	}
	if len(l.lines) == 0 {
		return frameLine{}, io.EOF
	}
	f := l.lines[0]
	l.lines = l.lines[1:]
	if f.Digest == "" {
		return frameLine{}, errors.New("the decoder gave no checksum")
	}
	return f, nil
}

// failure is what ended the decoding, if the account tells.
func (l *decodeLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resized {
		return ErrSizeChange
	}
	return nil
}

// frames counts the frames told of.
func (l *decodeLog) frames() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
