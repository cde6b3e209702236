package media

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Profiles that NewTarget knows.
const (
	Press    = "press"
	Court    = "court"
	Lossless = "lossless"
)

// exactPSNR is what a comparison gives where two pictures are equal, in dB.
const exactPSNR = 100

// Rows that a mask is aligned to: a macroblock, or a pair of them in interlaced coding.
const (
	alignProgressive = 16
	alignInterlaced  = 32
)

// Target is what a profile makes of one clip: the picture that travels from decoder to encoder, and how that is encoded.
type Target struct {
	Profile string `json:"profile"`
	// View is how render and verify decode the source; what comes out is what the untouched area of the derivative has
	// to show.
	View View `json:"view"`
	// EncoderArgs are the encoder's arguments as far as they belong to the picture: codec, quality, filters that set
	// marks only. Threads, container and paths stand in Encoder.Args.
	EncoderArgs []string `json:"encoder_args"`
	// Notes tell what the profile changes in this clip or cannot carry.
	Notes []Note `json:"notes"`
	// CRF is x264's quality; 0 in the lossless profile, which has none.
	CRF int `json:"crf"`
	// MinPSNR is what the untouched area must reach against View, in dB; 100 means equal in every sample.
	MinPSNR float64 `json:"min_psnr"`
	// AlignRows is the number of rows that masks are aligned to: 32 where the derivative is coded interlaced, else 16.
	AlignRows int `json:"align_rows"`

	marks      []string // encoder-side filters: they set marks and change no sample
	interlaced bool     // coded with two fields a frame
	chroma     string   // chroma sample location, empty where unknown
	rate       Rational // frames a second, for the encoder's level and rate control
}

// NewTarget says how the named profile treats the clip that p describes.
func NewTarget(p *Probe, profile string) (*Target, error) {
	v := &p.Video
	if v.Width < 1 || v.Height < 1 || v.Width != uprightWidth(v) {
		return nil, fmt.Errorf("target %s: picture of %dx%d stored as %dx%d", profile, v.Width, v.Height, v.StoredWidth, v.StoredHeight)
	}
	if !slices.Contains(planar, v.Format) {
		return nil, fmt.Errorf("target %s: pixel format %q", profile, v.Format)
	}
	t := &Target{Profile: profile, AlignRows: alignProgressive, rate: saneRate(v.AvgRate)}
	b := &chainBuilder{v: v, format: v.Format}
	switch profile {
	case Press:
		t.CRF, t.MinPSNR = 20, 32
		t.press(v, b)
	case Court:
		t.CRF, t.MinPSNR = 12, 40
		t.keep(v, b)
	case Lossless:
		t.MinPSNR = exactPSNR
		t.keep(v, b)
	default:
		return nil, fmt.Errorf("target: no profile %q (press, court, lossless)", profile)
	}
	t.noteLosses(v)
	if c, exact, err := newClock(v.TimeBase, 0); err != nil {
		return nil, fmt.Errorf("target %s: %w", profile, err)
	} else if !exact {
		t.note("stamps_rounded", fmt.Sprintf("time stamps in %s s were rounded to 1/%d s: MP4 carries no finer ones", v.TimeBase, c.scale))
	}
	t.View = b.view()
	if t.interlaced {
		t.AlignRows = alignInterlaced
	}
	t.EncoderArgs = t.videoArgs()
	return t, nil
}

// WithCRF is the same target at another quality. The lossless profile stays as it is.
func (t *Target) WithCRF(crf int) *Target {
	c := *t
	c.View.Filters = slices.Clone(t.View.Filters)
	c.Notes = slices.Clone(t.Notes)
	if c.Profile != Lossless {
		c.CRF = crf
	}
	c.EncoderArgs = c.videoArgs()
	return &c
}

// planar are the formats that travel to an encoder.
var planar = []PixelFormat{YUV420P, YUV422P, YUV444P, YUV420P10, YUV422P10, YUV444P10}

// uprightWidth is the width that the stored picture has once it is turned.
func uprightWidth(v *VideoStream) int {
	if v.Turn.Swaps() {
		return v.StoredHeight
	}
	return v.StoredWidth
}

// saneRate keeps a frame rate that can be one: x264 derives the level from it.
func saneRate(r Rational) Rational {
	if f := r.Float(); f < 1 || f > 1000 || r.Num > 1<<31-1 || r.Den > 1<<31-1 {
		return Rational{Num: 25, Den: 1}
	}
	return r
}

// press: plays everywhere. Progressive 8-bit 4:2:0, a normal range of brightness, even sides.
func (t *Target) press(v *VideoStream, b *chainBuilder) {
	b.travel()
	if v.Interlaced {
		b.add("bwdif=mode=send_frame:deint=all:parity=" + fieldOrder(v.TopFirst))
		b.woven = false
		t.note("deinterlaced", "interlaced video was turned into whole pictures, one for each frame")
	}
	b.turn()
	marks := colourOf(v)
	if v.HDR {
		b.toneMap(marks)
		marks = colour{Range: "tv", Primaries: "bt709", Transfer: "bt709", Space: "bt709"}
		t.note("tone_mapped", "high dynamic range was mapped to the normal range (BT.709)")
	} else {
		if v.Format.Depth() > 8 {
			t.note("depth_reduced", "10 bits a sample became 8")
		}
		t.chroma = v.ChromaLocation
	}
	if s := v.Format.subsampling(); s != "4:2:0" {
		t.note("chroma_reduced", "chroma was reduced from "+s+" to 4:2:0")
		t.chroma = ""
	}
	b.convert(YUV420P)
	if v.Width%2 != 0 || v.Height%2 != 0 {
		b.padEven()
		t.note("padded", fmt.Sprintf("picture was enlarged from %dx%d to %dx%d by repeating its last %s", v.Width, v.Height,
			b.width, b.height, lastLine(v)))
	}
	t.marks = marks.filters(v.SAR)
}

func lastLine(v *VideoStream) string {
	switch {
	case v.Width%2 != 0 && v.Height%2 != 0:
		return "column and row"
	case v.Width%2 != 0:
		return "column"
	}
	return "row"
}

// keep: court and lossless change nothing but what H.264 cannot code.
func (t *Target) keep(v *VideoStream, b *chainBuilder) {
	b.travel()
	b.turn()
	t.interlaced = v.Interlaced
	switch {
	case v.Interlaced && v.Turn.Swaps():
		t.interlaced = false
		t.note("fields_turned", "interlaced video stands sideways: its fields are columns now, and it is coded as whole pictures")
	case v.Interlaced && v.Height%2 != 0:
		t.interlaced = false
		t.note("coded_progressive", "interlaced video with an odd number of rows is coded as whole pictures")
	}
	sub := v.Format.subsampling()
	odd := sub == "4:2:0" && (v.Width%2 != 0 || v.Height%2 != 0) || sub == "4:2:2" && v.Width%2 != 0
	switch {
	case odd:
		b.convert(v.Format.with("4:4:4"))
		t.note("chroma_enlarged", fmt.Sprintf("H.264 codes no %dx%d picture in %s: chroma was enlarged to 4:4:4", v.Width, v.Height, sub))
	case t.interlaced && sub == "4:2:0" && v.Height%4 != 0:
		b.convert(v.Format.with("4:2:2"))
		t.note("chroma_enlarged", fmt.Sprintf("H.264 codes no interlaced picture of %d rows in 4:2:0: chroma was enlarged to 4:2:2", v.Height))
	default:
		t.chroma = v.ChromaLocation
	}
	marks := colourOf(v)
	t.marks = marks.filters(v.SAR)
	if t.interlaced {
		top := v.TopFirst
		if (v.Turn == TurnHalf || v.Turn == MirrorV) && v.Height%2 == 0 {
			top = !top // the first field's rows stand on the other parity now
		}
		t.marks = append(t.marks, "setfield="+fieldOrder(top))
	}
}

func fieldOrder(top bool) string {
	if top {
		return "tff"
	}
	return "bff"
}

// noteLosses tells what no profile can carry.
func (t *Target) noteLosses(v *VideoStream) {
	if v.StaticHDR {
		t.note("hdr_metadata_lost", "data on the mastering display and on light levels is not carried over")
	}
	if v.DolbyVision {
		t.note("dolby_vision_lost", "the Dolby Vision layer is not carried over")
	}
}

func (t *Target) note(code, text string) { t.Notes = append(t.Notes, Note{Code: code, Text: text}) }

// videoArgs is the encoder's part of the command line.
func (t *Target) videoArgs() []string {
	args := []string{"-c:v", "libx264", "-preset", "veryfast"}
	if t.Profile == Press {
		args = append(args, "-profile:v", "high")
	}
	if t.Profile == Lossless {
		args = append(args, "-qp", "0")
	} else {
		args = append(args, "-crf", strconv.Itoa(t.CRF))
	}
	flags := "+bitexact"
	if t.interlaced {
		flags += "+ildct+ilme"
	}
	args = append(args, "-flags:v", flags,
		"-x264-params", fmt.Sprintf("cpu-independent=1:fps=%d/%d", t.rate.Num, t.rate.Den))
	if slices.Contains(chromaLocations, t.chroma) {
		args = append(args, "-chroma_sample_location", t.chroma)
	}
	return append(args, "-vf", strings.Join(t.marks, ","))
}

// Depth is the number of bits of a sample.
func (f PixelFormat) Depth() int { return Layout{Format: f}.Depth() }

// subsampling names how chroma is sampled.
func (f PixelFormat) subsampling() string {
	switch f {
	case YUV420P, YUV420P10:
		return "4:2:0"
	case YUV422P, YUV422P10:
		return "4:2:2"
	}
	return "4:4:4"
}

// with is the format of the same depth and the given subsampling.
func (f PixelFormat) with(subsampling string) PixelFormat {
	for _, g := range planar {
		if g.subsampling() == subsampling && g.Depth() == f.Depth() {
			return g
		}
	}
	return f
}
