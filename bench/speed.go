package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"veil/pipeline/decide"
)

const (
	masks      = 10  // moving masks in the clip that is rendered for the comparison
	maskSide   = 160 // pixels, a multiple of the codec's blocks
	exitHeld   = 3   // veil's exit code for a clip that waits for a person
	clipLength = 10  // seconds
)

// SpeedResult compares the stages with a plain transcode of the same clip. Every figure is the median of the rounds.
type SpeedResult struct {
	Clip    string  `json:"clip"`
	Frames  int     `json:"frames"`
	Analyze float64 `json:"analyze_fps"`
	Render  float64 `json:"render_fps"` // with ten moving masks
	Verify  float64 `json:"verify_fps"`
	Plain   float64 `json:"plain_fps"` // ffmpeg alone, the same encoder settings
	// Ratio is the seconds of render over those of the plain transcode, each pair taken one right after the other.
	Ratio   float64  `json:"render_over_plain"`
	Encoder []string `json:"encoder"`
	Rounds  int      `json:"rounds"`
	Redact  Usage    `json:"redact"` // one whole `veil redact`, all processes
	// Five is the frames per second of analyze by effort on 1080p with five faces in each frame; empty where there is no footage.
	Five map[string]float64 `json:"analyze_five_faces_fps,omitempty"`
}

// speed runs `veil redact` once, then renders a plan with ten moving masks and transcodes without us in turns.
func (b *bench) speed(ctx context.Context, runs int) (*SpeedResult, error) {
	clip, what, err := b.clip(ctx, clipLength)
	if err != nil {
		return nil, err
	}
	frames, err := countFrames(ctx, clip)
	if err != nil {
		return nil, err
	}
	b.progress("speed")
	res := &SpeedResult{Clip: what, Frames: frames, Rounds: runs}
	plan := filepath.Join(b.out, "speed.plan.json")
	use, first, err := b.redact(ctx, clip, "speed", "--plan-out", plan)
	if err != nil {
		return nil, err
	}
	res.Redact, res.Encoder = use, first.Encoder
	if res.Analyze, err = rate(frames, first.Stages["analyze"]); err != nil {
		return nil, fmt.Errorf("report: analyze: %w", err)
	}
	masked := filepath.Join(b.out, "speed-masks.plan.json")
	if err := moveMasks(plan, masked); err != nil {
		return nil, err
	}
	var render, verify, plain, ratio []float64
	for range max(runs, 1) {
		r, err := b.render(ctx, clip, masked)
		if err != nil {
			return nil, err
		}
		alone, err := b.transcode(ctx, clip, r.Encoder)
		if err != nil {
			return nil, err
		}
		render, verify = append(render, r.Stages["render"]/float64(r.Rounds)), append(verify, r.Stages["verify"]/float64(r.Rounds))
		plain, ratio = append(plain, alone), append(ratio, r.Stages["render"]/float64(r.Rounds)/alone)
	}
	res.Ratio = median(ratio)
	for _, f := range []struct {
		to      *float64
		seconds []float64
		stage   string
	}{{&res.Render, render, "render"}, {&res.Verify, verify, "verify"}, {&res.Plain, plain, "plain"}} {
		if *f.to, err = rate(frames, median(f.seconds)); err != nil {
			return nil, fmt.Errorf("report: %s: %w", f.stage, err)
		}
	}
	res.Five, err = b.analyzeFive(ctx, runs)
	return res, err
}

// analyzeFive redacts the clip with five faces at both efforts.
func (b *bench) analyzeFive(ctx context.Context, runs int) (map[string]float64, error) {
	if _, err := os.Stat(filepath.Join(b.shared, "footage")); err != nil {
		return nil, nil
	}
	clip, err := b.fiveFaces(ctx)
	if err != nil {
		return nil, err
	}
	fps := map[string]float64{}
	for _, effort := range []string{"thorough", "fast"} {
		var took []float64
		frames := 0
		for range max(runs, 1) {
			_, r, err := b.redact(ctx, clip, "five", "--effort", effort)
			if err != nil {
				return nil, err
			}
			took, frames = append(took, r.Stages["analyze"]), r.Frames
		}
		if fps[effort], err = rate(frames, median(took)); err != nil {
			return nil, fmt.Errorf("report: analyze: %w", err)
		}
	}
	return fps, nil
}

// redact runs `veil redact` on a clip; a held clip is a result too.
func (b *bench) redact(ctx context.Context, clip, name string, more ...string) (Usage, report, error) {
	out, rep := filepath.Join(b.out, name+".mp4"), filepath.Join(b.out, name+".report.json")
	if err := forget(out, held(out), rep); err != nil {
		return Usage{}, report{}, err
	}
	args := append([]string{"redact", clip, "-o", out, "--report", rep}, more...)
	use, err := measure(ctx, b.veil, args...)
	if err := unlessHeld(err); err != nil {
		return use, report{}, fmt.Errorf("veil redact %s: %w", filepath.Base(clip), err)
	}
	r, err := readReport(rep)
	r.Rounds = max(r.Rounds, 1)
	return use, r, err
}

// render runs `veil render` on a plan.
func (b *bench) render(ctx context.Context, clip, plan string) (report, error) {
	out, rep := filepath.Join(b.out, "render.mp4"), filepath.Join(b.out, "render.report.json")
	if err := forget(out, held(out), rep); err != nil {
		return report{}, err
	}
	_, err := clock(ctx, b.veil, "render", clip, "--plan", plan, "-o", out, "--report", rep)
	if err := unlessHeld(err); err != nil {
		return report{}, fmt.Errorf("veil render: %w", err)
	}
	r, err := readReport(rep)
	r.Rounds = max(r.Rounds, 1)
	return r, err
}

// transcode runs ffmpeg alone over the clip with the encoder settings of a report, and returns the seconds.
func (b *bench) transcode(ctx context.Context, clip string, encoder []string) (float64, error) {
	out := filepath.Join(b.out, "plain.mp4")
	args := []string{"-v", "error", "-nostdin", "-y", "-threads", strconv.Itoa(b.tools.DecoderThreads), "-i", clip,
		"-map", "0:v:0", "-an", "-threads", strconv.Itoa(b.tools.EncoderThreads)}
	args = append(args, encoder...)
	use, err := clock(ctx, "ffmpeg", append(args, "-f", "mp4", out)...)
	if err != nil {
		return 0, fmt.Errorf("ffmpeg with the encoder settings of the report: %w", err)
	}
	return use.Seconds, nil
}

// moveMasks writes a plan whose frames are covered by ten moving squares instead of what was found.
func moveMasks(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var p decide.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	for i := range p.Frames {
		f := &p.Frames[i]
		f.Whole, f.Why, f.Regions = false, "", nil
		for m := range masks {
			x := bounce(m*173+i*(3+m%4), p.Source.Width-maskSide)
			y := bounce(m*97+i*(2+m%3), p.Source.Height-maskSide)
			f.Regions = append(f.Regions, decide.Region{Rect: [4]int{x, y, maskSide, maskSide}, Kind: decide.KindAdded})
		}
	}
	p.Tracks, p.Findings = []decide.Track{}, []decide.Finding{}
	if data, err = json.Marshal(p); err != nil {
		return err
	}
	return os.WriteFile(to, append(data, '\n'), 0o600)
}

// bounce runs between 0 and limit and back, in steps of the codec's blocks.
func bounce(n, limit int) int {
	limit = max(limit/16, 1)
	n = (n / 4) % (2 * limit)
	return 16 * min(n, 2*limit-n)
}

// MemoryRow is the peak for one length of clip.
type MemoryRow struct {
	Seconds int   `json:"clip_seconds"`
	Frames  int   `json:"frames"`
	Use     Usage `json:"use"`
}

// memory redacts the same clip looped to each length.
func (b *bench) memory(ctx context.Context, lengths []int) ([]MemoryRow, error) {
	var rows []MemoryRow
	for _, seconds := range lengths {
		clip, _, err := b.clip(ctx, seconds)
		if err != nil {
			return nil, err
		}
		b.progress("%d seconds of 1080p", seconds)
		use, r, err := b.redact(ctx, clip, "memory-"+strconv.Itoa(seconds)+"s")
		if err != nil {
			return nil, err
		}
		rows = append(rows, MemoryRow{Seconds: seconds, Frames: r.Frames, Use: use})
	}
	return rows, nil
}

// held is the name beside the final one under which a clip waits for a person.
func held(out string) string {
	ext := filepath.Ext(out)
	return out[:len(out)-len(ext)] + ".held" + ext
}

func unlessHeld(err error) error {
	var exit *exitError
	if errors.As(err, &exit) && exit.code == exitHeld {
		return nil
	}
	return err
}

func forget(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func rate(frames int, seconds float64) (float64, error) {
	if seconds <= 0 {
		return 0, errors.New("no seconds given")
	}
	return float64(frames) / seconds, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
