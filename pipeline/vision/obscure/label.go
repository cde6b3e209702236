package obscure

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"unicode/utf8"

	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/math/fixed"
)

// A label is light letters on a dark plate, both of fixed samples: neither hangs on what is covered, nor on the fill.
const (
	plateLuma   = solidLuma
	letterLuma  = 160
	letterWide  = 8 // pixels of a letter's cell at scale 1
	letterHigh  = 16
	plateSide   = 3 // free pixels beside the letters, at scale 1
	plateEdge   = 1 // and above and below
	maxScale    = 4
	maxLabel    = 32 // letters
	letterAlpha = 0x80
)

// plate is a label's place in the picture, on even pixels.
type plate struct {
	label      string
	x, y, w, h int
	scale      int
}

// checkLabel refuses what the letters at hand cannot show.
func checkLabel(s string) error {
	if utf8.RuneCountInString(s) > maxLabel {
		return fmt.Errorf("label of more than %d letters: %w", maxLabel, ErrArea)
	}
	for _, c := range s {
		if (c < ' ' || c > '~') && c != '§' {
			return fmt.Errorf("label with a letter that cannot be drawn: %w", ErrArea)
		}
	}
	return nil
}

// plateOf finds the place of an area's label: in the middle of what the picture shows of the area, as large as leaves most of
// the fill free. ok is false where it would not fit inside the area.
func (p *Painter) plateOf(a Area) (pl plate, ok bool) {
	letters := utf8.RuneCountInString(a.Label)
	if letters == 0 {
		return plate{}, false
	}
	x0, y0 := max(a.X, 0), max(a.Y, 0)
	w, h := min(a.X+a.W, p.layout.Width)-x0, min(a.Y+a.H, p.layout.Height)-y0
	for scale := maxScale; scale >= 1; scale-- {
		pw, ph := even(scale*(letters*letterWide+2*plateSide)), even(scale*(letterHigh+2*plateEdge))
		large := pw > w*3/4 || ph > h/3
		if large && (scale > 1 || pw > w || ph > h) {
			continue
		}
		pl = plate{label: a.Label, x: (x0 + (w-pw)/2) &^ 1, y: (y0 + (h-ph)/2) &^ 1, w: pw, h: ph, scale: scale}
		if p.holds(a, pl) {
			return pl, true
		}
	}
	return plate{}, false
}

func even(n int) int { return (n + 1) &^ 1 }

// holds reports whether every sample of a plate lies inside an area.
func (p *Painter) holds(a Area, pl plate) bool {
	for y := pl.y; y < pl.y+pl.h; y++ {
		if y < 0 || y >= p.layout.Height {
			return false
		}
		if s := a.span(y, p.layout.Width); int(s.from) > pl.x || int(s.to) < pl.x+pl.w {
			return false
		}
	}
	return true
}

// paintLabels draws the areas' labels over their fill. Of two that would meet, the upper or left one is drawn, so that the order
// of the areas plays no part.
func (p *Painter) paintLabels(frame []byte, areas []Area) {
	p.plates = p.plates[:0]
	for _, a := range areas {
		if pl, ok := p.plateOf(a); ok {
			p.plates = append(p.plates, pl)
		}
	}
	slices.SortFunc(p.plates, func(a, b plate) int {
		return cmp.Or(a.y-b.y, a.x-b.x, a.h-b.h, a.w-b.w, cmp.Compare(a.label, b.label))
	})
	for i, pl := range p.plates {
		if !slices.ContainsFunc(p.plates[:i], pl.meets) {
			p.paintPlate(frame, pl)
		} else {
			p.plates[i].w = 0 // not drawn: it is in nobody's way
		}
	}
}

// meets reports whether two plates share a pixel.
func (pl plate) meets(o plate) bool {
	return o.w > 0 && pl.x < o.x+o.w && o.x < pl.x+pl.w && pl.y < o.y+o.h && o.y < pl.y+pl.h
}

// paintPlate draws one label: the plate in all planes, the letters in luma.
func (p *Painter) paintPlate(frame []byte, pl plate) {
	size, depth := sampleBytes(p.wide), p.layout.Depth()
	for i, plane := range p.planes {
		sample := solidSample(i, depth)
		if i == 0 {
			sample = plateLuma << (depth - 8)
		}
		from, to := pl.x>>plane.ShiftX*size, (pl.x+pl.w)>>plane.ShiftX*size
		for y := pl.y >> plane.ShiftY; y < (pl.y+pl.h)>>plane.ShiftY; y++ {
			fillRow(frame[plane.Offset+y*plane.Stride:][from:to], sample, p.wide)
		}
	}
	left, top := pl.x+pl.scale*plateSide, pl.y+pl.scale*plateEdge
	for _, c := range pl.label {
		p.paintLetter(frame, c, image.Pt(left, top), pl.scale)
		left += pl.scale * letterWide
	}
}

// paintLetter draws one letter of the 8x16 face, each of its pixels scale by scale.
func (p *Painter) paintLetter(frame []byte, c rune, at image.Point, scale int) {
	face := inconsolata.Bold8x16
	cell, mask, from, _, ok := face.Glyph(fixed.P(0, face.Ascent), c)
	if !ok {
		return
	}
	size, luma := sampleBytes(p.wide), uint32(letterLuma<<(p.layout.Depth()-8))
	plane := p.planes[0]
	for y := cell.Min.Y; y < cell.Max.Y; y++ {
		for x := cell.Min.X; x < cell.Max.X; x++ {
			_, _, _, alpha := mask.At(from.X+x-cell.Min.X, from.Y+y-cell.Min.Y).RGBA()
			if alpha>>8 < letterAlpha || x < 0 || y < 0 || x >= letterWide || y >= letterHigh {
				continue
			}
			for k := range scale {
				row := plane.Offset + (at.Y+y*scale+k)*plane.Stride
				begin := row + (at.X+x*scale)*size
				fillRow(frame[begin:begin+scale*size], luma, p.wide)
			}
		}
	}
}
