package mp4

import "math/bits"

// track is what the boxes of one track say.
type track struct {
	video bool
	path  string
	at    int64
	id    uint32

	timescale               uint32
	duration                uint64 // in the track's ticks
	lasts                   uint64 // in the movie's ticks
	edits                   []edit
	shownWidth, shownHeight uint32 // 16.16

	// pictures
	width, height    uint16
	aspectH, aspectV uint32
	sps              *sps

	// sound
	channels uint8
	grouped  int64 // samples that sbgp speaks of

	durations, shifts, keys, runs, sizes, chunks table
	shiftVersion                                 uint8
	hasKeys, hasChunks                           bool
	sampleSize                                   uint32 // of all samples, 0 where sizes tells each
	samples                                      int64
}

// edit is one entry of an edit list.
type edit struct {
	at       int64
	duration uint64 // in the movie's ticks
	start    int64  // in the track's ticks; -1 is a pause
}

// name is how a track stands in paths.
func (t *track) name() string {
	if t.video {
		return "trak[video]"
	}
	return "trak[sound]"
}

// judgeTrack holds a track's boxes against each other.
func (w *walker) judgeTrack(t *track) {
	if w.err != nil {
		return
	}
	if t.id == 0 {
		w.found(Fields, t.at, t.path, "the track has no number")
	}
	if t.video {
		w.judgePicture(t)
	} else if t.shownWidth != 0 || t.shownHeight != 0 {
		w.found(Fields, t.at, t.path+"/tkhd", "a track of sound has a size")
	}
	if !t.hasChunks {
		w.found(Missing, t.at, t.path+"/mdia/minf/stbl/stco", "the box is missing")
		w.unsure = true
	}
	if w.unsure {
		return
	}
	lasts := uint64(0)
	for _, e := range t.edits {
		lasts += e.duration
	}
	if len(t.edits) > 0 && lasts != t.lasts {
		w.found(Fields, t.at, t.path+"/tkhd", "the track lasts %d ticks, its edits %d", t.lasts, lasts)
	}
	w.judgeDurations(t)
	w.judgeShifts(t)
	w.judgeRuns(t)
	if t.grouped > 0 && t.grouped != t.samples {
		w.found(Tables, t.at, t.path+"/mdia/minf/stbl/sbgp", "a group of %d samples, the track has %d", t.grouped, t.samples)
	}
}

// judgePicture holds the sizes against each other that different boxes give.
func (w *walker) judgePicture(t *track) {
	if t.sps != nil && (int(t.width) != t.sps.width || int(t.height) != t.sps.height) {
		w.found(Fields, t.at, t.path+"/mdia/minf/stbl/stsd/avc1", "the size %dx%d is not that of the pictures, %dx%d", t.width, t.height, t.sps.width, t.sps.height)
	}
	wide := uint64(t.width) << 16
	if t.aspectH > 0 && t.aspectV > 0 {
		wide = wide * uint64(t.aspectH) / uint64(t.aspectV)
	}
	const rounded = 1 << 8 // of a pixel in 1<<16 parts
	if t.shownHeight != uint32(t.height)<<16 || max(wide, uint64(t.shownWidth))-min(wide, uint64(t.shownWidth)) > rounded {
		w.found(Fields, t.at, t.path+"/tkhd", "the size shown is not that of the pictures")
	}
}

// judgeDurations adds up how long samples last.
func (w *walker) judgeDurations(t *track) {
	var samples int64
	var ticks uint64
	for r := w.rows(t.durations); ; {
		at := r.at()
		n, length, ok := r.pair()
		if !ok {
			break
		}
		if n == 0 || length == 0 {
			w.found(Hidden, at, t.durations.path, "%d samples that last %d ticks", n, length)
		}
		samples += int64(n)
		ticks += uint64(n) * uint64(length)
	}
	w.sameCount(t, t.durations, samples)
	// Of pictures mdhd tells how long they are shown, stts the time between them in the order of decoding.
	if !t.video && samples == t.samples && ticks != t.duration {
		w.found(Tables, t.durations.at, t.durations.path, "samples last %d ticks, mdhd says %d", ticks, t.duration)
	}
}

// judgeShifts counts the samples whose time is shifted.
func (w *walker) judgeShifts(t *track) {
	if t.shifts.at == 0 {
		return
	}
	var samples int64
	for r := w.rows(t.shifts); ; {
		n, _, ok := r.pair()
		if !ok {
			break
		}
		samples += int64(n)
	}
	w.sameCount(t, t.shifts, samples)
}

// sameCount notes a table that speaks of another number of samples than stsz.
func (w *walker) sameCount(t *track, table table, samples int64) {
	if samples != t.samples && w.err == nil {
		w.found(Tables, table.at, table.path, "it speaks of %d samples, stsz of %d", samples, t.samples)
		w.unsure = true
	}
}

// judgeRuns counts the samples that the chunks hold.
func (w *walker) judgeRuns(t *track) {
	r := w.rows(t.runs)
	var first, each, samples int64
	for number := 0; ; number++ {
		at := r.at()
		p, ok := r.row()
		if !ok {
			break
		}
		next, n, entry := be32(p), be32(p[4:]), be32(p[8:])
		if number == 0 && next != 1 || number > 0 && next <= first || next > t.chunks.n || n == 0 || n > t.samples || entry != 1 {
			w.found(Tables, at, t.runs.path, "chunk %d with %d samples of entry %d does not fit behind chunk %d of %d", next, n, entry, first, t.chunks.n)
			w.unsure = true
			return
		}
		if samples += (next - first) * each; samples > t.samples {
			break
		}
		first, each = next, n
	}
	samples += (t.chunks.n - first + 1) * each
	w.sameCount(t, t.runs, samples)
}

func be32(p []byte) int64 {
	return int64(p[0])<<24 | int64(p[1])<<16 | int64(p[2])<<8 | int64(p[3])
}

// judgeMovie holds the tracks against each other.
func (w *walker) judgeMovie() {
	if w.err != nil {
		return
	}
	highest, longest := uint32(0), uint64(0)
	video := false
	for i, t := range w.tracks {
		highest, longest = max(highest, t.id), max(longest, t.lasts)
		video = video || t.video
		if i > 0 && t.id == w.tracks[0].id {
			w.found(Fields, t.at, t.path+"/tkhd", "both tracks have the number %d", t.id)
		}
	}
	if !video {
		w.found(Tracks, 0, "moov", "no track of pictures")
	}
	if len(w.tracks) > 0 && w.duration != longest {
		w.found(Fields, w.tracks[0].at, "moov/mvhd", "the movie lasts %d ticks, its longest track %d", w.duration, longest)
	}
	if len(w.tracks) > 0 && w.nextID != highest+1 {
		w.found(Fields, w.tracks[0].at, "moov/mvhd", "the next track's number is %d, the highest is %d", w.nextID, highest)
	}
}

// less says whether a*b < c*d, whatever their size.
func less(a, b, c, d uint64) bool {
	h1, l1 := bits.Mul64(a, b)
	h2, l2 := bits.Mul64(c, d)
	return h1 < h2 || h1 == h2 && l1 < l2
}
