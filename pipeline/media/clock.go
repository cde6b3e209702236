package media

import (
	"fmt"
	"math"
)

// MP4 counts the time between two frames in 31 bits. A source clock up to maxTimescale is kept (frames may then lie some
// 100 seconds apart); a finer one, such as nanoseconds in Matroska, is rounded to roundedScale.
const (
	maxTimescale = 10_000_000
	roundedScale = 1_000_000
)

// clock turns source ticks into the derivative's ticks of 1/scale second.
type clock struct {
	scale    int64
	num, den int64 // out = (pts - origin) * num / den
	origin   int64 // source ticks: the derivative's time zero
}

// newClock picks the derivative's ticks for a source time base. Where the base is finer than MP4 can carry, stamps are
// rounded to the nearest tick and exact is false.
func newClock(base Rational, origin int64) (c clock, exact bool, err error) {
	if base.Num < 1 || base.Den < 1 || base.Num > 1<<31-1 || base.Den > 1<<31-1 {
		return clock{}, false, fmt.Errorf("time base %s", base)
	}
	g := gcd(base.Num, base.Den)
	n, d := base.Num/g, base.Den/g
	if d <= maxTimescale {
		return clock{scale: d, num: n, den: 1, origin: origin}, true, nil
	}
	g = gcd(n*roundedScale, d)
	return clock{scale: roundedScale, num: n * roundedScale / g, den: d / g, origin: origin}, false, nil
}

// at is the derivative's stamp for a source stamp.
func (c clock) at(pts int64) (int64, error) {
	d := pts - c.origin
	if d < 0 || d > math.MaxInt64/2/c.num {
		return 0, fmt.Errorf("%w: stamp %d with time zero at %d", ErrTimestamps, pts, c.origin)
	}
	return (d*c.num + c.den/2) / c.den, nil
}

// duration turns a length in source ticks; it is never zero.
func (c clock) duration(ticks int64) int64 {
	return max(1, (ticks*c.num+c.den/2)/c.den)
}

// movieScale is the clock of the movie's own header, in which edits are counted: fine enough for video and sound both.
func (c clock) movieScale(sound bool) int64 {
	if !sound {
		return c.scale
	}
	l := c.scale / gcd(c.scale, sampleRate) * sampleRate
	if l > 1<<31-1 {
		return c.scale
	}
	return l
}

// frameTicks is how long a frame lasts on average, in source ticks: at least one.
func frameTicks(v *VideoStream) int64 {
	rate := saneRate(v.AvgRate).Float()
	return max(1, int64(math.Round(1/(rate*v.TimeBase.Float()))))
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
