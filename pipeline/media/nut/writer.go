package nut

import (
	"encoding/binary"
	"fmt"
	"io"
)

// ptsShift: stamps are always written whole (as pts + 1<<ptsShift), never as low bits.
const ptsShift = 7

// Writer writes one stream. Each frame is a syncpoint, a frame header and its payload; nothing is buffered, so that a
// frame is on its way when Write returns. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	written bool
	header  Header
	last    uint64 // position of the last syncpoint
	pos     uint64
	buf     []byte
}

// NewWriter writes the headers for h to w.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	switch {
	case h.Width < 1 || h.Height < 1 || h.Width > maxSide || h.Height > maxSide:
		return nil, fmt.Errorf("nut: picture of %dx%d", h.Width, h.Height)
	case h.TimeNum < 1 || h.TimeDen < 1 || h.TimeNum > 1<<31-1 || h.TimeDen > 1<<31-1:
		return nil, fmt.Errorf("nut: time base %d/%d", h.TimeNum, h.TimeDen)
	case h.AspectNum < 0 || h.AspectDen < 0 || len(h.Tag) == 0 || len(h.Tag) > 16:
		return nil, fmt.Errorf("nut: aspect %d:%d, tag of %d bytes", h.AspectNum, h.AspectDen, len(h.Tag))
	}
	n := &Writer{w: w, header: h}
	out := append([]byte(nil), fileID...)
	out = appendPacket(out, startMain, n.mainHeader())
	out = appendPacket(out, startStream, n.streamHeader())
	return n, n.write(out)
}

// mainHeader tells one frame code only (all others are invalid): flags, whole stamp and whole size follow, checksummed.
func (n *Writer) mainHeader() []byte {
	b := appendVarint(nil, 3)  // version
	b = appendVarint(b, 1)     // streams
	b = appendVarint(b, 1<<15) // largest distance of syncpoints
	b = appendVarint(b, 1)     // time bases
	b = appendVarint(b, uint64(n.header.TimeNum))
	b = appendVarint(b, uint64(n.header.TimeDen))
	// Code 0 is invalid; all others but 'N' take the second entry, of which only code 1 is ever written.
	b = appendVarint(b, flagInvalid)
	b = appendVarint(b, 6) // fields: pts delta, multiplier, stream, size, reserved, count
	for _, v := range []uint64{0, 1, 0, 0, 0, 1} {
		b = appendVarint(b, v)
	}
	b = appendVarint(b, flagKey|flagCodedPTS|flagSizeMSB|flagChecksum)
	b = appendVarint(b, 6)
	for _, v := range []uint64{0, 1, 0, 0, 0, 254} {
		b = appendVarint(b, v)
	}
	return appendVarint(b, 0) // no elision headers
}

func (n *Writer) streamHeader() []byte {
	b := appendVarint(nil, 0) // number
	b = appendVarint(b, 0)    // class: video
	b = appendVarint(b, uint64(len(n.header.Tag)))
	b = append(b, n.header.Tag...)
	b = appendVarint(b, 0) // time base
	b = appendVarint(b, ptsShift)
	b = appendVarint(b, 1<<30) // largest distance of stamps
	b = appendVarint(b, 0)     // decode delay
	b = appendVarint(b, 0)     // flags
	b = appendVarint(b, 0)     // codec data
	b = appendVarint(b, uint64(n.header.Width))
	b = appendVarint(b, uint64(n.header.Height))
	b = appendVarint(b, uint64(n.header.AspectNum))
	b = appendVarint(b, uint64(n.header.AspectDen))
	return appendVarint(b, 0) // colour space
}

// Write writes one frame. pts is at least 0 and greater than the last.
func (n *Writer) Write(pts int64, frame []byte) error {
	if pts < 0 || pts >= 1<<55 {
		return fmt.Errorf("nut: time stamp %d", pts)
	}
	if len(frame) > maxFrame {
		return fmt.Errorf("nut: frame of %d bytes", len(frame))
	}
	var back uint64
	if n.written {
		back = (n.pos - n.last + 15) / 16
	}
	n.last, n.written = n.pos, true
	sync := appendVarint(nil, uint64(pts))
	sync = appendVarint(sync, back)
	out := appendPacket(n.buf[:0], startSync, sync)
	at := len(out)
	out = append(out, 1) // the one valid frame code
	out = appendVarint(out, uint64(pts)+1<<ptsShift)
	out = appendVarint(out, uint64(len(frame)))
	out = binary.BigEndian.AppendUint32(out, crc(0, out[at:]))
	n.buf = out
	if err := n.write(out); err != nil {
		return err
	}
	return n.write(frame)
}

func (n *Writer) write(p []byte) error {
	m, err := n.w.Write(p)
	n.pos += uint64(m)
	return err
}

// appendPacket adds a packet with startcode, length, and checksum.
func appendPacket(b []byte, code uint64, content []byte) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint64(b, code)
	size := len(content) + 4
	b = appendVarint(b, uint64(size))
	if size > 4096 {
		b = binary.BigEndian.AppendUint32(b, crc(0, b[at:]))
	}
	b = append(b, content...)
	return binary.BigEndian.AppendUint32(b, crc(0, content))
}

// appendVarint writes v, most significant seven bits first.
func appendVarint(b []byte, v uint64) []byte {
	n := 1
	for v>>(7*n) != 0 && n < 10 {
		n++
	}
	for i := n - 1; i > 0; i-- {
		b = append(b, byte(v>>(7*i))|0x80)
	}
	return append(b, byte(v&0x7F))
}
