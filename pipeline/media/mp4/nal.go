package mp4

import (
	"bufio"
	"bytes"
	"fmt"
)

// cursor is the place in the media data up to which bytes are accounted for.
type cursor struct {
	w       *walker
	r       *bufio.Reader
	at, end int64
}

// peek gives the next n bytes without taking them; fewer where mdat ends or the file cannot be read.
func (c *cursor) peek(n int64) []byte {
	p, err := c.r.Peek(int(min(n, c.end-c.at)))
	if err != nil {
		c.fail(err)
	}
	return p
}

// skip takes n bytes.
func (c *cursor) skip(n int64) {
	for n > 0 && c.w.err == nil {
		k, err := c.r.Discard(int(min(n, 1<<30)))
		c.at += int64(k)
		n -= int64(k)
		if err != nil {
			c.fail(err)
		}
	}
}

func (c *cursor) fail(err error) {
	if c.w.err == nil {
		c.w.err = readError(c.at, err)
	}
}

// looks says whether the bytes at the cursor could be a box, as a gap may hold one.
func (c *cursor) looks() string {
	if p := c.peek(8); len(p) == 8 && be32(p) >= 8 && be32(p) <= c.end-c.at && plausible(string(p[4:])) {
		return "; they begin like a box of kind " + string(p[4:])
	}
	return ""
}

// prefixBytes is how much of a NAL unit's beginning is looked at: far more than what is read of a slice's header.
const prefixBytes = 64

// picture walks the NAL units of one sample of pictures. They must be the slices of one picture. It says whether that is an IDR
// picture.
func (w *walker) picture(c *cursor, t *track, size int64) (idr bool) {
	p := picture{w: w, t: t, lastBlock: -1}
	for size > 0 && w.err == nil {
		head := c.peek(4)
		if size < 4 || len(head) < 4 {
			w.found(NALUnit, c.at, t.path, "%d bytes at the end of frame %d are no NAL unit", size, w.a.Frames)
			c.skip(size)
			break
		}
		n := be32(head)
		if n < 1 || n > size-4 {
			w.found(NALUnit, c.at, t.path, "a NAL unit of %d bytes in frame %d, which has %d left", n, w.a.Frames, size-4)
			c.skip(size)
			break
		}
		c.skip(4)
		size -= 4 + n
		w.a.NALUnits++
		p.unit(c, n)
	}
	if p.lastBlock < 0 && w.err == nil {
		w.found(NALUnit, c.at, t.path, "frame %d holds no slice", w.a.Frames)
	}
	return p.idr
}

// picture is one coded picture on its way.
type picture struct {
	w         *walker
	t         *track
	lastBlock int64 // where the last slice begins; -1 before the first
	frameNum  uint32
	idr       bool
}

// unit walks one NAL unit of n bytes.
func (p *picture) unit(c *cursor, n int64) {
	at := c.at
	head := bytes.Clone(c.peek(min(n, prefixBytes)))
	if len(head) > 0 {
		p.judge(head, at)
	}
	c.plain(n)
}

// judge holds the beginning of a NAL unit against what may stand in a sample.
func (p *picture) judge(head []byte, at int64) {
	w, path := p.w, p.t.path
	kind := head[0] & 0x1f
	switch {
	case head[0]&0x80 != 0:
		w.found(NALUnit, at, path, "a NAL unit in frame %d begins with a bit that must not be set", w.a.Frames)
	case kind == unitSEI:
		w.found(SEI, at, path, "an SEI message in frame %d: %s", w.a.Frames, seiNames(head))
	case kind != unitSlice && kind != unitIDR:
		name, ok := unitNames[kind]
		if !ok {
			name = "reserved"
		}
		w.found(NALUnit, at, path, "a NAL unit of type %d (%s) in frame %d: only slices may stand there", kind, name, w.a.Frames)
	case p.t.sps != nil:
		p.slice(head, at)
	}
}

// slice reads as much of a slice's header as tells that it belongs to the same picture as the one before.
func (p *picture) slice(head []byte, at int64) {
	w, path := p.w, p.t.path
	idr := head[0]&0x1f == unitIDR
	r := &bitReader{p: payload(head)}
	block, _, set := int64(r.ue()), r.ue(), r.ue()
	frameNum := r.u(p.t.sps.frameNumBits)
	field := !p.t.sps.framesOnly && r.flag()
	switch {
	case r.over, set != 0:
		w.found(NALUnit, at, path, "a slice in frame %d that does not begin as one", w.a.Frames)
	case field:
		w.found(NALUnit, at, path, "frame %d holds a single field", w.a.Frames)
	case p.lastBlock < 0 && block != 0:
		w.found(NALUnit, at, path, "the first slice of frame %d begins at block %d", w.a.Frames, block)
	case p.lastBlock >= 0 && (block <= p.lastBlock || frameNum != p.frameNum || idr != p.idr):
		w.found(Hidden, at, path, "frame %d holds a second picture", w.a.Frames)
	}
	p.lastBlock, p.frameNum, p.idr = max(p.lastBlock, block), frameNum, idr
}

// plain takes n bytes of a NAL unit and notes what a reader that looks for start codes would take for another unit.
func (c *cursor) plain(n int64) {
	zeros := 0
	for n > 0 && c.w.err == nil {
		p := c.peek(min(n, mediaBuffer/2))
		for i, b := range p {
			if b > 3 {
				zeros = 0
				continue
			}
			if zeros >= 2 && b < 3 {
				c.w.found(NALUnit, c.at+int64(i), "mdat", "bytes within a NAL unit that begin another one for some readers")
				c.skip(n)
				return
			}
			if zeros++; b != 0 {
				zeros = 0
			}
		}
		n -= int64(len(p))
		if n == 0 && zeros > 0 && len(p) > 0 {
			c.w.found(NALUnit, c.at+int64(len(p))-1, "mdat", "a NAL unit ends in zeros")
		}
		c.skip(int64(len(p)))
	}
}

// seiKinds are messages that cameras and encoders write (ITU-T H.264, annex D).
var seiKinds = map[int]string{0: "buffering period", 1: "picture timing", 4: "registered user data, such as captions",
	5: "user data of its writer's choice", 6: "recovery point", 19: "film grain", 45: "stereo", 47: "orientation", 137: "mastering display",
	144: "light level", 147: "transfer"}

// seiNames tells the kinds of the messages at the beginning of a NAL unit.
func seiNames(head []byte) string {
	p := payload(head)
	var b bytes.Buffer
	number := func() (v int) {
		for len(p) > 0 {
			c := p[0]
			p = p[1:]
			if v += int(c); c != 0xff {
				break
			}
		}
		return v
	}
	for len(p) > 1 {
		kind, size := number(), number()
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		name, ok := seiKinds[kind]
		if !ok {
			name = "unknown"
		}
		fmt.Fprintf(&b, "type %d (%s)", kind, name)
		if size > len(p) {
			break
		}
		p = p[size:]
	}
	if b.Len() == 0 {
		return "empty"
	}
	return b.String()
}
