package pipeline

import (
	"context"
	"errors"
	"fmt"

	"veil/pipeline/media"
	"veil/pipeline/vision"
)

// watch shows the derivative to the verifier's networks while it is decoded for the comparison, so that it is decoded once, and makes
// pictures of those frames only that somebody looks at. It is for one goroutine.
type watch struct {
	v      *verifier
	planar *vision.Planar
	finder *vision.Finder
	sweep  *vision.Sweep
	fed    int
	shown  int        // of these, those that the networks were to look at
	seen   *seenFaces // after done
	done   chan error // of whoever takes in the results
}

// newWatch opens the networks. The planar is the caller's.
func (v *verifier) newWatch(ctx context.Context, planar *vision.Planar) (*watch, error) {
	finder, err := v.openFinder(ctx)
	if err != nil {
		return nil, err
	}
	sweep, err := v.sweep(ctx, finder, media.AnalysisView(v.derivative, finder.Long()), 0)
	if err != nil {
		return nil, errors.Join(err, finder.Close())
	}
	w := &watch{v: v, planar: planar, finder: finder, sweep: sweep, done: make(chan error, 1)}
	go func() {
		seen, err := gather(sweep, func(int) {})
		w.seen = seen
		w.done <- err
	}()
	return w, nil
}

// take shows the next frame.
func (w *watch) take(ctx context.Context, pts int64, frame []byte) error {
	at, fresh := w.v.moment(w.fed, pts)
	w.fed++
	if !w.sweep.Wanted(at, fresh) {
		return w.sweep.Skip(ctx, at)
	}
	pic, err := w.sweep.Get(ctx)
	if err != nil {
		return err
	}
	if err := w.planar.Fill(pic, frame); err != nil {
		w.sweep.Return(pic)
		return err
	}
	pic.Time, pic.Fresh = at, fresh
	w.shown++
	return w.sweep.Submit(ctx, pic)
}

// fail stops what is under way after an error, and adds what stopped the networks, if that came first and not from here.
func (w *watch) fail(err error) error {
	w.sweep.Stop()
	if first := <-w.done; first != nil && !errors.Is(first, context.Canceled) {
		return errors.Join(first, err)
	}
	return err
}

// end says that no more frames come, waits for what is under way and gives what was seen.
func (w *watch) end(ctx context.Context) (*seenFaces, error) {
	w.sweep.Done()
	err := <-w.done
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if w.seen.looked != w.shown {
		return nil, fmt.Errorf("%w: %d of %d pictures of the derivative were looked at", ErrVerify, w.seen.looked, w.shown)
	}
	return w.seen, w.seen.all(w.fed)
}

// close stops what is under way and frees all but the planar.
func (w *watch) close() error { return errors.Join(w.sweep.Close(), w.finder.Close()) }
