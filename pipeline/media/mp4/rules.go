package mp4

// rule says what one box may be at its place.
type rule struct {
	kind     string
	min, max int
	about    string // what its fields must be, for docs/container.md
	check    func(*walker, *box)
	children []rule
}

// Allowed is one line of the allow-list.
type Allowed struct {
	Path  string // from the outermost box
	Count string // how often it stands: "1", "0 or 1", "1 or 2"
	About string // what its fields must be
}

// AllowList is every box that may stand in a derivative, in the order of the tree. docs/container.md shows it.
func AllowList() []Allowed {
	var list []Allowed
	var add func(path string, rules []rule)
	add = func(path string, rules []rule) {
		for i := range rules {
			r := &rules[i]
			here := join(path, r.kind)
			if r.kind == "trak" {
				list = append(list, Allowed{here, count(r), r.about})
				for _, t := range []*track{{video: true}, {}} {
					add(join(path, t.name()), trakRules(t.video))
				}
				continue
			}
			list = append(list, Allowed{here, count(r), r.about})
			add(here, r.children)
		}
	}
	add("", topLevel())
	return list
}

func count(r *rule) string {
	switch {
	case r.min == 1 && r.max == 1:
		return "1"
	case r.min == 0 && r.max == 1:
		return "0 or 1"
	}
	return "1 or 2"
}

// one and maybe are rules for a box that stands once, or at most once.
func one(kind, about string, check func(*walker, *box), children ...rule) rule {
	return rule{kind: kind, min: 1, max: 1, about: about, check: check, children: children}
}

func maybe(kind, about string, check func(*walker, *box), children ...rule) rule {
	return rule{kind: kind, max: 1, about: about, check: check, children: children}
}

const onlyBoxes = "nothing but the boxes below"

func topLevel() []rule {
	return []rule{
		one("ftyp", "first in the file; brands iso4, isom, iso2, avc1, mp41, each at most once; version 512", (*walker).ftyp),
		one("moov", onlyBoxes, descend,
			one("mvhd", "no times, normal rate and volume, no transformation, the next track's number", (*walker).mvhd),
			rule{kind: "trak", min: 1, max: MaxBoxes, about: "one of pictures, at most one of sound; " + onlyBoxes, check: (*walker).trak},
			maybe("udta", onlyBoxes, descend,
				one("meta", "version 0; "+onlyBoxes, (*walker).meta,
					one("hdlr", "type mdir of maker appl, empty name", (*walker).metaHandler),
					one("ilst", "empty", empty)))),
		maybe("free", "empty: a header of 8 bytes and nothing else", empty),
		one("mdat", "every byte belongs to exactly one sample; the only box whose size may take 64 bits", (*walker).mediaData),
	}
}

// trakRules are the boxes of a track.
func trakRules(video bool) []rule {
	const noTimes = "no times, enabled and shown, no layer, no transformation; "
	header, about := one("vmhd", "all zero, flags 1", (*walker).vmhd), "type vide, empty name"
	size, shows := noTimes+"the size of the pictures", "at most one delay, and one edit at normal speed that shows every frame"
	entry := one("avc1", "picture size, 72 dpi, one frame a sample, no colour table; the encoder's name is empty or \"veil\"", (*walker).avc1,
		one("avcC", "one SPS and one PPS (below), lengths of 4 bytes, no extension", (*walker).avcC),
		maybe("colr", "nclx: three numbers and the range flag; no profile", (*walker).colr),
		maybe("pasp", "two numbers above zero", (*walker).pasp),
		maybe("btrt", "three numbers", (*walker).btrt))
	if !video {
		size, shows = noTimes+"no size", "at most one delay, and one edit at normal speed; it may leave out the encoder's first 2048 samples"
		header, about = one("smhd", "all zero", (*walker).smhd), "type soun, empty name"
		entry = one("mp4a", "1 to 8 channels, 16 bits, 48 kHz; no extension", (*walker).mp4a,
			one("esds", "AAC-LC at 48 kHz in mono, stereo or 5.1, no extension; one decoder description and nothing else", (*walker).esds),
			maybe("btrt", "three numbers", (*walker).btrt))
	}
	stbl := []rule{
		one("stsd", "one entry", (*walker).stsd, entry),
		one("stts", "durations above zero, for as many samples as stsz has", (*walker).stts),
	}
	if video {
		stbl = append(stbl,
			maybe("stss", "exactly the samples that are IDR pictures; missing where all are", (*walker).stss),
			maybe("ctts", "for as many samples as stsz has; every frame has a time of its own", (*walker).ctts))
	}
	stbl = append(stbl,
		one("stsc", "chunks in order, all of the one entry of stsd", (*walker).stsc),
		one("stsz", "no sample is empty", (*walker).stsz),
		maybe("stco", "in order; stco or co64, not both", (*walker).stco),
		maybe("co64", "in order; stco or co64, not both", (*walker).co64))
	if !video {
		stbl = append(stbl,
			maybe("sgpd", "roll: one entry, one frame back", (*walker).sgpd),
			maybe("sbgp", "roll: one run over all samples", (*walker).sbgp))
	}
	return []rule{
		one("tkhd", size, (*walker).tkhd),
		maybe("edts", onlyBoxes, descend,
			one("elst", shows, (*walker).elst)),
		one("mdia", onlyBoxes, descend,
			one("mdhd", "no times, no language; as long as its samples", (*walker).mdhd),
			one("hdlr", about, (*walker).hdlr),
			one("minf", onlyBoxes, descend,
				header,
				one("dinf", onlyBoxes, descend,
					one("dref", "one entry", (*walker).dref,
						one("url ", "this file: flags 1 and nothing else", (*walker).url))),
				one("stbl", onlyBoxes, descend, stbl...))),
	}
}

// descend judges a box that holds boxes and nothing else.
func descend(w *walker, b *box) { w.inside(b, b.body) }

// empty judges a box that may stand but hold nothing.
func empty(w *walker, b *box) {
	if n := b.size(); n > 0 {
		w.found(Fields, b.body, b.path, "%d bytes in a box that must be empty", n)
	}
}
