package vision

import (
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// knownScore is what each network must give the drawn face, and knownIoU how well its box must fit.
const (
	knownScore = 0.6
	knownIoU   = 0.4
	knownSide  = 320
)

// findKnownFace fails unless the detector finds the drawn face, and it alone, where it is.
func findKnownFace(d detector) error {
	mat := gocv.NewMatWithSize(knownSide, knownSide, gocv.MatTypeCV8UC3)
	defer mat.Close()
	pixels, err := mat.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("draw known face: %w", err)
	}
	want := track.Box{X: 100, Y: 80, W: 110, H: 140}
	for i := range pixels {
		pixels[i] = 120
	}
	DrawFace(pixels, knownSide, knownSide, want)
	faces, err := d.detect(mat, image.Pt(knownSide, knownSide), knownScore)
	if err != nil {
		return fmt.Errorf("look for the known face: %w", err)
	}
	if len(faces) != 1 || iou(faces[0].box, want) < knownIoU {
		return fmt.Errorf("look for the known face: %d faces, not the one that is there", len(faces))
	}
	return nil
}

// shape is a soft-edged ellipse of a drawn face, in units of the face's half width and half height, from its middle.
type shape struct {
	x, y, rx, ry float64
	b, g, r      float64 // colour
	soft         float64 // width of the edge, in radii
	alpha        float64
}

// drawnFace lists the shapes of a drawn face from back to front: hair, neck, skin, shades, brows, eyes, nose, mouth.
var drawnFace = []shape{
	{0, -0.25, 1.12, 1.15, 25, 35, 45, 0.08, 1},     // hair
	{0, 1.0, 0.55, 0.6, 105, 130, 170, 0.1, 1},      // neck
	{0, 0, 0.95, 1, 135, 165, 210, 0.06, 1},         // skin
	{-0.7, 0.1, 0.3, 0.8, 95, 120, 165, 0.9, 0.5},   // cheeks in shade
	{0.7, 0.1, 0.3, 0.8, 95, 120, 165, 0.9, 0.5},    //
	{0, -0.55, 0.5, 0.25, 165, 190, 228, 0.9, 0.6},  // light on the forehead
	{-0.4, -0.12, 0.28, 0.16, 85, 105, 145, 0.7, 1}, // sockets
	{0.4, -0.12, 0.28, 0.16, 85, 105, 145, 0.7, 1},  //
	{-0.4, -0.3, 0.26, 0.06, 30, 40, 55, 0.4, 1},    // brows
	{0.4, -0.3, 0.26, 0.06, 30, 40, 55, 0.4, 1},     //
	{-0.4, -0.12, 0.19, 0.085, 215, 220, 225, 0.25, 1},
	{0.4, -0.12, 0.19, 0.085, 215, 220, 225, 0.25, 1},
	{-0.4, -0.12, 0.09, 0.09, 20, 25, 35, 0.3, 1}, // pupils
	{0.4, -0.12, 0.09, 0.09, 20, 25, 35, 0.3, 1},  //
	{0, 0.08, 0.09, 0.3, 160, 188, 228, 0.9, 0.8}, // bridge of the nose
	{0, 0.3, 0.2, 0.1, 100, 125, 170, 0.8, 0.9},   // tip and nostrils
	{-0.1, 0.34, 0.05, 0.035, 45, 55, 80, 0.5, 1},
	{0.1, 0.34, 0.05, 0.035, 45, 55, 80, 0.5, 1},
	{0, 0.58, 0.34, 0.1, 90, 90, 165, 0.4, 1},      // lips
	{0, 0.575, 0.32, 0.025, 40, 40, 85, 0.5, 1},    // between them
	{0, 0.74, 0.25, 0.06, 100, 125, 170, 0.8, 0.7}, // under them
}

// DrawFace draws a face into a bgr24 picture, from forehead to chin in the box, so plain that both networks find it and so
// little like anybody that it can be committed. Tests use it too.
func DrawFace(pixels []byte, width, height int, box track.Box) {
	for _, s := range drawnFace {
		cx, cy := box.X+box.W/2*(1+s.x), box.Y+box.H/2*(1+s.y)
		rx, ry := s.rx*box.W/2, s.ry*box.H/2
		reach := 1 + s.soft
		x0, x1 := max(int(cx-reach*rx), 0), min(int(cx+reach*rx)+1, width-1)
		y0, y1 := max(int(cy-reach*ry), 0), min(int(cy+reach*ry)+1, height-1)
		for y := y0; y <= y1; y++ {
			for x := x0; x <= x1; x++ {
				d := math.Hypot((float64(x)+0.5-cx)/rx, (float64(y)+0.5-cy)/ry)
				a := s.alpha * min(max((1+s.soft-d)/(2*s.soft), 0), 1)
				p := pixels[3*(y*width+x):]
				for c, v := range [3]float64{s.b, s.g, s.r} {
					p[c] = byte(float64(p[c])*(1-a) + v*a + 0.5)
				}
			}
		}
	}
}
