package media

import (
	"fmt"
	"math"
)

// swsFlags make the scaler round the same on every processor.
const swsFlags = "bicubic+accurate_rnd+full_chroma_int+bitexact"

// analysisFlags are the scaler's for pictures that only detectors see: averaging when it shrinks.
const analysisFlags = "area+accurate_rnd+bitexact"

// AnalysisView is what detectors look at: bgr24, upright, square pixels, the long side at most long and never enlarged, high
// dynamic range brought to a normal range.
func AnalysisView(p *Probe, long int) View {
	v := &p.Video
	b := &chainBuilder{v: v}
	b.travel()
	b.turn()
	w, h := float64(v.Width), float64(v.Height)
	if sar := v.SAR.Float(); sar > 1 {
		w *= sar
	} else if sar > 0 {
		h /= sar
	}
	shrink := min(1, float64(long)/max(w, h))
	side := func(s float64) int { return max(int(math.Round(s*shrink)), 1) }
	if dw, dh := side(w), side(h); dw != b.width || dh != b.height {
		b.add(fmt.Sprintf("scale=w=%d:h=%d:flags=%s", dw, dh, analysisFlags))
		b.width, b.height = dw, dh
	}
	if v.HDR {
		b.toneMap(colourOf(v))
	}
	b.add("scale=flags="+analysisFlags, "format="+string(BGR24))
	return View{Layout: Layout{Width: b.width, Height: b.height, Format: BGR24}, Filters: b.filters}
}

// PlainView is the clip as it is, upright, in its travelling format.
func PlainView(p *Probe) View {
	b := &chainBuilder{v: &p.Video}
	b.travel()
	b.turn()
	return b.view()
}

// FullRange says that samples of the travelling picture go from 0 to their largest value, and not from black to white within that.
func (v *VideoStream) FullRange() bool { return rangeOf(v) == "pc" }
