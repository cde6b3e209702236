package mp4

import "slices"

// encoderNames may stand as the encoder's name in a sample entry.
var encoderNames = []string{"", "veil"}

// entryHead is the part of a sample entry that all kinds share.
func (f *fields) entryHead() {
	f.zero(6, "a reserved field")
	f.want("the number of the data's place", 0, 1)
}

func (w *walker) avc1(b *box) {
	const head = 78
	f, t := w.open(b, min(head, b.size())), b.track
	f.entryHead()
	f.zero(16, "a reserved field")
	t.width, t.height = f.u16(), f.u16()
	f.want("the resolution", 0, 0x48, 0, 0, 0, 0x48, 0, 0)
	f.zero(4, "a reserved field")
	f.want("the number of frames a sample", 0, 1)
	f.encoderName()
	f.want("the depth", 0, 24)
	f.want("the colour table", 0xff, 0xff)
	if f.end() {
		w.inside(b, b.body+head)
	}
}

// encoderName reads a name of at most 31 bytes behind its length, in a field of 32.
func (f *fields) encoderName() {
	at := f.at
	p := f.take(32)
	n := int(p[0])
	if f.bad {
		return
	}
	if n > 31 || !slices.Contains(encoderNames, string(p[1:1+n])) || slices.ContainsFunc(p[1+n:], func(c byte) bool { return c != 0 }) {
		f.at = at
		f.fault("the name of the encoder is neither empty nor %q", encoderNames[1])
	}
}

func (w *walker) avcC(b *box) {
	f, t := w.open(b, -1), b.track
	f.want("the version", 1)
	marks := f.take(3) // profile, constraints, level: as in the SPS
	f.want("the length of lengths", 0xff)
	f.want("the number of sequence parameter sets", 0xe1)
	at := b.body + int64(f.at) + 2
	unit := f.take(int(f.u16()))
	if f.bad {
		return
	}
	if t.sps = w.sequenceSet(unit, at, b.path); t.sps == nil {
		w.unsure = true
		return
	}
	if !slices.Equal(marks, unit[1:4]) {
		f.fault("profile and level are not those of the sequence parameter set")
	}
	f.want("the number of picture parameter sets", 1)
	at = b.body + int64(f.at) + 2
	unit = f.take(int(f.u16()))
	if f.bad {
		return
	}
	if !w.pictureSet(unit, at, b.path) {
		w.unsure = true
	}
	w.a.NALUnits += 2
	if t.sps.high() {
		f.want("chroma, depth and extensions", 0xfc|t.sps.chroma, 0xf8|t.sps.lumaDepth, 0xf8|t.sps.chromaDepth, 0)
	}
	f.end()
}

func (w *walker) colr(b *box) {
	f := w.open(b, -1)
	f.want("the kind of colour description", 'n', 'c', 'l', 'x')
	for range 3 {
		if v := f.u16(); v > 22 { // the highest that H.273 names
			f.fault("colour number %d", v)
		}
	}
	if v := f.u8(); v&0x7f != 0 {
		f.fault("a reserved field is not zero")
	}
	f.end()
}

func (w *walker) pasp(b *box) {
	f, t := w.open(b, -1), b.track
	if t.aspectH, t.aspectV = f.u32(), f.u32(); t.aspectH == 0 || t.aspectV == 0 {
		f.fault("a side of the aspect ratio is zero")
	}
	f.end()
}

func (w *walker) btrt(b *box) {
	f := w.open(b, -1)
	f.take(12)
	f.end()
}

func (w *walker) mp4a(b *box) {
	const head = 28
	f, t := w.open(b, min(head, b.size())), b.track
	f.entryHead()
	f.zero(8, "a reserved field")
	if n := f.u16(); n < 1 || n > 8 {
		f.fault("%d channels", n)
	}
	f.want("the depth", 0, 16)
	f.zero(4, "a reserved field")
	if rate := f.u32(); rate != soundRate<<16 || t.timescale != soundRate {
		f.fault("%d samples a second, the clock counts %d: it must be %d", rate>>16, t.timescale, soundRate)
	}
	if f.end() {
		w.inside(b, b.body+head)
	}
}

// Tags of descriptors.
const (
	tagStream  = 3
	tagDecoder = 4
	tagConfig  = 5
	tagSync    = 6
)

// esds reads the one chain of descriptors that veil's muxer writes: stream, decoder, its configuration, and how samples are
// packed.
func (w *walker) esds(b *box) {
	f := w.open(b, -1)
	f.version(0, 0)
	f.descriptor(tagStream, len(f.data))
	if id := f.u16(); uint32(id) != b.track.id {
		f.fault("stream %d in track %d", id, b.track.id)
	}
	f.want("the flags", 0)
	inner := f.descriptor(tagDecoder, -1)
	f.want("the coding", 0x40, 0x15) // AAC, sound
	f.take(11)                       // buffer and bit rates
	config := f.descriptor(tagConfig, inner)
	f.soundConfig(b.track, config)
	if n := f.descriptor(tagSync, len(f.data)); n != 1 {
		f.fault("%d bytes of packing", n)
	}
	f.want("the packing", 2)
	f.end()
}

// descriptor reads a descriptor's tag and length. It must end where the one around it ends: at position end; a negative end takes
// any. It gives the position of its own end, or for the last kind its length.
func (f *fields) descriptor(tag uint8, end int) int {
	f.want("the descriptor", tag)
	n := 0
	for i := 0; ; i++ {
		c := f.u8()
		n = n<<7 | int(c&0x7f)
		if c < 0x80 {
			break
		}
		if i == 3 {
			f.fault("a descriptor's length has more than four bytes")
			return 0
		}
	}
	if n > len(f.data)-f.at || end >= 0 && f.at+n != end {
		f.fault("a descriptor of %d bytes does not fit", n)
		return 0
	}
	if tag == tagSync {
		return n
	}
	return f.at + n
}

// soundRate is the rate of every derivative's sound, rateNumber how AAC names it.
const (
	soundRate  = 48000
	rateNumber = 3
)

// soundConfig reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) that ends at a position: AAC-LC at 48 kHz with frames of 1024
// samples, and at most the words that say that there is no extension to it.
func (f *fields) soundConfig(t *track, end int) {
	n := end - f.at
	if f.bad || n < 2 || n > 5 {
		f.fault("%d bytes of configuration", n)
		return
	}
	at := f.at
	r := bitReader{p: f.take(n)}
	kind, rate, channels, rest := r.u(5), r.u(4), r.u(4), r.u(3)
	if n > 2 && (r.u(11) != 0x2b7 || r.u(5) != 5 || r.u(r.left()) != 0) {
		rest = 1
	}
	if kind != 2 || rate != rateNumber || layouts[uint8(channels)] == nil || rest != 0 {
		f.at = at
		f.fault("the sound is not plain AAC-LC of 48 kHz in mono, stereo or 5.1")
		return
	}
	t.channels = uint8(channels)
}

func (w *walker) sgpd(b *box) {
	f := w.open(b, -1)
	f.want("the description of groups", 1, 0, 0, 0, 'r', 'o', 'l', 'l', 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff)
	f.end()
}

func (w *walker) sbgp(b *box) {
	f := w.open(b, -1)
	f.want("the kind of groups", 0, 0, 0, 0, 'r', 'o', 'l', 'l', 0, 0, 0, 1)
	b.track.grouped = int64(f.u32())
	f.want("the group", 0, 0, 0, 1)
	f.end()
}
