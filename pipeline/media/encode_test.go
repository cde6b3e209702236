package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// blank is a small clip that needs no source: a probe and its court target.
func blank(t testing.TB, base Rational) (*Probe, *Target) {
	t.Helper()
	p := &Probe{Video: VideoStream{StoredWidth: 128, StoredHeight: 96, Width: 128, Height: 96, Decoded: YUV420P, Format: YUV420P,
		TimeBase: base, AvgRate: Rational{25, 1}}}
	target, err := NewTarget(p, Court)
	if err != nil {
		t.Fatal(err)
	}
	return p, target
}

// frame is one of many different pictures.
func frame(l Layout, i int) []byte {
	b := make([]byte, l.Size())
	for j := range b {
		b[j] = byte(40 + (j*7+i*i*13)%150)
	}
	return b
}

func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	c := sourceClip{encode: x264With("-bf", "2", "-c:a", "aac", "-shortest"), source: "testsrc2=s=192x144:r=25[out0];sine=f=440[out1]"}
	path, tl := c.make(t), tools(t)
	p, err := Inspect(t.Context(), tl, path, DefaultLimits())
	if err != nil || len(p.Audio) != 1 {
		t.Fatal(p, err)
	}
	var before []byte
	for range 2 {
		target, err := NewTarget(p, Press)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		audio, err := PrepareAudio(t.Context(), tl, AudioOptions{Path: path, Probe: p, Out: filepath.Join(dir, "a.m4a")})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out.mp4")
		encodeView(t, tl, EncodeOptions{Target: target, Probe: p, Out: out, Audio: audio}, decodeView(t, tl, path, p, target.View))
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(before, b) {
			t.Fatal("the second run gave other bytes")
		}
		before = b
		for _, word := range []string{canary, "x264", "Lavc", "Lavf", "Handler"} {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%q occurs in the file", word)
			}
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 2 {
			t.Errorf("files left: %v, %v", left, err)
		}
	}
}

func TestAbortLeavesNoFile(t *testing.T) {
	t.Parallel()
	p, target := blank(t, Rational{1, 12800})
	out := filepath.Join(t.TempDir(), "out.mp4")
	e, err := Encode(t.Context(), tools(t), EncodeOptions{Target: target, Probe: p, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := e.Write(int64(i)*512, frame(target.View.Layout, i)); err != nil {
			t.Fatal(err)
		}
	}
	pid := e.child.child.Pid()
	e.Abort()
	gone(t, out, pid)
	if err := e.Write(9999, frame(target.View.Layout, 0)); !errors.Is(err, ErrEncoder) {
		t.Errorf("write after abort: %v", err)
	}
	if err := e.Finish(); !errors.Is(err, ErrEncoder) {
		t.Errorf("finish after abort: %v", err)
	}
}

// gone holds that neither file nor process is left.
func gone(t *testing.T, out string, pid int) {
	t.Helper()
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", filepath.Base(out), err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is left", pid)
	}
}

func TestCancelLeavesNoFile(t *testing.T) {
	t.Parallel()
	p, target := blank(t, Rational{1, 25})
	out := filepath.Join(t.TempDir(), "out.mp4")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	e, err := Encode(ctx, tools(t), EncodeOptions{Target: target, Probe: p, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	for i := range 1000 {
		if i == 5 {
			cancel(cause)
		}
		if err = e.Write(int64(i), frame(target.View.Layout, i)); err != nil {
			break
		}
	}
	if err == nil {
		err = e.Finish()
	}
	if !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
	gone(t, out, e.child.child.Pid())
}

// feederEnv makes the test binary a process that feeds an encoder until it is killed.
const feederEnv = "MEDIA_TEST_FEEDER"

// feed is what that process does.
func feed(t *testing.T, out string) {
	p, target := blank(t, Rational{1, 25})
	e, err := Encode(t.Context(), tools(t), EncodeOptions{Target: target, Probe: p, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		if err := e.Write(int64(i), frame(target.View.Layout, i)); err != nil {
			t.Fatal(err)
		}
		if i == 50 {
			fmt.Printf("pid=%d\n", e.child.child.Pid())
		}
	}
}

// A feeder that is killed can remove nothing. What is left must not pass for a finished video, and nothing may run on.
func TestKilledFeeder(t *testing.T) {
	if out := os.Getenv(feederEnv); out != "" {
		feed(t, out)
		return
	}
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out.mp4")
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledFeeder$", "-test.v")
	cmd.Env = append(os.Environ(), feederEnv+"="+out)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid, seen := 0, ""
	buf := make([]byte, 256)
	for pid == 0 {
		n, err := stdout.Read(buf)
		seen += string(buf[:n])
		if i := strings.Index(seen, "pid="); i >= 0 && strings.Contains(seen[i:], "\n") {
			if _, err := fmt.Sscanf(seen[i:], "pid=%d", &pid); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil && pid == 0 {
			t.Fatalf("feeder: %v: %s", err, seen)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !ends(pid) {
		t.Fatalf("encoder %d runs on", pid)
	}
	if exec.Command("ffprobe", "-v", "error", out).Run() == nil {
		t.Error("a short file passes for a video")
	}
}

// ends waits for a process that is not ours to be gone or a zombie.
func ends(pid int) bool {
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	p, target := blank(t, Rational{1, 25})
	out := filepath.Join(dir, "out.mp4")
	e, err := Encode(t.Context(), tools(t), EncodeOptions{Target: target, Probe: p, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 400 && err == nil; i++ {
		err = e.Write(int64(i), frame(target.View.Layout, i))
	}
	if err == nil {
		err = e.Finish()
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("full disk: %v", err)
	}
	gone(t, out, e.child.child.Pid())
}

func TestEncoderRefuses(t *testing.T) {
	t.Parallel()
	p, target := blank(t, Rational{1, 25})
	l := target.View.Layout
	for name, c := range map[string]struct {
		feed func(*Encoder) error
		want error
	}{
		"no frame":       {func(e *Encoder) error { return e.Finish() }, ErrNoFrames},
		"short frame":    {func(e *Encoder) error { return e.Write(0, make([]byte, 7)) }, ErrEncoder},
		"repeated stamp": {func(e *Encoder) error { return errors.Join(e.Write(3, frame(l, 0)), e.Write(3, frame(l, 1))) }, ErrTimestamps},
		"before zero":    {func(e *Encoder) error { return e.Write(-1, frame(l, 0)) }, ErrTimestamps},
	} {
		out := filepath.Join(t.TempDir(), "out.mp4")
		e, err := Encode(t.Context(), tools(t), EncodeOptions{Target: target, Probe: p, Out: out})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.feed(e); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		gone(t, out, e.child.child.Pid())
	}
	if _, err := Encode(t.Context(), tools(t), EncodeOptions{Target: target, Probe: p, Out: filepath.Join(t.TempDir(), "no", "out.mp4")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := Encode(t.Context(), Tools{FFmpeg: "/nowhere/ffmpeg", EncoderThreads: 1}, EncodeOptions{Target: target, Probe: p, Out: filepath.Join(t.TempDir(), "out.mp4")}); !errors.Is(err, ErrMissingTool) {
		t.Errorf("no ffmpeg: %v", err)
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		base  Rational
		scale int64
		exact bool
		pts   int64
		want  int64
	}{
		{Rational{1, 90000}, 90000, true, 3003, 3003},
		{Rational{1001, 30000}, 30000, true, 7, 7007},
		{Rational{2, 50}, 25, true, 3, 3},
		{Rational{1, 10_000_000}, 10_000_000, true, 333_667, 333_667},
		{Rational{1, 1_000_000_000}, 1_000_000, false, 1_000_000_499, 1_000_000},
		{Rational{1, 1_000_000_000}, 1_000_000, false, 1_000_000_501, 1_000_001},
		{Rational{1, 14_112_000}, 1_000_000, false, 14_112_000 * 3600, 3_600_000_000},
	} {
		k, exact, err := newClock(c.base, 1000)
		if err != nil || k.scale != c.scale || exact != c.exact {
			t.Errorf("%s: 1/%d, exact %v, %v", c.base, k.scale, exact, err)
			continue
		}
		if got, err := k.at(c.pts + 1000); err != nil || got != c.want {
			t.Errorf("%s: %d becomes %d, %v", c.base, c.pts, got, err)
		}
	}
	if _, err := (clock{scale: 25, num: 1, den: 1}).at(-1); !errors.Is(err, ErrTimestamps) {
		t.Error("a stamp before time zero is taken")
	}
	if _, _, err := newClock(Rational{0, 1}, 0); err == nil {
		t.Error("a time base of zero is taken")
	}
}

// Stamps in nanoseconds are rounded to a microsecond, and gaps of minutes survive.
func TestFineTimeBase(t *testing.T) {
	t.Parallel()
	p, target := blank(t, Rational{1, 1_000_000_000})
	if n := target.Notes; len(n) != 1 || n[0].Code != "stamps_rounded" {
		t.Errorf("notes %v", n)
	}
	out := filepath.Join(t.TempDir(), "out.mp4")
	in := decoded{stamps: []int64{7_000_000_033, 7_040_000_066, 127_040_000_999}}
	for i := range in.stamps {
		in.pixels = append(in.pixels, frame(target.View.Layout, i))
	}
	encodeView(t, tools(t), EncodeOptions{Target: target, Probe: p, Out: out}, in)
	got := plainProbe(t, out)
	for i, f := range got.Frames {
		if want := (in.stamps[i] - in.stamps[0] + 500) / 1000; f.PTS != want {
			t.Errorf("frame %d at %d, want %d", i, f.PTS, want)
		}
	}
}
