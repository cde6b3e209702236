package main

import (
	"context"
	"sync/atomic"
	"time"

	"veil/pipeline"
)

// stallWatch ends a context once nobody has signed for a while: a decoder that hangs says nothing and ends never.
type stallWatch struct {
	last   atomic.Int64
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// watchStall begins the watch; a limit of 0 watches nothing. End it.
func watchStall(ctx context.Context, limit time.Duration) (context.Context, *stallWatch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &stallWatch{cancel: cancel, done: make(chan struct{})}
	w.sign()
	go func() {
		defer close(w.done)
		if limit <= 0 {
			return
		}
		t := time.NewTicker(max(limit/10, time.Millisecond))
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-t.C:
				if now.Sub(time.Unix(0, w.last.Load())) > limit {
					cancel(errStalled)
					return
				}
			}
		}
	}()
	return ctx, w
}

func (w *stallWatch) sign() { w.last.Store(time.Now().UnixNano()) }

func (w *stallWatch) end() {
	w.cancel(nil)
	<-w.done
}

// stageTimer turns the pipeline's events into the job's progress, and the end of each stage into a log line.
type stageTimer struct {
	task  *task
	begun time.Time
	stage string
	since time.Time
}

func newStageTimer(t *task) *stageTimer {
	return &stageTimer{task: t, begun: time.Now(), since: time.Now()}
}

func (s *stageTimer) event(e pipeline.Event) {
	if e.Stage != s.stage {
		s.end()
		s.stage = e.Stage
	}
	if e.Total > 0 {
		s.task.attempt.Progress(e.Stage, int(100*e.Done/e.Total))
	}
	if e.Stage == stageDigest && e.Done == e.Total {
		s.end() // the next stage begins with the start of its process, long before its first event
	}
}

// stageDigest is the pipeline's own reading of the clip.
const stageDigest = "digest"

func (s *stageTimer) end() {
	if s.stage != "" {
		s.task.stageDone(s.stage, time.Since(s.since))
	}
	s.stage, s.since = "", time.Now()
}
