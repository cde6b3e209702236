package obscure

import "encoding/binary"

// Rows of samples: one byte each, or two with the low byte first ("wide").

// sampleBytes is the number of bytes of one sample.
func sampleBytes(wide bool) int {
	if wide {
		return 2
	}
	return 1
}

// fillRow sets every sample of a row.
func fillRow(row []byte, v uint32, wide bool) {
	if !wide {
		for i := range row {
			row[i] = byte(v)
		}
		return
	}
	for i := 0; i+1 < len(row); i += 2 {
		binary.LittleEndian.PutUint16(row[i:], uint16(v))
	}
}

// sumRow adds up the samples of a row of fewer than 2^16 samples.
func sumRow(row []byte, wide bool) uint32 {
	const low8, low16 = 0x00ff00ff00ff00ff, 0x0000ffff0000ffff
	sum := uint32(0)
	if wide {
		for ; len(row) >= 8; row = row[8:] {
			v := binary.LittleEndian.Uint64(row)
			v = v&low16 + v>>16&low16
			sum += uint32(v) + uint32(v>>32)
		}
		for ; len(row) >= 2; row = row[2:] {
			sum += uint32(binary.LittleEndian.Uint16(row))
		}
		return sum
	}
	for ; len(row) >= 8; row = row[8:] {
		v := binary.LittleEndian.Uint64(row)
		v = v&low8 + v>>8&low8
		v = v&low16 + v>>16&low16
		sum += uint32(v) + uint32(v>>32)
	}
	for _, b := range row {
		sum += uint32(b)
	}
	return sum
}

// ramp is a straight line through a row: the next sample is value >> rampShift, then value grows by step.
type ramp struct{ value, step uint32 }

// rampShift is the number of fraction bits of a ramp.
const rampShift = 18

// putRamp writes a line into a row.
func putRamp(row []byte, r ramp, wide bool) {
	v := r.value
	if wide {
		for i := 0; i+1 < len(row); i += 2 {
			binary.LittleEndian.PutUint16(row[i:], uint16(v>>rampShift))
			v += r.step
		}
		return
	}
	s := r.step
	for ; len(row) >= 8; row = row[8:] {
		eight := (*[8]byte)(row)
		w := v + 4*s
		eight[0] = byte(v >> rampShift)
		eight[1] = byte((v + s) >> rampShift)
		eight[2] = byte((v + 2*s) >> rampShift)
		eight[3] = byte((v + 3*s) >> rampShift)
		eight[4] = byte(w >> rampShift)
		eight[5] = byte((w + s) >> rampShift)
		eight[6] = byte((w + 2*s) >> rampShift)
		eight[7] = byte((w + 3*s) >> rampShift)
		v = w + 4*s
	}
	for i := range row {
		row[i] = byte(v >> rampShift)
		v += s
	}
}
