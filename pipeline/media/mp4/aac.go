package mp4

import "fmt"

// maxSoundFrame is the largest frame that AAC allows, in bytes a channel.
const maxSoundFrame = 768

// Elements of a sound frame (ISO/IEC 14496-3, table 4.71).
const (
	elementSingle = 0
	elementPair   = 1
	elementLow    = 3
	elementEnd    = 7
)

// elementNames tells what the elements that may not stand hold.
var elementNames = map[uint32]string{2: "a coupling channel", 4: "a data stream", 5: "a configuration, which takes a comment", 6: "filler"}

// layouts are the elements that a frame holds for each number of channels that veil writes.
var layouts = map[uint8][]uint32{1: {elementSingle}, 2: {elementPair}, 6: {elementSingle, elementPair, elementPair, elementLow}}

// soundFrame walks one sample of sound: every bit of it must belong to a channel's spectrum or to what decodes it.
func (w *walker) soundFrame(c *cursor, t *track, size int64) {
	at := c.at
	if size > maxSoundFrame*int64(t.channels) {
		w.found(SoundData, at, t.path, "sound frame %d has %d bytes, more than a frame may have", w.a.SoundFrames, size)
		c.skip(size)
		return
	}
	p := c.peek(size)
	if int64(len(p)) == size {
		f := soundFrame{r: bitReader{p: p}}
		if fault := f.walk(layouts[t.channels]); fault != "" {
			w.found(SoundData, at+int64(min(f.r.at/8, len(p)-1)), t.path, "sound frame %d: %s", w.a.SoundFrames, fault)
		}
	}
	c.skip(size)
}

// soundFrame is one frame on its way.
type soundFrame struct {
	r   bitReader
	why string // what is wrong; the first counts
}

func (f *soundFrame) fault(format string, args ...any) {
	if f.why == "" {
		f.why = fmt.Sprintf(format, args...)
	}
}

// walk reads the elements of a frame. It gives what is wrong, in words.
func (f *soundFrame) walk(layout []uint32) string {
	seen := map[uint32]uint32{}
	for _, want := range layout {
		kind := f.r.u(3)
		if kind != want {
			name, ok := elementNames[kind]
			if !ok {
				name = "another element than its channels need"
			}
			f.fault("it holds %s", name)
			return f.why
		}
		if f.r.u(4) != seen[kind] {
			f.fault("its channels are not numbered in order")
		}
		seen[kind]++
		if kind == elementPair {
			f.pair()
		} else {
			f.channel(nil)
		}
		if f.why != "" {
			return f.why
		}
	}
	if kind := f.r.u(3); kind != elementEnd && !f.r.over {
		name, ok := elementNames[kind]
		if !ok {
			name = "more channels than the track"
		}
		f.fault("it holds %s", name)
	}
	switch {
	case f.r.over:
		f.fault("it ends before its channels do")
	case f.r.left() >= 8 || f.r.u(f.r.left()) != 0:
		f.fault("something stands behind its end")
	}
	return f.why
}

// window says how a channel's spectrum is cut into bands.
type window struct {
	short  bool
	bands  int   // that are coded
	groups []int // how many short windows share their bands; one of 1 for a long one
}

// Widths of the bands at 48 kHz (ISO/IEC 14496-3, tables 4.129 and 4.130), as ends.
var (
	longBands = []int{4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 88, 96, 108, 120, 132, 144, 160, 176, 196, 216, 240, 264, 292,
		320, 352, 384, 416, 448, 480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800, 832, 864, 896, 928, 1024}
	shortBands = []int{4, 8, 12, 16, 20, 28, 36, 44, 56, 68, 80, 96, 112, 128}
)

// ends are where a window's bands end.
func (w *window) ends() []int {
	if w.short {
		return shortBands
	}
	return longBands
}

// pair reads two channels.
func (f *soundFrame) pair() {
	if !f.r.flag() {
		f.channel(nil)
		f.channel(nil)
		return
	}
	w := f.window()
	switch middle := f.r.u(2); middle {
	case 1:
		for range len(w.groups) * w.bands {
			f.r.flag()
		}
	case 3:
		f.fault("its two channels are joined in a way that is none")
	}
	f.channel(&w)
	f.channel(&w)
}

// window reads how the next channels are cut (ics_info).
func (f *soundFrame) window() window {
	if f.r.flag() {
		f.fault("a reserved bit is set")
	}
	w := window{short: f.r.u(2) == 2, groups: []int{1}}
	f.r.flag() // shape
	if w.short {
		w.bands = int(f.r.u(4))
		for shared := f.r.u(7); len(w.groups) > 0; shared <<= 1 {
			total := 0
			for _, n := range w.groups {
				total += n
			}
			if total == 8 {
				break
			}
			if shared&0x40 != 0 {
				w.groups[len(w.groups)-1]++
			} else {
				w.groups = append(w.groups, 1)
			}
		}
	} else {
		w.bands = int(f.r.u(6))
		if f.r.flag() {
			f.fault("it predicts from frames before, which AAC-LC does not")
		}
	}
	if w.bands > len(w.ends()) {
		f.fault("it has %d bands", w.bands)
		w.bands = 0
	}
	return w
}

// Numbers of books that hold no spectrum.
const (
	bookZero      = 0
	bookNone      = 12
	bookNoise     = 13
	bookIntensity = 14 // and 15
)

// channel reads one channel (individual_channel_stream). shared is the window that a pair has in common.
func (f *soundFrame) channel(shared *window) {
	f.r.u(8) // gain
	var w window
	if shared != nil {
		w = *shared
	} else {
		w = f.window()
	}
	books := f.sections(&w)
	if f.why != "" {
		return
	}
	f.scales(books)
	if f.r.flag() {
		f.pulses(&w)
	}
	if f.r.flag() {
		f.noiseShape(&w)
	}
	if f.r.flag() {
		f.fault("it controls gain, which AAC-LC does not")
	}
	if f.why == "" {
		f.spectrum(&w, books)
	}
}

// sections reads which book each band of each group is coded with.
func (f *soundFrame) sections(w *window) [][]uint32 {
	n := 5
	if w.short {
		n = 3
	}
	books := make([][]uint32, len(w.groups))
	for g := range books {
		for len(books[g]) < w.bands && !f.r.over {
			book, length := f.r.u(4), 0
			for {
				part := f.r.u(n)
				length += int(part)
				if part != 1<<n-1 {
					break
				}
			}
			if book == bookNone || length == 0 || len(books[g])+length > w.bands {
				f.fault("its bands are coded in a way that is none")
				return nil
			}
			for range length {
				books[g] = append(books[g], book)
			}
		}
	}
	if f.r.over {
		f.fault("it ends before its channels do")
	}
	return books
}

// scales reads the scale factors.
func (f *soundFrame) scales(books [][]uint32) {
	first := true
	for _, group := range books {
		for _, book := range group {
			switch {
			case book == bookZero:
			case book == bookNoise && first:
				first = false
				f.r.u(9)
			default:
				f.r.word(&scaleBook)
			}
		}
	}
}

// pulses reads numbers that are added to the spectrum.
func (f *soundFrame) pulses(w *window) {
	if w.short {
		f.fault("it has pulses in short windows")
		return
	}
	n := int(f.r.u(2)) + 1
	f.r.u(6)
	for range n {
		f.r.u(9)
	}
}

// noiseShape reads the filters that shape noise in time (tns_data).
func (f *soundFrame) noiseShape(w *window) {
	windows, filters, length, order := 1, 2, 6, 5
	if w.short {
		windows, filters, length, order = 8, 1, 4, 3
	}
	for range windows {
		n := int(f.r.u(filters))
		if n == 0 {
			continue
		}
		fine := int(f.r.u(1))
		for range n {
			f.r.u(length)
			if coefficients := int(f.r.u(order)); coefficients > 0 {
				f.r.flag() // direction
				width := 3 + fine - int(f.r.u(1))
				for range coefficients {
					f.r.u(width)
				}
			}
		}
	}
}

// spectrum reads the numbers of the spectrum.
func (f *soundFrame) spectrum(w *window, books [][]uint32) {
	ends := w.ends()
	for g, group := range books {
		from := 0
		for band, number := range group {
			wide := (ends[band] - from) * w.groups[g]
			from = ends[band]
			if number == bookZero || number > bookNone {
				continue
			}
			b := &spectrumBooks[number-1]
			for n := 0; n < wide && !f.r.over; n += b.digits {
				f.r.numbers(b)
			}
		}
	}
	if f.r.over {
		f.fault("it ends before its channels do")
	}
}

// word reads a codeword and gives what it means.
func (r *bitReader) word(b *book) int {
	code, first, index := 0, 0, 0
	for _, n := range b.counts {
		code |= int(r.u(1))
		if code-first < int(n) {
			return int(b.values[index+code-first])
		}
		index += int(n)
		first = (first + int(n)) << 1
		code <<= 1
	}
	r.over = true // no book leaves a codeword out
	return 0
}

// numbers reads one codeword of the spectrum, and the signs and large numbers that follow it.
func (r *bitReader) numbers(b *book) {
	value := r.word(b)
	if b.signed {
		return
	}
	large := 0
	for range b.digits {
		digit := value % b.base
		value /= b.base
		if digit != 0 {
			r.flag()
		}
		if digit == escape {
			large++
		}
	}
	for range large {
		n := 4
		for r.flag() {
			if n++; n > 12 {
				r.over = true
				return
			}
		}
		r.u(n)
	}
}
