package mp4

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"testing"
)

// FuzzWalk feeds bytes of any kind: the walk ends, it never fails where reading does not, its findings lie within the file, and
// what it passes adds up.
func FuzzWalk(f *testing.F) {
	f.Add(clip(f, true))
	f.Add(clip(f, false, "-qp", "0"))
	for _, c := range hostile {
		m := open(f, clip(f, true))
		if c.make != nil {
			f.Add(c.make(m))
			continue
		}
		c.edit(m)
		f.Add(m.bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Walk(bytes.NewReader(b), int64(len(b)), Derivative())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range a.Findings {
			if x.Offset < 0 || x.Offset > int64(len(b)) || x.Reason == "" || x.Kind == "" {
				t.Errorf("%+v in %d bytes", x, len(b))
			}
		}
		if a.MediaBytes > int64(len(b)) || a.Clean() && (a.Frames == 0 || a.NALUnits < a.Frames || a.MediaBytes == 0) {
			t.Errorf("%+v", a)
		}
	})
}

// FuzzSoundFrame reads bits of any kind as a sound frame.
func FuzzSoundFrame(f *testing.F) {
	f.Add(packed(quietChannel+frameEnd), uint8(1))
	f.Add(packed("001 0000 0"+quietStream+quietStream+frameEnd), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, channels uint8) {
		x := soundFrame{r: bitReader{p: b}}
		if fault := x.walk(layouts[channels]); fault == "" && x.r.left() != 0 {
			t.Errorf("%d bits are left", x.r.left())
		}
	})
}

// endless is a derivative whose only sample of pictures is as long as one likes: the bytes of its NAL unit are all alike.
type endless struct {
	head, tail []byte
	size       int64 // of the whole file
}

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		switch pos := at + int64(i); {
		case pos < int64(len(e.head)):
			p[i] = e.head[pos]
		case pos >= e.size:
			return i, io.EOF
		case pos >= e.size-int64(len(e.tail)):
			p[i] = e.tail[pos-e.size+int64(len(e.tail))]
		default:
			p[i] = 0x55
		}
	}
	return len(p), nil
}

// long makes a clean file with one frame of n bytes, behind a header of 64 bits.
func long(t *testing.T, n uint32) endless {
	m := open(t, clip(t, false, "-frames:v", "1"))
	ftyp := m.at("ftyp").bytes()
	mdat := m.at("mdat").body
	start := slices.Clone(mdat[:min(len(mdat), 40)])
	put(start, n-4)
	head := append(ftyp, 0, 0, 0, 1, 'm', 'd', 'a', 't')
	head = append(binary.BigEndian.AppendUint64(head, 16+uint64(n)), start...)
	put(m.at(stblPath + "stsz").body[4:], n)
	stbl := m.at("moov/trak/mdia/minf/stbl")
	for _, k := range stbl.kids {
		if k.kind == "stco" {
			k.kind, k.body = "co64", binary.BigEndian.AppendUint64([]byte{0, 0, 0, 0, 0, 0, 0, 1}, uint64(len(ftyp)+16))
		}
	}
	tail := m.at("moov").bytes()
	return endless{head: head, tail: tail, size: int64(len(ftyp)) + 16 + int64(n) + int64(len(tail))}
}

// TestMemoryDoesNotGrow walks files of very different sizes with the same memory. Sizes and places of 64 bits are read on the way.
func TestMemoryDoesNotGrow(t *testing.T) {
	var used [2]uint64
	for i, n := range []uint32{1 << 20, 1 << 27} {
		e := long(t, n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := Walk(e, e.size, Derivative())
		runtime.ReadMemStats(&after)
		if err != nil || !a.Clean() || a.MediaBytes != int64(n) || a.Frames != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		used[i] = after.TotalAlloc - before.TotalAlloc
	}
	if used[1] > used[0]+1<<16 || used[1] > 1<<20 {
		t.Errorf("%d bytes for a small file, %d for a large one", used[0], used[1])
	}
}
