package mp4

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// clean are the muxer's arguments that a derivative is written with.
var clean = []string{"-map_metadata", "-1", "-fflags", "+bitexact", "-video_track_timescale", "12800", "-movie_timescale", "192000",
	"-empty_hdlr_name", "1", "-metadata:s:v", "encoder=veil"}

// madeOnce keeps the generated clips: many tests change a copy of one.
var madeOnce sync.Map

// clip is a file that is as a derivative is: a few small pictures, and half a second of sound where it is wanted. The index comes
// last, so that it can grow without the media data moving.
func clip(t testing.TB, sound bool, encoder ...string) []byte {
	t.Helper()
	key := strconv.FormatBool(sound) + strings.Join(encoder, " ")
	if b, ok := madeOnce.Load(key); ok {
		return slices.Clone(b.([]byte))
	}
	dir := t.TempDir()
	video, tone, out := filepath.Join(dir, "v.mp4"), filepath.Join(dir, "a.mp4"), filepath.Join(dir, "out.mp4")
	if len(encoder) == 0 {
		encoder = []string{"-crf", "30"}
	}
	run(t, slices.Concat([]string{"-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast",
		"-g", "6", "-flags:v", "+bitexact", "-threads:v", "1", "-bsf:v", "filter_units=remove_types=6", "-movflags", "+negative_cts_offsets"},
		encoder, clean, []string{video}))
	if !sound {
		b := store(t, key, video)
		return slices.Clone(b)
	}
	run(t, slices.Concat([]string{"-f", "lavfi", "-i", "sine=d=0.5:r=48000", "-c:a", "aac", "-flags:a", "+bitexact"}, clean, []string{tone}))
	run(t, slices.Concat([]string{"-i", video, "-i", tone, "-map", "0:v", "-map", "1:a", "-c", "copy", "-copypriorss:a", "1", "-movflags", "+negative_cts_offsets"},
		clean, []string{out}))
	return slices.Clone(store(t, key, out))
}

func store(t testing.TB, key, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	madeOnce.Store(key, b)
	return b
}

func run(t testing.TB, args []string) {
	t.Helper()
	out, err := exec.Command("ffmpeg", slices.Concat([]string{"-v", "error", "-nostdin", "-y"}, args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

// node is a box that a test can change.
type node struct {
	kind string
	head []byte // what stands in front of the boxes inside
	kids []*node
	body []byte // of a box without boxes inside
}

// heads is how many bytes stand in front of the boxes inside.
var heads = map[string]int{"moov": 0, "trak": 0, "mdia": 0, "minf": 0, "stbl": 0, "edts": 0, "dinf": 0, "udta": 0, "meta": 4, "stsd": 8,
	"dref": 8, "avc1": 78, "mp4a": 28}

func parse(t testing.TB, b []byte) (list []*node) {
	t.Helper()
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint32(b))
		if n < 8 || n > len(b) {
			t.Fatalf("a box of %d bytes in %d", n, len(b))
		}
		x := &node{kind: string(b[4:8]), body: b[8:n]}
		if head, ok := heads[x.kind]; ok {
			x.head, x.kids, x.body = x.body[:head], parse(t, x.body[head:]), nil
		}
		list = append(list, x)
		b = b[n:]
	}
	return list
}

// bytes is the box as it stands in a file.
func (n *node) bytes() []byte {
	body := slices.Concat(n.head, n.body)
	for _, k := range n.kids {
		body = append(body, k.bytes()...)
	}
	return box4(n.kind, body)
}

func box4(kind string, body []byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), []byte(kind), body)
}

// movie is a file that a test can change.
type movie struct {
	t    testing.TB
	tops []*node
}

func open(t testing.TB, b []byte) *movie { return &movie{t: t, tops: parse(t, b)} }

func (m *movie) bytes() []byte {
	var b []byte
	for _, n := range m.tops {
		b = append(b, n.bytes()...)
	}
	return b
}

// at is the box at a path; "trak" is the first, "trak2" the second.
func (m *movie) at(path string) *node {
	m.t.Helper()
	list := m.tops
	var n *node
	for kind := range strings.SplitSeq(path, "/") {
		skip := 0
		if kind == "trak2" {
			kind, skip = "trak", 1
		}
		n = nil
		for _, k := range list {
			if k.kind == kind {
				if skip == 0 {
					n = k
					break
				}
				skip--
			}
		}
		if n == nil {
			m.t.Fatalf("no box %s", path)
		}
		list = n.kids
	}
	return n
}

const stblPath = "moov/trak/mdia/minf/stbl/"

// media is the offset of the first byte of the media data in the file.
func (m *movie) media() int {
	at := 0
	for _, n := range m.tops {
		if n.kind == "mdat" {
			return at + 8
		}
		at += len(n.bytes())
	}
	m.t.Fatal("no mdat")
	return 0
}

// move adds to the place of every chunk from a file offset on.
func (m *movie) move(from, by int) {
	for _, trak := range m.at("moov").kids {
		if trak.kind != "trak" {
			continue
		}
		sub := &movie{t: m.t, tops: []*node{trak}}
		rows := sub.at("trak/mdia/minf/stbl/stco").body[8:]
		for i := 0; i < len(rows); i += 4 {
			if v := binary.BigEndian.Uint32(rows[i:]); int(v) >= from {
				binary.BigEndian.PutUint32(rows[i:], uint32(int(v)+by))
			}
		}
	}
}

// put writes a number over four bytes.
func put(b []byte, v uint32) { binary.BigEndian.PutUint32(b, v) }

// walk walks bytes that can be read.
func walk(t testing.TB, b []byte) *Account {
	t.Helper()
	a, err := Walk(bytes.NewReader(b), int64(len(b)), Derivative())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
