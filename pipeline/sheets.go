package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"io"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/sheet"
)

const (
	// derivativeFrames is how many frames stand on a contact sheet of the derivative alone, derivativeLong their long side.
	derivativeFrames = 24
	derivativeLong   = 640
	// peopleLong is the long side of the frame that a person's picture is cut from, pixels.
	peopleLong = 1280
)

// DerivativeSheet writes a PNG of frames spread over the derivative, with the numbers and times of its source. It shows what the
// derivative shows, and needs no original.
func DerivativeSheet(ctx context.Context, cfg Config, r SheetRequest) error {
	plan, err := readPlan(r.Plan)
	if err != nil {
		return err
	}
	n := min(derivativeFrames, len(plan.Frames))
	picks := make([]int, n)
	for i := range picks {
		picks[i] = (2*i + 1) * len(plan.Frames) / (2 * n)
	}
	picks = slices.Compact(picks)
	frames, err := grab(ctx, cfg, grabRequest{path: r.In, long: derivativeLong, picks: picks})
	if err != nil {
		return err
	}
	times := plan.Times()
	shots := make([]sheet.Shot, len(picks))
	for i, p := range picks {
		if frames[p] == nil {
			return fmt.Errorf("%w: the derivative has fewer frames than its plan", ErrUsage)
		}
		shots[i] = sheet.Shot{Number: firstOf(plan) + p, Time: times[p], Picture: frames[p]}
	}
	title := fmt.Sprintf("%d of %d frames, %s", len(shots), len(plan.Frames), plan.Policy.Fill)
	var png bytes.Buffer
	if err := sheet.Frames(&png, shots, "veil: contact sheet of the derivative", title); err != nil {
		return fmt.Errorf("draw contact sheet: %w", err)
	}
	return installFile(cfg, r.PNG, png.Bytes())
}

// SheetRequest names what a sheet is made of and where it goes.
type SheetRequest struct {
	In, Plan string // source (derivative, where it is drawn alone) and plan
	PNG      string
}

// PeopleSheet writes a PNG with one numbered picture per track, so that a person can say who is kept. It shows faces: it is
// for the restricted side.
func PeopleSheet(ctx context.Context, cfg Config, r SheetRequest) error {
	plan, err := readPlan(r.Plan)
	if err != nil {
		return err
	}
	wanted := map[int][]decide.Track{}
	var picks []int
	for _, t := range plan.Tracks {
		wanted[t.Best] = append(wanted[t.Best], t)
		picks = append(picks, t.Best)
	}
	slices.Sort(picks)
	picks = slices.Compact(picks)
	frames := map[int]image.Image{}
	g := grabRequest{path: r.In, long: peopleLong, picks: picks, first: firstOf(plan)}
	g.each = func(i int, pic *image.RGBA) {
		for _, t := range wanted[i] {
			frames[t.ID] = cutFace(pic, t.BestBox, plan.Source)
		}
	}
	if _, err := grab(ctx, cfg, g); err != nil {
		return err
	}
	tick := tickOf(plan)
	at := func(i int) float64 { return float64(plan.Frames[i].PTS-plan.Frames[0].PTS) * tick }
	people := make([]sheet.Person, len(plan.Tracks))
	for i, t := range plan.Tracks {
		people[i] = sheet.Person{Track: t.ID, Picture: frames[t.ID], First: at(t.First), Last: at(t.Last), Seen: t.Seen, Sure: t.Sure}
		if plan.LeftVisible(t) {
			people[i].Label = "stays visible"
		}
	}
	var png bytes.Buffer
	if err := sheet.People(&png, people, "veil: people in this clip"); err != nil {
		return fmt.Errorf("draw people sheet: %w", err)
	}
	return installFile(cfg, r.PNG, png.Bytes())
}

// installFile writes a file that no other run may see half.
func installFile(cfg Config, path string, b []byte) error {
	s, err := openScratch(cfg.Scratch)
	if err != nil {
		return err
	}
	return errors.Join(s.install(path, b, 0o600), s.close())
}

// firstOf is the source frame number of the plan's first frame.
func firstOf(plan decide.Plan) int {
	if plan.Excerpt != nil {
		return plan.Excerpt.First
	}
	return 0
}

// tickOf is the plan's time base in seconds.
func tickOf(plan decide.Plan) float64 {
	var r media.Rational
	if _, err := fmt.Sscanf(plan.Source.TimeBase, "%d/%d", &r.Num, &r.Den); err != nil {
		return 0
	}
	return r.Float()
}

// grabRequest asks for some frames of a file; picks rise, and count from the frame numbered first.
type grabRequest struct {
	path  string
	long  int
	picks []int
	first int
	each  func(i int, pic *image.RGBA) // when set, pictures are handed here and not kept
}

// grab decodes until the last frame asked for.
func grab(ctx context.Context, cfg Config, r grabRequest) (map[int]image.Image, error) {
	probe, err := media.Inspect(ctx, cfg.Tools, r.path, media.Limits{})
	if err != nil {
		return nil, err
	}
	view := media.AnalysisView(probe, r.long)
	dec, err := media.Decode(ctx, cfg.Tools, r.path, probe, view, nil)
	if err != nil {
		return nil, err
	}
	out := map[int]image.Image{}
	buf := make([]byte, view.Layout.Size())
	for len(out) < len(r.picks) {
		info, err := dec.Next(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, dec.Close())
		}
		i := info.Number - r.first
		if _, ok := slices.BinarySearch(r.picks, i); !ok {
			continue
		}
		pic, err := sheet.FromBGR(view.Layout, buf)
		if err != nil {
			return nil, errors.Join(err, dec.Close())
		}
		out[i] = pic
		if r.each != nil {
			r.each(i, pic)
			out[i] = nil
		}
	}
	return out, dec.Close()
}

// cutFace cuts a track's best box, and some of what is around it, out of a scaled frame.
func cutFace(pic *image.RGBA, box [4]int, s decide.Source) image.Image {
	fx, fy := float64(pic.Rect.Dx())/float64(s.Width), float64(pic.Rect.Dy())/float64(s.Height)
	r := image.Rect(int(float64(box[0])*fx), int(float64(box[1])*fy), int(float64(box[0]+box[2])*fx)+1, int(float64(box[1]+box[3])*fy)+1)
	part := sheet.Crop(pic, r)
	own := image.NewRGBA(image.Rect(0, 0, part.Bounds().Dx(), part.Bounds().Dy()))
	draw.Draw(own, own.Rect, part, part.Bounds().Min, draw.Src)
	return own
}
