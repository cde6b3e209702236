package media

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// BenchmarkTranscode sets the way through this process (decode, NUT, frames in Go memory, NUT, encode) beside one ffmpeg
// with the same decoder, filters and encoder settings. Run with -benchtime 3x on an idle machine; where it is not idle,
// the processor time of all processes together is the figure to compare.
func BenchmarkTranscode(b *testing.B) {
	const frames = 60
	path := filepath.Join(b.TempDir(), "clip.mp4")
	plainFFmpeg(b, "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25,noise=alls=8:allf=t", "-frames:v", strconv.Itoa(frames),
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", path)
	tl := tools(b)
	p, err := Inspect(b.Context(), tl, path, DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	for _, profile := range []string{Press, Court} {
		target, err := NewTarget(p, profile)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(profile+"/veil", func(b *testing.B) {
			before := processorTime(b)
			for b.Loop() {
				through(b, tl, path, p, target)
			}
			b.ReportMetric(float64(b.N*frames)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric((processorTime(b)-before)*1000/float64(b.N*frames), "cpu-ms/frame")
		})
		b.Run(profile+"/ffmpeg", func(b *testing.B) {
			before := processorTime(b)
			for b.Loop() {
				direct(b, tl, path, target)
			}
			b.ReportMetric(float64(b.N*frames)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric((processorTime(b)-before)*1000/float64(b.N*frames), "cpu-ms/frame")
		})
	}
}

// processorTime is what this process and its ended children have used, in seconds.
func processorTime(b *testing.B) float64 {
	b.Helper()
	sum := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	return sum
}

// through transcodes with a few frames in flight, as a render does.
func through(b *testing.B, tl Tools, path string, p *Probe, target *Target) {
	b.Helper()
	d, err := Decode(b.Context(), tl, path, p, target.View, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	e, err := Encode(b.Context(), tl, EncodeOptions{Target: target, Probe: p, Out: filepath.Join(b.TempDir(), "out.mp4")})
	if err != nil {
		b.Fatal(err)
	}
	type shot struct {
		pts   int64
		frame []byte
	}
	free, shots := make(chan []byte, 4), make(chan shot)
	for range cap(free) {
		free <- make([]byte, target.View.Layout.Size())
	}
	failed := make(chan error, 1)
	go func() {
		defer close(shots)
		for f := range free {
			info, err := d.Next(f)
			if err != nil {
				failed <- err
				return
			}
			shots <- shot{info.PTS, f}
		}
	}()
	for s := range shots {
		if err := e.Write(s.pts, s.frame); err != nil {
			b.Fatal(err)
		}
		free <- s.frame
	}
	if err := <-failed; !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	if err := e.Finish(); err != nil {
		b.Fatal(err)
	}
}

// direct is the same work in one ffmpeg.
func direct(b *testing.B, tl Tools, path string, target *Target) {
	b.Helper()
	vf := slices.Index(target.EncoderArgs, "-vf")
	args := slices.Concat([]string{"-nostdin", "-v", "error", "-y", "-threads", strconv.Itoa(tl.DecoderThreads), "-i", path,
		"-vf", target.View.chain() + "," + target.EncoderArgs[vf+1]}, target.EncoderArgs[:vf],
		[]string{"-threads:v", strconv.Itoa(tl.EncoderThreads), "-fps_mode", "passthrough", filepath.Join(b.TempDir(), "out.mp4")})
	if out, err := exec.CommandContext(b.Context(), tl.FFmpeg, args...).CombinedOutput(); err != nil {
		b.Fatal(fmt.Errorf("%w: %s", err, out))
	}
}
