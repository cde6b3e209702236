package media

import "strings"

// travel tells the travelling format of a decoder's pixel format, and what is changed on the way: nothing, only the
// arrangement of the samples ("packing"), or more, told in loss.
type travel struct {
	format PixelFormat
	direct bool
	loss   string
}

const (
	lossAlpha  = "transparency is dropped"
	lossChroma = "colour samples are interpolated to a finer grid"
	lossDepth  = "samples are rounded to 10 bit"
	lossRGB    = "RGB is converted to YUV 4:4:4"
)

// travels lists the formats by name without the little-endian suffix.
var travels = map[string]travel{
	"yuv420p": {format: YUV420P, direct: true}, "yuvj420p": {format: YUV420P, direct: true},
	"yuv422p": {format: YUV422P, direct: true}, "yuvj422p": {format: YUV422P, direct: true},
	"yuv444p": {format: YUV444P, direct: true}, "yuvj444p": {format: YUV444P, direct: true},
	"nv12": {format: YUV420P}, "nv21": {format: YUV420P}, "nv16": {format: YUV422P}, "nv24": {format: YUV444P},
	"nv42": {format: YUV444P}, "yuyv422": {format: YUV422P}, "uyvy422": {format: YUV422P}, "yvyu422": {format: YUV422P},
	"p010": {format: YUV420P10}, "p210": {format: YUV422P10}, "p410": {format: YUV444P10}, "nv20": {format: YUV422P10},
	"yuva420p": {format: YUV420P, loss: lossAlpha}, "yuva422p": {format: YUV422P, loss: lossAlpha},
	"yuva444p": {format: YUV444P, loss: lossAlpha}, "ayuv64": {format: YUV444P10, loss: lossAlpha + ", " + lossDepth},
	"yuv410p": {format: YUV420P, loss: lossChroma}, "yuv411p": {format: YUV422P, loss: lossChroma},
	"yuvj411p": {format: YUV422P, loss: lossChroma}, "uyyvyy411": {format: YUV422P, loss: lossChroma},
	"yuv440p": {format: YUV444P, loss: lossChroma}, "yuvj440p": {format: YUV444P, loss: lossChroma},
	"gray": {format: YUV420P}, "gray8": {format: YUV420P}, "ya8": {format: YUV420P, loss: lossAlpha},
	"monow": {format: YUV420P}, "monob": {format: YUV420P},
	"y210": {format: YUV422P10}, "y212": {format: YUV422P10, loss: lossDepth},
}

// travelFor finds the travelling format for a decoder's pixel format.
func travelFor(name string) travel {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "le"), "be")
	if t, ok := travels[base]; ok {
		if base != name && strings.HasSuffix(name, "be") {
			t.direct = false
		}
		return t
	}
	for _, d := range []struct{ suffix, loss string }{{"p9", ""}, {"p10", ""}, {"p12", lossDepth}, {"p14", lossDepth},
		{"p16", lossDepth}} {
		planar, found := strings.CutSuffix(base, d.suffix)
		if !found {
			continue
		}
		t, ok := travels[planar+"p"]
		if !ok {
			break
		}
		deep := map[PixelFormat]PixelFormat{YUV420P: YUV420P10, YUV422P: YUV422P10, YUV444P: YUV444P10}[t.format]
		t.direct = t.direct && name == string(deep)
		return travel{format: deep, direct: t.direct, loss: joinLoss(t.loss, d.loss)}
	}
	switch {
	case base == "gray9" || base == "gray10":
		return travel{format: YUV420P10}
	case strings.HasPrefix(base, "gray") || base == "ya16":
		return travel{format: YUV420P10, loss: lossDepth}
	case isDeepRGB(base):
		return travel{format: YUV444P10, loss: joinLoss(lossRGB, lossDepth)}
	}
	return travel{format: YUV444P, loss: lossRGB}
}

// isDeepRGB tells RGB with more than 8 bits a sample.
func isDeepRGB(base string) bool {
	for _, s := range []string{"p9", "p10", "p12", "p14", "p16", "48", "64", "xyz12", "f32", "x2rgb10", "x2bgr10"} {
		if strings.HasSuffix(base, s) {
			return true
		}
	}
	return false
}

func joinLoss(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// isRGB tells whether the decoder hands over RGB, a palette or anything else that is no YUV or grey.
func (v *VideoStream) isRGB() bool {
	return strings.Contains(travelFor(string(v.Decoded)).loss, lossRGB)
}

func (v *VideoStream) isGray() bool {
	n := string(v.Decoded)
	return strings.HasPrefix(n, "gray") || strings.HasPrefix(n, "mono") || strings.HasPrefix(n, "ya8") ||
		strings.HasPrefix(n, "ya16")
}
