package media

// Turn is one of the eight ways in which a stored picture is brought upright.
type Turn string

// The eight turns. TurnRight and TurnLeft are quarter turns clockwise and counter-clockwise; Transpose mirrors along the
// main diagonal, AntiTranspose along the other.
const (
	TurnNone          Turn = "none"
	TurnRight         Turn = "right"
	TurnHalf          Turn = "half"
	TurnLeft          Turn = "left"
	MirrorH           Turn = "mirror_h" // left and right change places
	MirrorV           Turn = "mirror_v" // top and bottom change places
	TurnTranspose     Turn = "transpose"
	TurnAntiTranspose Turn = "anti_transpose"
)

// Swaps says whether width and height change places.
func (t Turn) Swaps() bool {
	return t == TurnRight || t == TurnLeft || t == TurnTranspose || t == TurnAntiTranspose
}

// Filters is the chain that turns the stored picture upright; empty where nothing is to be done.
func (t Turn) Filters() []string {
	switch t {
	case TurnRight:
		return []string{"transpose=clock"}
	case TurnLeft:
		return []string{"transpose=cclock"}
	case TurnTranspose:
		return []string{"transpose=cclock_flip"}
	case TurnAntiTranspose:
		return []string{"transpose=clock_flip"}
	case TurnHalf:
		return []string{"hflip", "vflip"}
	case MirrorH:
		return []string{"hflip"}
	case MirrorV:
		return []string{"vflip"}
	}
	return nil
}

// turnOf reads the display matrix: the upper left two by two entries say where the stored axes point. A matrix that is
// none of the eight (a free rotation, a shear) gives the nearest of them and false.
func turnOf(m [9]int32) (Turn, bool) {
	a, b, c, d := int64(m[0]), int64(m[1]), int64(m[3]), int64(m[4])
	if a == 0 && b == 0 && c == 0 && d == 0 {
		return TurnNone, true
	}
	abs := func(v int64) int64 { return max(v, -v) }
	straight := abs(a)+abs(d) >= abs(b)+abs(c)
	// Fixed-point files round: entries under a hundredth of the larger ones count as zero.
	exact := (abs(b)+abs(c))*100 <= abs(a)+abs(d)
	if !straight {
		exact = (abs(a)+abs(d))*100 <= abs(b)+abs(c)
		switch {
		case b > 0 && c < 0:
			return TurnRight, exact
		case b < 0 && c > 0:
			return TurnLeft, exact
		case b > 0 && c > 0:
			return TurnTranspose, exact
		case b < 0 && c < 0:
			return TurnAntiTranspose, exact
		}
		return TurnNone, false
	}
	switch {
	case a > 0 && d > 0:
		return TurnNone, exact
	case a < 0 && d < 0:
		return TurnHalf, exact
	case a < 0 && d > 0:
		return MirrorH, exact
	case a > 0 && d < 0:
		return MirrorV, exact
	}
	return TurnNone, false
}
