package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/vision"
	"veil/pipeline/vision/obscure"
)

// Names of the checks.
const (
	checkStreams   = "streams"
	checkContainer = "container"
	checkFrames    = "frames"
	checkStamps    = "time_stamps"
	checkMasks     = "masks_hold_fill"
	checkUntouched = "untouched_area"
	checkFaces     = "faces"
)

// CheckNames are the names of all checks that Verify makes. A result that lacks one says nothing good about the derivative.
func CheckNames() []string {
	return []string{checkStreams, checkContainer, checkFrames, checkStamps, checkMasks, checkUntouched, checkFaces}
}

// Missing lists the checks that a result does not tell of.
func (r VerifyResult) Missing() []string {
	return slices.DeleteFunc(CheckNames(), func(name string) bool {
		return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name })
	})
}

// verifyGrow is how far around a mask, in pixels, the codec may smear it: one block.
const verifyGrow = 16

// frameSlack is how far, in dB, one frame's untouched area may stay below the figure that the whole clip must reach.
const frameSlack = 8

// tolerance is the mean absolute difference, in 8-bit steps, that the codec may leave between a mask and its fill: over a
// whole area, and over one block of 16x16 samples in it. Smooth fills survive coding almost unchanged (at most 1.5 and 4.7
// at crf 26, where a dark face left bare differs by 6.5 and 14); the edges of a mosaic's cells do not.
type tolerance struct{ area, block float64 }

// toleranceOf is the tolerance for a fill.
func toleranceOf(fill string) tolerance {
	if fill == obscure.Solid || fill == obscure.Surround {
		return tolerance{area: 3, block: 8}
	}
	return tolerance{area: 6, block: 16}
}

// Verify looks at a finished file with fresh eyes: against the original and the plan, frame by frame, and once more with
// the detectors.
func (Direct) Verify(ctx context.Context, r VerifyRequest, events func(Event)) (VerifyResult, error) {
	start := time.Now()
	// Side by side: each takes some tenths of a second.
	var plan decide.Plan
	var source, derivative *media.Probe
	var noPlan, noSource, unreadable error
	var reading sync.WaitGroup
	reading.Go(func() { plan, noPlan = readPlan(r.Plan) })
	reading.Go(func() { source, noSource = media.Inspect(ctx, r.Config.Tools, r.In, r.Config.Limits) })
	reading.Go(func() { derivative, unreadable = media.Inspect(ctx, r.Config.Tools, r.Out, media.Limits{}) })
	reading.Wait()
	if err := cmp.Or(noPlan, noSource); err != nil {
		return VerifyResult{}, err
	}
	if err := fits(plan, source); err != nil {
		return VerifyResult{}, err
	}
	target, err := media.NewTarget(source, plan.Policy.Profile)
	if err != nil {
		return VerifyResult{}, err
	}
	if unreadable != nil {
		return VerifyResult{}, fmt.Errorf("%w: derivative: %w", ErrVerify, unreadable)
	}
	v := &verifier{request: r, plan: plan, source: source, derivative: derivative, target: target, events: events}
	v.checkStreams()
	if err := v.checkContainer(ctx); err != nil {
		return VerifyResult{}, err
	}
	if err := v.compare(ctx); err != nil {
		return VerifyResult{}, err
	}
	if err := v.lookAgain(ctx); err != nil {
		return VerifyResult{}, err
	}
	if ctx.Err() != nil {
		return VerifyResult{}, context.Cause(ctx)
	}
	v.result.Seconds = time.Since(start).Seconds()
	return v.result, nil
}

// verifier is one check under way.
type verifier struct {
	request            VerifyRequest
	plan               decide.Plan
	source, derivative *media.Probe
	target             *media.Target
	shown              *Shown     // what the derivative shows
	searchApart        bool       // the search decodes the derivative for itself
	watched            *seenFaces // what was seen of it upright while it was compared; nil: nobody looked
	confirms           int        // passes through the source for what was seen in the open
	result             VerifyResult
	events             func(Event)
}

// passes is how often the derivative is gone through: for the comparison and the search, which are one pass where the search needs no
// pictures of its own, and once more for each turn; and the source, as far as by now it has to be held against what was seen in the open.
func (v *verifier) passes() int {
	n := 1 + len(v.plan.Analysis.Turned) + v.confirms
	if v.searchApart {
		n++
	}
	return n
}

// tell says how many frames are done of a pass, from 0.
func (v *verifier) tell(pass, done int) {
	frames := len(v.plan.Frames)
	tell(v.events, Event{Stage: "verify", Done: int64(pass*frames + min(done, frames)), Total: int64(v.passes() * frames)})
}

// note records a check's result; faults empty means that it passed.
func (v *verifier) note(name, passed string, faults []string) {
	c := Check{Name: name, Result: "passed", Text: passed}
	if len(faults) > 0 {
		c.Result, c.Text = "failed", faults[0]
		if len(faults) > 1 {
			c.Text = fmt.Sprintf("%s (and %d more)", c.Text, len(faults)-1)
		}
	}
	v.result.Checks = append(v.result.Checks, c)
}

// checkStreams looks at what the container holds: one video stream of the planned shape, at most one audio stream.
func (v *verifier) checkStreams() {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	d, l := v.derivative, v.target.View.Layout
	audio := 0
	if v.plan.Policy.Audio == "keep" && len(v.source.Audio) > 0 {
		audio = 1
	}
	if n := d.Streams; n != 1+audio {
		fault("%d streams instead of %d", n, 1+audio)
	}
	if len(d.Audio) != audio {
		fault("%d audio streams instead of %d", len(d.Audio), audio)
	}
	if d.Video.Width != l.Width || d.Video.Height != l.Height || d.Video.Format != l.Format {
		fault("picture is %dx%d %s instead of %dx%d %s", d.Video.Width, d.Video.Height, d.Video.Format, l.Width, l.Height, l.Format)
	}
	if d.Video.Turn != media.TurnNone {
		fault("a rotation is left in the container")
	}
	if d.Video.HiddenFrames != 0 {
		fault("%d frames are hidden by an edit list", d.Video.HiddenFrames)
	}
	if !sameAspect(d.Video.SAR, v.source.Video.SAR) {
		fault("sample aspect ratio is %s instead of %s", d.Video.SAR, v.source.Video.SAR)
	}
	for _, r := range d.Removed {
		fault("holds %s", r.Kind)
	}
	v.note(checkStreams, fmt.Sprintf("one video stream %dx%d %s, %d audio", l.Width, l.Height, l.Format, audio), faults)
}

// maxAspectPart is the largest part of a sample aspect ratio that H.264 can write.
const maxAspectPart = 1<<16 - 1

// sameAspect compares the derivative's sample aspect ratio with the source's; unknown is square. A ratio whose parts are too
// large for H.264 comes out as the nearest one that fits.
func sameAspect(got, source media.Rational) bool {
	square := func(r media.Rational) media.Rational {
		if r.Num <= 0 || r.Den <= 0 {
			return media.Rational{Num: 1, Den: 1}
		}
		return r
	}
	got, source = square(got), square(source)
	if max(source.Num, source.Den) > maxAspectPart {
		return math.Abs(got.Float()/source.Float()-1) <= 1.0/maxAspectPart
	}
	return got.Num*source.Den == source.Num*got.Den
}

// pair is one frame of the original, turned into what it should have become, and what the derivative shows.
type pair struct {
	want, got shot
}

// compare decodes original and derivative side by side, and has the derivative watched, so that it is decoded once.
func (v *verifier) compare(ctx context.Context) error {
	layout := v.target.View.Layout
	if v.derivative.Video.Width != layout.Width || v.derivative.Video.Height != layout.Height || v.derivative.Video.Format != layout.Format {
		v.note(checkFrames, "", []string{"not comparable: the picture has another shape"})
		v.searchApart = true
		return nil
	}
	planar, err := vision.NewPlanar(&v.derivative.Video, layout)
	if errors.Is(err, vision.ErrColours) {
		v.searchApart = true
	} else if err != nil {
		return err
	} else {
		defer planar.Close()
	}
	painter, err := obscure.New(layout, v.plan.Policy.Fill)
	if err != nil {
		return err
	}
	sums, err := obscure.NewComparison(layout, verifyGrow)
	if err != nil {
		return err
	}
	c := &comparer{v: v, painter: painter, layout: layout, sums: sums, contact: newContact(v, layout), label: v.plan.Labels()}
	free, freeGot := make(chan []byte, renderBuffers), make(chan []byte, renderBuffers)
	for range renderBuffers {
		free <- make([]byte, layout.Size())
		freeGot <- make([]byte, layout.Size())
	}
	want, got := make(chan shot), make(chan shot)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(want)
		p := &planned{tools: v.request.Config.Tools, in: v.request.In, probe: v.source, plan: &v.plan, view: v.target.View}
		return p.read(gctx, free, want)
	})
	group.Go(func() error {
		defer close(got)
		return v.readDerivative(gctx, layout, planar, freeGot, got)
	})
	group.Go(func() error {
		for {
			w, okw := <-want
			g, okg := <-got
			if !okw || !okg {
				c.drain(okw, want, free)
				c.got += c.drain(okg, got, freeGot)
				return nil
			}
			c.got++
			if err := c.look(pair{want: w, got: g}); err != nil {
				return err
			}
			free <- w.pixels
			freeGot <- g.pixels
			v.tell(0, c.got)
		}
	})
	if err := group.Wait(); err != nil {
		return err
	}
	c.conclude()
	if path := v.request.FramesOut; path != "" {
		if err := writeJSON(path, v.shown); err != nil {
			return err
		}
	}
	return c.contact.write(v.request.SheetOut)
}

// readDerivative decodes the finished file, and has it watched where a planar is given; damage there is a failed verification.
func (v *verifier) readDerivative(ctx context.Context, l media.Layout, planar *vision.Planar, free <-chan []byte, out chan<- shot) error {
	view := media.PlainView(v.derivative)
	if view.Layout != l {
		return fmt.Errorf("%w: derivative decodes to another layout", ErrVerify)
	}
	v.shown = newShown(v.derivative.Video, l)
	dec, err := media.Decode(ctx, v.request.Config.Tools, v.request.Out, v.derivative, view, nil)
	if err != nil {
		return fmt.Errorf("%w: decode derivative: %w", ErrVerify, err)
	}
	each := func(info media.FrameInfo, frame []byte) error { return nil }
	if planar == nil {
		return errors.Join(v.eachFrame(ctx, dec, each, free, out), dec.Close())
	}
	w, err := v.newWatch(ctx, planar)
	if err != nil {
		return errors.Join(err, dec.Close())
	}
	defer w.close()
	each = func(info media.FrameInfo, frame []byte) error { return w.take(ctx, info.PTS, frame) }
	if err := errors.Join(v.eachFrame(ctx, dec, each, free, out), dec.Close()); err != nil {
		return w.fail(err)
	}
	v.watched, err = w.end(ctx)
	return err
}

// eachFrame goes through the finished file: each frame is noted, told to each and sent out.
func (v *verifier) eachFrame(ctx context.Context, dec *media.Decoder, each func(media.FrameInfo, []byte) error, free <-chan []byte, out chan<- shot) error {
	for {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		info, err := dec.Next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && info.Damaged {
			err = fmt.Errorf("frame %d is damaged (%s)", info.Number, info.Why)
		}
		if err != nil {
			return fmt.Errorf("%w: decode derivative: %w", ErrVerify, err)
		}
		v.shown.add(info.PTS, buf)
		if err := each(info, buf); err != nil {
			return err
		}
		select {
		case out <- shot{info: info, pixels: buf}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// comparer gathers what the frame-by-frame comparison shows.
type comparer struct {
	v       *verifier
	painter *obscure.Painter
	layout  media.Layout
	sums    *obscure.Comparison
	contact *contact
	label   func(*decide.Region) string

	seen, got   int     // frames compared, frames that the derivative has
	offset      float64 // seconds that the derivative's clock is ahead of the source's
	stampFaults []string
}

// drain reads what is left of one side after the other has ended, and counts it.
func (c *comparer) drain(first bool, left <-chan shot, free chan<- []byte) int {
	n := 0
	if first {
		n++
	}
	for s := range left {
		free <- s.pixels
		n++
	}
	return n
}

// look compares one pair.
func (c *comparer) look(p pair) error {
	i := p.want.info.Number
	f := &c.v.plan.Frames[i]
	c.stamp(i, p)
	if err := c.contact.take(p); err != nil {
		return err
	}
	areas := areasOf(f, c.v.plan.Source, c.layout, c.label)
	var err error
	if f.Whole {
		areas = []obscure.Area{{W: c.layout.Width, H: c.layout.Height}}
		err = c.painter.PaintWhole(p.want.pixels)
	} else {
		err = c.painter.Paint(p.want.pixels, areas)
	}
	if err != nil {
		return err
	}
	c.seen++
	return c.sums.Add(p.want.pixels, p.got.pixels, areas)
}

// stamp checks that the derivative's clock runs as the source's, after one offset, within one tick.
func (c *comparer) stamp(i int, p pair) {
	tick := c.v.source.Video.TimeBase.Float()
	want := float64(c.v.plan.Frames[i].PTS) * tick
	got := float64(p.got.info.PTS) * c.v.derivative.Video.TimeBase.Float()
	if i == 0 {
		c.offset = got - want
	}
	if diff := math.Abs(got - want - c.offset); diff > tick*1.0001+1e-9 {
		c.stampFaults = append(c.stampFaults, fmt.Sprintf("frame %d is %.6f s off", i, diff))
	}
}

// conclude writes the checks.
func (c *comparer) conclude() {
	n := len(c.v.plan.Frames)
	var faults []string
	if c.seen != n || c.got != n {
		faults = append(faults, fmt.Sprintf("derivative has %d frames, the plan %d", c.got, n))
	}
	c.v.note(checkFrames, fmt.Sprintf("%d frames", n), faults)
	c.v.note(checkStamps, fmt.Sprintf("all within one tick, offset %.6f s", c.offset), c.stampFaults)
	c.v.note(checkMasks, fmt.Sprintf("%d areas, worst mean difference %.2f, worst block %.2f", c.sums.Areas, c.sums.Worst.Mean, c.sums.WorstBlock.Block), c.maskFaults())
	db, floor := c.sums.PSNR(), c.v.target.MinPSNR
	c.v.result.PSNR = db
	var soft []string
	if db < floor {
		soft = append(soft, fmt.Sprintf("PSNR %.1f dB, the profile asks for %.0f", db, floor))
	}
	if c.sums.WorstPSNR < floor-frameSlack {
		soft = append(soft, fmt.Sprintf("frame %d has PSNR %.1f dB", c.sums.WorstFrame, c.sums.WorstPSNR))
	}
	c.v.result.TooNoisy = len(soft) > 0
	c.v.note(checkUntouched, fmt.Sprintf("PSNR %.1f dB, worst frame %.1f dB", db, c.sums.WorstPSNR), soft)
}

// maskFaults tells of the worst area that does not hold its fill, as a whole or in one of its blocks.
func (c *comparer) maskFaults() []string {
	var faults []string
	limit := toleranceOf(c.v.plan.Policy.Fill)
	if w := c.sums.Worst; w.Mean > limit.area {
		faults = append(faults, fmt.Sprintf("frame %d: area %d differs from its fill by %.1f", w.Frame, w.Area, w.Mean))
	}
	if w := c.sums.WorstBlock; w.Block > limit.block {
		faults = append(faults, fmt.Sprintf("frame %d: a block of area %d differs from its fill by %.1f", w.Frame, w.Area, w.Block))
	}
	return faults
}
