package sheet

import (
	"fmt"
	"image"
	"io"
)

// Shot is one frame of a derivative.
type Shot struct {
	Number  int     // of the frame in the source, from 0
	Time    float64 // seconds from the source's first frame
	Picture image.Image
	SAR     float64 // the pixels' width by height; 0 means square
}

// Sizes of a sheet of single frames.
const (
	shotWidth   = 320 // of a picture at most
	shotHeight  = 260
	shotColumns = 4
)

// Frames draws frames side by side in the order given, each with its number and time. The first title line is the heading.
func Frames(w io.Writer, shots []Shot, title ...string) error {
	if len(shots) == 0 {
		return ErrEmpty
	}
	size := image.Point{X: textWidth("frame 1000000   00:00:00.000", 1)}
	for i, s := range shots {
		if empty(s.Picture) {
			return fmt.Errorf("frame %d: %w", i, ErrEmpty)
		}
		f := fit(s.Picture, s.SAR, shotWidth, shotHeight)
		size.X, size.Y = max(size.X, f.X), max(size.Y, f.Y)
	}
	columns := min(shotColumns, len(shots))
	rows := (len(shots) + columns - 1) / columns
	rowH := textHeight(1) + labelGap + size.Y + 2*gap
	heading := newHeading(title, columns*(size.X+gap)-gap)
	canvas := newCanvas(2*margin+heading.width, 2*margin+heading.height+rows*rowH-2*gap)
	heading.draw(canvas, margin, margin)
	for i, s := range shots {
		x, y := margin+i%columns*(size.X+gap), margin+heading.height+i/columns*rowH
		text(canvas, x, y, fmt.Sprintf("frame %d   %s", s.Number, Clock(s.Time)), style{1, ink})
		y += textHeight(1) + labelGap
		picture(canvas, image.Rect(x, y, x+size.X, y+size.Y), s.Picture, s.SAR)
	}
	return encode(w, canvas)
}
