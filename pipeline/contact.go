package pipeline

import (
	"bytes"
	"fmt"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/sheet"
)

const (
	contactPairs = 6   // frames before and after on a contact sheet
	contactLong  = 480 // least long side of a frame that is kept for one, pixels; a smaller source's own
)

// contact gathers the frames of a contact sheet, which shows some frames of the source beside the same frames of the
// derivative, as the check decodes them. It shows faces: it is for the restricted side. Nil gathers nothing.
type contact struct {
	plan   *decide.Plan
	layout media.Layout
	colour sheet.Colour
	sar    float64
	picks  []int
	pairs  []sheet.Pair
}

// newContact begins a sheet of a derivative, whose picture the source's frames were brought to; nil where none is wanted.
func newContact(v *verifier, l media.Layout) *contact {
	if v.request.SheetOut == "" {
		return nil
	}
	d := v.derivative.Video
	return &contact{plan: &v.plan, layout: l, colour: sheet.Colour{Full: d.Range == "pc", Matrix: d.Space}, sar: d.SAR.Float(),
		picks: pickFrames(v.plan)}
}

// take keeps a pair that belongs on the sheet. Nothing may be painted into it before.
func (c *contact) take(p pair) error {
	if c == nil {
		return nil
	}
	i := p.want.info.Number
	if _, ok := slices.BinarySearch(c.picks, i); !ok {
		return nil
	}
	shrink := max(1, max(c.layout.Width, c.layout.Height)/contactLong)
	before, err := sheet.FromYUV(c.layout, p.want.pixels, c.colour, shrink)
	if err != nil {
		return fmt.Errorf("keep frame %d for the contact sheet: %w", i, err)
	}
	after, err := sheet.FromYUV(c.layout, p.got.pixels, c.colour, shrink)
	if err != nil {
		return fmt.Errorf("keep frame %d for the contact sheet: %w", i, err)
	}
	at := float64(c.plan.Frames[i].PTS-c.plan.Frames[0].PTS) * tickOf(*c.plan)
	c.pairs = append(c.pairs, sheet.Pair{Number: i, Time: at, Before: before, After: after, SAR: c.sar})
	return nil
}

// write draws the sheet as PNG. One without frames is not written: the comparison has failed then.
func (c *contact) write(path string) error {
	if c == nil || len(c.pairs) == 0 {
		return nil
	}
	title := fmt.Sprintf("%d frames, %d tracks, %s", len(c.plan.Frames), len(c.plan.Tracks), c.plan.Policy.Fill)
	var png bytes.Buffer
	if err := sheet.BeforeAfter(&png, c.pairs, "veil: before and after", title); err != nil {
		return fmt.Errorf("draw contact sheet: %w", err)
	}
	if err := writeNew(path, png.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write contact sheet: %w", err)
	}
	return nil
}

// pickFrames chooses frames for the contact sheet: spread over those in which something is covered, or over all.
func pickFrames(plan decide.Plan) []int {
	var covered []int
	for i, f := range plan.Frames {
		if f.Whole || len(f.Regions) > 0 {
			covered = append(covered, i)
		}
	}
	if len(covered) < contactPairs {
		covered = covered[:0]
		for i := range plan.Frames {
			covered = append(covered, i)
		}
	}
	n := min(contactPairs, len(covered))
	picks := make([]int, n)
	for i := range picks {
		picks[i] = covered[(2*i+1)*len(covered)/(2*n)]
	}
	return slices.Compact(picks)
}
