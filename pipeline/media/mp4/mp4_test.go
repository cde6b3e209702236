package mp4

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestDerivativesAreClean walks what the encoder's settings give in every profile.
func TestDerivativesAreClean(t *testing.T) {
	for name, encoder := range map[string][]string{
		"plain": nil, "exact": {"-qp", "0"}, "interlaced": {"-crf", "12", "-flags:v", "+bitexact+ildct+ilme"},
		"4:4:4": {"-pix_fmt", "yuv444p"}, "10 bit 4:2:2": {"-pix_fmt", "yuv422p10le"}, "odd": {"-vf", "scale=63:47", "-pix_fmt", "yuv444p"},
		"anamorphic": {"-vf", "setsar=16/11"}, "marked": {"-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"},
		"one frame": {"-frames:v", "1"}, "slices": {"-x264-params", "slices=3"}, "from the front": {"-movflags", "+faststart+negative_cts_offsets"},
	} {
		for _, sound := range []bool{false, true} {
			a := walk(t, clip(t, sound, encoder...))
			if !a.Clean() {
				t.Errorf("%s, sound %v: %v", name, sound, a.Findings)
			}
			frames := int64(10)
			if name == "one frame" {
				frames = 1
			}
			if a.Frames != frames || a.NALUnits < frames+2 || (a.SoundFrames > 0) != sound || a.MediaBytes == 0 || a.Boxes < 25 {
				t.Errorf("%s, sound %v: %+v", name, sound, a)
			}
		}
	}
}

// insert puts bytes into the media data, and moves the chunks behind them.
func (m *movie) insert(at int, p []byte) {
	mdat := m.at("mdat")
	m.move(m.media()+at, len(p))
	mdat.body = slices.Insert(slices.Clone(mdat.body), at, p...)
}

// secondChunk is where the second chunk of the first track begins, within the media data.
func (m *movie) secondChunk() int {
	return int(binary.BigEndian.Uint32(m.at(stblPath + "stco").body[12:])) - m.media()
}

// unit replaces the first sample of the pictures with these NAL units in front of its own.
func (m *movie) units(units ...[]byte) {
	var p []byte
	for _, u := range units {
		p = append(binary.BigEndian.AppendUint32(p, uint32(len(u))), u...)
	}
	sizes := m.at(stblPath + "stsz").body
	put(sizes[12:], binary.BigEndian.Uint32(sizes[12:])+uint32(len(p)))
	first := int(binary.BigEndian.Uint32(m.at(stblPath + "stco").body[8:])) - m.media()
	mdat := m.at("mdat")
	m.move(m.media()+first+1, len(p))
	mdat.body = slices.Insert(slices.Clone(mdat.body), first, p...)
}

// userData is an SEI message with a word in it.
var userData = slices.Concat([]byte{6, 5, 24}, []byte("0123456789abcdefSECRETS!"), []byte{0x80})

// hostile are files that hide something, each with what is said of it.
var hostile = []struct {
	name string
	kind string
	says string
	path string
	make func(*movie) []byte // nil: the movie as it was changed
	edit func(*movie)
}{
	{name: "trailing bytes", kind: Trailing, says: "7 bytes behind the last box", make: func(m *movie) []byte { return append(m.bytes(), "SECRETS"...) }},
	{name: "many trailing bytes", kind: Trailing, says: "12 bytes behind", make: func(m *movie) []byte { return append(m.bytes(), "\x00\x00\x00\x0c\xfe\xfeSECRET"...) }},
	{name: "trailing box", kind: Forbidden, path: "skip", says: "players ignore", edit: func(m *movie) { m.tops = append(m.tops, &node{kind: "skip", body: []byte("SECRET")}) }},
	{name: "uuid", kind: Forbidden, path: "uuid", says: "whatever its writer likes", edit: func(m *movie) { m.tops = append(m.tops, &node{kind: "uuid", body: make([]byte, 20)}) }},
	{name: "uuid in a track", kind: Forbidden, path: "moov/trak[video]/uuid", edit: func(m *movie) {
		x := m.at("moov/trak")
		x.kids = append(x.kids, &node{kind: "uuid", body: make([]byte, 20)})
	}},
	{name: "content of free", kind: Fields, path: "free", says: "6 bytes in a box that must be empty", edit: func(m *movie) {
		m.at("free").body = []byte("SECRET")
		m.move(0, 6)
	}},
	{name: "two free", kind: Repeated, path: "free", says: "stands 2 times", edit: func(m *movie) { m.tops = append(m.tops, &node{kind: "free"}) }},
	{name: "place", kind: Forbidden, path: `moov/udta/\xa9xyz`, says: "a place of recording", edit: func(m *movie) {
		x := m.at("moov/udta")
		x.kids = append(x.kids, &node{kind: "\xa9xyz", body: []byte("+47-122/")})
	}},
	{name: "title", kind: Fields, path: "moov/udta/meta/ilst", says: "must be empty", edit: func(m *movie) { m.at("moov/udta/meta/ilst").body = box4("\xa9nam", []byte("SECRET")) }},
	{name: "udta of a track", kind: Forbidden, path: "moov/trak[video]/udta", edit: func(m *movie) {
		x := m.at("moov/trak")
		x.kids = append(x.kids, &node{kind: "udta", kids: []*node{{kind: "name", body: []byte("SECRET")}}})
	}},
	{name: "chapters", kind: Forbidden, path: "moov/trak[video]/tref", says: "chapters", edit: func(m *movie) {
		x := m.at("moov/trak")
		x.kids = append(x.kids, &node{kind: "tref", body: box4("chap", []byte{0, 0, 0, 2})})
	}},
	{name: "handler name", kind: Fields, path: "moov/trak[video]/mdia/hdlr", says: "name is not empty", edit: func(m *movie) {
		x := m.at("moov/trak/mdia/hdlr")
		x.body = append(slices.Clone(x.body[:len(x.body)-1]), "SECRET\x00"...)
	}},
	{name: "language", kind: Fields, path: "moov/trak[video]/mdia/mdhd", says: "language", edit: func(m *movie) { m.at("moov/trak/mdia/mdhd").body[20] = 0x15 }},
	{name: "time in mvhd", kind: Fields, path: "moov/mvhd", says: "when it was made", edit: func(m *movie) { put(m.at("moov/mvhd").body[4:], 3600000000) }},
	{name: "time in tkhd", kind: Fields, path: "moov/trak[video]/tkhd", says: "when it was made", edit: func(m *movie) { put(m.at("moov/trak/tkhd").body[8:], 3600000000) }},
	{name: "time in mdhd", kind: Fields, path: "moov/trak[sound]/mdia/mdhd", says: "when it was made", edit: func(m *movie) { put(m.at("moov/trak2/mdia/mdhd").body[4:], 1) }},
	{name: "track switched off", kind: Fields, path: "moov/trak[video]/tkhd", says: "flags", edit: func(m *movie) { m.at("moov/trak/tkhd").body[3] = 2 }},
	{name: "turned", kind: Fields, path: "moov/trak[video]/tkhd", says: "matrix", edit: func(m *movie) { put(m.at("moov/trak/tkhd").body[40:], 0xffff0000) }},
	{name: "other size shown", kind: Fields, path: "moov/trak[video]/tkhd", says: "size shown", edit: func(m *movie) { put(m.at("moov/trak/tkhd").body[80:], 24<<16) }},
	{name: "other size in entry", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1", says: "64x32 is not that of the pictures", edit: func(m *movie) { m.at(stblPath + "stsd/avc1").head[27] = 32 }},
	{name: "clean aperture", kind: Forbidden, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1/clap", says: "hides a part of the picture", edit: func(m *movie) {
		x := m.at(stblPath + "stsd/avc1")
		x.kids = append(x.kids, &node{kind: "clap", body: make([]byte, 32)})
	}},
	{name: "encoder name", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1", says: "name of the encoder", edit: func(m *movie) { copy(m.at(stblPath + "stsd/avc1").head[42:], "\x06SECRET") }},
	{name: "behind the encoder name", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1", says: "name of the encoder", edit: func(m *movie) { copy(m.at(stblPath + "stsd/avc1").head[50:], "SECRET") }},
	{name: "colour profile", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1/colr", says: "colour description", edit: func(m *movie) {
		x := m.at(stblPath + "stsd/avc1")
		x.kids = append(x.kids, &node{kind: "colr", body: []byte("profSECRET")})
	}},
	{name: "behind avcC", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1/avcC", says: "6 bytes behind", edit: func(m *movie) {
		x := m.at(stblPath + "stsd/avc1/avcC")
		x.body = append(slices.Clone(x.body), "SECRET"...)
	}},
	{name: "behind the SPS", kind: NALUnit, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1/avcC", says: "something stands behind its fields", edit: func(m *movie) {
		x := m.at(stblPath + "stsd/avc1/avcC")
		n := int(binary.BigEndian.Uint16(x.body[6:]))
		x.body = slices.Insert(slices.Clone(x.body), 8+n, []byte("SECRET")...)
		binary.BigEndian.PutUint16(x.body[6:], uint16(n+6))
	}},
	{name: "second picture set", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd/avc1/avcC", says: "number of picture parameter sets", edit: func(m *movie) {
		x := m.at(stblPath + "stsd/avc1/avcC")
		n := int(binary.BigEndian.Uint16(x.body[6:]))
		x.body[8+n] = 2
	}},
	{name: "elsewhere", kind: Fields, path: "moov/trak[video]/mdia/minf/dinf/dref/url ", says: "flags", edit: func(m *movie) {
		x := m.at("moov/trak/mdia/minf/dinf/dref/url ")
		x.body = []byte("\x00\x00\x00\x00http://secret/\x00")
	}},
	{name: "second entry", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsd", says: "number of entries", edit: func(m *movie) {
		x := m.at(stblPath + "stsd")
		x.head[7] = 2
		x.kids = append(x.kids, x.kids[0])
	}},
	{name: "behind esds", kind: Fields, path: "moov/trak[sound]/mdia/minf/stbl/stsd/mp4a/esds", says: "does not fit", edit: func(m *movie) {
		x := m.at("moov/trak2/mdia/minf/stbl/stsd/mp4a/esds")
		x.body = append(slices.Clone(x.body), "SECRET"...)
	}},
	{name: "second video track", kind: Tracks, path: "moov/trak", says: "a second track of type vide", edit: func(m *movie) {
		x := m.at("moov")
		x.kids = append(x.kids, m.at("moov/trak"))
	}},
	{name: "subtitles", kind: Tracks, path: "moov/trak", says: "a track of type text", edit: func(m *movie) { copy(m.at("moov/trak2/mdia/hdlr").body[8:], "text") }},
	{name: "no pictures", kind: Tracks, path: "moov", says: "no track of pictures", edit: func(m *movie) { copy(m.at("moov/trak/mdia/hdlr").body[8:], "text") }},
	{name: "next track", kind: Fields, path: "moov/mvhd", says: "next track's number is 9", edit: func(m *movie) { m.at("moov/mvhd").body[99] = 9 }},
	{name: "fragments", kind: Forbidden, path: "moof", says: "fragmented", edit: func(m *movie) { m.tops = append(m.tops, &node{kind: "moof", body: box4("mfhd", make([]byte, 8))}) }},
	{name: "brand", kind: Fields, path: "ftyp", says: "brand qt", edit: func(m *movie) { copy(m.at("ftyp").body[8:], "qt  ") }},
	{name: "missing table", kind: Missing, path: "moov/trak[video]/mdia/minf/stbl/stsz", edit: func(m *movie) {
		x := m.at("moov/trak/mdia/minf/stbl")
		x.kids = slices.DeleteFunc(x.kids, func(n *node) bool { return n.kind == "stsz" })
	}},
	{name: "huge box", kind: Truncated, path: "moov/udta", says: "gives 4294967295 bytes", make: func(m *movie) []byte {
		b := m.bytes()
		put(b[strings.Index(string(b), "udta")-4:], 0xffffffff)
		return b
	}},
	{name: "huge table", kind: Fields, path: "moov/trak[video]/mdia/minf/stbl/stsz", says: "4294967295 entries", edit: func(m *movie) { put(m.at(stblPath + "stsz").body[8:], 0xffffffff) }},
	{name: "64 bits where 32 do", kind: Fields, path: "free", says: "only mdat", make: func(m *movie) []byte {
		return append(m.bytes(), 0, 0, 0, 1, 'f', 'r', 'e', 'e', 0, 0, 0, 0, 0, 0, 0, 16)
	}},
	{name: "64 bits beyond all", kind: Truncated, path: "mdat", says: "18446744073709551615 bytes", make: func(m *movie) []byte {
		return append(m.bytes(), 0, 0, 0, 1, 'm', 'd', 'a', 't', 255, 255, 255, 255, 255, 255, 255, 255)
	}},
	{name: "64 bits below the header", kind: Fields, path: "mdat", says: "less than its header", make: func(m *movie) []byte {
		return append(m.bytes(), 0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 9)
	}},
	{name: "size to the end", kind: Fields, path: "skip", says: "reach to the end", make: func(m *movie) []byte { return append(m.bytes(), "\x00\x00\x00\x00skipSECRET"...) }},
	{name: "truncated index", kind: Truncated, path: "moov", says: "the file has", make: func(m *movie) []byte { b := m.bytes(); return b[:len(b)-100] }},
	{name: "truncated media", kind: Truncated, path: "mdat", says: "the file has", make: func(m *movie) []byte { return m.bytes()[:m.media()+50] }},
	{name: "gap in mdat", kind: Gap, path: "mdat", says: "6 bytes belong to no sample", edit: func(m *movie) { m.insert(m.secondChunk(), []byte("SECRET")) }},
	{name: "gap at the front", kind: Gap, path: "mdat", says: "6 bytes belong to no sample", edit: func(m *movie) { m.insert(0, []byte("SECRET")) }},
	{name: "gap at the end", kind: Gap, path: "mdat", says: "6 bytes at its end", make: func(m *movie) []byte {
		m.at("mdat").body = append(m.at("mdat").body, "SECRET"...)
		return m.bytes()
	}},
	{name: "box in a gap", kind: Gap, path: "mdat", says: "begin like a box of kind uuid", edit: func(m *movie) { m.insert(m.secondChunk(), box4("uuid", []byte("0123456789abcdefSECRET"))) }},
	{name: "overlap", kind: Overlap, says: "within or before the samples", path: "moov/trak[video]/mdia/minf/stbl/stco", edit: func(m *movie) {
		rows := m.at(stblPath + "stco").body[12:]
		put(rows, binary.BigEndian.Uint32(rows)-1)
	}},
	{name: "outside of mdat", kind: Tables, says: "outside of mdat", path: "moov/trak[video]/mdia/minf/stbl/stco", edit: func(m *movie) { put(m.at(stblPath + "stco").body[8:], 4) }},
	{name: "sample too long", kind: Overlap, path: "", says: "", edit: func(m *movie) { put(m.at(stblPath + "stsz").body[12:], 1<<12) }},
	{name: "empty sample", kind: Tables, says: "sample 1 is empty", path: "moov/trak[video]/mdia/minf/stbl/stsz", edit: func(m *movie) { put(m.at(stblPath + "stsz").body[12:], 0) }},
	{name: "fewer durations", kind: Tables, says: "it speaks of 9 samples, stsz of 10", path: "moov/trak[video]/mdia/minf/stbl/stts", edit: func(m *movie) { put(m.at(stblPath + "stts").body[8:], 9) }},
	{name: "more shifts", kind: Tables, says: "stsz of 10", path: "moov/trak[video]/mdia/minf/stbl/ctts", edit: func(m *movie) { put(m.at(stblPath + "ctts").body[8:], 7) }},
	{name: "chunk of nothing", kind: Tables, says: "does not fit", path: "moov/trak[video]/mdia/minf/stbl/stsc", edit: func(m *movie) { put(m.at(stblPath + "stsc").body[12:], 0) }},
	{name: "other entry", kind: Tables, says: "entry 2", path: "moov/trak[video]/mdia/minf/stbl/stsc", edit: func(m *movie) { put(m.at(stblPath + "stsc").body[16:], 2) }},
	{name: "frame of no time", kind: Hidden, says: "last 0 ticks", path: "moov/trak[video]/mdia/minf/stbl/stts", edit: func(m *movie) {
		x := m.at(stblPath + "stts")
		x.body = []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 2, 0}
	}},
	{name: "two frames at once", kind: Hidden, says: "same moment", path: "moov/trak[video]", edit: func(m *movie) {
		x := m.at(stblPath + "ctts").body // the second frame is shown when the first is
		put(x[4:], 3)
		m.at(stblPath + "ctts").body = slices.Concat(x[:8], []byte{0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0})
	}},
	{name: "edit that begins late", kind: Hidden, says: "what lies before is not shown", path: "moov/trak[video]/edts/elst", edit: func(m *movie) { put(m.at("moov/trak/edts/elst").body[12:], 513) }},
	{name: "edit that ends early", kind: Hidden, says: "the end is not shown", path: "moov/trak[video]/edts/elst", edit: func(m *movie) { put(m.at("moov/trak/edts/elst").body[8:], 60000) }},
	{name: "edit of sound", kind: Hidden, says: "what lies before", path: "moov/trak[sound]/edts/elst", edit: func(m *movie) { put(m.at("moov/trak2/edts/elst").body[12:], 9999) }},
	{name: "edit of nothing", kind: Hidden, says: "never shown", path: "moov/trak[video]/edts/elst", edit: func(m *movie) { put(m.at("moov/trak/edts/elst").body[12:], 0xffffffff) }},
	{name: "edits of parts", kind: Hidden, says: "more than one edit", path: "moov/trak[video]/edts/elst", edit: func(m *movie) {
		x := m.at("moov/trak/edts/elst")
		x.body = slices.Concat(x.body, x.body[8:])
		x.body[7] = 2
	}},
	{name: "speed", kind: Fields, says: "speed", path: "moov/trak[video]/edts/elst", edit: func(m *movie) { m.at("moov/trak/edts/elst").body[17] = 2 }},
	{name: "wrong key frames", kind: Tables, says: "marked as a key frame", path: "moov/trak[video]", edit: func(m *movie) { put(m.at(stblPath + "stss").body[12:], 8) }},
	{name: "SEI", kind: SEI, says: "type 5 (user data of its writer's choice)", path: "moov/trak[video]", edit: func(m *movie) { m.units(userData) }},
	{name: "captions", kind: SEI, says: "type 4 (registered user data, such as captions)", path: "moov/trak[video]", edit: func(m *movie) { m.units([]byte{6, 4, 2, 'G', 'A', 0x80}) }},
	{name: "two messages", kind: SEI, says: "type 300 (unknown), type 1 (picture timing)", path: "moov/trak[video]", edit: func(m *movie) { m.units([]byte{6, 255, 45, 1, 9, 1, 1, 9, 0x80}) }},
	{name: "filler", kind: NALUnit, says: "type 12 (filler)", path: "moov/trak[video]", edit: func(m *movie) { m.units([]byte{12, 255, 255, 0x80}) }},
	{name: "odd type", kind: NALUnit, says: "type 24 (reserved)", path: "moov/trak[video]", edit: func(m *movie) { m.units([]byte{24, 1, 2, 3}) }},
	{name: "parameter set in a sample", kind: NALUnit, says: "a sequence parameter set", path: "moov/trak[video]", edit: func(m *movie) { m.units([]byte{0x67, 100, 0, 10, 0x80}) }},
	{name: "second picture", kind: Hidden, says: "holds a second picture", path: "moov/trak[video]", edit: func(m *movie) {
		sample := m.at("mdat").body
		m.units(slices.Clone(sample[4 : 4+be32(sample)]))
	}},
	{name: "start code inside", kind: NALUnit, says: "begin another one for some readers", path: "mdat", edit: func(m *movie) { copy(m.at("mdat").body[50:], "\x00\x00\x01\x06") }},
	{name: "unit of no length", kind: NALUnit, says: "a NAL unit of 0 bytes", path: "moov/trak[video]", edit: func(m *movie) { put(m.at("mdat").body, 0) }},
	{name: "unit too long", kind: NALUnit, says: "in frame 1, which has", path: "moov/trak[video]", edit: func(m *movie) { put(m.at("mdat").body, 1<<20) }},
	{name: "bytes behind a unit", kind: NALUnit, says: "3 bytes at the end of frame 1 are no NAL unit", path: "moov/trak[video]", edit: func(m *movie) {
		x := m.at("mdat").body
		put(x, uint32(be32(x)-3))
	}},
}

// TestHostileFiles finds each with its own words.
func TestHostileFiles(t *testing.T) {
	for _, c := range hostile {
		m := open(t, clip(t, true))
		var b []byte
		if c.make != nil {
			b = c.make(m)
		} else {
			c.edit(m)
			b = m.bytes()
		}
		a := walk(t, b)
		if !slices.ContainsFunc(a.Findings, func(f Finding) bool {
			return f.Kind == c.kind && strings.Contains(f.Reason, c.says) && (c.path == "" || f.Path == c.path) && f.Offset >= 0 && f.Offset <= int64(len(b))
		}) {
			t.Errorf("%s: not found as %s (%q) in %q, but %v", c.name, c.kind, c.says, c.path, a.Findings)
		}
	}
}

// TestNothingIsAFile refuses what is no movie at all.
func TestNothingIsAFile(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, make([]byte, 100), []byte("SECRETSECRETSECRETSECRET")} {
		if a := walk(t, b); a.Clean() {
			t.Errorf("%q passes", b)
		}
	}
}

// TestSoundMayBeForbidden refuses sound where none was kept.
func TestSoundMayBeForbidden(t *testing.T) {
	b := string(clip(t, true))
	a, err := Walk(strings.NewReader(b), int64(len(b)), Policy{})
	if err != nil || a.Clean() || a.Findings[0].Kind != Tracks {
		t.Errorf("%v, %v", a.Findings, err)
	}
}

// TestFindingsAreLimited counts what it does not list.
func TestFindingsAreLimited(t *testing.T) {
	m := open(t, clip(t, true))
	for range MaxFindings + 5 {
		m.tops = append(m.tops, &node{kind: "skip"})
	}
	if a := walk(t, m.bytes()); len(a.Findings) != MaxFindings || a.More != 5 {
		t.Errorf("%d findings and %d more", len(a.Findings), a.More)
	}
}

// broken fails from a byte on.
type broken struct {
	*strings.Reader
	from int64
}

var errBroken = errors.New("broken disk")

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > b.from {
		return 0, errBroken
	}
	return b.Reader.ReadAt(p, at)
}

// TestReadErrorsAreErrors tells a file that cannot be read from one that is wrong, wherever reading fails.
func TestReadErrorsAreErrors(t *testing.T) {
	b := string(clip(t, true))
	for from := 0; from < len(b); from += 97 {
		a, err := Walk(broken{strings.NewReader(b), int64(from)}, int64(len(b)), Derivative())
		if !errors.Is(err, errBroken) || !a.Clean() {
			t.Fatalf("broken at %d: %v, %v", from, err, a.Findings)
		}
	}
	if _, err := Walk(strings.NewReader(b[:len(b)/2]), int64(len(b)), Derivative()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("shorter than it says: %v", err)
	}
}
