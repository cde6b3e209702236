// Package sheet draws contact sheets as PNG: frames before beside after, and a numbered picture for each person that was
// followed.
//
// Sheets show faces: where they go is the caller's care, and they belong with the original. The package owns layout,
// scaling and labels, and turns raw frames into pictures. It reads no file and no clock, decodes nothing and writes no
// metadata; the same pictures and labels give the same sheet. Text is plain ASCII; anything else becomes a question mark.
// Pictures handed in stay the caller's and are not changed.
package sheet

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"
)

// ErrEmpty says that there is nothing to draw.
var ErrEmpty = errors.New("no frames for the sheet")

// Pair is one frame before and after.
type Pair struct {
	Number        int     // of the frame, from 0 in presentation order
	Time          float64 // seconds from the first frame
	Before, After image.Image
	// SAR is the pixels' width by height; 0 means square.
	SAR float64
}

// Person is one track.
type Person struct {
	Track   int // the number to name in decisions
	Picture image.Image
	// First and Last are the seconds from the clip's first frame between which the track lasts, Seen the frames with a
	// detection.
	First, Last float64
	Seen        int
	Sure        bool
	Label       string // one more line; may be empty
}

// Sizes in pixels of the sheet.
const (
	margin     = 24
	gap        = 12
	pairWidth  = 480 // of one picture at most
	pairHeight = 400
	labelScale = 2
	labelGap   = 2
	// maxEnlarge bounds how much small pictures are blown up.
	maxEnlarge = 4
	// pairsInColumn is how many pairs stand below one another before a second column begins.
	pairsInColumn = 4
)

// Colours.
var (
	paper   = color.RGBA{0xf5, 0xf5, 0xf2, 0xff}
	ink     = color.RGBA{0x1c, 0x1c, 0x1c, 0xff}
	faint   = color.RGBA{0x5c, 0x5c, 0x5c, 0xff}
	line    = color.RGBA{0xc4, 0xc4, 0xbe, 0xff}
	card    = color.RGBA{0xff, 0xff, 0xff, 0xff}
	certain = color.RGBA{0x1d, 0x6b, 0x3a, 0xff}
	doubt   = color.RGBA{0xb0, 0x4a, 0x00, 0xff}
)

// BeforeAfter draws the pairs in the order given, each with its frame number and time. The first title line is the
// heading.
func BeforeAfter(w io.Writer, pairs []Pair, title ...string) error {
	if len(pairs) == 0 {
		return ErrEmpty
	}
	size := image.Point{}
	for i, p := range pairs {
		if empty(p.Before) || empty(p.After) {
			return fmt.Errorf("pair %d: %w", i, ErrEmpty)
		}
		for _, img := range []image.Image{p.Before, p.After} {
			f := fit(img, p.SAR, pairWidth, pairHeight)
			size.X, size.Y = max(size.X, f.X), max(size.Y, f.Y)
		}
	}
	size.X = max(size.X, (textWidth("frame 1000000   00:00:00.000", labelScale)-gap+1)/2)
	columns := 1
	if len(pairs) > pairsInColumn {
		columns = 2
	}
	rows := (len(pairs) + columns - 1) / columns
	pairW, rowH := 2*size.X+gap, textHeight(labelScale)+labelGap+size.Y+2*gap
	heading := newHeading(title, columns*pairW+(columns-1)*2*margin)
	canvas := newCanvas(2*margin+heading.width, margin+heading.height+textHeight(1)+8+rows*rowH+margin-2*gap)
	heading.draw(canvas, margin, margin)
	top := margin + heading.height
	for c := range columns {
		x := margin + c*(pairW+2*margin)
		text(canvas, x, top, "BEFORE", style{1, faint})
		text(canvas, x+size.X+gap, top, "AFTER", style{1, faint})
	}
	top += textHeight(1) + 8
	for i, p := range pairs {
		// Down the first column, then down the second: time runs as one reads a list.
		x, y := margin+i/rows*(pairW+2*margin), top+i%rows*rowH
		text(canvas, x, y, fmt.Sprintf("frame %d   %s", p.Number, Clock(p.Time)), style{labelScale, ink})
		y += textHeight(labelScale) + labelGap
		picture(canvas, image.Rect(x, y, x+size.X, y+size.Y), p.Before, p.SAR)
		x += size.X + gap
		picture(canvas, image.Rect(x, y, x+size.X, y+size.Y), p.After, p.SAR)
	}
	return encode(w, canvas)
}

// empty says that a picture has no pixels.
func empty(img image.Image) bool { return img == nil || img.Bounds().Empty() }

// fit is the size of a picture scaled into a box.
func fit(img image.Image, sar float64, width, height int) image.Point {
	if !(sar > 0) || math.IsInf(sar, 0) {
		sar = 1
	}
	b := img.Bounds()
	w, h := float64(b.Dx())*sar, float64(b.Dy())
	scale := min(float64(width)/w, float64(height)/h, maxEnlarge)
	return image.Point{max(int(math.Round(w*scale)), 1), max(int(math.Round(h*scale)), 1)}
}

// picture draws a picture scaled into the top left of a cell, with a thin frame.
func picture(canvas *image.RGBA, cell image.Rectangle, img image.Image, sar float64) {
	size := fit(img, sar, cell.Dx(), cell.Dy())
	to := image.Rectangle{cell.Min, cell.Min.Add(size)}
	fill(canvas, to.Inset(-1), line)
	draw.CatmullRom.Scale(canvas, to, img, img.Bounds(), draw.Src, nil)
}

// newCanvas is an empty sheet.
func newCanvas(w, h int) *image.RGBA {
	canvas := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(canvas, canvas.Bounds(), paper)
	return canvas
}

func fill(canvas *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(canvas, r, image.NewUniform(c), image.Point{}, draw.Src)
}

func encode(w io.Writer, canvas image.Image) error {
	if err := png.Encode(w, canvas); err != nil {
		return fmt.Errorf("write contact sheet: %w", err)
	}
	return nil
}

// Clock writes seconds as minutes, with hours where there are any: "0:04.800", "1:02:03.450".
func Clock(seconds float64) string {
	sign := ""
	ms := int64(math.Round(seconds * 1000))
	if ms < 0 {
		sign, ms = "-", -ms
	}
	h, m, s := ms/3_600_000, ms/60_000%60, ms/1000%60
	if h > 0 {
		return fmt.Sprintf("%s%d:%02d:%02d.%03d", sign, h, m, s, ms%1000)
	}
	return fmt.Sprintf("%s%d:%02d.%03d", sign, m, s, ms%1000)
}
