package mp4

import (
	"encoding/binary"
	"strconv"
)

// box is one box as its header describes it: it lies from at to end, its content from body.
type box struct {
	kind           string
	path           string
	at, body, end  int64
	rule           *rule
	track          *track // the track that the box belongs to, nil outside of one
	children, many int    // boxes inside, boxes of this kind before it beside it
}

func (b *box) size() int64 { return b.end - b.body }

// file walks the whole file's boxes.
func (w *walker) file() {
	top := box{end: w.size, rule: &rule{children: topLevel()}}
	w.inside(&top, 0)
	for _, t := range w.tracks {
		w.judgeTrack(t)
	}
	w.judgeMovie()
}

// inside walks the boxes of a parent from a position to its end.
func (w *walker) inside(parent *box, from int64) {
	seen := map[string]int{}
	for at := from; at < parent.end && w.err == nil; {
		b, ok := w.header(parent, at)
		if !ok {
			return
		}
		if w.a.Boxes++; w.a.Boxes > MaxBoxes {
			w.found(Forbidden, at, parent.path, "more than %d boxes", MaxBoxes)
			w.unsure = true
			return
		}
		b.many = seen[b.kind]
		seen[b.kind]++
		w.judge(parent, b)
		parent.children++
		at = b.end
	}
	for i := range parent.rule.children {
		r := &parent.rule.children[i]
		if seen[r.kind] < r.min && w.err == nil {
			w.found(Missing, parent.at, join(parent.path, r.kind), "the box is missing")
			w.unsure = true
		}
	}
}

// header reads the header of the box at a position of its parent. False means that nothing more can be told apart there.
func (w *walker) header(parent *box, at int64) (*box, bool) {
	var h [16]byte
	left := parent.end - at
	if left < 8 {
		if parent.path == "" {
			w.found(Trailing, at, "", "%d bytes behind the last box belong to none", left)
		} else {
			w.found(Fields, at, parent.path, "%d bytes behind the last box inside belong to none", left)
		}
		return nil, false
	}
	if !w.read(h[:8], at) {
		return nil, false
	}
	b := &box{kind: string(h[4:8]), at: at, body: at + 8, track: parent.track}
	if parent.path == "" && !plausible(b.kind) {
		w.found(Trailing, at, "", "%d bytes behind the last box belong to none", left)
		return nil, false
	}
	b.path = join(parent.path, name(b.kind))
	size := uint64(binary.BigEndian.Uint32(h[:4]))
	switch {
	case size == 0:
		w.found(Fields, at, b.path, "the box gives no size: it would reach to the end of the file, whatever stands there")
		w.unsure = true
		return nil, false
	case size == 1 && left < 16:
		w.found(Truncated, at, b.path, "the box ends within its own header")
		w.unsure = true
		return nil, false
	case size == 1:
		if !w.read(h[8:], at+8) {
			return nil, false
		}
		size = binary.BigEndian.Uint64(h[8:])
		b.body = at + 16
		if b.path != "mdat" {
			w.found(Fields, at, b.path, "the box has a size of 64 bits, which only mdat may have")
		}
	}
	switch head := uint64(b.body - at); {
	case size < head:
		w.found(Fields, at, b.path, "the box gives %d bytes as its size, less than its header has", size)
	case size > uint64(left) && parent.path == "":
		w.found(Truncated, at, b.path, "the box gives %d bytes as its size, the file has %d left", size, left)
	case size > uint64(left):
		w.found(Truncated, at, b.path, "the box gives %d bytes as its size, the box around it has %d left", size, left)
	default:
		b.end = at + int64(size)
		return b, true
	}
	w.unsure = true
	return nil, false
}

// plausible says whether a kind at the top of a file can be a box's name and not just any bytes.
func plausible(kind string) bool {
	for _, c := range []byte(kind) {
		if c != ' ' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// judge holds one box against the rules for its place.
func (w *walker) judge(parent, b *box) {
	for i := range parent.rule.children {
		if parent.rule.children[i].kind == b.kind {
			b.rule = &parent.rule.children[i]
		}
	}
	if b.rule == nil {
		w.found(Forbidden, b.at, b.path, "%s", whyForbidden(b))
		return
	}
	if b.many >= b.rule.max {
		w.found(Repeated, b.at, b.path, "the box stands %d times, %d may stand", b.many+1, b.rule.max)
		if b.rule.kind != "free" {
			w.unsure = true
		}
		return
	}
	b.rule.check(w, b)
}

// whyForbidden tells what a box that may not stand would do.
func whyForbidden(b *box) string {
	const not = "the box is not on the allow-list"
	if why, ok := carriers[b.kind]; ok {
		return not + ": " + why
	}
	return not
}

// carriers tells what the better-known of the forbidden boxes hold.
var carriers = map[string]string{
	"moof": "a fragmented file brings its samples in pieces, outside the index", "mvex": "it announces fragments",
	"sidx": "it indexes fragments", "styp": "it begins a fragment", "mfra": "it indexes fragments",
	"uuid": "it holds whatever its writer likes", "skip": "it holds bytes that players ignore", "wide": "it holds bytes that players ignore",
	"tref": "it ties a track to another, as chapters do", "chpl": "it holds chapters", "chap": "it holds chapters",
	"\xa9xyz": "it holds a place of recording", "loci": "it holds a place of recording", "\xa9nam": "it holds a title",
	"\xa9cmt": "it holds a comment", "covr": "it holds a picture", "XMP_": "it holds a document of tags", "name": "it holds a name",
	"meco": "it holds tags", "clap": "it hides a part of the picture", "iods": "it holds descriptors",
	"pssh": "it belongs to encryption", "emsg": "it holds messages", "prft": "it holds times of the clock on the wall",
}

// join is a path one level down.
func join(path, kind string) string {
	if path == "" {
		return kind
	}
	return path + "/" + kind
}

// name is a box's kind, printable.
func name(kind string) string {
	q := strconv.QuoteToASCII(kind)
	return q[1 : len(q)-1]
}
