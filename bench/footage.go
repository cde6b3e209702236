package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"veil/worker/capacity"
)

const (
	footageRate = 25
	// person is where forensics-samples-files puts a clip of a person talking.
	person = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"
	// crowd is how many of it fill a picture, in each direction.
	crowd = 4
)

// footageClip is a clip that the figures of `veil capacity` are measured on.
type footageClip struct {
	what, resolution string
	width, height    int
	faces            int
}

func footageClips() []footageClip {
	const one, many = "a person talking", "sixteen people talking"
	return []footageClip{
		{one, "720p", 1280, 720, 1}, {one, "1080p", 1920, 1080, 1}, {many, "1080p", 1920, 1080, crowd * crowd}, {one, "2160p", 3840, 2160, 1},
	}
}

// footage measures `veil redact` on clips of several sizes, one after the other. Processor time hardly depends on what else the
// machine does; nothing here is wall clock.
func (b *bench) footage(ctx context.Context, seconds int) (rows []capacity.Footage, err error) {
	if _, err := os.Stat(person); err != nil {
		return nil, fmt.Errorf("the sample clip is missing: run `docker/install.sh demo`")
	}
	for _, c := range footageClips() {
		path, err := b.footageFile(ctx, c, seconds)
		if err != nil {
			return nil, err
		}
		for _, effort := range []string{"thorough", "fast"} {
			b.progress("footage: %s, %s, %s", c.what, c.resolution, effort)
			row, err := b.footageRow(ctx, c, path, effort)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// footageFile makes a clip once: the sample at that size, or a picture full of it, with a camera's noise, as what is scaled up
// and clean encodes faster than anything that a camera sees.
func (b *bench) footageFile(ctx context.Context, c footageClip, seconds int) (string, error) {
	path := filepath.Join(b.out, fmt.Sprintf("footage-%s-%d-%ds.mp4", c.resolution, c.faces, seconds))
	side := 1
	if c.faces > 1 {
		side = crowd
	}
	filter := fmt.Sprintf("fps=%d,scale=%d:%d:flags=bicubic,split=%d", footageRate, c.width/side, c.height/side, side*side)
	for i := range side * side {
		filter += fmt.Sprintf("[p%d]", i)
	}
	filter += ";"
	for i := range side * side {
		filter += fmt.Sprintf("[p%d]", i)
	}
	if side > 1 {
		filter += fmt.Sprintf("xstack=grid=%dx%d,", side, side)
	}
	filter += "noise=alls=6:allf=t"
	return path, b.once(path, func(part string) error {
		return ffmpeg(ctx, "-v", "error", "-nostdin", "-y", "-ss", "1", "-t", fmt.Sprint(seconds), "-i", person, "-an", "-filter_complex", filter,
			"-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-g", "50", "-f", "mp4", part)
	})
}

// footageRow measures one clip with one effort.
func (b *bench) footageRow(ctx context.Context, c footageClip, path, effort string) (row capacity.Footage, err error) {
	frames, err := countFrames(ctx, path)
	if err != nil {
		return row, err
	}
	plan := filepath.Join(b.out, "footage.plan.json")
	use, _, err := b.redact(ctx, path, "footage", "--plan-out", plan, "--effort", effort)
	if err != nil {
		return row, err
	}
	out := filepath.Join(b.out, "footage.mp4")
	if _, err := os.Stat(out); err != nil {
		out = held(out)
	}
	row = capacity.Footage{Clip: c.what, Resolution: c.resolution, Effort: effort, Faces: c.faces, Frames: frames, CPU: use.CPU / float64(frames), PeakMB: use.PeakMB}
	for file, to := range map[string]*float64{path: &row.Source, out: &row.Derivative, plan: &row.Evidence, filepath.Join(b.out, "footage.report.json"): &row.Evidence} {
		info, err := os.Stat(file)
		if err != nil {
			return row, err
		}
		*to += float64(info.Size()) / float64(frames)
	}
	return row, nil
}
