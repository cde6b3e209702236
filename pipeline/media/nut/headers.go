package nut

import (
	"fmt"
	"math"
)

// parser reads the content of one packet. After the first fault all reads give zero and err is set.
type parser struct {
	b   []byte
	err error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", ErrFormat, what)
	}
}

func (p *parser) varint() uint64 {
	var v uint64
	for i := 0; i < len(p.b) && i < 9; i++ {
		v = v<<7 | uint64(p.b[i]&0x7F)
		if p.b[i]&0x80 == 0 {
			p.b = p.b[i+1:]
			return v
		}
	}
	p.fail("packet ends early")
	p.b = nil
	return 0
}

func (p *parser) signed() int64 {
	v := int64(p.varint()) + 1
	if v&1 != 0 {
		return -(v >> 1)
	}
	return v >> 1
}

// bounded reads a number of at most limit.
func (p *parser) bounded(limit uint64, what string) uint64 {
	v := p.varint()
	if v > limit {
		p.fail(what)
		return 0
	}
	return v
}

func (p *parser) bytes(limit uint64, what string) []byte {
	size := p.bounded(limit, what)
	if size > uint64(len(p.b)) {
		p.fail("packet ends early")
		return nil
	}
	v := p.b[:size]
	p.b = p.b[size:]
	return v
}

// readMain reads the main header. A repeated one must come before any frame counts on it; libavformat repeats headers
// unchanged, so that reading it again changes nothing.
func (n *Reader) readMain(p *parser) error {
	n.version = p.varint()
	if n.version != 3 && n.version != 4 {
		return fmt.Errorf("%w: version %d", ErrFormat, n.version)
	}
	if n.version > 3 {
		p.varint() // minor version
	}
	if p.varint() != 1 {
		p.fail("not one stream")
	}
	p.varint() // largest distance between syncpoints: a pipe is not searched
	if p.varint() != 1 {
		p.fail("not one time base")
	}
	num, den := p.bounded(math.MaxInt32, "time base"), p.bounded(math.MaxInt32, "time base")
	if num == 0 || den == 0 {
		p.fail("time base")
	}
	n.readCodes(p)
	n.elision = [][]byte{nil}
	if len(p.b) > 0 && p.err == nil {
		for range p.bounded(127, "elision headers") {
			h := p.bytes(255, "elision header")
			n.elision = append(n.elision, append([]byte(nil), h...))
		}
	}
	if p.err != nil {
		return p.err
	}
	n.header.TimeNum, n.header.TimeDen = int64(num), int64(den)
	n.main = true
	return nil
}

// readCodes reads the table that gives each frame code its meaning.
func (n *Reader) readCodes(p *parser) {
	var delta int64
	mul, stream, header := uint64(1), uint64(0), uint64(0)
	for i := 0; i < 256 && p.err == nil; {
		flags, fields := p.varint(), p.bounded(64, "frame code fields")
		var size, reserved, count uint64
		if fields > 0 {
			delta = p.signed()
		}
		if fields > 1 {
			mul = p.bounded(maxFrame, "size multiplier")
		}
		if fields > 2 {
			stream = p.bounded(0, "frame code stream")
		}
		if fields > 3 {
			size = p.bounded(maxFrame, "frame code size")
		}
		if fields > 4 {
			reserved = p.bounded(256, "reserved fields")
		}
		if count = mul - size; fields > 5 {
			count = p.varint()
		}
		if fields > 6 {
			p.signed() // match time
		}
		if fields > 7 {
			header = p.bounded(127, "elision header index")
		}
		for f := uint64(8); f < fields; f++ {
			p.varint()
		}
		if count == 0 || count > uint64(256-i) {
			p.fail("frame code count")
		}
		for j := uint64(0); j < count && i < 256 && p.err == nil; i++ {
			if i == 'N' {
				n.codes[i] = frameCode{flags: flagInvalid}
				continue
			}
			n.codes[i] = frameCode{flags: flags, stream: stream, ptsDelta: delta, sizeMul: mul, sizeLSB: size + j,
				reserved: reserved, header: header}
			j++
		}
	}
}

func (n *Reader) readStream(p *parser) error {
	if !n.main {
		return fmt.Errorf("%w: stream before the main header", ErrFormat)
	}
	p.bounded(0, "stream number")
	if p.varint() != 0 {
		p.fail("not a video stream")
	}
	tag := string(p.bytes(16, "codec tag"))
	p.bounded(0, "time base number")
	n.shift = p.bounded(30, "time stamp shift")
	p.varint() // largest distance of stamps: checksums are read where they are
	p.bounded(1000, "decode delay")
	p.varint() // stream flags
	p.bytes(maxPacket, "codec data")
	w, h := p.bounded(maxSide, "width"), p.bounded(maxSide, "height")
	an, ad := p.bounded(math.MaxInt32, "aspect"), p.bounded(math.MaxInt32, "aspect")
	if w == 0 || h == 0 {
		p.fail("no picture size")
	}
	if p.err != nil {
		return p.err
	}
	if n.stream && (n.header.Tag != tag || n.header.Width != int(w) || n.header.Height != int(h)) {
		return fmt.Errorf("%w: stream header changes", ErrFormat)
	}
	n.header.Tag, n.header.Width, n.header.Height = tag, int(w), int(h)
	n.header.AspectNum, n.header.AspectDen = int(an), int(ad)
	n.stream = true
	return nil
}

// readSync sets the last time stamp; with one time base the coded value is the stamp itself.
func (n *Reader) readSync(p *parser) error {
	if !n.main || !n.stream {
		return fmt.Errorf("%w: syncpoint before the headers", ErrFormat)
	}
	pts := p.varint()
	p.varint() // way back to the last syncpoint
	if p.err != nil {
		return p.err
	}
	n.lastPTS = int64(pts)
	return nil
}
