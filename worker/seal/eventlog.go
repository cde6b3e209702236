package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of event logs.
var (
	// ErrLogChain says that an entry does not follow the one before it: one was edited, moved, put in or taken out.
	ErrLogChain = errors.New("has an entry that does not follow from the one before")
	// ErrLogShort says that entries are missing at the end.
	ErrLogShort = errors.New("ends before its last entry")
	// ErrLogLong says that entries were added at the end.
	ErrLogLong = errors.New("goes on after its last entry")
	// ErrLogOther says that the log is whole in itself and belongs to something else.
	ErrLogOther = errors.New("is another log")
)

// noEntry is what the first entry names as the one before it.
var noEntry = strings.Repeat("0", 64)

// Entry is one event of a job. Each names the digest of the line before it.
type Entry struct {
	Seq   int               `json:"seq"` // from 0
	Prev  string            `json:"prev"`
	Time  time.Time         `json:"time"`
	Event string            `json:"event"`
	Data  map[string]string `json:"data"`
}

// LogHead names a log as it was when the manifest was signed.
type LogHead struct {
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Entries int    `json:"entries"`
	Head    string `json:"head"` // SHA-256 of the last line, without its line break
}

// Log is an event log that is being written: canonical JSON, an entry on a line.
type Log struct {
	lines bytes.Buffer
	last  string
	n     int
}

// Add appends an event. Data names digests and counts, never a person, a case or a file.
func (l *Log) Add(at time.Time, event string, data map[string]string) error {
	if data == nil {
		data = map[string]string{}
	}
	prev := l.last
	if l.n == 0 {
		prev = noEntry
	}
	line, err := Canonical(Entry{Seq: l.n, Prev: prev, Time: Second(at), Event: event, Data: data})
	if err != nil {
		return fmt.Errorf("log %s: %w", event, err)
	}
	l.last = Digest(line)
	l.n++
	l.lines.Write(line)
	l.lines.WriteByte('\n')
	return nil
}

// Bytes are the log's.
func (l *Log) Bytes() []byte { return bytes.Clone(l.lines.Bytes()) }

// Head names the log as it is now.
func (l *Log) Head() LogHead {
	b := l.lines.Bytes()
	return LogHead{SHA256: Digest(b), Bytes: int64(len(b)), Entries: l.n, Head: l.last}
}

// LogFault tells at which entry, counted from 1, a log is not what it was.
type LogFault struct {
	Entry int
	Err   error
}

func (f *LogFault) Error() string { return fmt.Sprintf("entry %d: %v", f.Entry, f.Err) }
func (f *LogFault) Unwrap() error { return f.Err }

// ReadLog reads a log, follows its chain and holds it against the head that the manifest names. A *LogFault says where it is
// broken.
func ReadLog(b []byte, head LogHead) ([]Entry, error) {
	entries, last, err := chain(b)
	n := len(entries)
	switch {
	case n >= head.Entries && head.Entries > 0 && digestOfLine(b, head.Entries) == head.Head:
		// The manifest's own entries are all there.
		if n > head.Entries || err != nil {
			return entries, &LogFault{Entry: head.Entries + 1, Err: ErrLogLong}
		}
	case err != nil:
		return entries, &LogFault{Entry: n + 1, Err: err}
	case n < head.Entries:
		return entries, &LogFault{Entry: n + 1, Err: ErrLogShort}
	default:
		return entries, &LogFault{Entry: min(n, head.Entries), Err: ErrLogOther}
	}
	if last != head.Head || Digest(b) != head.SHA256 || int64(len(b)) != head.Bytes {
		return entries, &LogFault{Entry: n, Err: ErrLogOther}
	}
	return entries, nil
}

// chain reads entries until one does not follow.
func chain(b []byte) (entries []Entry, last string, err error) {
	last = noEntry
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		var e Entry
		if err := Decode(line, &e); err != nil {
			return entries, last, err
		}
		if e.Seq != len(entries) || e.Prev != last || !isSecond(e.Time) {
			return entries, last, ErrLogChain
		}
		if !whole {
			return entries, last, ErrLogShort
		}
		entries, last, b = append(entries, e), Digest(line), rest
	}
	return entries, last, nil
}

// digestOfLine is that of the n-th line, counted from 1; empty where there is none.
func digestOfLine(b []byte, n int) string {
	for range n - 1 {
		_, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return ""
		}
		b = rest
	}
	line, _, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return ""
	}
	return Digest(line)
}
