package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
		return ffmpeg(ctx, "-v", "error", "-nostdin", "-y", "-i", c.clip, "-map", "0:v:0", "-an", "-map_metadata", "-1",
			"-vf", turnFilters[degrees], "-fps_mode", "passthrough", "-enc_time_base", "-1",
			"-c:v", "libx264", "-preset", "veryfast", "-qp", "0", "-f", "mp4", part)
	})
	if err != nil {
		return t, err
	}
	// The truth counts frames: a copy with more or fewer would be scored against the wrong ones.
	before, err := countFrames(ctx, c.clip)
	if err != nil {
		return t, err
	}
	after, err := countFrames(ctx, t.clip)
	if err != nil {
		return t, err
	}
	if before != after {
		return t, fmt.Errorf("%d frames became %d", before, after)
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
