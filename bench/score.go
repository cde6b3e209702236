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

// errNoFootage says that there is no ground truth where it is looked for.
var errNoFootage = errors.New("no footage with ground truth")

// errRefused says that leakcheck cannot compare two files, as when their sizes or their numbers of frames differ.
var errRefused = errors.New("leakcheck cannot compare")

// sizes are leakcheck's classes by a face's shorter side in pixels, in order.
var sizes = []string{"0-10", "10-20", "20-40", "40-100", "100-300", "300-"}

// sizeOf is the class of a face.
func sizeOf(f box) string {
	side := min(f[2], f[3])
	for i, least := range []float64{10, 20, 40, 100, 300} {
		if side < least {
			return sizes[i]
		}
	}
	return sizes[len(sizes)-1]
}

// Score is what leakcheck says of a derivative.
type Score struct {
	Faces  int `json:"faces"`
	Leaks  int `json:"leaks"`
	TooDim int `json:"too_dark_to_judge"`
	// BySide holds [leaks, faces] by the shorter side of the face's box in pixels, as "20-40".
	BySide map[string][2]int `json:"by_side_px"`
	// OverMasked is the share of the area away from all faces that was changed; nil where the truth is not complete.
	OverMasked *float64 `json:"over_masked"`
}

// add takes another score in; over-masking is left out.
func (s *Score) add(o Score) {
	s.Faces, s.Leaks, s.TooDim = s.Faces+o.Faces, s.Leaks+o.Leaks, s.TooDim+o.TooDim
	if s.BySide == nil {
		s.BySide = map[string][2]int{}
	}
	for k, v := range o.BySide {
		s.BySide[k] = [2]int{s.BySide[k][0] + v[0], s.BySide[k][1] + v[1]}
	}
}

// debianPython is the system's own interpreter, for which `make bench` installs what leakcheck needs; another one may come before it
// on the PATH.
func debianPython() string {
	const own = "/usr/bin/python3"
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return "python3"
}

// leakcheck scores a derivative. Files that cannot be compared are an errRefused.
func (b *bench) leakcheck(ctx context.Context, clip, out, truth string) (Score, error) {
	cmd := exec.CommandContext(ctx, debianPython(), filepath.Join(b.shared, "tools", "leakcheck"), clip, out, truth, "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 2 && len(answer) > 0 {
		return Score{}, fmt.Errorf("%w: %s", errRefused, strings.TrimPrefix(lastLine(string(answer)), "leakcheck: "))
	}
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1 && len(answer) > 0) {
		return Score{}, fmt.Errorf("leakcheck: %w: %s", err, lastLine(stderr.String()+string(answer)))
	}
	var s Score
	if err := json.Unmarshal(answer, &s); err != nil {
		return Score{}, fmt.Errorf("leakcheck: %w", err)
	}
	return s, nil
}

// subject is a clip, or a picture, with its ground truth.
type subject struct{ name, clip, truth string }

// clips finds the clips of the footage with ground truth whose names match a pattern.
func (b *bench) clips(pattern string) ([]subject, error) {
	return clipsIn(filepath.Join(b.shared, "footage", "video"), pattern)
}

// clipsIn finds the clips of a folder with ground truth (NAME.gt.json) whose names match a pattern.
func clipsIn(folder, pattern string) ([]subject, error) {
	truths, err := filepath.Glob(filepath.Join(folder, "*.gt.json"))
	if err != nil {
		return nil, err
	}
	if len(truths) == 0 {
		return nil, fmt.Errorf("%w in %s", errNoFootage, folder)
	}
	var found []subject
	for _, truth := range truths {
		name := strings.TrimSuffix(filepath.Base(truth), ".gt.json")
		match, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if clip := footage(filepath.Dir(truth), name); match && clip != "" {
			found = append(found, subject{name, clip, truth})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no clip with ground truth matches %q", pattern)
	}
	return found, nil
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

// box is x, y, w, h in pixels of the upright picture.
type box [4]float64

// truth is where the faces are.
type truth struct {
	File     string       `json:"file"`
	Width    int          `json:"width"`
	Height   int          `json:"height"`
	Complete *bool        `json:"complete,omitempty"` // false where there are faces that are not listed
	Frames   []truthFrame `json:"frames"`
}

// truthFrame is one frame that was looked over.
type truthFrame struct {
	Index  int   `json:"index"` // from 0, in presentation order
	Boxes  []box `json:"boxes"`
	Ignore []box `json:"ignore"` // neither a hit nor a miss
}

// all lists the boxes, then those to ignore.
func (f truthFrame) all() []box { return slices.Concat(f.Boxes, f.Ignore) }

func readTruth(path string) (truth, error) {
	var t truth
	err := readJSON(path, &t)
	return t, err
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}
