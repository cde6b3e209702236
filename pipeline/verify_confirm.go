package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"veil/pipeline/media"
	"veil/pipeline/track"
	"veil/pipeline/vision"
)

// shownShare is the part of the smaller of two boxes that they share if both may be of one face, seen in the source and, perhaps in
// part only, in the derivative.
const shownShare = 0.2

// confirm keeps those sightings of open faces that the source's pictures show as well. What is open in the derivative is the source's
// own picture, so that a face there can be seen in both, by the same network at the same scales, and far below the score that the
// check asks for; what the source does not show is made up of the masks: two black rectangles over a third are a face to a network.
func (v *verifier) confirm(ctx context.Context, open []sighting) ([]sighting, error) {
	if len(open) == 0 {
		return nil, nil
	}
	finder, err := vision.Open(ctx, vision.Options{
		Models: v.request.Config.Models, Engine: v.request.Config.Engine, Effort: v.plan.Policy.Effort,
		Threads: v.request.Config.Threads, Purpose: vision.PurposeConfirm})
	if err != nil {
		return nil, fmt.Errorf("open detectors: %w", err)
	}
	defer finder.Close()
	var confirmed []sighting
	open = slices.DeleteFunc(slices.Clone(open), func(s sighting) bool {
		beyond := s.frame >= len(v.plan.Frames)
		if beyond { // there is nothing to hold it against
			confirmed = append(confirmed, s)
		}
		return beyond
	})
	for turn := range fullTurn {
		here := slices.DeleteFunc(slices.Clone(open), func(s sighting) bool { return s.face.Turn != turn })
		if len(here) == 0 {
			continue
		}
		source, err := v.searchSource(ctx, finder, turn, here)
		if err != nil {
			return nil, err
		}
		for _, s := range here {
			if v.shows(source[s.frame], s) {
				confirmed = append(confirmed, s)
			}
		}
	}
	slices.SortStableFunc(confirmed, func(a, b sighting) int { return a.frame - b.frame })
	return confirmed, nil
}

// fullTurn is how many quarters a full turn has.
const fullTurn = 4

// shows says whether what was found in the source's picture may be the face of a sighting. What the masks cover is not.
func (v *verifier) shows(source []track.Detection, s sighting) bool {
	return slices.ContainsFunc(source, func(d track.Detection) bool {
		share := shownShare * min(s.face.Box.W*s.face.Box.H, d.Box.W*d.Box.H)
		return overlap(d.Box, s.face.Box) >= share && v.place(sighting{frame: s.frame, face: d}) != placeMasked
	})
}

// searchSource shows the source's pictures in which something was sighted to the network, as they are and equalised, as masks change
// the light of a picture, and gives what it finds, by frame.
func (v *verifier) searchSource(ctx context.Context, finder *vision.Finder, turn int, sightings []sighting) (map[int][]track.Detection, error) {
	wanted, part := map[int]bool{}, [2]int{sightings[0].frame, sightings[0].frame}
	for _, s := range sightings {
		wanted[s.frame] = true
		part = [2]int{min(part[0], s.frame), max(part[1], s.frame)}
	}
	lights := []vision.Light{vision.LightAsItIs, vision.LightEqualised}
	view := media.AnalysisView(v.source, finder.Long())
	sweep, err := finder.Sweep(ctx, vision.SweepOptions{Width: view.Layout.Width, Height: view.Layout.Height,
		SourceWidth: v.source.Video.Width, SourceHeight: v.source.Video.Height, Turn: turn})
	if err != nil {
		return nil, fmt.Errorf("start detectors: %w", err)
	}
	defer sweep.Close()
	group, gctx := errgroup.WithContext(ctx)
	free, shots := make(chan []byte, renderBuffers), make(chan shot)
	for range renderBuffers {
		free <- make([]byte, view.Layout.Size())
	}
	var frames []int // in order of Submit; read after the sweep's end
	v.confirms++
	pass := v.passes() - 1
	group.Go(func() error {
		defer close(shots)
		p := &planned{tools: v.request.Config.Tools, in: v.request.In, probe: v.source, plan: &v.plan, view: view, part: &part}
		return p.read(gctx, free, shots)
	})
	group.Go(func() error {
		defer sweep.Done()
		for s := range shots {
			for _, light := range lights {
				if !wanted[s.info.Number] {
					break
				}
				pic, err := sweep.Get(gctx)
				if err != nil {
					return err
				}
				copy(pic.Bytes(), s.pixels)
				pic.Time, pic.Fresh, pic.Light = float64(s.info.PTS)*v.source.Video.TimeBase.Float(), true, light
				frames = append(frames, s.info.Number)
				if err := sweep.Submit(gctx, pic); err != nil {
					return err
				}
			}
			free <- s.pixels
			v.tell(pass, s.info.Number+1)
		}
		return nil
	})
	var found [][]track.Detection
	for res := range sweep.Results() {
		if res.Err != nil {
			sweep.Stop()
			return nil, errors.Join(fmt.Errorf("detect faces: %w", res.Err), group.Wait())
		}
		found = append(found, res.Detections)
	}
	err = group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if n := len(lights) * len(wanted); len(found) != n || len(frames) != n {
		return nil, fmt.Errorf("%w: %d of %d pictures of the source were looked at", ErrVerify, len(found), n)
	}
	v.tell(pass, len(v.plan.Frames))
	seen := map[int][]track.Detection{}
	for i, frame := range frames {
		seen[frame] = append(seen[frame], found[i]...)
	}
	return seen, nil
}
