package nut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

func payload(i, size int) []byte {
	b := make([]byte, size)
	for j := range b {
		b[j] = byte(i*31 + j*7)
	}
	return b
}

func write(t testing.TB, h Header, stamps []int64, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, pts := range stamps {
		if err := w.Write(pts, payload(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	h := Header{Tag: "Y3\x0b\x0a", Width: 8, Height: 4, TimeNum: 1, TimeDen: 12800, AspectNum: 4, AspectDen: 3}
	stamps := []int64{0, 1, 512, 513, 100000, 1 << 40}
	for _, size := range []int{1, 96, 4096, 5000} {
		r, err := NewReader(bytes.NewReader(write(t, h, stamps, size)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Header() != h {
			t.Fatalf("header %+v, want %+v", r.Header(), h)
		}
		buf := make([]byte, size)
		for i, pts := range stamps {
			f, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.PTS != pts || !f.Key || f.Size != size {
				t.Fatalf("frame %d: %+v", i, f)
			}
			if err := r.Read(buf); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(buf, payload(i, size)) {
				t.Fatalf("frame %d: other payload", i)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("end: %v", err)
		}
	}
}

// Each prefix of a stream either reads as a shorter one (a cut between frames) or fails; none is read as whole.
func TestCut(t *testing.T) {
	h := Header{Tag: "I420", Width: 4, Height: 4, TimeNum: 1, TimeDen: 25}
	whole := write(t, h, []int64{0, 1, 2}, 24)
	for n := range whole {
		frames, err := drain(whole[:n])
		if err == nil && frames == 3 {
			t.Fatalf("%d of %d bytes read as whole", n, len(whole))
		}
	}
}

// A changed byte in a header never goes unnoticed; payloads carry no checksum.
func TestChangedHeader(t *testing.T) {
	h := Header{Tag: "I420", Width: 4, Height: 4, TimeNum: 1, TimeDen: 25}
	whole := write(t, h, []int64{0}, 24)
	for i := range len(whole) - 24 {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if _, err := drain(b); err == nil {
			t.Errorf("byte %d changed unnoticed", i)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, h := range []Header{
		{},
		{Tag: "I420", Width: 0, Height: 4, TimeNum: 1, TimeDen: 25},
		{Tag: "I420", Width: 4, Height: 4, TimeNum: 0, TimeDen: 25},
		{Width: 4, Height: 4, TimeNum: 1, TimeDen: 25},
		{Tag: "I420", Width: 4, Height: 4, TimeNum: 1, TimeDen: 25, AspectNum: -1},
	} {
		if _, err := NewWriter(io.Discard, h); err == nil {
			t.Errorf("%+v: written", h)
		}
	}
	w, err := NewWriter(io.Discard, Header{Tag: "I420", Width: 4, Height: 4, TimeNum: 1, TimeDen: 25})
	if err != nil {
		t.Fatal(err)
	}
	if w.Write(-1, nil) == nil {
		t.Error("negative stamp written")
	}
}

// drain reads a stream to its end.
func drain(b []byte) (frames int, err error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	for {
		f, err := r.Next()
		if err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		if f.Size > len(b)+4096 {
			return frames, io.ErrUnexpectedEOF
		}
		if err := r.Read(make([]byte, f.Size)); err != nil {
			return frames, err
		}
		frames++
	}
}

func ffmpeg(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, stderr.String())
	}
	return out
}

// What ffmpeg writes we read, whatever the frame's size: small frames are written with elided headers. Its muxer makes the
// time base finer than the encoder's, by a whole factor.
func TestReadsFFmpeg(t *testing.T) {
	for _, c := range []struct {
		size, format, tag string
		w, h, bytes       int
	}{
		{"16x2", "yuv420p", "I420", 16, 2, 48},
		{"64x48", "yuv420p", "I420", 64, 48, 4608},
		{"320x180", "yuv422p10le", "Y3\x0a\x0a", 320, 180, 230400},
		{"33x17", "bgr24", "BGR\x18", 33, 17, 1683},
	} {
		t.Run(c.size+c.format, func(t *testing.T) {
			b := ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc=size="+c.size+":rate=25:duration=1", "-vf",
				"setsar=4/3,format="+c.format, "-c:v", "rawvideo", "-enc_time_base", "1/12800", "-f", "nut", "-")
			raw := ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc=size="+c.size+":rate=25:duration=1", "-vf",
				"format="+c.format, "-f", "rawvideo", "-")
			r, err := NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			want := Header{Tag: c.tag, Width: c.w, Height: c.h, TimeNum: 1, TimeDen: 51200, AspectNum: 4, AspectDen: 3}
			if r.Header() != want {
				t.Fatalf("header %+v, want %+v", r.Header(), want)
			}
			buf := make([]byte, c.bytes)
			for i := range 25 {
				f, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if f.PTS != int64(i)*2048 || f.Size != c.bytes {
					t.Fatalf("frame %d: %+v", i, f)
				}
				if err := r.Read(buf); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(buf, raw[i*c.bytes:(i+1)*c.bytes]) {
					t.Fatalf("frame %d: other pixels", i)
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Fatalf("end: %v", err)
			}
		})
	}
}

// What we write ffmpeg reads: pixels and stamps.
func TestFFmpegReads(t *testing.T) {
	h := Header{Tag: "I420", Width: 16, Height: 8, TimeNum: 1, TimeDen: 12800, AspectNum: 1, AspectDen: 1}
	stamps := []int64{7, 8, 520, 1500, 90000, 90001}
	b := write(t, h, stamps, 192)
	raw := ffmpeg(t, b, "-f", "nut", "-i", "pipe:", "-fps_mode", "passthrough", "-f", "rawvideo", "-")
	var want []byte
	for i := range stamps {
		want = append(want, payload(i, 192)...)
	}
	if !bytes.Equal(raw, want) {
		t.Fatal("other pixels")
	}
	out := ffmpeg(t, b, "-f", "nut", "-i", "pipe:", "-copyts", "-fps_mode", "passthrough", "-enc_time_base", "1:12800",
		"-c:v", "rawvideo", "-f", "framecrc", "-")
	for _, pts := range stamps {
		if !bytes.Contains(out, fmt.Appendf(nil, "0, %10d, %10d,", pts, pts)) {
			t.Fatalf("stamp %d is not in\n%s", pts, out)
		}
	}
}

func FuzzReader(f *testing.F) {
	h := Header{Tag: "I420", Width: 4, Height: 4, TimeNum: 1, TimeDen: 25}
	f.Add(write(f, h, []int64{0, 1}, 24))
	f.Add([]byte(fileID))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := drain(b); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, io.ErrUnexpectedEOF) &&
			!errors.Is(err, io.EOF) {
			t.Fatalf("unnamed error: %v", err)
		}
	})
}
