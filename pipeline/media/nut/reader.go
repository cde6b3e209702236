package nut

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

type frameCode struct {
	flags    uint64
	stream   uint64
	ptsDelta int64
	sizeMul  uint64
	sizeLSB  uint64
	reserved uint64
	header   uint64
}

// Reader reads one stream. It is not safe for concurrent use.
type Reader struct {
	r       *bufio.Reader
	header  Header
	version uint64
	codes   [256]frameCode
	elision [][]byte
	shift   uint64 // msb_pts_shift
	lastPTS int64
	main    bool
	stream  bool
	pending int // payload bytes not yet read
	prefix  []byte
}

// NewReader reads the headers from r. Large reads of payloads pass by the buffer and go straight to the caller's memory.
func NewReader(r io.Reader) (*Reader, error) {
	n := &Reader{r: bufio.NewReaderSize(r, 1<<16)}
	id := make([]byte, len(fileID))
	if _, err := io.ReadFull(n.r, id); err != nil {
		return nil, err
	}
	if string(id) != fileID {
		return nil, fmt.Errorf("%w: wrong signature", ErrFormat)
	}
	for !n.main || !n.stream {
		code, err := n.r.ReadByte()
		if err != nil {
			return nil, cut(err)
		}
		if code != 'N' {
			return nil, fmt.Errorf("%w: frame before the headers", ErrFormat)
		}
		if err := n.packet(code); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Header describes the stream.
func (n *Reader) Header() Header { return n.header }

// Next reads the next frame's header; its payload must be read with Read before the next call. The end between two
// frames is io.EOF: a stream that was cut there can not be told from a whole one.
func (n *Reader) Next() (Frame, error) {
	if n.pending > 0 {
		return Frame{}, errors.New("nut: payload not read")
	}
	for {
		code, err := n.r.ReadByte()
		if err != nil {
			return Frame{}, err
		}
		if code != 'N' {
			return n.frame(code)
		}
		if err := n.packet(code); err != nil {
			return Frame{}, err
		}
	}
}

// Read fills p with the frame's payload; len(p) must be its size.
func (n *Reader) Read(p []byte) error {
	if len(p) != n.pending {
		return fmt.Errorf("%w: %d bytes, not %d", ErrSize, n.pending, len(p))
	}
	copy(p, n.prefix)
	if _, err := io.ReadFull(n.r, p[len(n.prefix):]); err != nil {
		return cut(err)
	}
	n.pending, n.prefix = 0, nil
	return nil
}

// packet reads a packet with a startcode, whose first byte is already read.
func (n *Reader) packet(first byte) error {
	var head [8]byte
	head[0] = first
	if _, err := io.ReadFull(n.r, head[1:]); err != nil {
		return cut(err)
	}
	code := binary.BigEndian.Uint64(head[:])
	size, raw, err := n.varint()
	if err != nil {
		return err
	}
	if size < 4 || size > maxPacket {
		return fmt.Errorf("%w: packet of %d bytes", ErrFormat, size)
	}
	if size > 4096 {
		sum := make([]byte, 4)
		if _, err := io.ReadFull(n.r, sum); err != nil {
			return cut(err)
		}
		if crc(crc(0, head[:]), raw) != binary.BigEndian.Uint32(sum) {
			return fmt.Errorf("%w: packet header checksum", ErrFormat)
		}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(n.r, body); err != nil {
		return cut(err)
	}
	if crc(0, body) != 0 { // the sum over content and its own sum is 0
		return fmt.Errorf("%w: packet checksum", ErrFormat)
	}
	p := &parser{b: body[:size-4]}
	switch code {
	case startMain:
		return n.readMain(p)
	case startStream:
		return n.readStream(p)
	case startSync:
		return n.readSync(p)
	case startIndex, startInfo:
		return nil
	}
	return fmt.Errorf("%w: unknown startcode %016x", ErrFormat, code)
}

// frame reads a frame's header.
func (n *Reader) frame(code byte) (Frame, error) {
	c := n.codes[code]
	s := &frameParser{n: n, sum: crc(0, []byte{code})}
	flags := c.flags
	if flags&flagInvalid != 0 {
		return Frame{}, fmt.Errorf("%w: invalid frame code", ErrFormat)
	}
	if flags&flagCoded != 0 {
		flags ^= s.varint()
	}
	stream, pts, header, reserved, size := c.stream, n.lastPTS+c.ptsDelta, c.header, c.reserved, c.sizeLSB
	if flags&flagStreamID != 0 {
		stream = s.varint()
	}
	if flags&flagCodedPTS != 0 {
		pts = n.fullPTS(s.varint())
	}
	if flags&flagSizeMSB != 0 {
		v := s.varint()
		if v > maxFrame || c.sizeMul > maxFrame {
			return Frame{}, fmt.Errorf("%w: frame too large", ErrFormat)
		}
		size += c.sizeMul * v
	}
	if flags&flagMatchTime != 0 {
		s.varint()
	}
	if flags&flagHeaderIdx != 0 {
		header = s.varint()
	}
	if flags&flagReserved != 0 {
		reserved = s.varint()
	}
	if reserved > 256 {
		return Frame{}, fmt.Errorf("%w: reserved fields", ErrFormat)
	}
	for range reserved {
		s.varint()
	}
	if flags&flagChecksum != 0 {
		s.checksum()
	}
	if s.err != nil {
		return Frame{}, s.err
	}
	if stream != 0 || flags&flagSideData != 0 || flags&flagInvalid != 0 || size > maxFrame ||
		header >= uint64(len(n.elision)) {
		return Frame{}, fmt.Errorf("%w: frame header", ErrFormat)
	}
	if size > 4096 {
		header = 0
	}
	if uint64(len(n.elision[header])) > size {
		return Frame{}, fmt.Errorf("%w: elided header longer than its frame", ErrFormat)
	}
	n.prefix, n.pending, n.lastPTS = n.elision[header], int(size), pts
	return Frame{PTS: pts, Key: flags&flagKey != 0, Size: int(size)}, nil
}

// fullPTS turns a coded stamp into a whole one: only its low bits are sent while it stays near the last.
func (n *Reader) fullPTS(coded uint64) int64 {
	if coded >= 1<<n.shift {
		return int64(coded - 1<<n.shift)
	}
	mask := int64(1)<<n.shift - 1
	delta := n.lastPTS - mask/2
	return (int64(coded)-delta)&mask + delta
}

// varint reads a number of up to 63 bits, with the bytes it was written in.
func (n *Reader) varint() (uint64, []byte, error) {
	var v uint64
	raw := make([]byte, 0, 10)
	for range 9 {
		b, err := n.r.ReadByte()
		if err != nil {
			return 0, nil, cut(err)
		}
		raw = append(raw, b)
		v = v<<7 | uint64(b&0x7F)
		if b&0x80 == 0 {
			return v, raw, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: number too long", ErrFormat)
}

// frameParser reads a frame's header byte by byte and keeps its checksum.
type frameParser struct {
	n   *Reader
	sum uint32
	err error
}

func (s *frameParser) varint() uint64 {
	if s.err != nil {
		return 0
	}
	v, raw, err := s.n.varint()
	s.sum, s.err = crc(s.sum, raw), err
	return v
}

func (s *frameParser) checksum() {
	if s.err != nil {
		return
	}
	var b [4]byte
	if _, err := io.ReadFull(s.n.r, b[:]); err != nil {
		s.err = cut(err)
		return
	}
	if binary.BigEndian.Uint32(b[:]) != s.sum {
		s.err = fmt.Errorf("%w: frame header checksum", ErrFormat)
	}
}

// cut makes an end in mid-packet an unexpected one.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
