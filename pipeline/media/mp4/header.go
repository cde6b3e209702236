package mp4

import (
	"slices"
)

// identity is the matrix that transforms nothing.
var identity = []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0}

// brands that may stand in ftyp.
var brands = []string{"iso4", "isom", "iso2", "avc1", "mp41"}

func (w *walker) ftyp(b *box) {
	f := w.open(b, -1)
	if b.at != 0 {
		f.fault("the box is not the first")
	}
	var seen []string
	for i := 0; f.at < len(f.data); i++ {
		if i == 1 {
			f.want("the version", 0, 0, 2, 0)
			continue
		}
		brand := string(f.take(4))
		known := slices.Contains(brands, brand)
		if i > 0 { // the first is the main brand, which stands once more in the list
			known = known && !slices.Contains(seen, brand)
			seen = append(seen, brand)
		}
		if !known && !f.bad {
			f.at -= 4
			f.fault("brand %s is not on the allow-list, or stands there twice", name(brand))
			return
		}
	}
	if len(seen) == 0 {
		f.fault("the box is shorter than its fields")
	}
	f.end()
}

func (w *walker) mvhd(b *box) {
	f := w.open(b, -1)
	long := f.version(1, 0) == 1
	w.times(f, long)
	if w.timescale = f.u32(); w.timescale == 0 {
		f.fault("the clock stands still")
	}
	w.duration = f.number(long)
	f.want("the speed", 0, 1, 0, 0)
	f.want("the volume", 1, 0)
	f.zero(10, "a reserved field")
	f.want("the matrix", identity...)
	f.zero(24, "a reserved field")
	w.nextID = f.u32()
	f.end()
}

// times reads when something was made and changed.
func (w *walker) times(f *fields, long bool) {
	n := 8
	if long {
		n = 16
	}
	f.zero(n, "the time when it was made or changed")
}

func (w *walker) mediaData(b *box) { w.mdat = b }

func (w *walker) meta(b *box) {
	f := w.open(b, min(4, b.size()))
	f.version(0, 0)
	if f.end() {
		w.inside(b, b.body+4)
	}
}

func (w *walker) metaHandler(b *box) {
	f := w.open(b, -1)
	f.version(0, 0)
	f.zero(4, "a reserved field")
	f.want("the type", 'm', 'd', 'i', 'r', 'a', 'p', 'p', 'l')
	f.zero(8, "a reserved field")
	f.emptyName()
	f.end()
}

// emptyName reads a name that must be empty: the zero that ends it, and nothing behind.
func (f *fields) emptyName() {
	if n := len(f.data) - f.at; n != 1 {
		f.fault("the name is not empty")
		f.at = len(f.data)
		return
	}
	f.zero(1, "the name")
}

// trak opens a track of its kind. The kind is told by a box further inside, so it is looked up before the rest is judged.
func (w *walker) trak(b *box) {
	kind := w.handlerType(b)
	if w.err != nil {
		return
	}
	video := kind == "vide"
	switch {
	case !video && kind != "soun":
		w.found(Tracks, b.at, b.path, "a track of type %s: only pictures and sound may stand", name(kind))
		return
	case !video && !w.policy.Sound:
		w.found(Tracks, b.at, b.path, "a track of sound, and none was kept")
		return
	case slices.ContainsFunc(w.tracks, func(t *track) bool { return t.video == video }):
		w.found(Tracks, b.at, b.path, "a second track of type %s", kind)
		return
	}
	t := &track{video: video, at: b.at}
	t.path = b.path[:len(b.path)-len("trak")] + t.name()
	w.tracks = append(w.tracks, t)
	inner := *b
	inner.path, inner.track, inner.rule = t.path, t, &rule{children: trakRules(video)}
	w.inside(&inner, b.body)
}

// handlerType looks into mdia/hdlr for the track's kind; empty where there is none.
func (w *walker) handlerType(trak *box) string {
	quiet := &walker{r: w.r, size: w.size, a: &Account{}}
	defer func() { w.err = quiet.err }()
	place := trak
	for _, kind := range []string{"mdia", "hdlr"} {
		place = quiet.find(place, kind)
		if place == nil {
			return ""
		}
	}
	var p [12]byte
	if place.size() < int64(len(p)) || !quiet.read(p[:], place.body) {
		return ""
	}
	return string(p[8:])
}

// find is the first box of a kind inside a parent that holds boxes only; nil where there is none.
func (w *walker) find(parent *box, kind string) *box {
	at := parent.body
	for range MaxBoxes {
		if at >= parent.end {
			return nil
		}
		b, ok := w.header(parent, at)
		if !ok {
			return nil
		}
		if b.kind == kind {
			return b
		}
		at = b.end
	}
	return nil
}

func (w *walker) tkhd(b *box) {
	f, t := w.open(b, -1), b.track
	long := f.version(1, 3) == 1
	w.times(f, long)
	t.id = f.u32()
	f.zero(4, "a reserved field")
	t.lasts = f.number(long)
	f.zero(8, "a reserved field")
	f.want("the layer", 0, 0)
	if t.video {
		f.want("the group of alternatives and the volume", 0, 0, 0, 0)
	} else {
		f.want("the group of alternatives and the volume", 0, 1, 1, 0)
	}
	f.zero(2, "a reserved field")
	f.want("the matrix", identity...)
	t.shownWidth, t.shownHeight = f.u32(), f.u32()
	f.end()
}

func (w *walker) elst(b *box) {
	f := w.open(b, -1)
	long := f.version(1, 0) == 1
	n := f.u32()
	if n < 1 || n > 2 {
		f.fault("%d edits", n)
		return
	}
	for range n {
		at := b.body + int64(f.at)
		e := edit{at: at, duration: f.number(long), start: int64(f.number(long))}
		if !long {
			e.start = int64(int32(e.start))
		}
		f.want("the speed", 0, 1, 0, 0)
		b.track.edits = append(b.track.edits, e)
	}
	f.end()
}

func (w *walker) mdhd(b *box) {
	f := w.open(b, -1)
	long := f.version(1, 0) == 1
	w.times(f, long)
	if b.track.timescale = f.u32(); b.track.timescale == 0 {
		f.fault("the clock stands still")
	}
	b.track.duration = f.number(long)
	f.want("the language", 0x55, 0xc4)
	f.zero(2, "a reserved field")
	f.end()
}

func (w *walker) hdlr(b *box) {
	f := w.open(b, -1)
	f.version(0, 0)
	f.zero(4, "a reserved field")
	f.take(4) // the type, which chose these rules
	f.zero(12, "a reserved field")
	f.emptyName()
	f.end()
}

func (w *walker) vmhd(b *box) {
	f := w.open(b, -1)
	f.version(0, 1)
	f.zero(8, "the way of drawing")
	f.end()
}

func (w *walker) smhd(b *box) {
	f := w.open(b, -1)
	f.version(0, 0)
	f.zero(4, "the balance")
	f.end()
}

// list reads the head of a box that holds one entry, and walks that.
func (w *walker) list(b *box) {
	f := w.open(b, min(8, b.size()))
	f.version(0, 0)
	f.want("the number of entries", 0, 0, 0, 1)
	if f.end() {
		w.inside(b, b.body+8)
	}
}

func (w *walker) dref(b *box) { w.list(b) }
func (w *walker) stsd(b *box) { w.list(b) }

func (w *walker) url(b *box) {
	f := w.open(b, -1)
	f.version(0, 1)
	f.end()
}
