package sheet

import (
	"image"
	"image/color"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// style is how a text is drawn: its size as a multiple of the 7x13 letters, and its colour.
type style struct {
	scale int
	ink   color.RGBA
}

func textWidth(s string, scale int) int { return len(plain(s)) * basicfont.Face7x13.Advance * scale }

func textHeight(scale int) int { return basicfont.Face7x13.Height * scale }

// text draws one line whose top left corner is at x, y.
func text(canvas draw.Image, x, y int, s string, st style) {
	s = plain(s)
	if s == "" {
		return
	}
	mask := image.NewAlpha(image.Rect(0, 0, textWidth(s, 1), textHeight(1)))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: basicfont.Face7x13, Dot: fixed.P(0, basicfont.Face7x13.Ascent)}
	d.DrawString(s)
	if st.scale > 1 {
		large := image.NewAlpha(image.Rect(0, 0, textWidth(s, st.scale), textHeight(st.scale)))
		draw.NearestNeighbor.Scale(large, large.Bounds(), mask, mask.Bounds(), draw.Src, nil)
		mask = large
	}
	draw.DrawMask(canvas, mask.Bounds().Add(image.Pt(x, y)), image.NewUniform(st.ink), image.Point{}, mask, image.Point{}, draw.Over)
}

// plain replaces what the letters at hand cannot show.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// wrap breaks a text at spaces into lines of at most so many letters; a longer word is cut.
func wrap(s string, letters int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(plain(s)) {
		for len(word) > letters {
			if current != "" {
				lines, current = append(lines, current), ""
			}
			lines, word = append(lines, word[:letters]), word[letters:]
		}
		switch {
		case current == "":
			current = word
		case len(current)+1+len(word) <= letters:
			current += " " + word
		default:
			lines, current = append(lines, current), word
		}
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}

// heading is the title above a sheet, wrapped to its width.
type heading struct {
	width, height int
	large         []string // of the first title line, at twice the size
	small         []string
}

// minHeadingWidth keeps the heading of a narrow sheet readable.
const minHeadingWidth = 480

func newHeading(title []string, width int) heading {
	h := heading{width: max(width, minHeadingWidth)}
	for i, t := range title {
		if i == 0 {
			h.large = wrap(t, h.width/textWidth("M", 2))
		} else {
			h.small = append(h.small, wrap(t, h.width/textWidth("M", 1))...)
		}
	}
	if n := len(h.large) + len(h.small); n > 0 {
		h.height = len(h.large)*(textHeight(2)+2) + len(h.small)*(textHeight(1)+3) + gap + 2
	}
	return h
}

func (h heading) draw(canvas *image.RGBA, x, y int) {
	if h.height == 0 {
		return
	}
	bottom := y + h.height - gap
	for _, s := range h.large {
		text(canvas, x, y, s, style{2, ink})
		y += textHeight(2) + 2
	}
	for _, s := range h.small {
		text(canvas, x, y, s, style{1, faint})
		y += textHeight(1) + 3
	}
	fill(canvas, image.Rect(x, bottom, x+h.width, bottom+1), line)
}
