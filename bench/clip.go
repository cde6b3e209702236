package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// sample is where the Debian package forensics-samples-files puts a clip of a telephone: 1080p, with a camera's own motion and
// noise. What is scaled up from less encodes twice as fast as anything that a camera sees, and would tell of nothing.
const sample = "/usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4"

// clip makes a 1080p clip of about so many seconds, once: the sample looped, or, where the package is not installed, a moving
// test picture with noise. It returns the path and says what it is.
func (b *bench) clip(ctx context.Context, seconds int) (path, what string, err error) {
	in, filter, name := []string{"-stream_loop", "-1", "-i", sample}, "scale=1920:1080:flags=bicubic,fps=25", "phone"
	what = "a telephone's clip, looped, 1920x1080"
	if _, err := os.Stat(sample); err != nil {
		in, filter, name = []string{"-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25"}, "noise=alls=6:allf=t", "pattern"
		what = "a test picture without faces, 1920x1080 (install forensics-samples-files for a real one)"
	}
	// A short piece is encoded, and copied as often as it takes: ten minutes of x264 are not what is measured.
	piece := filepath.Join(b.out, name+"-10s.mp4")
	if err := b.once(piece, func(part string) error {
		args := append([]string{"-v", "error", "-nostdin", "-y"}, in...)
		return ffmpeg(ctx, append(args, "-t", "10", "-map", "0:v:0", "-vf", filter, "-c:v", "libx264", "-preset", "veryfast",
			"-crf", "18", "-pix_fmt", "yuv420p", "-g", "50", "-f", "mp4", part)...)
	}); err != nil {
		return "", "", err
	}
	if seconds == 10 {
		return piece, what, nil
	}
	path = filepath.Join(b.out, fmt.Sprintf("%s-%ds.mp4", name, seconds))
	err = b.once(path, func(part string) error {
		return ffmpeg(ctx, "-v", "error", "-nostdin", "-y", "-stream_loop", "-1", "-i", piece, "-t", strconv.Itoa(seconds),
			"-c", "copy", "-f", "mp4", part)
	})
	return path, what, err
}

// fivePeople are clips of one person each, in this order from the left.
var fivePeople = []string{"intel_asl_again.mkv", "intel_asl_sister.mkv", "pyfeat_single_face.mp4",
	"intel_head-pose-face-detection-female.mp4", "intel_head-pose-face-detection-male.mp4"}

// fiveFaces makes ten seconds of 1080p with five faces in each frame, once: clips of the footage side by side.
func (b *bench) fiveFaces(ctx context.Context) (string, error) {
	path := filepath.Join(b.out, "five-faces.mp4")
	return path, b.once(path, func(part string) error {
		args := []string{"-v", "error", "-nostdin", "-y"}
		var cells, all strings.Builder
		for i, name := range fivePeople {
			args = append(args, "-stream_loop", "-1", "-i", filepath.Join(b.shared, "footage", "video", name))
			fmt.Fprintf(&cells, "[%d:v:0]fps=25,scale=640:540:force_original_aspect_ratio=decrease,pad=640:540:-1:-1,setsar=1[c%d];", i, i)
			fmt.Fprintf(&all, "[c%d]", i)
		}
		filter := cells.String() + all.String() + "xstack=inputs=5:layout=0_0|640_0|1280_0|0_540|640_540:fill=gray,format=yuv420p"
		return ffmpeg(ctx, append(args, "-filter_complex", filter, "-t", "10", "-c:v", "libx264", "-preset", "veryfast",
			"-crf", "18", "-f", "mp4", part)...)
	})
}

// once makes a file under a temporary name, and not again when it is there.
func (b *bench) once(path string, produce func(part string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part := path + ".part"
	if err := produce(part); err != nil {
		os.Remove(part)
		return fmt.Errorf("make %s: %w", filepath.Base(path), err)
	}
	return os.Rename(part, path)
}

func ffmpeg(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ffmpeg", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, lastLine(string(out)))
	}
	return nil
}

// countFrames decodes nothing: it counts the packets of the video stream.
func countFrames(ctx context.Context, path string) (int, error) {
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
		"stream=nb_read_packets", "-of", "csv=p=0", path).Output()
	if err != nil {
		return 0, fmt.Errorf("ffprobe %s: %w", filepath.Base(path), err)
	}
	return strconv.Atoi(strings.Trim(strings.TrimSpace(string(out)), ","))
}

// report is what bench reads of a report.
type report struct {
	State   string             `json:"state"`
	Encoder []string           `json:"encoder"`
	CRF     int                `json:"crf"`
	Frames  int                `json:"frames"`
	Tracks  int                `json:"tracks"`
	Rounds  int                `json:"rounds"`
	Stages  map[string]float64 `json:"stages"`
}

func readReport(path string) (report, error) {
	var r report
	data, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read report: %w", err)
	}
	return r, nil
}
