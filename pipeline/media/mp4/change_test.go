package mp4

import (
	"encoding/binary"
	"testing"
)

// boxAt names the innermost box that a byte outside of the media data lies in, and its place in it.
func boxAt(b []byte, at int) (string, int) {
	path, from := "", 0
	for list := b; ; {
		inner := false
		for len(list) >= 8 {
			n := int(binary.BigEndian.Uint32(list))
			if at < from+n {
				kind := string(list[4:8])
				path = join(path, kind)
				head, deeper := heads[kind]
				if !deeper || at < from+8+head {
					return path, at - from
				}
				list, from, inner = list[8+head:n], from+8+head, true
				break
			}
			list, from = list[n:], from+n
		}
		if !inner {
			return path, at - from
		}
	}
}

// free are the boxes in which some bytes may have any value: numbers that nobody can check against another one. docs/container.md
// tells of them.
var free = map[string]bool{
	"moov/mvhd": true, "moov/trak/mdia/mdhd": true, "moov/trak/edts/elst": true, "moov/trak/tkhd": true, // less than a tick or a pixel
	"moov/trak/mdia/minf/stbl/stts": true, "moov/trak/mdia/minf/stbl/ctts": true, // when a frame is shown
	"moov/trak/mdia/minf/stbl/stsd/avc1/avcC": true, "moov/trak/mdia/minf/stbl/stsd/mp4a": true, // how to decode
	"moov/trak/mdia/minf/stbl/stsd/avc1/btrt": true, "moov/trak/mdia/minf/stbl/stsd/mp4a/btrt": true,
	"moov/trak/mdia/minf/stbl/stsd/mp4a/esds": true, // bit rates
}

// TestEveryByteCounts changes every byte outside of the media data: all changes are found but in numbers that are free.
func TestEveryByteCounts(t *testing.T) {
	b := clip(t, true)
	m := open(t, b)
	media, size := m.media(), len(m.at("mdat").body)
	passed := map[string][]int{}
	for at := range b {
		if at >= media && at < media+size {
			continue
		}
		for _, x := range []byte{1, 0x80} {
			b[at] ^= x
			if a := walk(t, b); a.Clean() {
				path, place := boxAt(b, at)
				passed[path] = append(passed[path], place)
			}
			b[at] ^= x
		}
	}
	n := 0
	for path, places := range passed {
		n += len(places)
		if !free[path] {
			t.Errorf("%s: changes at %v are not found", path, places)
		}
	}
	t.Logf("%d changes of %d are not found", n, 2*(len(b)-size))
	if n > 130 {
		t.Errorf("%d changes are not found", n)
	}
}
