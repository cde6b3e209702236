package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"veil/pipeline"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/proof"
	"veil/worker/screen"
	"veil/worker/seal"
	"veil/worker/text"
)

// reproduceCmd is `veil reproduce`.
type reproduceCmd struct {
	Manifest       string `arg:"" name:"manifest" help:"NAME.manifest.json; the plan lies beside it."`
	Original       string `required:"" placeholder:"IN" help:"The clip that the derivative was made from."`
	Plan           string `placeholder:"PLAN" help:"The plan (default: NAME.plan.json)."`
	EncoderThreads int    `placeholder:"N" help:"Use so many threads instead of the recorded number, here and below."`
	DecoderThreads int    `placeholder:"N" help:"See above."`
	Progress       string `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// reproduced is the answer.
type reproduced struct {
	Identical   bool         `json:"identical"`
	Recorded    string       `json:"recorded"` // SHA-256 of the derivative that was signed
	Rendered    string       `json:"rendered"` // of the one that was rendered now
	Differences []difference `json:"differences"`
}

// difference is something that was otherwise when the derivative was made.
type difference struct {
	What     string `json:"what"` // build, ffmpeg, encoder, encoder_threads, decoder_threads, cpu
	Recorded string `json:"recorded"`
	Here     string `json:"here"`
}

// Run renders the plan again and compares. Other bytes end with exit 4.
func (c *reproduceCmd) Run(ctx context.Context, a *app) error {
	stem, ok := strings.CutSuffix(c.Manifest, evidence.ManifestEnding)
	if !ok {
		return failure.Usagef("name NAME"+evidence.ManifestEnding, "%s is no manifest", disk.Base(c.Manifest))
	}
	_, m, err := readManifest(stem)
	if err != nil {
		return failure.About(c.Manifest, err)
	}
	if c.Plan == "" {
		c.Plan = stem + evidence.PlanEnding
	}
	for _, path := range []*string{&c.Original, &c.Plan} {
		if err := disk.CheckInput(path); err != nil {
			return failure.About(*path, err)
		}
	}
	meter := screen.NewMeter(c.Progress, a.err, disk.Base(c.Original))
	defer meter.Close()
	for _, f := range []struct{ path, sha256, what string }{{c.Original, m.Original.SHA256, "original"}, {c.Plan, m.Withheld.Plan.SHA256, "plan"}} {
		d, err := pipeline.DigestFile(ctx, f.path, nil)
		if err != nil {
			return failure.About(f.path, err)
		}
		if d.SHA256 != f.sha256 {
			return failure.About(f.path, failure.Usagef("name the one that the manifest names by its SHA-256", "this is not the %s of the manifest", f.what))
		}
	}
	answer, err := c.render(ctx, a, m, meter)
	meter.Close()
	if err != nil {
		return failure.About(c.Original, err)
	}
	return a.tellReproduced(c.Manifest, answer)
}

// render renders with the recorded settings, into scratch.
func (c *reproduceCmd) render(ctx context.Context, a *app, m seal.Manifest, meter screen.Meter) (r reproduced, err error) {
	config, err := a.config()
	if err != nil {
		return r, err
	}
	if err := disk.MakeScratch(config.Scratch); err != nil {
		return r, err
	}
	config.Tools.EncoderThreads, config.Tools.DecoderThreads = m.Settings.EncoderThreads, m.Settings.DecoderThreads
	if c.EncoderThreads > 0 {
		config.Tools.EncoderThreads = c.EncoderThreads
	}
	if c.DecoderThreads > 0 {
		config.Tools.DecoderThreads = c.DecoderThreads
	}
	s, err := disk.OpenScratch(config.Scratch)
	if err != nil {
		return r, err
	}
	defer s.Close()
	out := s.Path("derivative.mp4")
	res, err := a.engine.stages(a.CrashLog).Render(ctx, pipeline.RenderRequest{Config: config, In: c.Original, Plan: c.Plan, Out: out,
		CRF: m.Settings.CRF, Audio: s.Path("audio.m4a")}, meter.Event)
	if err != nil {
		return r, err
	}
	d, err := pipeline.DigestFile(ctx, out, nil)
	if err != nil {
		return r, err
	}
	ffmpeg, err := config.Tools.Versions(ctx)
	if err != nil {
		return r, err
	}
	r = reproduced{Identical: d.SHA256 == m.Derivative.SHA256, Recorded: m.Derivative.SHA256, Rendered: d.SHA256, Differences: []difference{}}
	for _, k := range []difference{
		{"build", m.Software.Veil, build().Revision}, {"ffmpeg", m.Software.FFmpeg, ffmpeg}, {"cpu", m.Settings.CPU, proof.CPU()},
		{"encoder_threads", fmt.Sprint(m.Settings.EncoderThreads), fmt.Sprint(config.Tools.EncoderThreads)},
		{"decoder_threads", fmt.Sprint(m.Settings.DecoderThreads), fmt.Sprint(config.Tools.DecoderThreads)},
		{"encoder", strings.Join(withoutThreads(m.Encoder), " "), strings.Join(withoutThreads(res.EncoderArgs), " ")},
	} {
		if k.Recorded != k.Here {
			r.Differences = append(r.Differences, k)
		}
	}
	return r, nil
}

// withoutThreads leaves out of the encoder's arguments what is told apart.
func withoutThreads(args []string) []string {
	args = slices.Clone(args)
	for i := 0; i+1 < len(args); i++ {
		if strings.HasPrefix(args[i], "-threads") {
			args = slices.Delete(args, i, i+2)
			i--
		}
	}
	return args
}

// tellReproduced prints the answer; other bytes end with exit 4.
func (a *app) tellReproduced(manifest string, r reproduced) error {
	code := pipeline.ExitReleased
	if !r.Identical {
		code = pipeline.ExitVerify
	}
	if a.JSON {
		if err := a.printJSON(r); err != nil {
			return err
		}
		return ended(code)
	}
	words := "the same bytes"
	if !r.Identical {
		words = "OTHER BYTES"
	}
	a.printf("%s: %s\n", text.Printable(disk.Base(manifest)), words)
	a.printf("  recorded    %s\n  rendered    %s\n", r.Recorded, r.Rendered)
	for _, d := range r.Differences {
		a.printf("  differs     %s: %s then, %s here\n", strings.ReplaceAll(d.What, "_", " "), text.Printable(d.Recorded), text.Printable(d.Here))
	}
	if !r.Identical && len(r.Differences) == 0 {
		a.printf("  nothing that the manifest records differs: the derivative was not made from this plan by this program\n")
	}
	return ended(code)
}
