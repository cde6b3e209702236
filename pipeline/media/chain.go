package media

import (
	"fmt"
	"strings"
)

// chainBuilder collects the filters that lead from the decoder's picture to the one that travels, and keeps account of
// the picture's shape on the way.
type chainBuilder struct {
	v             *VideoStream
	filters       []string
	format        PixelFormat
	width, height int
	woven         bool // two fields in one picture: chroma belongs to its own field
}

func (b *chainBuilder) add(filters ...string) { b.filters = append(b.filters, filters...) }

// travel brings the decoder's own format to the travelling one. Where they are the same but for the old names of
// full-range formats, nothing is converted.
func (b *chainBuilder) travel() {
	b.width, b.height = b.v.StoredWidth, b.v.StoredHeight
	b.woven = b.v.Interlaced
	if plainName(b.v.Decoded) == b.v.Format {
		b.format = b.v.Format
		b.add(b.accept())
		return
	}
	b.format = ""
	b.convert(b.v.Format)
}

// turn brings the picture upright.
func (b *chainBuilder) turn() {
	b.add(b.v.Turn.Filters()...)
	if b.v.Turn.Swaps() {
		b.width, b.height = b.height, b.width
		b.woven = false // fields are columns now
	}
}

// convert changes the pixel format, with a scaler that rounds the same on every processor, and never the range.
func (b *chainBuilder) convert(to PixelFormat) {
	if b.format == to {
		return
	}
	opts := "scale=flags=" + swsFlags
	switch r := rangeOf(b.v); {
	case b.format == "" && b.v.isRGB():
		opts += ":out_color_matrix=bt709:out_range=tv"
	case b.v.isGray():
		opts += ":in_range=pc:out_range=pc" // swscale takes grey as full range, whatever the file says
	default:
		opts += ":in_range=" + r + ":out_range=" + r
	}
	if b.woven {
		opts += ":interl=1"
	}
	b.format = to
	b.add(opts, "format="+string(to))
}

// accept lets the current format pass under either of its names.
func (b *chainBuilder) accept() string {
	f := "format=" + string(b.format)
	if old, ok := strings.CutPrefix(string(b.format), "yuv"); ok && b.format.Depth() == 8 {
		f += "|yuvj" + old
	}
	return f
}

// toneMap brings PQ or HLG in the colours c to BT.709 in limited range, 8 bit. zscale takes no odd side in 4:2:0.
func (b *chainBuilder) toneMap(c colour) {
	if b.width%2 != 0 || b.height%2 != 0 {
		b.convert(b.format.with("4:4:4"))
	}
	out := YUV444P
	if b.width%2 == 0 && b.height%2 == 0 {
		out = YUV420P
	}
	b.add(c.hdr().setparams(),
		"zscale=t=linear:npl=100", "format=gbrpf32le", "zscale=p=bt709", "tonemap=tonemap=hable:desat=0",
		"zscale=t=bt709:m=bt709:r=tv:d=none", "format="+string(out))
	b.format = out
	c = colour{Range: "tv", Primaries: "bt709", Transfer: "bt709", Space: "bt709"}
	v := *b.v
	v.Range = "tv"
	b.v = &v
	b.add(c.setparams())
}

// padEven repeats the last column and row where a side is odd. The planes are taken apart for it, because the filters
// that enlarge and fill leave out half of an odd pair; 4:2:0 chroma has the right size already.
func (b *chainBuilder) padEven() {
	w, h := b.width+b.width%2, b.height+b.height%2
	b.add(fmt.Sprintf("extractplanes=y+u+v[y][u][v];[y]pad=w=%d:h=%d,fillborders=right=%d:bottom=%d:mode=smear[e];"+
		"[e][u][v]mergeplanes=0x001020:yuv420p", w, h, b.width%2, b.height%2))
	b.width, b.height = w, h
}

// view ends the chain.
func (b *chainBuilder) view() View {
	if last := b.filters[len(b.filters)-1]; !strings.HasPrefix(last, "format=") {
		b.add(b.accept())
	}
	return View{Layout: Layout{Width: b.width, Height: b.height, Format: b.format}, Filters: b.filters}
}

// plainName drops the j of the old full-range names.
func plainName(f PixelFormat) PixelFormat {
	if rest, ok := strings.CutPrefix(string(f), "yuvj"); ok {
		return PixelFormat("yuv" + rest)
	}
	return f
}

// rangeOf is the range of the travelling samples: limited where nothing is said, and for what was RGB.
func rangeOf(v *VideoStream) string {
	if v.isRGB() {
		return "tv"
	}
	if v.Range == "pc" || strings.HasPrefix(string(v.Decoded), "yuvj") {
		return "pc"
	}
	return "tv"
}
