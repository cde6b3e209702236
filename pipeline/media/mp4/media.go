package mp4

import (
	"bufio"
	"io"
)

// mediaBuffer is how much of the media data is read at once.
const mediaBuffer = 1 << 18

// feed gives a track's samples in the order of the file.
type feed struct {
	t                   *track
	chunks, runs, sizes *rows
	durations, shifts   *rows
	keys                *rows
	chunk               int64 // number of the chunk at place, from 1
	place               int64 // offset of the chunk whose samples come next; -1 behind the last
	each, then          int64 // samples in each chunk until chunk then
	eachNext            int64
	sample              int64 // number of the next sample, from 0
	stamp               uint64
	durationLeft, ticks uint32
	shiftLeft, shift    uint32
	key                 int64 // number of the next key sample, from 1; 0 behind the last
	order               order
}

func (w *walker) feed(t *track) *feed {
	f := &feed{t: t, chunks: w.rows(t.chunks), runs: w.rows(t.runs), sizes: w.rows(t.sizes), durations: w.rows(t.durations),
		shifts: w.rows(t.shifts), keys: w.rows(t.keys)}
	f.nextRun()
	f.nextRun()
	f.nextChunk()
	f.nextKey()
	return f
}

// nextRun makes the run that was announced the current one and reads the announcement of the one behind it.
func (f *feed) nextRun() {
	f.each = f.eachNext
	f.then, f.eachNext = 0, 0
	if p, ok := f.runs.row(); ok {
		f.then, f.eachNext = be32(p), be32(p[4:])
	}
}

func (f *feed) nextChunk() {
	f.place = -1
	if v, ok := f.chunks.one(); ok {
		f.place = int64(min(v, 1<<62))
		if f.chunk++; f.chunk == f.then {
			f.nextRun()
		}
	}
}

func (f *feed) nextKey() {
	v, _ := f.keys.one()
	f.key = int64(v)
}

// size is the next sample's size in bytes.
func (f *feed) size() int64 {
	if f.t.sampleSize != 0 {
		return int64(f.t.sampleSize)
	}
	v, _ := f.sizes.one()
	return int64(v)
}

// time is when the next sample is shown, in the track's ticks, and how long it lasts. Times may be negative.
func (f *feed) time() (shown int64, ticks uint32) {
	if f.durationLeft == 0 {
		f.durationLeft, f.ticks, _ = f.durations.pair()
	}
	if f.shiftLeft == 0 {
		f.shiftLeft, f.shift, _ = f.shifts.pair()
	}
	shown = int64(f.stamp)
	switch {
	case f.shiftLeft == 0:
	case f.t.shiftVersion == 0:
		shown += int64(f.shift)
	default:
		shown += int64(int32(f.shift))
	}
	f.durationLeft--
	f.shiftLeft -= min(f.shiftLeft, 1)
	f.stamp += uint64(f.ticks)
	return shown, f.ticks
}

// media walks the media data by the sample tables of all tracks together, front to back.
func (w *walker) media() {
	if w.unsure || w.mdat == nil || len(w.tracks) == 0 {
		return
	}
	var feeds []*feed
	for _, t := range w.tracks {
		feeds = append(feeds, w.feed(t))
	}
	c := &cursor{w: w, at: w.mdat.body, end: w.mdat.end}
	c.r = bufio.NewReaderSize(io.NewSectionReader(w.r, c.at, c.end-c.at), mediaBuffer)
	for w.err == nil {
		f := first(feeds)
		if f == nil {
			break
		}
		if !w.chunk(c, f) {
			return
		}
	}
	if left := c.end - c.at; left > 0 && w.err == nil {
		w.found(Gap, c.at, "mdat", "%d bytes at its end belong to no sample%s", left, c.looks())
	}
	for _, f := range feeds {
		w.judgeEdits(f)
	}
}

// first is the feed whose next chunk lies first in the file; nil where no chunk is left.
func first(feeds []*feed) *feed {
	var best *feed
	for _, f := range feeds {
		if f.place >= 0 && (best == nil || f.place < best.place) {
			best = f
		}
	}
	return best
}

// chunk walks the samples of a feed's next chunk. False means that the walk does not know any longer where it is.
func (w *walker) chunk(c *cursor, f *feed) bool {
	row := f.chunks.at() - f.t.chunks.width
	switch {
	case f.place < w.mdat.body || f.place >= c.end:
		w.found(Tables, row, f.t.chunks.path, "chunk %d begins at byte %d, outside of mdat", f.chunk, f.place)
		return false
	case f.place < c.at:
		w.found(Overlap, row, f.t.chunks.path, "chunk %d begins at byte %d, within or before the samples that end at byte %d", f.chunk, f.place, c.at)
		return false
	case f.place > c.at:
		w.found(Gap, c.at, "mdat", "%d bytes belong to no sample%s", f.place-c.at, c.looks())
		c.skip(f.place - c.at)
	}
	for range f.each {
		at := f.sizes.at()
		size := f.size()
		switch {
		case w.err != nil:
			return false
		case size == 0:
			w.found(Tables, at, f.t.sizes.path, "sample %d is empty", f.sample+1)
			return false
		case size > c.end-c.at:
			w.found(Tables, at, f.t.sizes.path, "sample %d of %d bytes reaches beyond mdat", f.sample+1, size)
			return false
		}
		w.a.MediaBytes += size
		w.sample(c, f, size)
	}
	f.nextChunk()
	return w.err == nil
}

// sample walks one sample.
func (w *walker) sample(c *cursor, f *feed, size int64) {
	at := c.at
	f.sample++
	shown, ticks := f.time()
	f.order.span(shown, ticks)
	if !f.t.video {
		w.a.SoundFrames++
		w.soundFrame(c, f.t, size)
		return
	}
	w.a.Frames++
	if !f.order.add(shown) {
		w.found(Hidden, at, f.t.path, "frame %d is shown at the same moment as another, or out of reach of the decoder", f.sample)
	}
	idr := w.picture(c, f.t, size)
	if marked := !f.t.hasKeys || f.sample == f.key; marked != idr && w.err == nil {
		w.found(Tables, at, f.t.path, "frame %d is marked as a key frame and is none, or the reverse", f.sample)
	}
	if f.sample == f.key {
		f.nextKey()
	}
}

// reorder is how many frames a decoder may hold back (ITU-T H.264, A.3.1).
const reorder = 16

// order watches the moments at which a track's samples are shown.
type order struct {
	waiting     []int64 // moments of frames that are still held back, in order
	last        int64   // the latest that is shown
	any         bool
	some        bool
	first, ends int64 // of all samples
	latest      int64 // moment at which the last one is shown
}

// span widens the time that the samples take.
func (o *order) span(shown int64, ticks uint32) {
	if !o.some || shown < o.first {
		o.first = shown
	}
	if !o.some || shown > o.latest {
		o.latest = shown
	}
	if !o.some || shown+int64(ticks) > o.ends {
		o.ends = shown + int64(ticks)
	}
	o.some = true
}

// add takes a frame's moment. False means that another frame has the same one, or that the frame comes later than a decoder can
// wait for it.
func (o *order) add(shown int64) bool {
	i := len(o.waiting)
	for i > 0 && o.waiting[i-1] > shown {
		i--
	}
	if i > 0 && o.waiting[i-1] == shown || o.any && shown <= o.last {
		return false
	}
	o.waiting = append(o.waiting, 0)
	copy(o.waiting[i+1:], o.waiting[i:])
	o.waiting[i] = shown
	if len(o.waiting) > reorder {
		o.last, o.any = o.waiting[0], true
		o.waiting = o.waiting[:copy(o.waiting, o.waiting[1:])]
	}
	return true
}

// maxPriming is how many samples of sound an edit may leave out at the start: what an AAC encoder puts in front.
const maxPriming = 2048

// judgeEdits checks that a player shows all that the track holds.
func (w *walker) judgeEdits(f *feed) {
	t := f.t
	if w.err != nil || len(t.edits) == 0 {
		if w.err == nil && f.order.first < 0 {
			w.found(Hidden, t.at, t.path, "frames before the beginning")
		}
		return
	}
	path := t.path + "/edts/elst"
	for i, e := range t.edits {
		last := i == len(t.edits)-1
		switch {
		case !last && e.start != -1:
			w.found(Hidden, e.at, path, "more than one edit shows a part of the track")
		case last && e.start < 0:
			w.found(Hidden, e.at, path, "the track is never shown")
		}
	}
	e := t.edits[len(t.edits)-1]
	if e.start < 0 {
		return
	}
	late := e.start - f.order.first
	if t.video && late > 0 || late > maxPriming {
		w.found(Hidden, e.at, path, "the edit begins %d ticks behind the first sample: what lies before is not shown", late)
	}
	if length := t.duration - uint64(e.start); less(length+1, uint64(w.timescale), e.duration, uint64(t.timescale)) ||
		less(e.duration+1, uint64(t.timescale), length, uint64(w.timescale)) {
		w.found(Fields, t.at, t.path+"/mdia/mdhd", "the track lasts %d of its ticks, its edit %d of the movie's", t.duration, e.duration)
	}
	// A frame must begin within the edit. How long it is shown then is no matter: the time between two frames in the order of
	// decoding is not that between them on the screen. Sound must end within it, but for a tick by which both clocks may round.
	hides := false
	if t.video {
		begins := uint64(max(0, f.order.latest-e.start))
		hides = !less(begins, uint64(w.timescale), e.duration, uint64(t.timescale))
	} else {
		needed := uint64(max(1, f.order.ends-e.start))
		hides = less(e.duration+1, uint64(t.timescale), needed-1, uint64(w.timescale))
	}
	if hides {
		w.found(Hidden, e.at, path, "the edit lasts %d ticks of the movie, less than the samples: the end is not shown", e.duration)
	}
}
