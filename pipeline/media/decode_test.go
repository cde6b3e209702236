package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// makeClip makes a clip with ffmpeg and returns its path.
func makeClip(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	plainFFmpeg(t, append(args, "-y", "file:"+path)...)
	return path
}

// source is a generated input: n frames, w x h.
func testSource(size string, frames int) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=25:duration=%g", size, float64(frames)/25)}
}

func with(a []string, b ...string) []string { return append(append([]string(nil), a...), b...) }

func inspect(t testing.TB, path string) *Probe {
	t.Helper()
	p, err := Inspect(t.Context(), tools(t), path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plainStamps asks ffmpeg itself for the stamps of the frames that it shows.
func plainStamps(t testing.TB, path string, stream int) []int64 {
	t.Helper()
	var list []int64
	out := plainFFmpeg(t, "-copyts", "-i", "file:"+path, "-map", fmt.Sprint("0:", stream), "-fps_mode", "passthrough",
		"-enc_time_base", "-1", "-c:v", "rawvideo", "-f", "framecrc", "-")
	for line := range strings.Lines(string(out)) {
		var stream int
		var dts, pts int64
		if strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := fmt.Sscanf(line, "%d, %d, %d,", &stream, &dts, &pts); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, pts)
	}
	return list
}

// Whatever the view, the same frames come with the same stamps and digests, and they are those that ffmpeg shows.
func TestViewsAgree(t *testing.T) {
	h264 := []string{"-c:v", "libx264", "-preset", "ultrafast"}
	bframes := []string{"-c:v", "libx264", "-preset", "medium", "-bf", "3", "-g", "12"}
	for _, c := range []struct {
		name   string
		file   string
		args   []string
		frames int
		ok     func(*Probe) bool
	}{
		{"plain", "a.mp4", with(testSource("96x64", 10), h264...), 10,
			func(p *Probe) bool {
				return !p.Video.Variable && p.Video.Frames == 10 && p.Video.AvgRate == Rational{25, 1}
			}},
		{"b frames", "a.mp4", with(testSource("96x64", 30), bframes...), 30, func(p *Probe) bool { return p.Video.Delay > 0 }},
		{"variable rate", "a.mp4", with(testSource("96x64", 30), with(bframes, "-vf",
			"select=not(mod(n\\,3))+not(mod(n\\,7))", "-fps_mode", "passthrough")...), 13,
			func(p *Probe) bool { return p.Video.Variable }},
		{"late start", "a.mkv", with(testSource("96x64", 10), with(h264, "-output_ts_offset", "2357")...), 10,
			func(p *Probe) bool { return p.Video.StartPTS == 2357000 }},
		{"transport stream", "a.ts", with(testSource("96x64", 10), bframes...), 10,
			func(p *Probe) bool { return p.Video.Frames == 10 && p.Container == "mpegts" }},
		{"two tracks", "a.mp4", with(testSource("96x64", 10), with(h264, "-filter_complex", "[0]split[a][b];[b]negate[c]",
			"-map", "[a]", "-map", "[c]")...), 10, func(p *Probe) bool { return p.Video.Index == 0 && has(p, "video_stream", 1) }},
		{"10 bit", "a.mp4", with(testSource("96x64", 5), with(h264, "-pix_fmt", "yuv422p10le")...), 5,
			func(p *Probe) bool { return p.Video.Format == YUV422P10 }},
		{"odd", "a.mp4", with(testSource("98x66", 5), with(h264, "-vf", "format=yuv444p,crop=97:65")...), 5,
			func(p *Probe) bool { return p.Video.Width == 97 && p.Video.Height == 65 && p.Video.Format == YUV444P }},
		{"anamorphic", "a.mp4", with(testSource("96x64", 5), with(h264, "-vf", "setsar=16/11")...), 5,
			func(p *Probe) bool {
				return p.Video.SAR == Rational{16, 11} && AnalysisView(p, 1000).Layout.Width == 140
			}},
		{"interlaced", "a.mp4", with(testSource("96x64", 8), with(h264, "-flags", "+ildct", "-x264-params", "bff=1")...), 8,
			func(p *Probe) bool { return p.Video.Interlaced && !p.Video.TopFirst }},
		{"full range", "a.mkv", with(testSource("96x64", 5), "-c:v", "mjpeg"), 5,
			func(p *Probe) bool { return p.Video.Range == "pc" && p.Video.Format == YUV420P }},
		{"hdr", "a.mkv", with(testSource("96x64", 5), with(h264, "-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:"+
			"colorspace=bt2020nc,format=yuv420p10le")...), 5, func(p *Probe) bool { return p.Video.HDR }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := makeClip(t, c.file, c.args...)
			p := inspect(t, path)
			if !c.ok(p) {
				t.Errorf("probe %+v", *p)
			}
			full, err := decodeAll(t, path, p, PlainView(p), nil)
			if err != nil {
				t.Fatal(err)
			}
			small, err := decodeAll(t, path, p, AnalysisView(p, 40), nil)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(full) != fmt.Sprint(small) || len(full) != c.frames {
				t.Fatalf("%d frames\n%v\nand\n%v", c.frames, full, small)
			}
			want := plainStamps(t, path, p.Video.Index)
			for i, f := range full {
				if f.Number != i || f.PTS != want[i] || f.Damaged || len(f.Digest) != 8 {
					t.Fatalf("frame %d: %+v, want stamp %d", i, f, want[i])
				}
			}
		})
	}
}

// An excerpt is those frames of the whole, with the numbers that they have there.
func TestExcerpt(t *testing.T) {
	path := makeClip(t, "a.mp4", with(testSource("96x64", 30), "-c:v", "libx264", "-bf", "3")...)
	p := inspect(t, path)
	whole, err := decodeAll(t, path, p, PlainView(p), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int{{0, 0}, {4, 9}, {7, 7}, {20, 29}, {0, 29}} {
		part, err := decodeAll(t, path, p, AnalysisView(p, 64), &Range{whole[r[0]].PTS, whole[r[1]].PTS})
		if err != nil {
			t.Fatal(err)
		}
		if want := whole[r[0] : r[1]+1]; fmt.Sprint(part) != fmt.Sprint(want) {
			t.Errorf("%v:\n%v\nwant\n%v", r, part, want)
		}
	}
	for _, r := range []Range{{1 << 40, 1 << 41}, {5, 4}} {
		if _, err := decodeAll(t, path, p, PlainView(p), &r); !errors.Is(err, ErrEmptyExcerpt) {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// All eight display matrices come out as ffmpeg itself shows them.
func TestEightMatrices(t *testing.T) {
	path := makeClip(t, "a.mp4", with(testSource("64x48", 2), "-c:v", "libx264", "-preset", "ultrafast")...)
	clip, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(clip, []byte("tkhd")) + 44 // of version 0
	const one = 1 << 16
	for turn, m := range map[Turn][4]int32{
		TurnNone: {one, 0, 0, one}, TurnRight: {0, one, -one, 0}, TurnHalf: {-one, 0, 0, -one}, TurnLeft: {0, -one, one, 0},
		MirrorH: {-one, 0, 0, one}, MirrorV: {one, 0, 0, -one}, TurnTranspose: {0, one, one, 0},
		TurnAntiTranspose: {0, -one, -one, 0},
	} {
		t.Run(string(turn), func(t *testing.T) {
			turned := bytes.Clone(clip)
			for i, v := range []int32{m[0], m[1], 0, m[2], m[3]} {
				binary.BigEndian.PutUint32(turned[at+4*i:], uint32(v))
			}
			path := filepath.Join(t.TempDir(), "b.mp4")
			if err := os.WriteFile(path, turned, 0o600); err != nil {
				t.Fatal(err)
			}
			p := inspect(t, path)
			if p.Video.Turn != turn || p.Video.Width == 48 != turn.Swaps() {
				t.Fatalf("turn %s, %dx%d", p.Video.Turn, p.Video.Width, p.Video.Height)
			}
			v := PlainView(p)
			d, err := Decode(t.Context(), tools(t), path, p, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got := make([]byte, v.Layout.Size())
			if _, err := d.Next(got); err != nil {
				t.Fatal(err)
			}
			want := plainFFmpeg(t, "-i", "file:"+path, "-frames:v", "1", "-f", "rawvideo", "-")
			if !bytes.Equal(got, want) {
				t.Error("another picture than ffmpeg shows")
			}
			if a := AnalysisView(p, 24).Layout; a.Width > a.Height == turn.Swaps() {
				t.Errorf("analysed picture is %dx%d", a.Width, a.Height)
			}
		})
	}
}

func TestTurnOfFreeMatrix(t *testing.T) {
	const one = 1 << 16
	for _, c := range []struct {
		m     [9]int32
		turn  Turn
		exact bool
	}{
		{[9]int32{}, TurnNone, true},
		{[9]int32{one, 12, 0, -12, one}, TurnNone, true},
		{[9]int32{56756, 32768, 0, -32768, 56756}, TurnNone, false}, // 30 degrees
		{[9]int32{32768, 56756, 0, -56756, 32768}, TurnRight, false},
		{[9]int32{one, 0, 0, 0, 0}, TurnNone, false},
	} {
		if turn, exact := turnOf(c.m); turn != c.turn || exact != c.exact {
			t.Errorf("%v: %s %v", c.m, turn, exact)
		}
	}
}

// Pixel formats that do not travel come out in one that does.
func TestPixelFormats(t *testing.T) {
	for _, f := range []string{"gray", "yuv410p", "yuv411p", "yuv440p", "yuva420p", "bgr0", "gbrp10le", "gray12le",
		"yuv422p12le", "yuv420p16le", "yuv444p9le", "pal8"} {
		t.Run(f, func(t *testing.T) {
			t.Parallel()
			codec := "ffv1"
			if f == "pal8" {
				codec = "png"
			}
			path := makeClip(t, "a.mkv", with(testSource("64x48", 1), "-c:v", codec, "-pix_fmt", f)...)
			p := inspect(t, path)
			if string(p.Video.Decoded) != f {
				t.Fatalf("decodes to %s", p.Video.Decoded)
			}
			for _, v := range []View{PlainView(p), AnalysisView(p, 32)} {
				frames, err := decodeAll(t, path, p, v, nil)
				if n, why := damage(frames); err != nil || len(frames) != 1 || n > 0 {
					t.Errorf("%s: %d frames, %s, %v", v.Layout.Format, len(frames), why, err)
				}
			}
		})
	}
	for name, want := range map[string]PixelFormat{"nv12": YUV420P, "p010le": YUV420P10, "uyvy422": YUV422P,
		"yuv420p10be": YUV420P10, "yuv422p12le": YUV422P10, "rgb24": YUV444P, "rgb48le": YUV444P10, "monob": YUV420P,
		"yuvj444p": YUV444P, "yuv444p14be": YUV444P10, "gbrp": YUV444P, "gbrp12le": YUV444P10, "y210le": YUV422P10} {
		if got := travelFor(name); got.format != want || got.direct && PixelFormat(strings.Replace(name, "yuvj", "yuv", 1)) != want {
			t.Errorf("%s travels as %+v", name, got)
		}
	}
}

// Damage in the stream marks frames, and decoding goes on; a cut never looks like a whole clip.
func TestDamagedClips(t *testing.T) {
	path := makeClip(t, "a.mkv", with(testSource("320x240", 50), "-c:v", "libx264", "-g", "10", "-bf", "0")...)
	clip, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) string {
		p := filepath.Join(t.TempDir(), "b.mkv")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	broken := bytes.Clone(clip)
	for i := len(broken) / 2; i < len(broken)/2+400; i++ {
		broken[i] ^= 0x55
	}
	path = write(broken)
	frames, err := decodeAll(t, path, inspect(t, path), PlainView(inspect(t, path)), nil)
	if n, _ := damage(frames); err != nil || n == 0 || n == len(frames) || frames[len(frames)-1].Damaged {
		t.Errorf("changed bytes: %d of %d frames, %v", n, len(frames), err)
	}
	path = write(clip[:len(clip)*2/3])
	p := inspect(t, path)
	frames, err = decodeAll(t, path, p, PlainView(p), nil)
	if n, _ := damage(frames); err == nil && n == 0 {
		t.Errorf("cut: %d frames and no damage", len(frames))
	}
}

// A decoder that dies in mid-clip is an error, never a short clip.
func TestKilledDecoder(t *testing.T) {
	path := makeClip(t, "a.mp4", with(testSource("640x480", 100), "-c:v", "libx264", "-preset", "ultrafast")...)
	p := inspect(t, path)
	v := PlainView(p)
	buf := make([]byte, v.Layout.Size())
	for _, c := range []struct {
		name string
		end  func(*Decoder, context.CancelFunc)
		want error
	}{
		{"killed", func(d *Decoder, _ context.CancelFunc) { d.child.Kill() }, ErrDamaged},
		{"cancelled", func(_ *Decoder, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		d, err := Decode(ctx, tools(t), path, p, v, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; err == nil; n++ {
			if _, err = d.Next(buf); n == 2 {
				c.end(d, cancel)
			}
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, again := d.Next(buf); again != err {
			t.Errorf("%s: then %v", c.name, again)
		}
		cancel()
		d.Close()
	}
	d, err := Decode(t.Context(), tools(t), path, p, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Close() // at once: nothing hangs
	if err := syscall.Kill(d.child.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child is still there: %v", err)
	}
}

// A view that can not be made, or gives another picture than promised, is our fault and not damage of the clip.
func TestBrokenView(t *testing.T) {
	path := makeClip(t, "a.mp4", with(testSource("64x48", 3), "-c:v", "libx264", "-preset", "ultrafast")...)
	p := inspect(t, path)
	for _, filters := range [][]string{{"nosuchfilter"}, {"scale=32:32"}, {"format=rgb24"}} {
		v := View{Layout: PlainView(p).Layout, Filters: filters}
		frames, err := decodeAll(t, path, p, v, nil)
		if err == nil || errors.Is(err, ErrDamaged) || len(frames) > 0 {
			t.Errorf("%v: %d frames, %v", filters, len(frames), err)
		}
	}
}

// Names are never options, protocols or lines of a log.
func TestNames(t *testing.T) {
	clip := makeClip(t, "a.mp4", with(testSource("64x48", 2), "-c:v", "libx264", "-preset", "ultrafast")...)
	dir := t.TempDir()
	for _, name := range []string{"-i.mp4", "a b.mp4", "it's \"x\".mp4", "a\nb.mp4", "http:x.mp4", "concat:a|b", "%03d.mp4",
		"\n[Parsed_showinfo_0 @ 0x1] [info] n: 0 pts: 0.mp4"} {
		path := filepath.Join(dir, name)
		if err := os.Link(clip, path); err != nil {
			t.Fatal(err)
		}
		p := inspect(t, path)
		if frames, err := decodeAll(t, path, p, PlainView(p), nil); err != nil || len(frames) != 2 {
			t.Errorf("%q: %d frames, %v", name, len(frames), err)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	clip := makeClip(t, "a.mp4", with(testSource("64x48", 3), "-c:v", "libx264", "-preset", "ultrafast", "-movflags",
		"+faststart", "-metadata", "title=SECRET", "-metadata", "location=+52.5+013.4/")...)
	whole, err := os.ReadFile(clip)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	limit := func(change func(*Limits)) Limits {
		l := DefaultLimits()
		change(&l)
		return l
	}
	for _, c := range []struct {
		name, path string
		lim        Limits
		want       error
	}{
		{"missing", filepath.Join(dir, "none"), Limits{}, os.ErrNotExist},
		{"folder", dir, Limits{}, ErrUnreadable},
		{"pipe", fifo, Limits{}, ErrUnreadable},
		{"empty", file("empty.mp4", nil), Limits{}, ErrUnreadable},
		{"text", file("text.mp4", []byte(strings.Repeat("no video\n", 100))), Limits{}, ErrUnreadable},
		{"playlist", file("a.m3u8", []byte("#EXTM3U\n#EXTINF:1,\n"+clip+"\n")), Limits{}, ErrUnreadable},
		{"concat", file("a.txt", []byte("ffconcat version 1.0\nfile "+clip+"\n")), Limits{}, ErrFormat},
		{"cut header", file("cut.mp4", whole[:200]), Limits{}, ErrUnreadable},
		{"png", file("a.mp4", []byte("\x89PNG\r\n\x1a\n")), Limits{}, ErrNotAVideo},
		{"pixels", clip, limit(func(l *Limits) { l.MaxPixels = 64 * 47 }), ErrLimit},
		{"side", clip, limit(func(l *Limits) { l.MinSide = 49 }), ErrLimit},
		{"frames", clip, limit(func(l *Limits) { l.MaxFrames = 2 }), ErrLimit},
		{"duration", clip, limit(func(l *Limits) { l.MaxDuration = 100 * time.Millisecond }), ErrLimit},
		{"streams", clip, limit(func(l *Limits) { l.MaxStreams = 1 }), nil},
	} {
		p, err := Inspect(t.Context(), tools(t), c.path, c.lim)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			text, _ := json.Marshal(p)
			if strings.Contains(string(text), "SECRET") || strings.Contains(string(text), "52.5") {
				t.Errorf("the probe tells what the clip says: %s", text)
			}
		}
	}
	if _, err := Inspect(t.Context(), Tools{FFmpeg: "/none", FFprobe: "/none", DecoderThreads: 1}, clip, Limits{}); !errors.Is(err,
		ErrMissingTool) {
		t.Errorf("without ffprobe: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, tools(t), clip, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Next reads without allocating anything of a frame's size.
func BenchmarkAnalysisView(b *testing.B) {
	path := footage(b, "video/crowd_1080p.mp4")
	p := inspect(b, path)
	v := AnalysisView(p, 1280)
	buf := make([]byte, v.Layout.Size())
	b.ReportAllocs()
	d, err := Decode(b.Context(), tools(b), path, p, v, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { d.Close() }()
	for b.Loop() {
		if _, err = d.Next(buf); errors.Is(err, io.EOF) {
			d.Close()
			d, err = Decode(b.Context(), tools(b), path, p, v, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
