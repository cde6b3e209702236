package track

import "math"

// union is the smallest box around both.
func union(a, b Box) Box {
	x, y := math.Min(a.X, b.X), math.Min(a.Y, b.Y)
	return Box{X: x, Y: y, W: math.Max(a.X+a.W, b.X+b.W) - x, H: math.Max(a.Y+a.H, b.Y+b.H) - y}
}

// intersection is the area that both share.
func intersection(a, b Box) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}

// iou is intersection over union.
func iou(a, b Box) float64 {
	i := intersection(a, b)
	return i / (a.W*a.H + b.W*b.H - i)
}

// inside is the share of the smaller box that lies in the other.
func inside(a, b Box) float64 {
	return intersection(a, b) / math.Min(a.W*a.H, b.W*b.H)
}

// side is the geometric mean of a box's sides.
func side(b Box) float64 { return math.Sqrt(b.W * b.H) }

// center is the middle of a box.
func center(b Box) (x, y float64) { return b.X + b.W/2, b.Y + b.H/2 }

// shift moves a box.
func shift(b Box, dx, dy float64) Box {
	b.X += dx
	b.Y += dy
	return b
}

// grow widens a box on every side by a share of its sides.
func grow(b Box, share float64) Box {
	return Box{X: b.X - share*b.W, Y: b.Y - share*b.H, W: b.W * (1 + 2*share), H: b.H * (1 + 2*share)}
}
