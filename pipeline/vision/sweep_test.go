package vision

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// feed submits n pictures with one drawn face that moves by step pixels a frame.
func feed(ctx context.Context, s *Sweep, o SweepOptions, n, step int) error {
	defer s.Done()
	for i := range n {
		p, err := s.Get(ctx)
		if err != nil {
			return err
		}
		for k := range p.Bytes() {
			p.Bytes()[k] = 110
		}
		DrawFace(p.Bytes(), o.Width, o.Height, faceAt(i, step))
		if err := s.Submit(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// faceAt is where the face is in frame i.
func faceAt(i, step int) track.Box {
	return track.Box{X: 20 + float64(i*step), Y: 60, W: 72, H: 92}
}

func TestSweepKeepsOrderAndCoordinates(t *testing.T) {
	f := open(t, Options{Threads: 3})
	o := SweepOptions{Width: 480, Height: 270, SourceWidth: 960, SourceHeight: 540}
	s, err := f.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const n, step = 23, 13
	fed := make(chan error, 1)
	go func() { fed <- feed(t.Context(), s, o, n, step) }()
	i := 0
	for r := range s.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if r.Index != i {
			t.Fatalf("result %d comes at place %d", r.Index, i)
		}
		want := faceAt(i, step)
		want = track.Box{X: 2 * want.X, Y: 2 * want.Y, W: 2 * want.W, H: 2 * want.H}
		for _, name := range r.Searched {
			best := 0.0
			for _, d := range r.Detections {
				if d.Detector == name {
					best = max(best, iou(d.Box, want))
				}
			}
			if best < 0.5 {
				t.Errorf("frame %d: %s overlaps the face by %.2f", i, name, best)
			}
		}
		// YuNet looks at every second frame, CenterFace at every fifth, and both where a scene begins.
		if slices.Contains(r.Searched, YuNet) != (i%2 == 0 || r.Motion.Cut) || slices.Contains(r.Searched, CenterFace) != (i%5 == 0 || r.Motion.Cut) {
			t.Errorf("frame %d: searched by %v", i, r.Searched)
		}
		i++
	}
	if err := errors.Join(<-fed, s.Close()); err != nil {
		t.Fatal(err)
	}
	if i != n {
		t.Errorf("%d results of %d", i, n)
	}
}

func TestSweepEndsWhenCancelled(t *testing.T) {
	f := open(t, Options{Threads: 2})
	o := SweepOptions{Width: 480, Height: 270, SourceWidth: 480, SourceHeight: 270}
	for _, how := range []string{"context", "close"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := f.Sweep(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			fed := make(chan error, 1)
			go func() { fed <- feed(ctx, s, o, 1000, 0) }()
			for r := range s.Results() {
				if r.Index == 2 {
					break
				}
			}
			if how == "context" {
				cancel()
			}
			start := time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-fed; err == nil {
				t.Error("feeding went on after the end")
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("ending took %v", d)
			}
		})
	}
}

func TestPoolIsTheBackpressure(t *testing.T) {
	f := open(t, Options{Threads: 1})
	s, err := f.Sweep(t.Context(), SweepOptions{Width: 64, Height: 64, SourceWidth: 64, SourceHeight: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var held []*Picture
	for range 1 + spare {
		p, err := s.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, p)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a picture beyond the pool: %v", err)
	}
	s.Return(held[0])
	if _, err := s.Get(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSweepRefusesSizes(t *testing.T) {
	f := open(t, Options{Threads: 1})
	for _, o := range []SweepOptions{{}, {Width: -1, Height: 5, SourceWidth: 5, SourceHeight: 5}, {Width: 9000, Height: 9000, SourceWidth: 1, SourceHeight: 1},
		{Width: 5, Height: 5, SourceWidth: 5, SourceHeight: 5, Turn: 4}, {Width: 5, Height: 5, SourceWidth: 5, SourceHeight: 5, Turn: -1}} {
		if s, err := f.Sweep(t.Context(), o); err == nil {
			t.Errorf("%+v: accepted", o)
			s.Close()
		}
	}
}

// TestOddPictures: whatever the size, a look ends well.
func TestOddPictures(t *testing.T) {
	f := open(t, Options{Threads: 2})
	for _, o := range []SweepOptions{{1, 1, 1, 1, 0}, {2, 300, 2, 300, 1}, {300, 3, 300, 3, 3}, {33, 31, 66, 62, 2}} {
		s, err := f.Sweep(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			p, err := s.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			clear(p.Bytes())
			if err := s.Submit(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		s.Done()
		for r := range s.Results() {
			if r.Err != nil {
				t.Errorf("%+v: %v", o, r.Err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// slowEngine is an engine whose CenterFace answers its first question only after YuNet has answered a number of them.
type slowEngine struct {
	engine
	asked atomic.Bool
	idle  atomic.Bool // YuNet never got there
	yunet atomic.Int32
	want  int32
	after chan struct{} // closed when YuNet has
}

func (e *slowEngine) load(g graph) (session, error) {
	s, err := e.engine.load(g)
	return &slowSession{session: s, engine: e, name: g.name}, err
}

type slowSession struct {
	session
	engine *slowEngine
	name   string
}

func (s *slowSession) forward(b *blob, read func([][]float32) error) error {
	switch s.name {
	case YuNet:
		if s.engine.yunet.Add(1) == s.engine.want {
			close(s.engine.after)
		}
	case CenterFace:
		if s.engine.asked.CompareAndSwap(false, true) {
			select {
			case <-s.engine.after:
			case <-time.After(30 * time.Second):
				s.engine.idle.Store(true)
			}
		}
	}
	return s.session.forward(b, read)
}

// TestNoFrameWaitsForASlowOne: while one worker is at a frame that takes long, another looks at what comes, past the next frame of
// the slow network.
func TestNoFrameWaitsForASlowOne(t *testing.T) {
	f := open(t, Options{Threads: 2})
	e := &slowEngine{engine: f.engine, want: 18, after: make(chan struct{})}
	f.engine = e
	o := SweepOptions{Width: 160, Height: 90, SourceWidth: 160, SourceHeight: 90}
	s, err := f.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer s.Done()
		for i := range 40 {
			p, err := s.Get(t.Context())
			if err != nil {
				return
			}
			clear(p.Bytes())
			p.Time = float64(i) / 25
			if s.Submit(t.Context(), p) != nil {
				return
			}
		}
	}()
	n := 0
	for r := range s.Results() {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		n++
	}
	if e.idle.Load() {
		t.Error("the other frames waited")
	}
	if err := s.Close(); err != nil || n != 40 {
		t.Errorf("%d results, %v", n, err)
	}
}

// lookOnce is what a sweep sees in a single picture, in bgr24.
func lookOnce(t testing.TB, f *Finder, o SweepOptions, picture gocv.Mat) Result {
	t.Helper()
	s, err := f.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := s.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	picture.CopyTo(&p.mat)
	if err := s.Submit(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.Done()
	return <-s.Results()
}

// TestSkippedIsAPictureThatNobodyLooksAt: a sweep to which only wanted pictures are handed in tells the same as one that gets them all.
func TestSkippedIsAPictureThatNobodyLooksAt(t *testing.T) {
	f := open(t, Options{Threads: 2, Purpose: PurposeVerify})
	o := SweepOptions{Width: 480, Height: 270, SourceWidth: 480, SourceHeight: 270}
	const n = 22
	fresh := func(i int) bool { return i == 9 }
	at := func(i int) float64 { // a gap before frame 15
		if i < 15 {
			return float64(i) * 0.04
		}
		return float64(i)*0.04 + 1
	}
	results := func(pass bool) (all []Result, made int) {
		s, err := f.Sweep(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fed := make(chan error, 1)
		go func() {
			defer s.Done()
			for i := range n {
				if pass && !s.Wanted(at(i), fresh(i)) {
					if err := s.Skip(t.Context(), at(i)); err != nil {
						fed <- err
						return
					}
					continue
				}
				if pass && s.Wanted(at(i), false) && s.Skip(t.Context(), at(i)) == nil {
					fed <- fmt.Errorf("picture %d was skipped, and is to be looked at", i)
					return
				}
				made++
				p, err := s.Get(t.Context())
				if err != nil {
					fed <- err
					return
				}
				for k := range p.Bytes() {
					p.Bytes()[k] = 110
				}
				DrawFace(p.Bytes(), o.Width, o.Height, faceAt(i, 9))
				p.Time, p.Fresh = at(i), fresh(i)
				if err := s.Submit(t.Context(), p); err != nil {
					fed <- err
					return
				}
			}
			fed <- nil
		}()
		for r := range s.Results() {
			all = append(all, r)
		}
		if err := <-fed; err != nil {
			t.Fatal(err)
		}
		return all, made
	}
	every, _ := results(false)
	some, made := results(true)
	if len(every) != n || !reflect.DeepEqual(every, some) {
		t.Errorf("all handed in:\n%+v\nonly the wanted:\n%+v", every, some)
	}
	looked := 0
	for _, r := range every {
		if len(r.Searched) > 0 {
			looked++
		}
	}
	if made != looked || looked == n {
		t.Errorf("%d pictures were wanted, %d looked at", made, looked)
	}
}
