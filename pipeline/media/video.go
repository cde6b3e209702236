package media

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// newVideoStream takes over what ffprobe says of the stream.
func newVideoStream(s *probeStream) VideoStream {
	v := VideoStream{
		Index: s.Index, Codec: printable(s.Codec), StoredWidth: s.Width, StoredHeight: s.Height,
		Decoded: PixelFormat(printable(s.PixelFormat)), TimeBase: rational(s.TimeBase, "/"), AvgRate: rational(s.AvgRate, "/"),
		SAR: rational(s.SAR, ":"), StartPTS: s.StartPTS, Delay: min(max(s.Delay, 0), 16),
		Range: known(s.Range), Primaries: known(s.Primaries), Transfer: known(s.Transfer), Space: known(s.Space),
		ChromaLocation: known(s.ChromaLocation),
	}
	if v.SAR.Num <= 0 || v.SAR.Den <= 0 {
		v.SAR = Rational{1, 1}
	}
	switch s.FieldOrder {
	case "tt", "tb":
		v.Interlaced, v.TopFirst = true, true
	case "bb", "bt":
		v.Interlaced = true
	}
	if s.Ticks > 0 {
		v.EndPTS = s.StartPTS + s.Ticks
	}
	v.applySideData(s.SideData)
	return v
}

// applySideData reads the matrix and the signs of high dynamic range.
func (v *VideoStream) applySideData(list []probeSideData) {
	for _, d := range list {
		switch {
		case d.Type == "Display Matrix":
			v.Matrix = parseMatrix(d.Matrix)
		case strings.HasPrefix(d.Type, "DOVI") || strings.HasPrefix(d.Type, "Dolby Vision"):
			v.DolbyVision = true
		case strings.HasPrefix(d.Type, "Mastering display") || strings.HasPrefix(d.Type, "Content light level"),
			strings.HasPrefix(d.Type, "HDR Dynamic Metadata"):
			v.StaticHDR = true
		}
	}
}

// parseMatrix reads three lines like "00000000:            0       65536           0".
func parseMatrix(s string) (m [9]int32) {
	i := 0
	for line := range strings.SplitSeq(s, "\n") {
		_, row, found := strings.Cut(line, ":")
		if !found {
			continue
		}
		for _, f := range strings.Fields(row) {
			n, err := strconv.ParseInt(f, 10, 32)
			if err != nil || i == len(m) {
				return [9]int32{}
			}
			m[i] = int32(n)
			i++
		}
	}
	if i != len(m) {
		return [9]int32{}
	}
	return m
}

// measure takes the spread of the stamps in presentation order. Gaps count as even when they differ by a tick or by a
// fiftieth: time bases round, and cameras write that jitter into steady clips.
func (s *packetScan) measure(stamps []int64) {
	s.timed, s.steady = len(stamps), true
	if len(stamps) == 0 {
		return
	}
	slices.Sort(stamps)
	s.first, s.last = stamps[0], stamps[len(stamps)-1]
	gaps := make([]int64, 0, len(stamps))
	for i := 1; i < len(stamps); i++ {
		gaps = append(gaps, stamps[i]-stamps[i-1])
	}
	slices.Sort(gaps)
	if len(gaps) == 0 {
		return
	}
	median := gaps[len(gaps)/2]
	for len(gaps) > 1 && gaps[0] < median/4 {
		s.unseen++
		gaps = gaps[1:]
	}
	s.steady = gaps[len(gaps)-1]-gaps[0] <= max(1, median/50)
}

// applyScan takes over what the packets tell: number, hidden ones, rate.
func (v *VideoStream) applyScan(scan packetScan, s *probeStream, duration float64) {
	v.HiddenFrames = scan.hidden
	v.EditList = scan.hidden > 0
	if scan.timed > 0 {
		v.StartPTS = scan.first
	}
	if !v.resizes() { // other codecs show what they store
		v.Variable = !scan.steady || scan.unseen > 0
		scan.unseen = 0
	}
	v.Variable = v.Variable || !scan.steady
	scan.timed -= scan.unseen
	scan.shown -= scan.unseen
	measured := Rational{0, 1}
	if scan.timed > 1 && scan.last > scan.first && v.TimeBase.Num > 0 {
		measured = reduce(int64(scan.timed-1)*v.TimeBase.Den, (scan.last-scan.first)*v.TimeBase.Num)
	}
	if r, m := v.AvgRate.Float(), measured.Float(); r <= 0 || m > 0 && (r > 1.02*m || r < 0.98*m) {
		v.AvgRate = measured
	}
	switch n, err := strconv.ParseInt(s.Frames, 10, 64); {
	case scan.complete:
		v.Frames = int64(scan.shown)
	case err == nil && n > 0:
		v.Frames = n
	default:
		v.Frames = max(int64(scan.shown), int64(duration*v.AvgRate.Float()))
	}
}

// resizes tells codecs that may change their coded size between frames by design, the picture being shown at one size.
func (v *VideoStream) resizes() bool { return v.Codec == "vp8" || v.Codec == "vp9" || v.Codec == "av1" }

// applyFrames takes over what the first decoded frames show, which is more certain than the header.
func (p *Probe) applyFrames(frames []probeFrame) {
	v := &p.Video
	kinds := map[string]bool{}
	for i, f := range frames {
		if i == 0 {
			v.Decoded = PixelFormat(printable(f.PixelFormat))
			if !v.resizes() || v.StoredWidth == 0 {
				v.StoredWidth, v.StoredHeight = f.Width, f.Height
			}
			for _, c := range []struct {
				to   *string
				from string
			}{{&v.Range, f.Range}, {&v.Space, f.Space}, {&v.Transfer, f.Transfer}, {&v.Primaries, f.Primaries}} {
				if known(f.Primaries) != "" || known(f.Transfer) != "" || known(f.Space) != "" || *c.to == "" {
					*c.to = known(c.from)
				}
			}
		}
		if f.Interlaced == 1 && !v.Interlaced {
			v.Interlaced, v.TopFirst = true, f.TopFirst == 1
		}
		matrix := v.Matrix
		v.applySideData(f.SideData)
		if matrix != [9]int32{} {
			v.Matrix = matrix
		}
		for _, d := range f.SideData {
			kinds[d.Type] = true
		}
	}
	if kinds["ATSC A53 Part 4 Closed Captions"] {
		p.Removed = append(p.Removed, Removed{Kind: "captions", Text: "closed captions in the picture stream", Count: 1})
	}
	if kinds["H.26[45] User Data Unregistered SEI message"] {
		p.Removed = append(p.Removed, Removed{Kind: "user_data", Text: "user data in the picture stream", Count: 1})
	}
}

// finish derives what follows from the rest: the upright picture and how it travels.
func (p *Probe) finish() {
	v := &p.Video
	if strings.HasPrefix(string(v.Decoded), "yuvj") || v.isGray() && v.Range == "" {
		v.Range = "pc"
	}
	v.HDR = v.Transfer == "smpte2084" || v.Transfer == "arib-std-b67"
	t := travelFor(string(v.Decoded))
	v.Format = t.format
	if v.isRGB() {
		v.Range, v.Space = "tv", "bt709"
	}
	if t.loss != "" {
		p.Notes = append(p.Notes, Note{"converted", fmt.Sprintf("pixels are %s in the source: %s", v.Decoded, t.loss)})
	}
	var exact bool
	if v.Turn, exact = turnOf(v.Matrix); !exact {
		p.Notes = append(p.Notes, Note{"turned_to_nearest",
			"the source asks for a free rotation or shear: the nearest quarter turn is taken"})
	}
	v.Width, v.Height = v.StoredWidth, v.StoredHeight
	if v.Turn.Swaps() {
		v.Width, v.Height = v.Height, v.Width
		v.SAR = Rational{v.SAR.Den, v.SAR.Num}
		if full := map[PixelFormat]PixelFormat{YUV422P: YUV444P, YUV422P10: YUV444P10}[v.Format]; full != "" {
			v.Format = full
			p.Notes = append(p.Notes, Note{"chroma_444",
				"a quarter turn of 4:2:2 has no format of its own: colour samples are interpolated to 4:4:4"})
		}
	}
}

// known drops ffmpeg's words for nothing known.
func known(s string) string {
	switch s {
	case "unknown", "unspecified", "reserved", "N/A":
		return ""
	}
	if s == "" {
		return ""
	}
	return printable(s)
}

// rational reads "30000/1001" or "4:3"; 0/1 where there is none.
func rational(s, sep string) Rational {
	a, b, found := strings.Cut(s, sep)
	num, err1 := strconv.ParseInt(a, 10, 64)
	den, err2 := strconv.ParseInt(b, 10, 64)
	if !found || err1 != nil || err2 != nil || num < 0 || den <= 0 {
		return Rational{0, 1}
	}
	return Rational{num, den}
}

// reduce gives num/den in lowest terms.
func reduce(num, den int64) Rational {
	g := new(big.Int).GCD(nil, nil, big.NewInt(num), big.NewInt(den)).Int64()
	if g == 0 {
		return Rational{0, 1}
	}
	return Rational{num / g, den / g}
}

// seconds reads a number of seconds; 0 where there is none.
func seconds(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v < 1e9) {
		return 0
	}
	return v
}
