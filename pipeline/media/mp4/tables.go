package mp4

import (
	"bufio"
	"encoding/binary"
	"io"
)

// table is the part of a sample table that repeats: n rows of some bytes each.
type table struct {
	at    int64 // of the first row
	n     int64
	width int64
	path  string
}

// tableBuffer is how much of a table is read at once. The rows are never in memory together.
const tableBuffer = 1 << 14

// rows reads a table from its first row on.
type rows struct {
	w    *walker
	t    table
	next int64 // number of the row that row gives
	r    *bufio.Reader
	p    [16]byte
}

func (w *walker) rows(t table) *rows {
	return &rows{w: w, t: t, r: bufio.NewReaderSize(io.NewSectionReader(w.r, t.at, t.n*t.width), tableBuffer)}
}

// row gives the next row; false behind the last, and where the file cannot be read.
func (r *rows) row() ([]byte, bool) {
	if r.next >= r.t.n || r.w.err != nil {
		return nil, false
	}
	p := r.p[:r.t.width]
	if _, err := io.ReadFull(r.r, p); err != nil {
		r.w.err = readError(r.at(), err)
		return nil, false
	}
	r.next++
	return p, true
}

// at is the offset of the row that row gives next.
func (r *rows) at() int64 { return r.t.at + r.next*r.t.width }

// pair gives the next row as two numbers.
func (r *rows) pair() (a, b uint32, ok bool) {
	p, ok := r.row()
	if !ok {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:]), true
}

// one gives the next row as one number.
func (r *rows) one() (uint64, bool) {
	p, ok := r.row()
	switch {
	case !ok:
		return 0, false
	case len(p) == 8:
		return binary.BigEndian.Uint64(p), true
	}
	return uint64(binary.BigEndian.Uint32(p)), true
}

// table reads the head of a table, of which the last four bytes are the number of rows, and holds the box's size against it.
func (w *walker) table(b *box, highest uint8, width int64) (t table, version uint8) {
	f := w.open(b, min(8, b.size()))
	version = f.version(highest, 0)
	t = table{at: b.body + 8, n: int64(f.u32()), width: width, path: b.path}
	w.fits(b, f, &t)
	return t, version
}

// fits notes a table that does not fill its box exactly.
func (w *walker) fits(b *box, f *fields, t *table) {
	if !f.bad && t.n*t.width != b.end-t.at {
		f.fault("%d entries of %d bytes in %d bytes", t.n, t.width, b.end-t.at)
	}
	if f.bad {
		t.n = 0
		w.unsure = true
	}
}

func (w *walker) stts(b *box) { b.track.durations, _ = w.table(b, 0, 8) }
func (w *walker) ctts(b *box) { b.track.shifts, b.track.shiftVersion = w.table(b, 1, 8) }
func (w *walker) stss(b *box) {
	b.track.keys, _ = w.table(b, 0, 4)
	b.track.hasKeys = true
}
func (w *walker) stsc(b *box) { b.track.runs, _ = w.table(b, 0, 12) }
func (w *walker) stco(b *box) { w.chunks(b, 4) }
func (w *walker) co64(b *box) { w.chunks(b, 8) }

func (w *walker) chunks(b *box, width int64) {
	if b.track.hasChunks {
		w.found(Repeated, b.at, b.path, "the places of chunks stand there twice")
		w.unsure = true
	}
	b.track.hasChunks = true
	b.track.chunks, _ = w.table(b, 0, width)
}

func (w *walker) stsz(b *box) {
	f, t := w.open(b, min(12, b.size())), b.track
	f.version(0, 0)
	t.sampleSize = f.u32()
	t.samples = int64(f.u32())
	t.sizes = table{at: b.body + 12, n: t.samples, width: 4, path: b.path}
	if t.sampleSize != 0 {
		t.sizes.n = 0
	}
	w.fits(b, f, &t.sizes)
	if t.samples == 0 {
		f.fault("the track holds no sample")
		w.unsure = true
	}
}
