package vision

import "veil/pipeline/track"

// centerfaceStride is the pixels between two cells of CenterFace's grid.
const centerfaceStride = 4

// centerfaceShapes: one heat, two logarithms of sides (height, width) and two offsets (down, right) per cell.
func centerfaceShapes(h, w int) [][]int {
	gh, gw := h/centerfaceStride, w/centerfaceStride
	return [][]int{{1, 1, gh, gw}, {1, 2, gh, gw}, {1, 2, gh, gw}}
}

// decodeCenterFace reads CenterFace's grid as its authors describe (Xu et al., 2019): the heat is the score, the sides are
// exponentials in strides, the centre is the cell's middle plus an offset.
func decodeCenterFace(outputs [][]float32, h, w int, threshold float64) []found {
	heat, scale, offset := outputs[0], outputs[1], outputs[2]
	n, cols := len(heat), w/centerfaceStride
	var faces []found
	for i, v := range heat {
		if float64(v) < threshold || !peak(heat, cols, i) {
			continue
		}
		bh, bw := side(scale[i], centerfaceStride, h), side(scale[n+i], centerfaceStride, w)
		cy := (float64(i/cols) + float64(offset[i]) + 0.5) * centerfaceStride
		cx := (float64(i%cols) + float64(offset[n+i]) + 0.5) * centerfaceStride
		faces = append(faces, found{box: track.Box{X: cx - bw/2, Y: cy - bh/2, W: bw, H: bh}, score: min(float64(v), 1)})
	}
	return faces
}

// peak tells whether a cell of the heat map is no weaker than its eight neighbours. The flanks of a face's peak reach the
// threshold too; a few cells off, the box of a small face no longer overlaps the face's own enough to be suppressed by it.
func peak(heat []float32, cols, i int) bool {
	x, y, rows := i%cols, i/cols, len(heat)/cols
	for ny := max(y-1, 0); ny <= min(y+1, rows-1); ny++ {
		for nx := max(x-1, 0); nx <= min(x+1, cols-1); nx++ {
			if heat[ny*cols+nx] > heat[i] {
				return false
			}
		}
	}
	return true
}
