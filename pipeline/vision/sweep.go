package vision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// errClosed is what a sweep says that is used after its end.
var errClosed = errors.New("sweep is closed")

// SweepOptions say what pictures come.
type SweepOptions struct {
	// Width and Height are those of the pictures that are handed in, square pixels.
	Width, Height int
	// SourceWidth and SourceHeight are those of the coordinates that results are in.
	SourceWidth, SourceHeight int
	// Turn is by how many quarters, clockwise, 0 to 3, pictures are turned before anybody looks. Results are upright. A sweep that
	// turns measures no motion, so that whoever submits must say where scenes begin.
	Turn int
}

// Result is what was seen in one picture.
type Result struct {
	Index int // in order of Submit and Skip, from 0
	// Detections, Looks and Motion are in source coordinates.
	Detections []track.Detection
	Looks      []track.Look
	Turns      Turns    // of pictures that were looked at turned as well
	Searched   []string // the networks that looked
	NearDark   bool     // the networks looked, but the picture is too dark for them to be trusted
	Motion     track.Motion
	Err        error // nothing else counts where it is set
}

// Picture is one frame of the pool.
type Picture struct {
	// Time is the frame's presentation time in seconds, set by whoever submits it: frames far apart are looked at more closely.
	Time float64
	// Fresh says that a scene begins here, where whoever submits knows it; a sweep that measures motion finds out by itself.
	Fresh bool
	// Light says how to treat the picture's light, set by whoever submits it.
	Light Light

	mat   gocv.Mat
	bytes []byte
}

// Bytes is the picture's memory, bgr24, rows packed. It is the holder's until the picture is given back.
func (p *Picture) Bytes() []byte { return p.bytes }

// Sweep looks at the pictures of one clip. One goroutine gets and submits, one reads the results; Close may come from either.
//
// Every picture, skipped ones too, has a channel for its one result, and these channels stand in a queue in their order: that
// is what keeps results in order, whoever is done first.
type Sweep struct {
	opts    SweepOptions
	cancel  context.CancelFunc
	stopped <-chan struct{} // closed when the sweep was cancelled or closed
	why     func() error
	pool    chan *Picture
	all     []*Picture
	work    chan job
	queue   chan chan Result
	results chan Result
	running sync.WaitGroup

	passes []*lookPass
	motion bool // is measured, which takes every picture
	next   int
	prev   chan smallPicture // what the last submitted picture will leave for the next one
	last   float64           // time of the last picture
	looked []float64         // by pass: time of the last picture that it was due for
	done   sync.Once
	closed sync.Once
	err    error // of Close
}

// job is one picture on its way to a worker.
type job struct {
	index   int
	picture *Picture
	result  chan Result
	due     []bool            // by pass: looks at this picture
	sparse  bool              // the frame before lies far back
	before  chan smallPicture // the frame before's; nil for the first frame
	after   chan smallPicture // where this frame's goes, one slot
}

// ahead is how many results may wait for an earlier one: while one worker is at a frame that the slow network looks at, the others go
// on with the frames between, up to several such frames. A result holds no picture.
const ahead = 64

// spare is how many pictures the pool holds besides those being looked at: one being decoded, one waiting.
const spare = 2

// Sweep starts looking. The context ends it early; Close must be called in every case.
func (f *Finder) Sweep(ctx context.Context, o SweepOptions) (*Sweep, error) {
	for _, side := range []int{o.Width, o.Height, o.SourceWidth, o.SourceHeight} {
		if side < 1 || side > maxSide {
			return nil, fmt.Errorf("sweep: pictures of %dx%d for a source of %dx%d", o.Width, o.Height, o.SourceWidth, o.SourceHeight)
		}
	}
	if o.Turn < 0 || o.Turn > len(turns) {
		return nil, fmt.Errorf("sweep: pictures turned by %d quarters", o.Turn)
	}
	s := &Sweep{opts: o, pool: make(chan *Picture, f.threads+spare), work: make(chan job),
		queue: make(chan chan Result, max(ahead, f.threads+spare)), results: make(chan Result)}
	ctx, s.cancel = context.WithCancel(ctx)
	s.stopped = ctx.Done()
	s.why = func() error {
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return errClosed
	}
	if err := s.start(ctx, f); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start makes the pool and the workers.
func (s *Sweep) start(ctx context.Context, f *Finder) error {
	for range cap(s.pool) {
		p := &Picture{mat: gocv.NewMatWithSize(s.opts.Height, s.opts.Width, gocv.MatTypeCV8UC3)}
		s.all = append(s.all, p)
		var err error
		if p.bytes, err = p.mat.DataPtrUint8(); err != nil || len(p.bytes) != 3*s.opts.Width*s.opts.Height {
			return fmt.Errorf("allocate picture of %dx%d: %d bytes: %w", s.opts.Width, s.opts.Height, len(p.bytes), err)
		}
		s.pool <- p
	}
	for _, p := range f.recipe.passes {
		lp, err := newLookPass(f, p, s.opts)
		if err != nil {
			return err
		}
		s.passes = append(s.passes, lp)
	}
	s.looked = make([]float64, len(s.passes))
	s.motion = f.recipe.motion && s.opts.Turn == 0
	for range f.threads {
		l := newLooker(s.opts, s.passes, s.motion)
		s.running.Go(func() {
			s.look(ctx, l)
			l.close()
		})
	}
	s.running.Go(s.collect)
	trim() // what loading the networks took
	return nil
}

// Get lends a picture of the pool, waiting until one is free.
func (s *Sweep) Get(ctx context.Context) (*Picture, error) {
	select {
	case p := <-s.pool:
		return p, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.stopped:
		return nil, s.why()
	}
}

// Return gives a picture back that is not submitted.
func (s *Sweep) Return(p *Picture) { s.pool <- p }

// Submit hands a picture over; the order of calls is the order of presentation.
func (s *Sweep) Submit(ctx context.Context, p *Picture) error {
	j := job{index: s.next, picture: p, result: make(chan Result, 1), before: s.prev, after: make(chan smallPicture, 1)}
	j.due, j.sparse = s.schedule(p.Time)
	if err := s.enter(ctx, p.Time, j.due, j.result); err != nil {
		return err
	}
	s.prev = j.after
	select {
	case s.work <- j:
		return nil
	case <-ctx.Done():
		s.cancel()
		return context.Cause(ctx)
	case <-s.stopped:
		return s.why()
	}
}

// Wanted says whether anybody looks at the next picture, if its Time and Fresh are these. Where nobody does, Skip saves making it.
func (s *Sweep) Wanted(at float64, fresh bool) bool {
	due, _ := s.schedule(at)
	return s.motion || fresh || s.next == 0 || slices.Contains(due, true)
}

// Skip stands for the next picture, of this Time, where it is not wanted: it gets a result like any other. One that somebody is to look
// at is not skipped: that is an error.
func (s *Sweep) Skip(ctx context.Context, at float64) error {
	if s.Wanted(at, false) {
		return fmt.Errorf("skip picture %d: it is to be looked at", s.next)
	}
	due, _ := s.schedule(at)
	result := make(chan Result, 1)
	result <- Result{Index: s.next, Motion: still}
	return s.enter(ctx, at, due, result)
}

// enter gives the next picture its place among the results, and notes who looks at it.
func (s *Sweep) enter(ctx context.Context, at float64, due []bool, result chan Result) error {
	select {
	case s.queue <- result:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.stopped:
		return s.why()
	}
	s.advance(at, due)
	return nil
}

// advance moves on to the next picture.
func (s *Sweep) advance(at float64, due []bool) {
	s.next++
	s.last = at
	for i, look := range due {
		if look {
			s.looked[i] = at
		}
	}
}

// sparseSeconds is the time between two frames from which each is looked at with every scale, and frameSeconds what the recipes'
// counts of frames are meant for: in clips of few frames a second, or with a gap, a network looks as often as in others.
const (
	sparseSeconds = 0.06
	frameSeconds  = 0.04
)

// schedule says which passes look at the next picture.
func (s *Sweep) schedule(at float64) (due []bool, sparse bool) {
	const slack = 1e-6
	sparse = at-s.last >= sparseSeconds-slack
	for i, p := range s.passes {
		due = append(due, s.next%p.every == 0 || at-s.looked[i] >= float64(p.every)*frameSeconds-slack || sparse && p.lone)
	}
	return due, sparse
}

// Done says that no more pictures come. It may be called more than once.
func (s *Sweep) Done() {
	s.done.Do(func() {
		close(s.work)
		close(s.queue)
	})
}

// Results gives one result for each picture that was submitted or skipped, in order, and is closed after the last one, or early when the sweep
// was cancelled.
func (s *Sweep) Results() <-chan Result { return s.results }

// collect passes the results on in order.
func (s *Sweep) collect() {
	defer close(s.results)
	for {
		var slot chan Result
		var ok bool
		select {
		case slot, ok = <-s.queue:
		case <-s.stopped:
			return
		}
		if !ok {
			return
		}
		select {
		case r := <-slot:
			select {
			case s.results <- r:
			case <-s.stopped:
				return
			}
		case <-s.stopped:
			return
		}
	}
}

// look is one worker.
func (s *Sweep) look(ctx context.Context, l *looker) {
	for {
		select {
		case j, ok := <-s.work:
			if !ok {
				return
			}
			j.result <- l.look(ctx, j)
			s.pool <- j.picture
		case <-s.stopped:
			return
		}
	}
}

// Stop ends the sweep early, for whoever submits as well. Close is still to be called, when nobody holds a picture any more.
func (s *Sweep) Stop() { s.cancel() }

// Close ends the sweep, waits for its workers and frees every picture; none may be used afterwards.
func (s *Sweep) Close() error {
	s.closed.Do(func() {
		s.cancel()
		s.running.Wait()
		for _, p := range s.passes {
			s.err = errors.Join(s.err, p.close())
		}
		for _, p := range s.all {
			s.err = errors.Join(s.err, p.mat.Close())
		}
	})
	return s.err
}
