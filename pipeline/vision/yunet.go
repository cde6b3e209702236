package vision

import (
	"math"

	"veil/pipeline/track"
)

// yunetStrides are the pixels between two cells of YuNet's three grids.
var yunetStrides = [3]int{8, 16, 32}

// yunetShapes: for each grid one class score, one objectness and four numbers of a box per cell, in this order of outputs:
// the class scores of all grids, the objectness, the boxes.
func yunetShapes(h, w int) [][]int {
	var shapes [][]int
	for _, values := range []int{1, 1, 4} {
		for _, s := range yunetStrides {
			shapes = append(shapes, []int{1, (h / s) * (w / s), values})
		}
	}
	return shapes
}

// decodeYuNet reads YuNet's grids as its authors' FaceDetectorYN (OpenCV 4.8) does: the score is the geometric mean of class
// score and objectness, the box's centre is an offset from the cell, its sides are exponentials, all in strides.
func decodeYuNet(outputs [][]float32, h, w int, threshold float64) []found {
	var faces []found
	least := float32(threshold * threshold)
	for g, stride := range yunetStrides {
		cls, obj, box := outputs[g], outputs[3+g], outputs[6+g]
		cols, s := w/stride, float64(stride)
		for i := range cls {
			c, o := min(max(cls[i], 0), 1), min(max(obj[i], 0), 1)
			if c*o < least {
				continue
			}
			b := box[4*i : 4*i+4]
			cx := (float64(i%cols) + float64(b[0])) * s
			cy := (float64(i/cols) + float64(b[1])) * s
			bw, bh := side(b[2], s, w), side(b[3], s, h)
			faces = append(faces, found{box: track.Box{X: cx - bw/2, Y: cy - bh/2, W: bw, H: bh}, score: math.Sqrt(float64(c) * float64(o))})
		}
	}
	return faces
}

// side is the length of a box's side that a network gives as a logarithm in units: at least one pixel, at most twice the
// picture's own side.
func side(log float32, unit float64, limit int) float64 {
	return min(max(math.Exp(float64(log))*unit, 1), 2*float64(limit))
}
