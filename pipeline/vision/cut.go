package vision

import "math"

const (
	// cutDifference is the least mean absolute difference of two scenes, grey levels.
	cutDifference = 12
	// cutAlike is the likeness from which two frames are of one scene whatever else says.
	cutAlike = 0.5
	// cutCells is the number of cells on a side of the grid that likeness is measured on.
	cutCells = 12
)

// isCut says whether a new scene begins between two frames whose motion is not known. Brightness and contrast are taken out
// of the comparison, so that flashes and fades are none; the grid is coarse, so that a jerk is none either.
func isCut(before, now smallPicture) bool {
	if before.size != now.size {
		return true
	}
	return meanDifference(before.pixels, now.pixels) >= cutDifference && likeness(before, now) < cutAlike
}

// meanDifference is the mean absolute difference of two pictures, grey levels.
func meanDifference(a, b []byte) float64 {
	sum := 0
	for i, v := range a {
		d := int(v) - int(b[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(max(len(a), 1))
}

// likeness is the correlation of two pictures' cell means, -1 to 1; 1 where one of them has no structure, for then nothing
// can be said.
func likeness(a, b smallPicture) float64 {
	const n = cutCells * cutCells
	ca, cb := cells(a), cells(b)
	var ma, mb float64
	for i := range n {
		ma += ca[i] / n
		mb += cb[i] / n
	}
	var ab, aa, bb float64
	for i := range n {
		ab += (ca[i] - ma) * (cb[i] - mb)
		aa += (ca[i] - ma) * (ca[i] - ma)
		bb += (cb[i] - mb) * (cb[i] - mb)
	}
	if min(aa, bb) < n*flatVariance {
		return 1
	}
	return ab / math.Sqrt(aa*bb)
}

// flatVariance is the variance of the cells' means, grey levels squared, below which a picture shows nothing.
const flatVariance = 1

// follow tells a flat picture which scene it interrupts: what comes behind it is compared with that.
func (p *smallPicture) follow(before smallPicture) {
	if !p.flat() {
		return
	}
	if p.scene = before.scene; p.scene == nil {
		p.scene = &before
	}
}

// flat says that a picture shows nothing: black, white, a flash.
func (p *smallPicture) flat() bool {
	const n = cutCells * cutCells
	var mean, squares float64
	means := cells(*p)
	for _, v := range means {
		mean += v / n
	}
	for _, v := range means {
		squares += (v - mean) * (v - mean)
	}
	return squares < n*flatVariance
}

// cells gives the mean of each cell of the grid.
func cells(p smallPicture) (out [cutCells * cutCells]float64) {
	var count [cutCells * cutCells]float64
	for y := range p.size.Y {
		row := p.pixels[y*p.size.X:][:p.size.X]
		cy := y * cutCells / p.size.Y * cutCells
		for x, v := range row {
			i := cy + x*cutCells/p.size.X
			out[i] += float64(v)
			count[i]++
		}
	}
	for i := range out {
		out[i] /= max(count[i], 1)
	}
	return out
}
