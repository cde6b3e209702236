package media

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Causes of damage, as FrameInfo.Why tells them.
const (
	WhyDecoder   = "decoder"   // the decoder complained
	WhyCorrupt   = "corrupt"   // the decoder marked the frame itself
	WhyContainer = "container" // the container's structure or a packet is broken
	WhyTimestamp = "timestamp" // the stamp is missing, repeats or runs backwards
)

// logKind is what one line of ffmpeg's stderr means for us.
type logKind int

const (
	lineOther     logKind = iota
	lineMapped            // probing is over: only the chosen stream's decoder speaks from here on
	lineCorrupt           // the next frame is marked corrupt
	linePacket            // a packet of a stream is marked corrupt
	lineDecoder           // an error of a decoder, or without a sender
	lineContainer         // an error of the demuxer
	lineFilter            // an error of a filter, the encoder or the muxer: ours, not the clip's
)

const (
	maxLogLine     = 8 << 10
	maxStamp       = 1 << 52 // 50 days at the finest time base that is met, 1 ns
	showinfoSender = "Parsed_showinfo_0"
)

// logLine is one classified line.
type logLine struct {
	kind   logKind
	stream int         // of linePacket; -1 where it is not told
	frame  *frameFacts // what a frame is
}

// frameFacts are what showinfo prints.
type frameFacts struct {
	pts        int64
	stamped    bool
	format     string
	width      int
	height     int
	interlaced bool
	key        bool
}

var (
	logHead  = regexp.MustCompile(`^(?:\[([^\]@]*?)(?: @ 0x[0-9a-f]+)?\] )?\[(info|warning|error|fatal|panic)\] (.*)$`)
	logFrame = regexp.MustCompile(`n: *\d+ pts: *(-?\d+|NOPTS) +pts_time:\S+ .*?\bfmt:(\S+) .*?\bs:(\d+)x(\d+) ` +
		`i:([PTB]) iskey:([01]) type:\S ?`)
	logPacket = regexp.MustCompile(`(?:corrupt input packet in stream (\d+)|Packet corrupt \(stream = (\d+),)`)
	// logWords betray a decoder that speaks within a line of showinfo's.
	logWords = regexp.MustCompile(`(?i)error|invalid|corrupt|conceal|missing|no frame|out of range|non-existing|` +
		`unavailable|truncated|overflow|overread|not find|reference|exceed`)
)

// classify reads one line. It looks at the sender and at what ffmpeg itself says; text from the clip can stand only in
// lines of level info without a sender, which are not read.
func classify(line string) logLine {
	m := logHead.FindStringSubmatch(line)
	if m == nil {
		return logLine{}
	}
	sender, level, text := m[1], m[2], m[3]
	if sender != "" {
		if l := classifyFrame(text); l.frame != nil {
			return l
		}
	}
	switch level {
	case "info":
		if sender == "" && text == "Stream mapping:" {
			return logLine{kind: lineMapped}
		}
		if sender == showinfoSender && logWords.MatchString(text) {
			return logLine{kind: lineDecoder}
		}
		return logLine{}
	case "warning":
		if strings.Contains(text, "corrupt decoded frame") {
			return logLine{kind: lineCorrupt}
		}
		if p := logPacket.FindStringSubmatch(text); p != nil {
			n, err := strconv.Atoi(p[1] + p[2])
			if err != nil {
				n = -1
			}
			return logLine{kind: linePacket, stream: n}
		}
		return logLine{}
	}
	return logLine{kind: errorKind(sender, text)}
}

// classifyFrame finds what showinfo tells of a frame. Whatever stands before or behind it is a decoder's complaint: its
// lines lose their own head when they come in the middle of another, and showinfo's may stand under the decoder's.
func classifyFrame(text string) logLine {
	at := logFrame.FindStringSubmatchIndex(text)
	if at == nil {
		return logLine{}
	}
	f, ok := parseFrame(logFrame.FindStringSubmatch(text))
	if !ok {
		return logLine{}
	}
	l := logLine{frame: &f}
	if strings.TrimSpace(text[:at[0]]) != "" || strings.TrimSpace(text[at[1]:]) != "" {
		l.kind = lineDecoder
	}
	return l
}

// errorKind tells whose error a line of level error or worse is.
func errorKind(sender, text string) logKind {
	if strings.Contains(text, "No such filter") || strings.Contains(text, "Error initializing filter") ||
		strings.Contains(text, "Error reinitializing filters") || strings.Contains(text, "Unrecognized option") {
		return lineFilter
	}
	if strings.HasPrefix(sender, "Parsed_") || sender == "AVFilterGraph" || sender == "nut" || sender == "rawvideo" ||
		sender == "framecrc" || strings.HasPrefix(sender, "auto_scale") || sender == "swscaler" {
		return lineFilter
	}
	first, _, _ := strings.Cut(sender, ",")
	if sender != "h264" && sender != "hevc" && containerName(first) != "" {
		return lineContainer
	}
	return lineDecoder
}

// parseFrame reads the parts of logFrame.
func parseFrame(m []string) (frameFacts, bool) {
	f := frameFacts{format: m[2], interlaced: m[5] != "P", key: m[6] == "1"}
	if m[1] != "NOPTS" {
		v, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return frameFacts{}, false
		}
		// A stamp that could overflow sums is no stamp.
		if v > -maxStamp && v < maxStamp {
			f.pts, f.stamped = v, true
		}
	}
	w, err1 := strconv.Atoi(m[3])
	h, err2 := strconv.Atoi(m[4])
	if err1 != nil || err2 != nil {
		return frameFacts{}, false
	}
	f.width, f.height = w, h
	return f, true
}

// frameLine is the account of one frame that the excerpt lets pass. Err ends the account.
type frameLine struct {
	FrameInfo
	own     int64 // the source's own stamp
	stamped bool
	err     error
}

// decodeLog reads a decoder's stderr, judges damage, and keeps the account of the frames until they are asked for. A
// frame's line is given out once the next one's is there, or the end: what ffmpeg says in between belongs to it.
type decodeLog struct {
	stream        int
	width, height int
	resizes       bool
	delay         int // frames by which the decoder's complaints may run ahead of its pictures
	excerpt       *Range
	start         int64

	mu     sync.Mutex
	more   *sync.Cond
	queue  []frameLine
	held   *frameLine
	closed bool
	fault  error // ours, not the clip's
	count  int

	mapped  bool
	format  string
	last    int64
	pending string // cause told since the last frame
	corrupt bool
	damaged string // cause of the damage that lasts
	settle  int    // frames until a key frame may end it
}

func newDecodeLog(p *Probe, threads int, r *Range) *decodeLog {
	v := &p.Video
	l := &decodeLog{stream: v.Index, width: v.StoredWidth, height: v.StoredHeight, resizes: v.resizes(),
		delay: v.Delay + threads, excerpt: r, start: v.StartPTS}
	l.more = sync.NewCond(&l.mu)
	return l
}

// read takes stderr to its end.
func (l *decodeLog) read(r *bufio.Reader) {
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			l.take(classify(strings.TrimRight(string(line[:min(len(line), maxLogLine)]), "\r\n")))
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of an endless line
			_, err = r.ReadSlice('\n')
		}
		if err != nil {
			l.close()
			return
		}
	}
}

func (l *decodeLog) take(line logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch line.kind {
	case lineMapped:
		l.mapped = true
	case lineCorrupt:
		l.corrupt = true
	case linePacket:
		if line.stream == l.stream || line.stream < 0 {
			l.note(WhyContainer)
		}
	case lineContainer:
		l.note(WhyContainer)
	case lineDecoder:
		if l.mapped { // before, decoders of all streams are tried; what they find in ours they will find again
			l.note(WhyDecoder)
		}
	case lineFilter:
		if l.fault == nil {
			l.fault = errors.New("ffmpeg can not make this view of the clip")
		}
	}
	if line.frame != nil {
		l.frame(*line.frame)
	}
}

// note keeps the first cause since the last frame.
func (l *decodeLog) note(why string) {
	if l.pending == "" {
		l.pending = why
	}
}

// frame judges one frame.
func (l *decodeLog) frame(f frameFacts) {
	info := FrameInfo{Number: l.count, Key: f.key, Interlaced: f.interlaced, PTS: f.pts}
	line := frameLine{FrameInfo: info, own: f.pts, stamped: f.stamped}
	switch {
	case l.format != "" && f.format != l.format:
		line.err = fmt.Errorf("%w or its pixel format", ErrSizeChange)
	case (f.width != l.width || f.height != l.height) && !l.resizes:
		line.err = fmt.Errorf("%w, from %dx%d to %dx%d", ErrSizeChange, l.width, l.height, f.width, f.height)
	}
	l.format = f.format
	line.Why = l.judge(f.key)
	if first := l.count == 0; first && !f.stamped {
		line.PTS, line.Why = l.start, WhyTimestamp
	} else if !first && (!f.stamped || f.pts <= l.last) {
		line.PTS = l.last + 1
		if line.Why == "" {
			line.Why = WhyTimestamp
		}
	}
	line.Damaged = line.Why != ""
	l.last = line.PTS
	l.count++
	l.release()
	l.hold(line)
}

// judge tells why a frame counts as damaged, or nothing. Complaints run ahead of the pictures, so that a key frame ends
// the damage only when the decoder can not still hold the broken one back.
func (l *decodeLog) judge(key bool) string {
	clean := l.pending == "" && !l.corrupt
	if l.pending != "" {
		l.damaged, l.settle = l.pending, l.delay
	}
	if l.corrupt {
		l.damaged = WhyCorrupt
	}
	l.pending, l.corrupt = "", false
	if clean && key && l.settle <= 0 {
		l.damaged = ""
	}
	if clean && l.settle > 0 {
		l.settle--
	}
	return l.damaged
}

// hold keeps a frame until it is known what follows; frames that the excerpt leaves out are only counted.
func (l *decodeLog) hold(line frameLine) {
	if line.err == nil && l.excerpt != nil {
		passes := line.stamped && line.own >= l.excerpt.FirstPTS && line.own <= l.excerpt.LastPTS
		asked := line.PTS >= l.excerpt.FirstPTS && line.PTS <= l.excerpt.LastPTS
		if passes != asked {
			line.err = fmt.Errorf("the excerpt %w", ErrTimestamps)
		} else if !passes {
			return
		}
	}
	l.held = &line
	if line.err != nil {
		l.release()
	}
}

// release gives out the frame that was held.
func (l *decodeLog) release() {
	if l.held == nil {
		return
	}
	l.queue = append(l.queue, *l.held)
	l.held = nil
	l.more.Broadcast()
}

// close ends the account. What was told behind the last frame is put down to it.
func (l *decodeLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil && !l.held.Damaged && (l.pending != "" || l.corrupt) {
		l.held.Damaged, l.held.Why = true, l.pending
		if l.pending == "" {
			l.held.Why = WhyCorrupt
		}
	}
	l.release()
	l.closed = true
	l.more.Broadcast()
}

// next gives the account of the next frame; io.EOF at its end.
func (l *decodeLog) next() (frameLine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.more.Wait()
	}
	if len(l.queue) == 0 {
		return frameLine{}, io.EOF
	}
	line := l.queue[0]
	l.queue = l.queue[1:]
	return line, line.err
}

// state tells how many frames the source had, how many of them wait to be asked for, the error among those, and what
// failed on our side.
func (l *decodeLog) state() (count, waiting int, err, fault error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.queue {
		if line.err != nil && err == nil {
			err = line.err
		}
	}
	return l.count, len(l.queue), err, l.fault
}
