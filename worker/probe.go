package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/child"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/text"
)

// probeCmd is `veil probe`.
type probeCmd struct {
	In string `arg:"" name:"in" help:"The clip. A name with a leading dash goes after --."`
}

// Run shows the clip without decoding it. It refuses what redact would refuse.
func (c *probeCmd) Run(ctx context.Context, a *app) error {
	path := c.In
	if err := disk.CheckInput(&path); err != nil {
		return failure.About(c.In, err)
	}
	tools, err := a.tools()
	if err != nil {
		return err
	}
	p, err := isolated{child.Runner{Log: a.CrashLog, Confine: a.engine.confine}}.inspect(ctx, pipeline.Config{Tools: tools, Limits: a.limits()}, path)
	if err != nil {
		return failure.About(c.In, err)
	}
	if a.JSON {
		return a.printJSON(p)
	}
	a.printProbe(path, p)
	return nil
}

// printProbe is the probe for people.
func (a *app) printProbe(path string, p *media.Probe) {
	line := func(name, format string, args ...any) {
		a.printf("  %-10s %s\n", name, text.Printable(fmt.Sprintf(format, args...)))
	}
	v := p.Video
	a.printf("%s\n", text.Printable(disk.Base(path)))
	line("container", "%s, %s, %d streams", p.Container, time.Duration(p.Duration*float64(time.Second)).Round(time.Millisecond), p.Streams)
	line("video", "stream %d, %s, %dx%d upright, %s", v.Index, v.Codec, v.Width, v.Height, v.Decoded)
	rate := fmt.Sprintf("%.3f frames a second", v.AvgRate.Float())
	if v.Variable {
		rate += " on average (variable)"
	}
	line("frames", "about %d, %s, ticks of %s s", v.Frames, rate, v.TimeBase)
	line("colour", "range %s, primaries %s, transfer %s, matrix %s", told(v.Range), told(v.Primaries), told(v.Transfer), told(v.Space))
	line("shape", "pixel %s%s", v.SAR, traits(v))
	for i, s := range p.Audio {
		line("sound", "track %d: %s, %d Hz, %d channels, from %.3f s", i, s.Codec, s.SampleRate, s.Channels, s.Start)
	}
	if len(p.Audio) == 0 {
		line("sound", "none")
	}
	for _, r := range p.Removed {
		line("left out", "%s", r.Text)
	}
	for _, n := range p.Notes {
		line("note", "%s", n.Text)
	}
}

// told is what the file says, or that it says nothing.
func told(s string) string {
	if s == "" {
		return "not told"
	}
	return s
}

// traits lists what is out of the ordinary.
func traits(v media.VideoStream) string {
	var t []string
	for _, x := range []struct {
		is   bool
		text string
	}{
		{v.Interlaced, "interlaced"}, {v.HDR, "HDR"}, {v.DolbyVision, "Dolby Vision"}, {v.EditList, "edit list"},
		{v.HiddenFrames > 0, fmt.Sprintf("%d hidden frames", v.HiddenFrames)},
	} {
		if x.is {
			t = append(t, ", "+x.text)
		}
	}
	return strings.Join(t, "")
}
