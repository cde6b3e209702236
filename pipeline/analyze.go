package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
	"veil/pipeline/vision"
)

// analysis is what the first pass saw, before anything is decided: it travels to later rounds as a scratch file.
type analysis struct {
	Seen    decide.Analysis `json:"seen"`
	Excerpt *decide.Excerpt `json:"excerpt,omitempty"`
	Frames  []lookedAt      `json:"frames"`
}

// lookedAt is one frame of the analysis, in presentation order.
type lookedAt struct {
	PTS        int64             `json:"pts"`
	Digest     string            `json:"digest"`
	Damaged    bool              `json:"damaged,omitempty"`
	Why        string            `json:"why,omitempty"`
	Detections []track.Detection `json:"detections,omitempty"`
	Looks      []track.Look      `json:"looks,omitempty"`
	Searched   []string          `json:"searched,omitempty"`
	NearDark   bool              `json:"near_dark,omitempty"` // as the last frame was that anybody looked at
	Motion     track.Motion      `json:"motion"`
}

// extra is a face that the check on an earlier derivative found outside every mask.
type extra struct {
	Frame     int             `json:"frame"` // index within the plan
	Detection track.Detection `json:"detection"`
}

// Analyze is the first pass: it goes through every frame and writes the plan.
func (Direct) Analyze(ctx context.Context, r AnalyzeRequest, events func(Event)) (AnalyzeResult, error) {
	start := time.Now()
	var probe *media.Probe
	var seen analysis
	var err error
	if r.AnalysisIn != "" {
		if probe, err = media.Inspect(ctx, r.Config.Tools, r.In, r.Config.Limits); err == nil {
			err = readJSON(r.AnalysisIn, &seen)
		}
	} else if probe, seen, err = look(ctx, r, events); err == nil && r.AnalysisOut != "" {
		err = writeJSON(r.AnalysisOut, seen)
	}
	if err != nil {
		return AnalyzeResult{}, err
	}
	if err := addExtras(r.ExtraIn, seen.Frames); err != nil {
		return AnalyzeResult{}, err
	}
	plan, err := planFor(r, probe, seen)
	if err != nil {
		return AnalyzeResult{}, err
	}
	b, err := plan.Encode()
	if err != nil {
		return AnalyzeResult{}, err
	}
	if err := writeNew(r.PlanOut, b, 0o600); err != nil {
		return AnalyzeResult{}, fmt.Errorf("write plan: %w", err)
	}
	return AnalyzeResult{Probe: *probe, Frames: len(plan.Frames), Tracks: len(plan.Tracks), Seconds: time.Since(start).Seconds()}, nil
}

// addExtras puts the faces that an earlier check found among the detections.
func addExtras(path string, frames []lookedAt) error {
	if path == "" {
		return nil
	}
	var extras []extra
	if err := readJSON(path, &extras); err != nil {
		return err
	}
	for _, e := range extras {
		if e.Frame < 0 || e.Frame >= len(frames) {
			return fmt.Errorf("finding in frame %d of a clip with %d frames", e.Frame, len(frames))
		}
		f := &frames[e.Frame]
		f.Detections = append(f.Detections, e.Detection)
	}
	return nil
}

// planFor turns what was seen into the plan: track, then decide.
func planFor(r AnalyzeRequest, probe *media.Probe, seen analysis) (decide.Plan, error) {
	tick := probe.Video.TimeBase.Float()
	frames := make([]track.Frame, len(seen.Frames))
	stamps := make([]decide.FrameStamp, len(seen.Frames))
	origin := seen.Frames[0].PTS
	if seen.Excerpt != nil {
		origin = seen.Excerpt.OriginPTS
	}
	last := 0.0
	for i, f := range seen.Frames {
		last = max(last, float64(f.PTS-origin)*tick)
		frames[i] = track.Frame{Time: last, Detections: f.Detections, Looks: f.Looks, Searched: f.Searched, Motion: f.Motion}
		stamps[i] = decide.FrameStamp{PTS: f.PTS, Digest: f.Digest, Damaged: f.Damaged, Why: f.Why, Cut: f.Motion.Cut, NearDark: f.NearDark, Time: last}
	}
	tracks, err := track.Build(probe.Video.Width, probe.Video.Height, frames)
	if err != nil {
		return decide.Plan{}, fmt.Errorf("track faces: %w", err)
	}
	plan, err := decide.Decide(decide.Input{
		Source: decide.Source{
			SHA256: r.SHA256, Bytes: probe.Bytes, Stream: probe.Video.Index,
			Width: probe.Video.Width, Height: probe.Video.Height,
			TimeBase: probe.Video.TimeBase.String(), Interlaced: probe.Video.Interlaced,
		},
		Excerpt: seen.Excerpt, Analysis: seen.Seen, Policy: r.Policy, Tracks: tracks, FrameStamps: stamps,
	})
	var damage *decide.DamageError
	if errors.As(err, &damage) {
		return decide.Plan{}, damaged(damage)
	}
	return plan, err
}

// damaged tells time stamps that make no sense from pictures that are broken.
func damaged(d *decide.DamageError) error {
	if d.Why == media.WhyTimestamp {
		return fmt.Errorf("%w: %w", media.ErrTimestamps, d)
	}
	return fmt.Errorf("%w: %w", media.ErrDamaged, d)
}

// outfit is what a look at a clip needs.
type outfit struct {
	probe    *media.Probe
	finder   *vision.Finder
	versions string // the decoder's
}

// prepare inspects the clip and opens the detectors side by side: each takes some tenths of a second. What is wrong with the clip is
// told before what is wrong with the detectors.
func prepare(ctx context.Context, r AnalyzeRequest) (*outfit, error) {
	var o outfit
	var unfit error
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	var inspecting sync.WaitGroup
	inspecting.Go(func() {
		if o.probe, unfit = media.Inspect(ctx, r.Config.Tools, r.In, r.Config.Limits); unfit != nil {
			cancel()
		}
	})
	err := o.open(opening, r)
	inspecting.Wait()
	if unfit != nil {
		return nil, errors.Join(unfit, o.close())
	}
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return &o, nil
}

// open opens the detectors and asks for the decoder's version.
func (o *outfit) open(ctx context.Context, r AnalyzeRequest) (err error) {
	o.finder, err = vision.Open(ctx, vision.Options{Models: r.Config.Models, Engine: r.Config.Engine, Effort: r.Policy.Effort, Threads: r.Config.Threads})
	if err != nil {
		return fmt.Errorf("open detectors: %w", err)
	}
	o.versions, err = r.Config.Tools.Versions(ctx)
	return err
}

func (o *outfit) close() error {
	if o.finder == nil {
		return nil
	}
	return o.finder.Close()
}

// look decodes the clip and hands every frame inside the excerpt to the detectors.
func look(ctx context.Context, r AnalyzeRequest, events func(Event)) (*media.Probe, analysis, error) {
	o, err := prepare(ctx, r)
	if err != nil {
		return nil, analysis{}, err
	}
	defer o.close()
	seen, err := o.look(ctx, r, events)
	return o.probe, seen, err
}

// look goes through the clip once, and once more for each turn that is worth it.
func (o *outfit) look(ctx context.Context, r AnalyzeRequest, events func(Event)) (analysis, error) {
	probe, finder := o.probe, o.finder
	view := media.AnalysisView(probe, finder.Long())
	seen := analysis{Seen: decide.Analysis{
		Build: r.Config.Build, FFmpeg: o.versions, OpenCV: vision.OpenCVVersion(), DecoderThreads: r.Config.Tools.DecoderThreads,
		Width: view.Layout.Width, Height: view.Layout.Height, Networks: networks(finder.Networks()),
	}}
	feed := &feeder{request: r, probe: probe, view: view}
	var turns vision.Turns
	nearDark := false
	err := feed.search(ctx, finder, 0, func(res vision.Result) {
		if len(res.Searched) > 0 {
			nearDark = res.NearDark
		}
		seen.Frames = append(seen.Frames, lookedAt{Detections: res.Detections, Looks: res.Looks, Searched: res.Searched, NearDark: nearDark, Motion: res.Motion})
		turns.Add(res.Turns)
		// As far as can be told by now: each turn that turns out worth it takes as long again.
		passes := int64(1 + len(turns.Worth()))
		tell(events, Event{Stage: "analyze", Done: int64(len(seen.Frames)), Total: passes * probe.Video.Frames})
	})
	if err != nil {
		return analysis{}, err
	}
	if err := feed.stamp(&seen); err != nil {
		return analysis{}, err
	}
	return seen, searchTurned(ctx, finder, feed, turns.Worth(), &seen, events)
}

// searchTurned goes through the clip once more for each turn at which its faces are seen better, and adds what it finds. A camera that
// hangs upside down or lies on its side films such clips without saying so.
func searchTurned(ctx context.Context, finder *vision.Finder, first *feeder, turns []int, seen *analysis, events func(Event)) error {
	frames := len(seen.Frames)
	for i, turn := range turns {
		feed := &feeder{request: first.request, probe: first.probe, view: first.view}
		feed.fresh = func(frame int) bool { return frame < frames && seen.Frames[frame].Motion.Cut }
		err := feed.search(ctx, finder, turn, func(res vision.Result) {
			if res.Index < frames {
				f := &seen.Frames[res.Index]
				f.Detections = append(f.Detections, res.Detections...)
			}
			tell(events, Event{Stage: "analyze", Done: int64((i+1)*frames + res.Index + 1), Total: int64((len(turns) + 1) * frames)})
		})
		if err != nil {
			return err
		}
		if err := first.same(feed); err != nil {
			return err
		}
		seen.Seen.Turned = append(seen.Seen.Turned, turn*quarter)
	}
	return nil
}

// quarter is a quarter turn in degrees.
const quarter = 90

// networks copies what vision tells of its networks into the plan's own words.
func networks(in []vision.NetworkInfo) []decide.Network {
	out := make([]decide.Network, len(in))
	for i, n := range in {
		out[i] = decide.Network{Name: n.Name, SHA256: n.SHA256, Engine: n.Engine, Longs: n.Longs, Threshold: n.Threshold, Every: n.Every}
	}
	return out
}

// feeder decodes and hands over; it keeps what the decoder told of each frame that it handed over.
type feeder struct {
	request AnalyzeRequest
	probe   *media.Probe
	view    media.View
	sweep   *vision.Sweep
	fresh   func(frame int) bool // tells where scenes begin, where that is known

	infos   []media.FrameInfo
	origin  int64 // PTS of the source's first frame
	started bool
}

// search goes through the clip, turned by some quarters, and hands on what is seen in each frame, in order.
func (f *feeder) search(ctx context.Context, finder *vision.Finder, turn int, each func(vision.Result)) error {
	// The decoder starts while the detectors do.
	dec, err := media.Decode(ctx, f.request.Config.Tools, f.request.In, f.probe, f.view, nil)
	if err != nil {
		return err
	}
	sweep, err := finder.Sweep(ctx, vision.SweepOptions{Width: f.view.Layout.Width, Height: f.view.Layout.Height,
		SourceWidth: f.probe.Video.Width, SourceHeight: f.probe.Video.Height, Turn: turn})
	if err != nil {
		return errors.Join(fmt.Errorf("start detectors: %w", err), dec.Close())
	}
	defer sweep.Close()
	f.sweep = sweep
	done := make(chan error, 1)
	go func() { done <- f.run(ctx, dec) }()
	looked := 0
	for res := range sweep.Results() {
		if res.Err != nil {
			sweep.Stop()
			return errors.Join(fmt.Errorf("detect faces: %w", res.Err), <-done)
		}
		each(res)
		looked++
	}
	if err := <-done; err != nil {
		return err
	}
	if len(f.infos) != looked {
		return fmt.Errorf("%w: %d frames decoded, %d looked at", media.ErrDamaged, len(f.infos), looked)
	}
	return nil
}

// same says whether another pass over the clip has decoded the same frames.
func (f *feeder) same(other *feeder) error {
	if len(f.infos) != len(other.infos) {
		return fmt.Errorf("%w: %d frames decoded, %d at a second time", media.ErrDamaged, len(f.infos), len(other.infos))
	}
	for i, info := range f.infos {
		if info.PTS != other.infos[i].PTS || info.Digest != other.infos[i].Digest {
			return fmt.Errorf("%w: frame %d decoded differently at a second time", media.ErrDamaged, i)
		}
	}
	return nil
}

// run feeds the sweep until the clip or the excerpt ends, and closes the decoder. The sweep is told that nothing more comes in every
// case.
func (f *feeder) run(ctx context.Context, dec *media.Decoder) error {
	defer f.sweep.Done()
	for {
		more, err := f.step(ctx, dec)
		if err != nil {
			return errors.Join(err, dec.Close())
		}
		if !more {
			return dec.Close()
		}
	}
}

// step decodes one frame and hands it over if the excerpt wants it.
func (f *feeder) step(ctx context.Context, dec *media.Decoder) (bool, error) {
	pic, err := f.sweep.Get(ctx)
	if err != nil {
		return false, err
	}
	info, err := dec.Next(pic.Bytes())
	if err != nil {
		f.sweep.Return(pic)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	if !f.started {
		f.started, f.origin = true, info.PTS
	}
	at := float64(info.PTS-f.origin) * f.probe.Video.TimeBase.Float()
	if f.request.From != nil && at < *f.request.From-epsilon {
		f.sweep.Return(pic)
		return true, nil
	}
	if f.request.To != nil && at >= *f.request.To-epsilon {
		f.sweep.Return(pic)
		return false, nil
	}
	if info.Damaged && f.request.Policy.Damage != "mask" {
		f.sweep.Return(pic)
		return false, damaged(&decide.DamageError{Frame: len(f.infos), Why: info.Why})
	}
	pic.Time = at
	pic.Fresh = f.fresh != nil && f.fresh(len(f.infos))
	f.infos = append(f.infos, info)
	return true, f.sweep.Submit(ctx, pic)
}

// epsilon absorbs the rounding of times given in seconds: far below any frame's duration.
const epsilon = 1e-6

// stamp joins what the decoder told with what the detectors saw, frame by frame.
func (f *feeder) stamp(seen *analysis) error {
	if len(f.infos) == 0 {
		if f.request.From != nil || f.request.To != nil {
			return media.ErrEmptyExcerpt
		}
		return media.ErrNoFrames
	}
	for i, info := range f.infos {
		s := &seen.Frames[i]
		s.PTS, s.Digest, s.Damaged, s.Why = info.PTS, info.Digest, info.Damaged, info.Why
	}
	if f.request.From == nil && f.request.To == nil {
		return nil
	}
	first, last := f.infos[0], f.infos[len(f.infos)-1]
	x := &decide.Excerpt{First: first.Number, Last: last.Number, FirstPTS: first.PTS, LastPTS: last.PTS, OriginPTS: f.origin,
		To: float64(last.PTS-f.origin)*f.probe.Video.TimeBase.Float() + epsilon}
	if f.request.From != nil {
		x.From = *f.request.From
	}
	if f.request.To != nil {
		x.To = *f.request.To
	}
	seen.Excerpt = x
	return nil
}
