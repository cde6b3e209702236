package screen

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"veil/worker/failure"
	"veil/worker/jobs"
)

const (
	boardReload = 3 * time.Second        // the records are the truth: events only tell sooner
	boardRedraw = 200 * time.Millisecond // between two drawings
	followAgain = time.Second            // before the events are asked for again
	eventRoom   = 256                    // events that may wait
)

// Board keeps the views of some jobs up to date.
type Board struct {
	Queue *jobs.Queue
	IDs   []string              // just these, or
	Keep  func(jobs.State) bool // all that it keeps
	views map[string]View
}

// Screen shows a board: changed are the views that are not as they were.
type Screen interface {
	show(all, changed []View)
	close()
}

// Load reads all records anew.
func (b *Board) Load(ctx context.Context) error {
	fresh := map[string]View{}
	take := func(s jobs.State) { fresh[s.ID] = b.carry(ViewOf(s)) }
	for _, id := range b.IDs {
		s, err := b.Queue.State(ctx, id)
		if err != nil {
			return failure.OfJob(id, err)
		}
		take(s)
	}
	if b.IDs == nil {
		err := b.Queue.States(ctx, func(s jobs.State) bool {
			if b.Keep(s) {
				take(s)
			}
			return true
		})
		if err != nil {
			return failure.OfJob("", err)
		}
	}
	b.views = fresh
	return nil
}

// carry keeps the stage that was told of the same attempt.
func (b *Board) carry(v View) View {
	if have, ok := b.views[v.ID]; ok && v.Phase == jobs.Running && have.Generation == v.Generation && have.Attempt == v.Attempt {
		v.Stage, v.Percent = have.Stage, have.Percent
	}
	return v
}

// Stages asks for the last event of each running job.
func (b *Board) Stages(ctx context.Context) error {
	for id, v := range b.views {
		if v.Phase != jobs.Running {
			continue
		}
		e, err := b.Queue.LastEvent(ctx, id)
		if err != nil && !errors.Is(err, jobs.ErrNotFound) {
			return failure.OfJob(id, err)
		}
		b.views[id] = v.stage(e)
	}
	return nil
}

// hear takes an event in.
func (b *Board) hear(ctx context.Context, e jobs.Event) error {
	v, known := b.views[e.ID]
	if e.Event == jobs.EventStage {
		if known {
			b.views[e.ID] = v.stage(e)
		}
		return nil
	}
	if b.IDs != nil && !slices.Contains(b.IDs, e.ID) {
		return nil
	}
	s, err := b.Queue.State(ctx, e.ID)
	var newer *jobs.NewerError
	switch {
	case errors.Is(err, jobs.ErrNotFound), errors.As(err, &newer):
		delete(b.views, e.ID)
		return nil
	case err != nil:
		return failure.OfJob(e.ID, err)
	case b.Keep == nil || b.Keep(s):
		b.views[e.ID] = b.carry(ViewOf(s))
	default:
		delete(b.views, e.ID)
	}
	return nil
}

// All gives the views in order.
func (b *Board) All() []View {
	list := slices.Collect(maps.Values(b.views))
	sortViews(list)
	return list
}

// changed lists the views that are not as they were.
func changed(all []View, before map[string]View) (list []View) {
	for _, v := range all {
		if have, ok := before[v.ID]; !ok || have.Phase != v.Phase || have.Stage != v.Stage || have.Percent != v.Percent ||
			have.Generation != v.Generation || have.Attempt != v.Attempt {
			list = append(list, v)
		}
	}
	return list
}

// answered reports whether every job has its answer.
func (b *Board) answered() bool {
	for _, v := range b.views {
		if !v.Phase.Final() {
			return false
		}
	}
	return true
}

// Follow shows the board until every job has its answer, or, with forever, until ctx ends.
func (b *Board) Follow(ctx context.Context, sc Screen, forever bool) error {
	defer sc.close()
	began := time.Now().Add(-boardReload)
	if err := b.Load(ctx); err != nil {
		return err
	}
	if err := b.Stages(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	events := b.events(ctx, began)
	defer func() {
		cancel()
		for range events {
		}
	}()
	reload, redraw := time.NewTicker(boardReload), time.NewTicker(boardRedraw)
	defer reload.Stop()
	defer redraw.Stop()
	shown := map[string]View{}
	draw := func() {
		all := b.All()
		if ch := changed(all, shown); len(ch) > 0 || len(all) != len(shown) {
			sc.show(all, ch)
			shown = maps.Clone(b.views)
		}
	}
	for draw(); forever || !b.answered(); {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			err = b.hear(ctx, e)
		case <-reload.C:
			err = b.Load(ctx)
		case <-redraw.C:
			draw()
		}
		if err != nil && ctx.Err() == nil && !failure.Away(err) {
			return err
		}
	}
	draw()
	return nil
}

// events gives the events of all jobs, those of the last moments first, until ctx ends; then the channel is closed.
func (b *Board) events(ctx context.Context, since time.Time) <-chan jobs.Event {
	out := make(chan jobs.Event, eventRoom)
	id := ""
	if len(b.IDs) == 1 {
		id = b.IDs[0]
	}
	go func() {
		defer close(out)
		for ctx.Err() == nil {
			_ = b.Queue.Follow(ctx, id, since, func(e jobs.Event) bool {
				since = e.Time
				select {
				case out <- e:
					return true
				case <-ctx.Done():
					return false
				}
			})
			pause(ctx, followAgain)
		}
	}()
	return out
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
