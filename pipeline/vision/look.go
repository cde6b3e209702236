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
	// A network that looks now and then is rarely wanted by many frames at once; each session costs memory.
	n := min(f.threads, max(1, (2*f.threads+p.every-1)/p.every))
	lp := &lookPass{pass: p, all: p.sizes(p.longs(), o.Width, o.Height), apart: f.recipe.apart, detectors: make(chan *netDetector, n)}
	for _, longs := range p.looks {
		lp.turns = append(lp.turns, p.sizes(longs, o.Width, o.Height))
	}
	for range n {
		d, err := newDetector(f.engine, networks[p.network], f.weights[p.network])
		if err != nil {
			return nil, errors.Join(err, lp.close())
		}
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

// find shows the picture to the network at some sizes, and turned where that is wanted. Boxes are in the picture's pixels.
func (p *lookPass) find(ctx context.Context, picture gocv.Mat, sizes []image.Point, turned bool) ([]track.Detection, error) {
	var d *netDetector
	select {
	case d = <-p.detectors:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { p.detectors <- d }()
	var all []found
	for _, size := range sizes {
		faces, err := d.detect(picture, size, p.threshold)
		if err != nil {
			return nil, err
		}
		for _, f := range faces {
			f.long = max(size.X, size.Y)
			all = append(all, f)
		}
	}
	if turned {
		faces, err := findTurned(d, picture, p.turning, p.size(p.turning.long, picture.Cols(), picture.Rows()))
		if err != nil {
			return nil, err
		}
		all = append(all, faces...)
	}
	switch {
	case !turned && len(sizes) == 1:
	case p.apart:
		all = agree(all, d.net.maxIoU)
	default:
		all = suppress(all, d.net.maxIoU)
	}
	out := make([]track.Detection, len(all))
	for i, f := range all {
		out[i] = track.Detection{Box: f.box, Score: f.score, Detector: p.network, Long: f.long}
	}
	return out, nil
}

// looker is what one worker needs to look at a picture; it is for one goroutine.
type looker struct {
	opts   SweepOptions
	passes []*lookPass
	motion *motionMeter // nil where motion is not wanted
	light  *lightMeter
}

func newLooker(o SweepOptions, passes []*lookPass, motion bool) *looker {
	l := &looker{opts: o, passes: passes, light: newLightMeter()}
	if motion {
		l.motion = newMotionMeter(o)
	}
	return l
}

func (l *looker) close() {
	l.light.close()
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
		l.light.normalise(&j.picture.mat)
	}
	for i, p := range l.passes {
		if !j.due[i] && !fresh {
			continue
		}
		turned := p.turning.every > 0 && (j.index%p.turning.every == 0 || fresh || j.sparse)
		faces, err := p.find(ctx, j.picture.mat, p.sizesAt(j.index, fresh || j.sparse), turned)
		if err != nil {
			r.Err = fmt.Errorf("look at frame %d: %w", j.index, err)
			return r
		}
		r.Searched = append(r.Searched, p.network)
		r.Detections = append(r.Detections, l.toSource(faces)...)
	}
	return r
}

// toSource moves boxes from the picture's pixels to the source's.
func (l *looker) toSource(faces []track.Detection) []track.Detection {
	sx := float64(l.opts.SourceWidth) / float64(l.opts.Width)
	sy := float64(l.opts.SourceHeight) / float64(l.opts.Height)
	for i := range faces {
		b := &faces[i].Box
		b.X, b.W, b.Y, b.H = b.X*sx, b.W*sx, b.Y*sy, b.H*sy
	}
	return faces
}
