package mp4

import "slices"

// Types of NAL units (ITU-T H.264, table 7-1).
const (
	unitSlice = 1
	unitIDR   = 5
	unitSEI   = 6
	unitSPS   = 7
	unitPPS   = 8
)

// unitNames tells what the types that may not stand would be.
var unitNames = map[uint8]string{2: "a part of a slice", 3: "a part of a slice", 4: "a part of a slice", unitSEI: "SEI", unitSPS: "a sequence parameter set",
	unitPPS: "a picture parameter set", 9: "an access unit delimiter", 10: "an end of sequence", 11: "an end of stream", 12: "filler",
	13: "an extension of a sequence parameter set", 14: "a prefix", 15: "a second sequence parameter set", 19: "a second picture", 20: "a second layer"}

// sps is what a sequence parameter set says, as far as the walk needs it.
type sps struct {
	profile                        uint8
	chroma, lumaDepth, chromaDepth uint8 // chroma_format_idc, and bits above 8
	frameNumBits                   int
	framesOnly                     bool // no fields
	width, height                  int  // shown, in luma samples
}

// high says whether the profile has chroma format and depth of its own.
func (s *sps) high() bool { return slices.Contains([]uint8{100, 110, 122, 244}, s.profile) }

// profiles of H.264 that veil's encoder writes: baseline, main, high, high 10, high 4:2:2, high 4:4:4.
var profiles = []uint8{66, 77, 100, 110, 122, 244}

// levels of H.264, times ten; 9 is 1b.
var levels = []uint32{9, 10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62}

// payload takes a NAL unit's own bytes and gives the payload behind its header, the bytes that keep start codes away left out.
func payload(unit []byte) []byte {
	p := make([]byte, 0, len(unit))
	zeros := 0
	for _, c := range unit[1:] {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		p = append(p, c)
	}
	return p
}

// sequenceSet reads a sequence parameter set (ITU-T H.264, 7.3.2.1.1) whole. What veil's encoder never sets is a finding. Nil means
// that slices cannot be read by it.
func (w *walker) sequenceSet(unit []byte, at int64, path string) *sps {
	fault := func(what string) *sps {
		w.found(NALUnit, at, path, "sequence parameter set: %s", what)
		return nil
	}
	if len(unit) < 5 || unit[0]&0x9f != unitSPS {
		return fault("it is none")
	}
	r := &bitReader{p: payload(unit)}
	s := &sps{profile: uint8(r.u(8))}
	constraints := r.u(8)
	level := r.u(8)
	if !slices.Contains(profiles, s.profile) || constraints&3 != 0 || !slices.Contains(levels, level) {
		return fault("its profile or level is not on the allow-list")
	}
	if r.ue() != 0 {
		return fault("its number is not zero")
	}
	s.chroma = 1
	if s.high() {
		chroma := r.ue()
		separate := chroma == 3 && r.flag()
		luma, chromaDepth := r.ue(), r.ue()
		r.flag() // lossless where the quantizer is zero
		if chroma < 1 || chroma > 3 || separate || luma > 2 || chromaDepth > 2 {
			return fault("its sampling is not on the allow-list")
		}
		if r.flag() {
			return fault("it holds scaling lists")
		}
		s.chroma, s.lumaDepth, s.chromaDepth = uint8(chroma), uint8(luma), uint8(chromaDepth)
	}
	s.frameNumBits = int(r.ue()) + 4
	switch order := r.ue(); order {
	case 0:
		if r.ue() > 12 {
			return fault("its picture order is none")
		}
	case 2:
	default:
		return fault("its picture order is not on the allow-list")
	}
	if s.frameNumBits > 16 || r.ue() > 16 || r.flag() {
		return fault("its frame numbers are not on the allow-list")
	}
	if !s.picture(r) {
		return fault("its picture size is none, or it hides more than the rest of a block")
	}
	if r.flag() && !usability(r) {
		return fault("it holds usability information that is not on the allow-list")
	}
	if !r.trailing() {
		return fault("something stands behind its fields, or it ends within them")
	}
	return s
}

// picture reads the size of the picture. The part that is cut off may only be what the coded blocks have too much.
func (s *sps) picture(r *bitReader) bool {
	columns, rows := int(r.ue())+1, int(r.ue())+1
	block := 16
	if s.framesOnly = r.flag(); !s.framesOnly {
		r.flag() // fields are chosen block by block
		rows *= 2
		block = 32
	}
	r.flag() // 8x8 inference
	if columns > 1<<10 || rows > 1<<10 {
		return false
	}
	s.width, s.height = 16*columns, 16*rows
	if !r.flag() {
		return true
	}
	unitX, unitY := 1, block/16
	if s.chroma != 3 {
		unitX = 2
	}
	if s.chroma == 1 {
		unitY *= 2
	}
	left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
	if left != 0 || top != 0 || int64(right)*int64(unitX) >= 16 || int64(bottom)*int64(unitY) >= int64(block) {
		return false
	}
	s.width -= int(right) * unitX
	s.height -= int(bottom) * unitY
	return true
}

// usability reads the usability information (ITU-T H.264, E.1.1). Buffer models are refused: veil's encoder sets none.
func usability(r *bitReader) bool {
	if r.flag() && r.u(8) == 255 { // sample aspect ratio
		r.u(32)
	}
	if r.flag() { // overscan
		r.flag()
	}
	if r.flag() { // video signal
		r.u(4)
		if r.flag() {
			r.u(24)
		}
	}
	if r.flag() { // place of chroma samples
		if !below(r, 2, 6) {
			return false
		}
	}
	if r.flag() { // clock
		r.u(32)
		r.u(32)
		r.flag()
	}
	if r.u(2) != 0 { // buffer models
		return false
	}
	r.flag()      // pictures tell their structure
	if r.flag() { // limits of the stream
		r.flag()
		if !below(r, 6, 17) {
			return false
		}
	}
	return !r.over
}

// below reads n numbers, which must be below a limit.
func below(r *bitReader, n int, limit uint32) bool {
	ok := true
	for range n {
		ok = r.ue() < limit && ok
	}
	return ok
}

// pictureSet reads a picture parameter set (ITU-T H.264, 7.3.2.2) whole.
func (w *walker) pictureSet(unit []byte, at int64, path string) bool {
	fault := func(what string) bool {
		w.found(NALUnit, at, path, "picture parameter set: %s", what)
		return false
	}
	if len(unit) < 2 || unit[0]&0x9f != unitPPS {
		return fault("it is none")
	}
	r := &bitReader{p: payload(unit)}
	if !below(r, 2, 1) {
		return fault("its number, or that of its sequence, is not zero")
	}
	r.flag() // entropy coding
	r.flag() // slices tell the order of both fields
	if r.ue() != 0 {
		return fault("its slices are not on the allow-list")
	}
	if !below(r, 2, 32) {
		return fault("its references are none")
	}
	r.flag() // weighted prediction
	r.u(2)
	for range 3 { // quantizers
		if v := r.se(); v < -62 || v > 51 {
			return fault("its quantizers are none")
		}
	}
	r.flag() // deblocking is told in each slice
	r.flag() // intra prediction is constrained
	if r.flag() {
		return fault("it announces redundant pictures, which no player shows")
	}
	if !ends(*r) {
		r.flag() // 8x8 transform
		if r.flag() {
			return fault("it holds scaling lists")
		}
		r.se()
	}
	if !r.trailing() {
		return fault("something stands behind its fields, or it ends within them")
	}
	return true
}

// ends says whether nothing but the end of a payload is left.
func ends(r bitReader) bool { return r.trailing() }
