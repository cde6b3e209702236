package sheet

import (
	"fmt"
	"image"
	"io"

	"golang.org/x/image/draw"
)

// MaxPeople is how many people one sheet shows, so that its size stays bounded; the heading tells how many there are.
const MaxPeople = 1000

// Sides of a person's picture: smaller where there are many.
const (
	faceSide      = 180
	manyFaceSide  = 120
	manyPeople    = 120
	peopleColumns = 8
	manyColumns   = 12
	cardPadding   = 8
)

// People draws a numbered picture for each track, in the order given: its number, when it is seen, in how many frames,
// and whether it is sure to be a face. Nobody at all is said in words.
func People(w io.Writer, people []Person, title ...string) error {
	for _, p := range people {
		if empty(p.Picture) {
			return fmt.Errorf("track %d: %w", p.Track, ErrEmpty)
		}
	}
	shown := people[:min(len(people), MaxPeople)]
	switch {
	case len(people) == 0:
		title = append(title[:len(title):len(title)], "Nobody was found.")
	case len(shown) < len(people):
		title = append(title[:len(title):len(title)], fmt.Sprintf("The first %d of %d tracks are shown.", len(shown), len(people)))
	}
	g := newGrid(shown)
	head := newHeading(title, g.columns*(g.cell.X+gap)-gap)
	canvas := newCanvas(2*margin+head.width, 2*margin+head.height+max(g.rows*(g.cell.Y+gap)-gap, 0))
	head.draw(canvas, margin, margin)
	for i, p := range shown {
		at := image.Pt(margin+i%g.columns*(g.cell.X+gap), margin+head.height+i/g.columns*(g.cell.Y+gap))
		person(canvas, image.Rectangle{at, at.Add(g.cell)}, p, g.side)
	}
	return encode(w, canvas)
}

// grid is how the cards of a sheet lie.
type grid struct {
	side          int // of a picture
	columns, rows int
	cell          image.Point // size of a card
}

func newGrid(shown []Person) grid {
	g := grid{side: faceSide, columns: peopleColumns}
	if len(shown) > manyPeople {
		g.side, g.columns = manyFaceSide, manyColumns
	}
	g.columns = max(min(g.columns, len(shown)), 1)
	g.rows = (len(shown) + g.columns - 1) / g.columns
	lines := 2
	for _, p := range shown {
		if p.Label != "" {
			lines = 3
		}
	}
	g.cell = image.Point{g.side + 2*cardPadding, g.side + textHeight(2) + lines*(textHeight(1)+2) + 3*cardPadding}
	return g
}

// person draws one card.
func person(canvas *image.RGBA, r image.Rectangle, p Person, side int) {
	fill(canvas, r, line)
	fill(canvas, r.Inset(1), card)
	x, y := r.Min.X+cardPadding, r.Min.Y+cardPadding
	text(canvas, x, y, fmt.Sprintf("%d", p.Track), style{2, ink})
	word, colour := "sure", certain
	if !p.Sure {
		word, colour = "unsure", doubt
	}
	text(canvas, x+side-textWidth(word, 1), y+textHeight(1)/2, word, style{1, colour})
	y += textHeight(2) + cardPadding/2
	size := fit(p.Picture, 1, side, side)
	to := image.Rect(0, 0, size.X, size.Y).Add(image.Pt(x+(side-size.X)/2, y+(side-size.Y)/2))
	fill(canvas, image.Rect(x, y, x+side, y+side), paper)
	draw.CatmullRom.Scale(canvas, to, p.Picture, p.Picture.Bounds(), draw.Src, nil)
	y += side + cardPadding/2
	letters := side / textWidth("M", 1)
	frames := "frames"
	if p.Seen == 1 {
		frames = "frame"
	}
	for _, s := range []string{times(p, letters), fmt.Sprintf("seen in %d %s", p.Seen, frames), p.Label} {
		text(canvas, x, y, cut(s, letters), style{1, faint})
		y += textHeight(1) + 2
	}
}

// times is a track's first and last time, to the tenth of a second where the card is too narrow for more.
func times(p Person, letters int) string {
	first, last := Clock(p.First), Clock(p.Last)
	if s := first + " - " + last; len(s) <= letters {
		return s
	}
	return first[:len(first)-2] + "-" + last[:len(last)-2]
}

// cut shortens a text to so many letters.
func cut(s string, letters int) string {
	s = plain(s)
	if len(s) > letters {
		return s[:letters-1] + "~"
	}
	return s
}

// Crop is the square part of a picture about a box, with half its longer side around it, as far as the picture goes: a
// face with enough around it to know the person by. The result shares the picture's pixels where the picture can.
func Crop(img image.Image, box image.Rectangle) image.Image {
	side := max(box.Dx(), box.Dy(), 8) * 2
	centre := box.Min.Add(box.Max).Div(2)
	r := image.Rect(0, 0, side, side).Add(centre).Sub(image.Pt(side/2, side/2)).Intersect(img.Bounds())
	if r.Empty() {
		r = img.Bounds()
	}
	if s, ok := img.(interface {
		SubImage(image.Rectangle) image.Image
	}); ok {
		return s.SubImage(r)
	}
	out := image.NewRGBA(r)
	draw.Draw(out, r, img, r.Min, draw.Src)
	return out
}
