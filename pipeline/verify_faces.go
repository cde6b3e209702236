package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
	"veil/pipeline/vision"
)

// coveredShare is how much of a face must lie under masks for it to count as inside them.
const coveredShare = 0.8

// sameFaceIoU links what is found in neighbouring frames, and findings to what a person dismissed.
const sameFaceIoU = 0.2

// maxFindings bounds what one check lists; the rest is counted.
const maxFindings = 200

// foundByCheck is the detector's name under which what the check found goes back to the tracks.
const foundByCheck = "verify"

// sighting is one face that the second look found in the derivative.
type sighting struct {
	frame int
	face  track.Detection
}

// lookAgain searches the derivative with other eyes (A31). A face inside a mask fails the check; one outside every mask
// is a finding that holds the clip.
func (v *verifier) lookAgain(ctx context.Context) error {
	found, looked, err := v.search(ctx)
	if err != nil {
		return err
	}
	var inside []string
	var outside []sighting
	for _, s := range found {
		switch v.place(s) {
		case placeMasked:
			if s.face.Score >= vision.InsideScore {
				inside = append(inside, fmt.Sprintf("frame %d: a face is left under the mask (score %.2f)", s.frame, s.face.Score))
			}
		case placeOpen:
			outside = append(outside, s)
		}
	}
	sighted := len(outside)
	if outside, err = v.confirm(ctx, outside); err != nil {
		return err
	}
	text := fmt.Sprintf("%d frames looked at, %d faces outside the masks", looked, len(outside))
	if n := sighted - len(outside); n > 0 {
		text += fmt.Sprintf(", and %d that the masks make up, as the original shows none there", n)
	}
	v.note(checkFaces, text, inside)
	v.result.Findings = findingsOf(outside, v.plan.Source.Width, v.plan.Source.Height)
	if v.request.ExtraOut == "" {
		return nil
	}
	extras := make([]extra, len(outside))
	for i, s := range outside {
		extras[i] = extra{Frame: s.frame, Detection: s.face}
		extras[i].Detection.Detector = foundByCheck
	}
	return writeJSON(v.request.ExtraOut, extras)
}

// search shows the derivative to the verifier's networks, as far as that was not done while it was compared, and says how many frames
// they looked at.
func (v *verifier) search(ctx context.Context) ([]sighting, int, error) {
	var passes []int // quarters
	seen := v.watched
	if seen == nil {
		seen, passes = &seenFaces{}, append(passes, 0)
	}
	for _, degrees := range v.plan.Analysis.Turned {
		passes = append(passes, degrees/quarter)
	}
	if len(passes) == 0 {
		return seen.found, seen.looked, nil
	}
	finder, err := v.openFinder(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer finder.Close()
	for i, turn := range passes {
		more, err := v.searchTurned(ctx, finder, turn, v.passes()-len(passes)+i)
		if err != nil {
			return nil, 0, err
		}
		seen.found = append(seen.found, more.found...)
		if turn == 0 {
			seen.looked = more.looked
		}
	}
	slices.SortStableFunc(seen.found, func(a, b sighting) int { return a.frame - b.frame })
	return seen.found, seen.looked, nil
}

// openFinder opens the verifier's networks.
func (v *verifier) openFinder(ctx context.Context) (*vision.Finder, error) {
	finder, err := vision.Open(ctx, vision.Options{
		Models: v.request.Config.Models, Engine: v.request.Config.Engine, Effort: v.plan.Policy.Effort,
		Threads: v.request.Config.Threads, Purpose: vision.PurposeVerify})
	if err != nil {
		return nil, fmt.Errorf("open detectors: %w", err)
	}
	return finder, nil
}

// sweep starts to look at the derivative turned by some quarters.
func (v *verifier) sweep(ctx context.Context, finder *vision.Finder, view media.View, turn int) (*vision.Sweep, error) {
	sweep, err := finder.Sweep(ctx, vision.SweepOptions{Width: view.Layout.Width, Height: view.Layout.Height,
		SourceWidth: v.derivative.Video.Width, SourceHeight: v.derivative.Video.Height, Turn: turn})
	if err != nil {
		return nil, fmt.Errorf("start detectors: %w", err)
	}
	return sweep, nil
}

// seenFaces is what the networks saw in the derivative.
type seenFaces struct {
	found   []sighting
	looked  int // frames that a network looked at
	results int // frames whose results came
}

// gather takes in what a sweep tells until its end. each is told the number of frames so far.
func gather(sweep *vision.Sweep, each func(done int)) (*seenFaces, error) {
	var s seenFaces
	for res := range sweep.Results() {
		if res.Err != nil {
			sweep.Stop()
			return nil, fmt.Errorf("detect faces: %w", res.Err)
		}
		s.results++
		if len(res.Searched) > 0 {
			s.looked++
		}
		for _, d := range res.Detections {
			s.found = append(s.found, sighting{frame: res.Index, face: d})
		}
		each(s.results)
	}
	return &s, nil
}

// all says whether results came for all frames that were handed over.
func (s *seenFaces) all(fed int) error {
	if s.results != fed {
		return fmt.Errorf("%w: %d of %d frames of the derivative were searched", ErrVerify, s.results, fed)
	}
	return nil
}

// searchTurned decodes the derivative and shows it to the networks, turned by some quarters. It tells its progress as that of a pass.
func (v *verifier) searchTurned(ctx context.Context, finder *vision.Finder, turn, pass int) (*seenFaces, error) {
	view := media.AnalysisView(v.derivative, finder.Long())
	dec, err := media.Decode(ctx, v.request.Config.Tools, v.request.Out, v.derivative, view, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: decode derivative: %w", ErrVerify, err)
	}
	sweep, err := v.sweep(ctx, finder, view, turn)
	if err != nil {
		return nil, errors.Join(err, dec.Close())
	}
	defer sweep.Close()
	done := make(chan error, 1)
	fed := 0 // read when done
	go func() {
		defer sweep.Done()
		var err error
		fed, err = v.feed(ctx, dec, sweep)
		done <- err
	}()
	seen, err := gather(sweep, func(done int) { v.tell(pass, done) })
	if err != nil {
		return nil, errors.Join(err, <-done)
	}
	err = <-done
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return seen, seen.all(fed)
}

// feed decodes the derivative into the sweep, closes the decoder, and says how many frames it handed over.
func (v *verifier) feed(ctx context.Context, dec *media.Decoder, sweep *vision.Sweep) (int, error) {
	for i := 0; ; i++ {
		pic, err := sweep.Get(ctx)
		if err != nil {
			return i, errors.Join(err, dec.Close())
		}
		info, err := dec.Next(pic.Bytes())
		if err != nil {
			sweep.Return(pic)
			if errors.Is(err, io.EOF) {
				return i, dec.Close()
			}
			return i, errors.Join(fmt.Errorf("%w: decode derivative: %w", ErrVerify, err), dec.Close())
		}
		pic.Time, pic.Fresh = v.moment(i, info.PTS)
		if err := sweep.Submit(ctx, pic); err != nil {
			return i, errors.Join(err, dec.Close())
		}
	}
}

// moment is when frame i of the derivative is shown, in seconds, and whether a scene begins there.
func (v *verifier) moment(i int, pts int64) (at float64, fresh bool) {
	return float64(pts) * v.derivative.Video.TimeBase.Float(), i < len(v.plan.Frames) && v.plan.Frames[i].Cut
}

// Where a sighting lies.
const (
	placeOpen   = iota // a face that nobody covered
	placeMasked        // under the masks
	placeKept          // a person decided that it stays visible, or that it is none
)

// place says where a sighting lies in its frame's plan.
func (v *verifier) place(s sighting) int {
	if s.frame >= len(v.plan.Frames) {
		return placeOpen
	}
	f := &v.plan.Frames[s.frame]
	if f.Whole {
		return placeMasked
	}
	box := s.face.Box
	var masks []track.Box
	for _, r := range f.Regions {
		b := track.Box{X: float64(r.Rect[0]), Y: float64(r.Rect[1]), W: float64(r.Rect[2]), H: float64(r.Rect[3])}
		if !r.Kept {
			masks = append(masks, b)
		} else if overlap(box, b) >= 0.5*box.W*box.H {
			return placeKept
		}
	}
	if unionShare(box, masks) >= coveredShare {
		return placeMasked
	}
	for _, d := range v.plan.Findings {
		// Whoever dismissed the quality of a stretch saw no face in it, and said so of none in particular.
		if d.Dismissed && d.Kind != decide.FindingQuality && s.frame >= d.First-findingGap && s.frame <= d.Last+findingGap && touches(box, d.Rect) {
			return placeKept
		}
	}
	return placeOpen
}

// findingGap is how many frames apart two sightings may be and still be one finding.
const findingGap = 12

// touches says whether a box lies by more than half inside a finding's rectangle.
func touches(b track.Box, r [4]int) bool {
	in := overlap(b, track.Box{X: float64(r[0]), Y: float64(r[1]), W: float64(r[2]), H: float64(r[3])})
	return in > 0.5*b.W*b.H
}

// overlap is the area that two boxes share.
func overlap(a, b track.Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	return max(w, 0) * max(h, 0)
}

// unionShare is the part of box that lies under the union of the masks, by a grid of sample points.
func unionShare(box track.Box, masks []track.Box) float64 {
	const grid = 12
	in := 0
	for gy := range grid {
		for gx := range grid {
			x, y := box.X+(float64(gx)+0.5)*box.W/grid, box.Y+(float64(gy)+0.5)*box.H/grid
			for _, m := range masks {
				if x >= m.X && x < m.X+m.W && y >= m.Y && y < m.Y+m.H {
					in++
					break
				}
			}
		}
	}
	return float64(in) / (grid * grid)
}

// findingsOf gathers sightings of neighbouring frames into findings within a picture, numbered in order.
func findingsOf(found []sighting, width, height int) []decide.Finding {
	var out []decide.Finding
	var last []track.Box
	var best []float64
	more := 0
	for _, s := range found {
		i := 0
		for ; i < len(out); i++ {
			if s.frame-out[i].Last <= findingGap && overlap(last[i], s.face.Box) >= sameFaceIoU*min(last[i].W*last[i].H, s.face.Box.W*s.face.Box.H) {
				break
			}
		}
		if i == len(out) {
			if i == maxFindings {
				more++
				continue
			}
			out = append(out, decide.Finding{Kind: decide.FindingFaceOutside, First: s.frame, Rect: rectOf(s.face.Box, width, height)})
			last = append(last, s.face.Box)
			best = append(best, 0)
		}
		out[i].Last = s.frame
		out[i].Rect = hull(out[i].Rect, rectOf(s.face.Box, width, height))
		last[i] = s.face.Box
		best[i] = max(best[i], s.face.Score)
	}
	for i := range out {
		out[i].Text = fmt.Sprintf("a face may be visible (frames %d to %d, score %.2f)", out[i].First, out[i].Last, best[i])
	}
	if more > 0 {
		out[len(out)-1].Text += fmt.Sprintf("; %d further sightings are not listed", more)
	}
	return out
}

// rectOf rounds a box outwards and keeps it within a picture: a network may see a face continue beyond the edge.
func rectOf(b track.Box, width, height int) [4]int {
	x, y := min(int(max(b.X, 0)), width-1), min(int(max(b.Y, 0)), height-1)
	return [4]int{x, y, min(max(int(b.X+b.W+1), x+1), width) - x, min(max(int(b.Y+b.H+1), y+1), height) - y}
}

// hull is the smallest rectangle around both.
func hull(a, b [4]int) [4]int {
	x, y := min(a[0], b[0]), min(a[1], b[1])
	return [4]int{x, y, max(a[0]+a[2], b[0]+b[2]) - x, max(a[1]+a[3], b[1]+b[3]) - y}
}
