package mp4

// bitReader reads a string of bits from the most significant on. Behind its end it gives zeros and is over.
type bitReader struct {
	p    []byte
	at   int // bit
	over bool
}

// left is the number of bits that are left.
func (r *bitReader) left() int { return 8*len(r.p) - r.at }

// u reads a number of n bits, at most 32.
func (r *bitReader) u(n int) uint32 {
	if n > r.left() {
		r.over = true
		r.at = 8 * len(r.p)
		return 0
	}
	var v uint32
	for n > 0 {
		free := 8 - r.at&7
		k := min(n, free)
		part := uint32(r.p[r.at>>3]>>(free-k)) & (1<<k - 1)
		v = v<<k | part
		r.at += k
		n -= k
	}
	return v
}

func (r *bitReader) flag() bool { return r.u(1) == 1 }

// ue reads a number in Exp-Golomb code (ITU-T H.264, 9.1).
func (r *bitReader) ue() uint32 {
	n := 0
	for !r.flag() {
		if n++; n > 31 || r.over {
			r.over = true
			return 0
		}
	}
	return 1<<n - 1 + r.u(n)
}

// se reads a signed number in Exp-Golomb code.
func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}

// trailing reads the one bit that ends a payload and the zeros that fill its byte. True means that nothing else was left.
func (r *bitReader) trailing() bool {
	ok := r.flag() && r.left() < 8
	return ok && r.u(r.left()) == 0 && !r.over
}
