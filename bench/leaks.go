package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// errNoFootage says that there is no ground truth beside the checkout.
var errNoFootage = errors.New("no footage beside the checkout (../shared/footage)")

// LeakRow is one clip against its ground truth.
type LeakRow struct {
	Clip   string `json:"clip"`
	State  string `json:"state"` // "released" or "held"
	Faces  int    `json:"faces"`
	Leaks  int    `json:"leaks"`
	TooDim int    `json:"too_dark_to_judge"`
	// BySide holds [leaks, faces] by the shorter side of the face's box in pixels, as "20-40".
	BySide map[string][2]int `json:"by_side_px"`
	// OverMasked is the share of the area away from all faces that was changed; nil where the truth is not complete.
	OverMasked *float64 `json:"over_masked"`
}

// leaks redacts every clip with ground truth whose name matches and scores it with leakcheck.
func (b *bench) leaks(ctx context.Context, pattern string) ([]LeakRow, error) {
	shared := filepath.Join(b.root, "..", "shared")
	truths, err := filepath.Glob(filepath.Join(shared, "footage", "video", "*.gt.json"))
	if err != nil {
		return nil, err
	}
	if len(truths) == 0 {
		return nil, errNoFootage
	}
	var rows []LeakRow
	for _, truth := range truths {
		name := strings.TrimSuffix(filepath.Base(truth), ".gt.json")
		match, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		clip := footage(filepath.Dir(truth), name)
		if !match || clip == "" {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench: redacting", name)
		row, err := b.leak(ctx, filepath.Join(shared, "tools", "leakcheck"), clip, truth)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no clip with ground truth matches %q", pattern)
	}
	return rows, nil
}

// footage finds the clip that a truth is for.
func footage(dir, name string) string {
	for _, ext := range []string{".mp4", ".mkv", ".mov"} {
		if _, err := os.Stat(filepath.Join(dir, name+ext)); err == nil {
			return filepath.Join(dir, name+ext)
		}
	}
	return ""
}

func (b *bench) leak(ctx context.Context, leakcheck, clip, truth string) (LeakRow, error) {
	name := "leak-" + strings.TrimSuffix(filepath.Base(clip), filepath.Ext(clip))
	_, rep, err := b.redact(ctx, clip, name, "--fill", "solid", "--cover", "face")
	if err != nil {
		return LeakRow{}, err
	}
	out := filepath.Join(b.out, name+".mp4")
	if rep.State == "held" {
		out = held(out)
	}
	cmd := exec.CommandContext(ctx, "python3", leakcheck, clip, out, truth, "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1 && len(answer) > 0) {
		return LeakRow{}, fmt.Errorf("leakcheck: %w: %s", err, lastLine(stderr.String()+string(answer)))
	}
	row := LeakRow{Clip: strings.TrimPrefix(name, "leak-"), State: rep.State}
	var said struct {
		LeakRow
		Name string `json:"file"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return LeakRow{}, fmt.Errorf("leakcheck: %w", err)
	}
	row.Faces, row.Leaks, row.TooDim = said.Faces, said.Leaks, said.TooDim
	row.BySide, row.OverMasked = said.BySide, said.OverMasked
	return row, nil
}

// total adds up rows under one name; over-masking is left out.
func total(name string, rows []LeakRow) LeakRow {
	t := LeakRow{Clip: name, BySide: map[string][2]int{}}
	for _, r := range rows {
		t.Faces, t.Leaks, t.TooDim = t.Faces+r.Faces, t.Leaks+r.Leaks, t.TooDim+r.TooDim
		for k, v := range r.BySide {
			t.BySide[k] = [2]int{t.BySide[k][0] + v[0], t.BySide[k][1] + v[1]}
		}
	}
	return t
}

// sizes are leakcheck's classes in order.
var sizes = []string{"0-10", "10-20", "20-40", "40-100", "100-300", "300-"}

// group picks the clips that belong together under one total.
func group(rows []LeakRow, in func(string) bool) []LeakRow {
	return slices.DeleteFunc(slices.Clone(rows), func(r LeakRow) bool { return !in(r.Clip) })
}
