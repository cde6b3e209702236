package vision

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// lookPass is a pass made ready for the pictures of one sweep: its sizes, and as many detectors as may be needed at once.
type lookPass struct {
	pass
	turns     [][]image.Point // sizes of the looks that take turns
	all       []image.Point   // sizes of all looks
	apart     bool
	detectors chan *netDetector
}

// newLookPass opens the detectors.
func newLookPass(f *Finder, p pass, o SweepOptions) (*lookPass, error) {
	// A network that looks now and then is rarely wanted by many frames at once, and each session costs memory; but one more than
	// that, as a worker that waits for the slow network is a core that does nothing.
	n := min(f.threads, 1+(2*f.threads+p.every-1)/p.every)
	w, h := o.Width, o.Height
	if o.Turn%2 == 1 {
		w, h = h, w
	}
	lp := &lookPass{pass: p, all: p.sizes(p.longs(), w, h), apart: f.recipe.apart, detectors: make(chan *netDetector, n)}
	for _, longs := range p.looks {
		lp.turns = append(lp.turns, p.sizes(longs, w, h))
	}
	for range n {
		d, err := newDetector(f.engine, networks[p.network], f.weights[p.network])
		if err != nil {
			return nil, errors.Join(err, lp.close())
		}
		d.raw = p.raw
		lp.detectors <- d
	}
	return lp, nil
}

// close closes the detectors; all of them must have been put back.
func (p *lookPass) close() error {
	var errs []error
	for {
		select {
		case d := <-p.detectors:
			errs = append(errs, d.close())
		default:
			return errors.Join(errs...)
		}
	}
}

// sizesAt is how a frame is looked at: as its turn wants, or at every size where a scene begins or frames are far apart.
func (p *lookPass) sizesAt(frame int, all bool) []image.Point {
	if all {
		return p.all
	}
	return p.turns[frame/p.every%len(p.turns)]
}

// borrow waits for a detector, which goes back into p.detectors.
func (p *lookPass) borrow(ctx context.Context) (*netDetector, error) {
	select {
	case d := <-p.detectors:
		return d, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// find shows the picture to the network at some sizes, and turned at the long sides that are given for that: only then it says how
// the faces are turned. Boxes are in the picture's pixels.
func (p *lookPass) find(ctx context.Context, picture gocv.Mat, sizes []image.Point, turned []int) ([]track.Detection, Turns, error) {
	var turns Turns
	d, err := p.borrow(ctx)
	if err != nil {
		return nil, turns, err
	}
	defer func() { p.detectors <- d }()
	var all []found
	for _, size := range sizes {
		faces, err := d.detect(picture, size, p.threshold)
		if err != nil {
			return nil, turns, err
		}
		for _, f := range faces {
			f.long = max(size.X, size.Y)
			all = append(all, f)
		}
	}
	for _, size := range p.sizes(turned, picture.Cols(), picture.Rows()) {
		faces, err := findTurned(d, picture, p.turning, size)
		if err != nil {
			return nil, turns, err
		}
		all = append(all, faces...)
	}
	if len(turned) > 0 {
		clear, err := p.uprightToo(d, picture, sizes, turned)
		if err != nil {
			return nil, turns, err
		}
		turns = clearest(append(clear, all...), d.net.maxIoU)
		// What only a wide look saw says how the clip is turned, and no more: it comes too seldom to make a track.
		all = slices.DeleteFunc(all, func(f found) bool { return f.turn > 0 && f.long > p.turning.long })
	}
	switch {
	case p.raw, len(turned) == 0 && len(sizes) == 1:
	case p.apart:
		all = agree(all, d.net.maxIoU)
	default:
		all = suppress(all, d.net.maxIoU)
	}
	out := make([]track.Detection, len(all))
	for i, f := range all {
		out[i] = track.Detection{Box: f.box, Score: f.score, Detector: p.network, Long: f.long}
	}
	return out, turns, nil
}

// uprightToo shows the picture upright at the sizes at which it was seen turned, if that was not done already: a face too large or too
// small for the other sizes is not clearer turned.
func (p *lookPass) uprightToo(d *netDetector, picture gocv.Mat, done []image.Point, turned []int) ([]found, error) {
	var all []found
	for _, size := range p.sizes(turned, picture.Cols(), picture.Rows()) {
		if slices.Contains(done, size) {
			continue
		}
		faces, err := d.detect(picture, size, p.threshold)
		if err != nil {
			return nil, err
		}
		all = append(all, faces...)
	}
	return all, nil
}

// looker is what one worker needs to look at a picture; it is for one goroutine.
type looker struct {
	opts   SweepOptions
	passes []*lookPass
	motion *motionMeter // nil where motion is not wanted
	light  *lightMeter
	face   *closeUp // that is looked at closer
	turned gocv.Mat // the picture as SweepOptions.Turn wants it
}

func newLooker(o SweepOptions, passes []*lookPass, motion bool) *looker {
	l := &looker{opts: o, passes: passes, light: newLightMeter(), face: newCloseUp(), turned: gocv.NewMat()}
	if motion {
		l.motion = newMotionMeter(o)
	}
	return l
}

func (l *looker) close() {
	l.light.close()
	l.face.close()
	l.turned.Close()
	if l.motion != nil {
		l.motion.close()
	}
}

// look does everything there is to do for one picture, and may change the picture: nobody sees it afterwards.
func (l *looker) look(ctx context.Context, j job) Result {
	r := Result{Index: j.index, Motion: still}
	if l.motion != nil {
		small := l.motion.shrink(j.picture.mat)
		if j.before == nil {
			j.after <- small
		} else {
			select {
			case before := <-j.before:
				small.follow(before)
				j.after <- small
				r.Motion = l.motion.measure(before, small)
			case <-ctx.Done():
				r.Err = context.Cause(ctx)
				return r
			}
		}
	}
	fresh := j.index == 0 || r.Motion.Cut || j.picture.Fresh
	if fresh || slices.Contains(j.due, true) {
		r.NearDark = l.light.nearDark(j.picture.mat)
		l.light.normalise(&j.picture.mat, j.picture.Light)
	}
	shown := j.picture.mat
	if l.opts.Turn > 0 && (fresh || slices.Contains(j.due, true)) {
		gocv.Rotate(shown, &l.turned, turns[l.opts.Turn-1].how)
		shown = l.turned
	}
	var seen []track.Detection
	for i, p := range l.passes {
		if !j.due[i] && !fresh {
			continue
		}
		var turned []int
		if l.opts.Turn == 0 {
			turned = p.turning.longs(j.index, fresh || j.sparse)
		}
		faces, turns, err := p.find(ctx, shown, p.sizesAt(j.index, fresh || j.sparse), turned)
		if err != nil {
			r.Err = fmt.Errorf("look at frame %d: %w", j.index, err)
			return r
		}
		r.Turns.Add(turns)
		r.Searched = append(r.Searched, p.network)
		seen = append(seen, faces...)
		// By now the network that looks most often has been.
		if p.closer && l.opts.Turn == 0 {
			if r.Looks, err = p.lookCloser(ctx, l.face, shown, track.Faces(seen)); err != nil {
				r.Err = fmt.Errorf("look closer at frame %d: %w", j.index, err)
				return r
			}
		}
	}
	r.Detections = l.toSource(seen)
	for i := range r.Looks {
		l.scale(&r.Looks[i].Box)
	}
	return r
}

// toSource moves boxes from the pixels of the picture that was shown to the source's.
func (l *looker) toSource(faces []track.Detection) []track.Detection {
	if t := l.opts.Turn; t > 0 {
		for i := range faces {
			faces[i].Turn = t
			faces[i].Box = turns[t-1].back(faces[i].Box, float64(l.opts.Width), float64(l.opts.Height))
		}
	}
	for i := range faces {
		l.scale(&faces[i].Box)
	}
	return faces
}

// scale brings a box from the pixels of the picture as it was handed in to the source's.
func (l *looker) scale(b *track.Box) {
	sx := float64(l.opts.SourceWidth) / float64(l.opts.Width)
	sy := float64(l.opts.SourceHeight) / float64(l.opts.Height)
	b.X, b.W, b.Y, b.H = b.X*sx, b.W*sx, b.Y*sy, b.H*sy
}
