package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/vision/obscure"
)

// renderBuffers is how many full-size frames are under way between decoder and encoder.
const renderBuffers = 4

// shot is one decoded frame on its way; whoever holds it owns its buffer.
type shot struct {
	info   media.FrameInfo
	pixels []byte
}

// Render is the second pass: it decodes again, covers what the plan says, and encodes.
func (Direct) Render(ctx context.Context, r RenderRequest, events func(Event)) (RenderResult, error) {
	start := time.Now()
	plan, err := readPlan(r.Plan)
	if err != nil {
		return RenderResult{}, err
	}
	probe := r.Probe
	if probe == nil {
		if probe, err = media.Inspect(ctx, r.Config.Tools, r.In, r.Config.Limits); err != nil {
			return RenderResult{}, err
		}
	}
	if err := fits(plan, probe); err != nil {
		return RenderResult{}, err
	}
	target, err := media.NewTarget(probe, plan.Policy.Profile)
	if err != nil {
		return RenderResult{}, err
	}
	if r.CRF != 0 {
		target = target.WithCRF(r.CRF)
	}
	audio, err := prepareAudio(ctx, r, plan, probe)
	if err != nil {
		return RenderResult{}, err
	}
	j := &renderJob{request: r, plan: plan, probe: probe, target: target, audio: audio, label: plan.Labels()}
	if err := j.run(ctx, events); err != nil {
		return RenderResult{}, err
	}
	return j.result(start), nil
}

// readPlan reads and checks a plan file.
func readPlan(path string) (decide.Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return decide.Plan{}, fmt.Errorf("read plan: %w", plainPath(err))
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return decide.Plan{}, fmt.Errorf("%w: read plan: %w", ErrUsage, err)
	}
	return plan, nil
}

// fits refuses a plan whose geometry is not the clip's: it was made by another reading of the same bytes.
func fits(plan decide.Plan, probe *media.Probe) error {
	s, v := plan.Source, probe.Video
	if s.Width != v.Width || s.Height != v.Height || s.Stream != v.Index || s.TimeBase != v.TimeBase.String() {
		return fmt.Errorf("%w: plan is for a %dx%d picture in stream %d", media.ErrChanged, s.Width, s.Height, s.Stream)
	}
	return nil
}

// prepareAudio re-encodes the sound that the policy keeps; nil where there is none to keep.
func prepareAudio(ctx context.Context, r RenderRequest, plan decide.Plan, probe *media.Probe) (*media.AudioFile, error) {
	if plan.Policy.Audio != "keep" || len(probe.Audio) == 0 {
		return nil, nil
	}
	tick := probe.Video.TimeBase.Float()
	first := plan.Frames[0].PTS
	o := media.AudioOptions{Path: r.In, Probe: probe, Track: plan.Policy.AudioTrack, Out: r.Audio, Origin: float64(first) * tick}
	if x := plan.Excerpt; x != nil {
		o.Origin = float64(x.OriginPTS) * tick
		from, to := float64(x.FirstPTS-x.OriginPTS)*tick, endOf(plan, tick)-float64(x.OriginPTS)*tick
		o.From, o.To = &from, &to
	}
	for _, m := range plan.Policy.Mute {
		o.Mute = append(o.Mute, media.Span{From: m.From, To: m.To})
	}
	return media.PrepareAudio(ctx, r.Config.Tools, o)
}

// endOf is where the plan's last frame ends, in seconds of the source's clock: it lasts as long as the one before it.
func endOf(plan decide.Plan, tick float64) float64 {
	n := len(plan.Frames)
	last := plan.Frames[n-1].PTS
	length := int64(0)
	if n > 1 {
		length = last - plan.Frames[n-2].PTS
	}
	return float64(last+length) * tick
}

// renderJob is one render under way.
type renderJob struct {
	request RenderRequest
	plan    decide.Plan
	probe   *media.Probe
	target  *media.Target
	audio   *media.AudioFile
	label   func(*decide.Region) string

	args   []string // of the encoder, without paths
	masked float64  // sum over the frames of the share that is covered
	whole  int
}

// run decodes, covers and encodes. On any error the encoder is killed before its input ends, so that no short file is left.
func (j *renderJob) run(ctx context.Context, events func(Event)) error {
	layout := j.target.View.Layout
	painter, err := obscure.New(layout, j.plan.Policy.Fill)
	if err != nil {
		return err
	}
	enc, err := media.Encode(ctx, j.request.Config.Tools, media.EncodeOptions{Target: j.target, Probe: j.probe,
		Out: j.request.Out, Audio: j.audio, FirstPTS: j.plan.Frames[0].PTS, LastDuration: j.lastDuration()})
	if err != nil {
		return err
	}
	j.args = enc.Args()
	free := make(chan []byte, renderBuffers)
	for range renderBuffers {
		free <- make([]byte, layout.Size())
	}
	shots, covered := make(chan shot), make(chan shot)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(shots)
		src := &planned{tools: j.request.Config.Tools, in: j.request.In, probe: j.probe, plan: &j.plan, view: j.target.View}
		return src.read(gctx, free, shots)
	})
	group.Go(func() error {
		defer close(covered)
		for s := range shots {
			if err := j.cover(painter, s); err != nil {
				return err
			}
			select {
			case covered <- s:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		}
		return nil
	})
	group.Go(func() error {
		for s := range covered {
			if err := enc.Write(s.info.PTS, s.pixels); err != nil {
				return err
			}
			free <- s.pixels
			tell(events, Event{Stage: "render", Done: int64(s.info.Number) + 1, Total: int64(len(j.plan.Frames))})
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		enc.Abort()
		return err
	}
	return enc.Finish()
}

// lastDuration is how long the plan's last frame is shown, in ticks: as the container says, or as long as the one before it.
func (j *renderJob) lastDuration() int64 {
	n := len(j.plan.Frames)
	gap := int64(0)
	if n > 1 {
		gap = j.plan.Frames[n-1].PTS - j.plan.Frames[n-2].PTS
	}
	if j.plan.Excerpt != nil {
		return gap
	}
	return j.probe.LastDuration(j.plan.Frames[n-1].PTS, gap)
}

// cover paints one frame; s.info.Number is the frame's index within the plan.
func (j *renderJob) cover(painter *obscure.Painter, s shot) error {
	f := &j.plan.Frames[s.info.Number]
	if f.Whole {
		j.whole++
		j.masked++
		return painter.PaintWhole(s.pixels)
	}
	areas := areasOf(f, j.plan.Source, j.target.View.Layout, j.label)
	j.masked += obscure.Share(areas, j.target.View.Layout.Width, j.target.View.Layout.Height)
	return painter.Paint(s.pixels, areas)
}

// result tells what was done.
func (j *renderJob) result(start time.Time) RenderResult {
	r := RenderResult{
		Frames: len(j.plan.Frames), Notes: j.target.Notes, EncoderArgs: j.args, CRF: j.target.CRF,
		Masked: j.masked / float64(len(j.plan.Frames)), WholeFrames: j.whole, Seconds: time.Since(start).Seconds(),
		HasAudio: len(j.probe.Audio) > 0, Removed: j.probe.Removed,
	}
	if j.audio != nil {
		r.AudioTrack = j.audio.Description
		r.Notes = append(r.Notes, j.audio.Notes...)
	}
	return r
}

// areasOf gives the covered areas of a frame in the layout's pixels. What touches the source's last column or row covers
// the padding behind it too, as a rectangle: a stretched ellipse would give up pixels on the other side. label is the plan's.
func areasOf(f *decide.Frame, s decide.Source, l media.Layout, label func(*decide.Region) string) []obscure.Area {
	areas := make([]obscure.Area, 0, len(f.Regions))
	for i := range f.Regions {
		r := &f.Regions[i]
		if r.Kept {
			continue
		}
		a := obscure.Area{X: r.Rect[0], Y: r.Rect[1], W: r.Rect[2], H: r.Rect[3], Ellipse: r.Ellipse, Face: r.Face, Track: r.Track, Label: label(r)}
		if a.X+a.W >= s.Width && l.Width > s.Width {
			a.W, a.Ellipse = l.Width-a.X, false
		}
		if a.Y+a.H >= s.Height && l.Height > s.Height {
			a.H, a.Ellipse = l.Height-a.Y, false
		}
		areas = append(areas, a)
	}
	return areas
}

// planned decodes the frames that a plan names, and stops at the first that is another than the analysis saw.
type planned struct {
	tools media.Tools
	in    string
	probe *media.Probe
	plan  *decide.Plan
	view  media.View
	// part are the first and the last frame of the plan that are wanted, others may come too; nil: all.
	part *[2]int
}

// read sends each frame with info.Number set to its index within the plan. Buffers come from free.
func (p *planned) read(ctx context.Context, free <-chan []byte, out chan<- shot) error {
	var span *media.Range
	if x := p.plan.Excerpt; x != nil {
		span = &media.Range{FirstPTS: x.FirstPTS, LastPTS: x.LastPTS}
	}
	first, end := 0, len(p.plan.Frames)
	// Where stamps had to be repaired, they do not tell the decoder which frames are meant.
	if p.part != nil && len(concealed(p.plan.Frames)) == 0 {
		first, end = p.part[0], p.part[1]+1
		span = &media.Range{FirstPTS: p.plan.Frames[first].PTS, LastPTS: p.plan.Frames[end-1].PTS}
	}
	dec, err := media.Decode(ctx, p.tools, p.in, p.probe, p.view, span)
	if err != nil {
		return err
	}
	err = p.each(ctx, dec, first, end, free, out)
	return errors.Join(err, dec.Close())
}

// each goes through the frames from first to before end.
func (p *planned) each(ctx context.Context, dec *media.Decoder, first, end int, free <-chan []byte, out chan<- shot) error {
	for i := first; ; i++ {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		info, err := dec.Next(buf)
		if errors.Is(err, io.EOF) {
			if i != end {
				return fmt.Errorf("%w: frames %d to %d, the plan has them up to %d", media.ErrChanged, first, i-1, end-1)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if i >= end {
			return fmt.Errorf("%w: more frames than the plan's %d to %d", media.ErrChanged, first, end-1)
		}
		if f := &p.plan.Frames[i]; info.PTS != f.PTS || info.Digest != f.Digest {
			return fmt.Errorf("%w: frame %d has time stamp %d and digest %s, the plan says %d and %s",
				media.ErrChanged, i, info.PTS, info.Digest, f.PTS, f.Digest)
		}
		info.Number = i
		select {
		case out <- shot{info: info, pixels: buf}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
