package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// turnFilters turn a picture clockwise by so many degrees.
var turnFilters = map[int]string{90: "transpose=clock", 180: "hflip,vflip"}

// turnedClips makes copies of clips that are turned in the pixels, with their ground truth, once.
func (b *bench) turnedClips(ctx context.Context, clips []subject) ([]subject, error) {
	var out []subject
	for _, degrees := range []int{90, 180} {
		for _, c := range clips {
			b.progress("turning %s by %d degrees", c.name, degrees)
			t, err := b.turn(ctx, c, degrees)
			if err != nil {
				return nil, fmt.Errorf("turn %s by %d degrees: %w", c.name, degrees, err)
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// turn makes one copy: lossless, every frame with its time stamp, without sound.
func (b *bench) turn(ctx context.Context, c subject, degrees int) (subject, error) {
	name := c.name + turned(degrees)
	t := subject{name: name, clip: filepath.Join(b.out, name+".mp4"), truth: filepath.Join(b.out, name+".gt.json")}
	err := b.once(t.clip, func(part string) error {
		if err := ffmpeg(ctx, "-v", "error", "-nostdin", "-y", "-i", c.clip, "-map", "0:v:0", "-an", "-map_metadata", "-1",
			"-vf", turnFilters[degrees], "-fps_mode", "passthrough", "-enc_time_base", "-1",
			"-c:v", "libx264", "-preset", "veryfast", "-qp", "0", "-f", "mp4", part); err != nil {
			return err
		}
		return samePictures(ctx, c.clip, turnFilters[degrees], part)
	})
	if err != nil {
		return t, err
	}
	faces, err := readTruth(c.truth)
	if err != nil {
		return t, err
	}
	data, err := json.Marshal(turnTruth(faces, degrees))
	if err != nil {
		return t, err
	}
	return t, os.WriteFile(t.truth, data, 0o644)
}

// samePictures holds that a copy has the filtered source's frames, bit for bit: the truth counts frames and pixels.
func samePictures(ctx context.Context, source, filter, copied string) error {
	want, err := checksums(ctx, source, filter)
	if err != nil {
		return err
	}
	got, err := checksums(ctx, copied, "null")
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the copy's %d frames are not the source's %d", len(got), len(want))
	}
	return nil
}

// checksums gives a checksum of each decoded frame behind a filter.
func checksums(ctx context.Context, path, filter string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-vf", filter,
		"-fps_mode", "passthrough", "-f", "framecrc", "-").Output()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: checksums of %s: %w", filepath.Base(path), err)
	}
	var sums []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") && len(f) > 5 {
			sums = append(sums, strings.TrimSpace(f[5]))
		}
	}
	return sums, nil
}

// turnTruth turns ground truth clockwise by 90 or 180 degrees.
func turnTruth(t truth, degrees int) truth {
	w, h := float64(t.Width), float64(t.Height)
	turn := func(boxes []box) []box {
		out := make([]box, len(boxes))
		for i, b := range boxes {
			if degrees == 90 {
				out[i] = box{h - b[1] - b[3], b[0], b[3], b[2]}
			} else {
				out[i] = box{w - b[0] - b[2], h - b[1] - b[3], b[2], b[3]}
			}
		}
		return out
	}
	frames := make([]truthFrame, len(t.Frames))
	for i, f := range t.Frames {
		frames[i] = truthFrame{Index: f.Index, Boxes: turn(f.Boxes), Ignore: turn(f.Ignore)}
	}
	t.Frames = frames
	if degrees == 90 {
		t.Width, t.Height = t.Height, t.Width
	}
	return t
}
