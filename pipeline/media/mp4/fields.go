package mp4

import (
	"bytes"
	"encoding/binary"
)

// fields reads a box's content piece by piece and notes what is not as it must be. After the content's end it gives zeros.
type fields struct {
	w    *walker
	b    *box
	data []byte
	at   int
	bad  bool // something was noted; what follows may be shifted
}

// open reads a box's content, or its first n bytes where n is not negative.
func (w *walker) open(b *box, n int64) *fields {
	f := &fields{w: w, b: b}
	if n < 0 {
		n = b.size()
	}
	if n > b.size() || n > maxHeader {
		f.fault("the box has %d bytes of content, which is not its form", b.size())
		return f
	}
	data := make([]byte, n)
	if !w.read(data, b.body) {
		f.bad = true
		return f
	}
	f.data = data
	return f
}

// fault notes that the field before the current position is not as it must be. One is enough for a box.
func (f *fields) fault(format string, args ...any) {
	if !f.bad {
		f.w.found(Fields, f.b.body+int64(f.at), f.b.path, format, args...)
	}
	f.bad = true
}

// take gives the next n bytes.
func (f *fields) take(n int) []byte {
	if f.at+n > len(f.data) {
		f.fault("the box is shorter than its fields")
		f.at = len(f.data)
		return make([]byte, n)
	}
	p := f.data[f.at : f.at+n]
	f.at += n
	return p
}

func (f *fields) u8() uint8   { return f.take(1)[0] }
func (f *fields) u16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) u32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }

// number is a u32 or, where long is set, a u64.
func (f *fields) number(long bool) uint64 {
	if long {
		return f.u64()
	}
	return uint64(f.u32())
}

// want notes anything but exactly these bytes.
func (f *fields) want(what string, p ...byte) {
	at := f.at
	if got := f.take(len(p)); !f.bad && !bytes.Equal(got, p) {
		f.at = at
		f.fault("%s is not what it must be", what)
	}
}

// zero notes anything but n zeros.
func (f *fields) zero(n int, what string) {
	at := f.at
	if got := f.take(n); !f.bad && len(bytes.Trim(got, "\x00")) > 0 {
		f.at = at
		f.fault("%s is not zero", what)
	}
}

// version reads version and flags, and notes a version above the highest or other flags.
func (f *fields) version(highest uint8, flags uint32) uint8 {
	v := f.u32()
	if !f.bad && (v>>24 > uint32(highest) || v&0xffffff != flags) {
		f.at -= 4
		f.fault("version %d with flags %#x is not on the allow-list", v>>24, v&0xffffff)
	}
	return uint8(v >> 24)
}

// end notes what is left. True means that the box is as it must be.
func (f *fields) end() bool {
	if n := len(f.data) - f.at; n > 0 {
		f.fault("%d bytes behind the box's fields", n)
	}
	return !f.bad
}
