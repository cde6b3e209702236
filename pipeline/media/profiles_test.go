package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"veil/pipeline/media/mp4"
)

// shown is what the real ffprobe tells of a file's video.
type shown struct {
	Streams []struct {
		Type       string            `json:"codec_type"`
		Width      int               `json:"width"`
		Height     int               `json:"height"`
		Format     string            `json:"pix_fmt"`
		Profile    string            `json:"profile"`
		Field      string            `json:"field_order"`
		SAR        string            `json:"sample_aspect_ratio"`
		Range      string            `json:"color_range"`
		Space      string            `json:"color_space"`
		Transfer   string            `json:"color_transfer"`
		Primaries  string            `json:"color_primaries"`
		TimeBase   string            `json:"time_base"`
		Start      int64             `json:"start_pts"`
		DurationTS int64             `json:"duration_ts"`
		Tags       map[string]string `json:"tags"`
		SideData   []map[string]any  `json:"side_data_list"`
	} `json:"streams"`
	Frames []struct {
		PTS        int64 `json:"pts"`
		Interlaced int   `json:"interlaced_frame"`
		TopFirst   int   `json:"top_field_first"`
	} `json:"frames"`
	Chapters []any `json:"chapters"`
	Format   struct {
		Tags map[string]string `json:"tags"`
	} `json:"format"`
}

func plainProbe(t testing.TB, path string) shown {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-print_format", "json", "-show_streams", "-show_format", "-show_chapters",
		"-select_streams", "v", "-show_frames", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var s shown
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// decoded is a clip's frames in a view.
type decoded struct {
	stamps []int64
	pixels [][]byte
}

func decodeView(t testing.TB, tools Tools, path string, p *Probe, v View) decoded {
	t.Helper()
	d, err := Decode(t.Context(), tools, path, p, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all decoded
	for {
		b := make([]byte, v.Layout.Size())
		info, err := d.Next(b)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all.stamps, all.pixels = append(all.stamps, info.PTS), append(all.pixels, b)
	}
}

// encodeView writes the frames untouched and gives the encoder.
func encodeView(t testing.TB, tools Tools, o EncodeOptions, d decoded) *Encoder {
	t.Helper()
	o.FirstPTS = d.stamps[0]
	e, err := Encode(t.Context(), tools, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range d.pixels {
		if err := e.Write(d.stamps[i], b); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Finish(); err != nil {
		t.Fatal(err)
	}
	checkEveryByte(t, o.Out, int64(len(d.pixels)), o.Audio != nil)
	return e
}

// checkEveryByte holds a finished file against the allow-list for its container.
func checkEveryByte(t testing.TB, out string, frames int64, sound bool) {
	t.Helper()
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	a, err := mp4.Walk(f, info.Size(), mp4.Policy{Sound: sound})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range a.Findings {
		t.Errorf("%s", x)
	}
	if a.Frames != frames || (a.SoundFrames > 0) != sound {
		t.Errorf("%d frames and %d sound frames, want %d, sound %v", a.Frames, a.SoundFrames, frames, sound)
	}
}

func TestProfiles(t *testing.T) {
	for _, c := range sourceClips {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tl, path := tools(t), c.make(t)
			p, err := Inspect(t.Context(), tl, path, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			k := checked{tools: tl, clip: c, path: path, probe: p, source: plainProbe(t, path)}
			n := len(k.source.Frames)
			last := k.source.Frames[n-1].PTS
			k.last = p.LastDuration(last, last-k.source.Frames[n-2].PTS)
			profiles := []string{Press, Court}
			if c.exact {
				profiles = append(profiles, Lossless)
			}
			for _, profile := range profiles {
				t.Run(profile, func(t *testing.T) { checkProfile(t, k, profile) })
			}
		})
	}
}

// checked is one source on its way through the profiles.
type checked struct {
	tools  Tools
	clip   sourceClip
	path   string
	probe  *Probe
	source shown
	last   int64 // duration of the last frame
}

func checkProfile(t *testing.T, k checked, profile string) {
	target, err := NewTarget(k.probe, profile)
	if err != nil {
		t.Fatal(err)
	}
	in := decodeView(t, k.tools, k.path, k.probe, target.View)
	if len(in.stamps) != len(k.source.Frames) || len(in.stamps) < 5 {
		t.Fatalf("%d frames in, ffprobe sees %d", len(in.stamps), len(k.source.Frames))
	}
	if profile == Court && !k.clip.odd {
		checkUnchanged(t, k, target, in)
	}
	out := filepath.Join(t.TempDir(), "out.mp4")
	e := encodeView(t, k.tools, EncodeOptions{Target: target, Probe: k.probe, Out: out, LastDuration: k.last}, in)
	got := plainProbe(t, out)
	checkStamps(t, k, got, in)
	checkShape(t, k, target, got)
	checkPixels(t, target, out, in)
	checkClean(t, out, got)
	if e.Origin() != in.stamps[0] {
		t.Errorf("origin %d, first stamp %d", e.Origin(), in.stamps[0])
	}
}

// checkUnchanged holds the view against what the real ffmpeg shows of the source, upright and unconverted.
func checkUnchanged(t *testing.T, k checked, target *Target, in decoded) {
	plain := plainFFmpeg(t, "-i", k.path, "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
	if !bytes.Equal(plain, bytes.Join(in.pixels, nil)) {
		t.Errorf("the view %v changes samples", target.View.Filters)
	}
}

func checkStamps(t *testing.T, k checked, got shown, in decoded) {
	t.Helper()
	base := k.probe.Video.TimeBase
	ticks := base.Den / gcd(base.Num, base.Den)
	if want := fmt.Sprintf("1/%d", ticks); got.Streams[0].TimeBase != want {
		t.Errorf("time base %s, want %s", got.Streams[0].TimeBase, want)
	}
	if len(got.Frames) != len(in.stamps) {
		t.Fatalf("%d frames out of %d", len(got.Frames), len(in.stamps))
	}
	num := base.Num / gcd(base.Num, base.Den)
	for i, f := range got.Frames {
		if want := (in.stamps[i] - in.stamps[0]) * num; f.PTS != want {
			t.Fatalf("frame %d at %d, want %d", i, f.PTS, want)
		}
		if src := k.source.Frames[i].PTS - k.source.Frames[0].PTS; src != in.stamps[i]-in.stamps[0] {
			t.Fatalf("frame %d of the source at %d, ffprobe says %d", i, in.stamps[i]-in.stamps[0], src)
		}
	}
	want := (in.stamps[len(in.stamps)-1] - in.stamps[0] + k.last) * num
	if got.Streams[0].DurationTS != want {
		t.Errorf("duration %d, want %d", got.Streams[0].DurationTS, want)
	}
	if s := k.source.Streams[0]; s.DurationTS > 0 && (s.DurationTS+s.Start-in.stamps[0])*num != want {
		t.Errorf("duration %d, the source lasts %d from %d", want, s.DurationTS, in.stamps[0])
	}
}

func checkShape(t *testing.T, k checked, target *Target, got shown) {
	t.Helper()
	s, v, l := got.Streams[0], k.probe.Video, target.View.Layout
	if s.Width != l.Width || s.Height != l.Height || plainName(PixelFormat(s.Format)) != l.Format {
		t.Errorf("%dx%d %s, the target says %v", s.Width, s.Height, s.Format, l)
	}
	wantW, wantH := v.Width, v.Height
	if target.Profile == Press {
		wantW, wantH = wantW+wantW%2, wantH+wantH%2
		if l.Format != YUV420P || s.Profile != "High" || s.Field != "progressive" {
			t.Errorf("press made %s %s %s", l.Format, s.Profile, s.Field)
		}
	}
	if l.Width != wantW || l.Height != wantH {
		t.Errorf("picture %dx%d of %dx%d", l.Width, l.Height, v.Width, v.Height)
	}
	if sar := rational(s.SAR, ":"); sar.Num*v.SAR.Den != v.SAR.Num*sar.Den {
		t.Errorf("aspect %s, want %s", s.SAR, v.SAR)
	}
	if len(s.SideData) != 0 {
		t.Errorf("side data %v", s.SideData)
	}
	want := colourOf(&v)
	if target.Profile == Press && v.HDR {
		want = colour{Range: "tv", Primaries: "bt709", Transfer: "bt709", Space: "bt709"}
	}
	have := colour{Range: known(s.Range), Primaries: known(s.Primaries), Transfer: known(s.Transfer), Space: known(s.Space)}
	if want.Range == "tv" && have.Range == "" || want.Range == "" && have.Range == "tv" {
		have.Range = want.Range // unsaid means limited
	}
	if have != want {
		t.Errorf("colour %+v, want %+v", have, want)
	}
	interlaced := target.Profile != Press && v.Interlaced
	for i, f := range got.Frames {
		if (f.Interlaced == 1) != interlaced || interlaced && (f.TopFirst == 1) != v.TopFirst {
			t.Fatalf("frame %d: interlaced %d, top first %d", i, f.Interlaced, f.TopFirst)
		}
	}
	if want := map[bool]int{true: 32, false: 16}[interlaced]; target.AlignRows != want {
		t.Errorf("masks align to %d rows", target.AlignRows)
	}
}

func checkPixels(t *testing.T, target *Target, out string, in decoded) {
	t.Helper()
	plain := plainFFmpeg(t, "-i", out, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
	want := bytes.Join(in.pixels, nil)
	if len(plain) != len(want) {
		t.Fatalf("%d bytes decoded, %d encoded", len(plain), len(want))
	}
	db := psnr(plain, want, target.View.Layout.Format.Depth())
	if db < target.MinPSNR {
		t.Errorf("PSNR %.1f dB, want %.0f", db, target.MinPSNR)
	}
	if target.Profile != Court {
		return // one profile is enough: the container is made alike
	}
	hidden := plainFFmpeg(t, "-ignore_editlist", "1", "-i", out, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
	if !bytes.Equal(hidden, plain) {
		t.Error("other frames show when edit lists are ignored")
	}
}

// psnr of two buffers; exactPSNR where they are equal.
func psnr(a, b []byte, depth int) float64 {
	sum, n := 0.0, 0
	step := 1
	if depth > 8 {
		step = 2
	}
	for i := 0; i+step <= len(a); i += step {
		x, y := float64(a[i]), float64(b[i])
		if step == 2 {
			x, y = x+256*float64(a[i+1]), y+256*float64(b[i+1])
		}
		sum += (x - y) * (x - y)
		n++
	}
	if sum == 0 {
		return exactPSNR
	}
	peak := float64(int(1)<<depth - 1)
	return 10 * math.Log10(peak*peak*float64(n)/sum)
}

// checkClean looks for anything in the file that is not picture.
func checkClean(t *testing.T, out string, got shown) {
	t.Helper()
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{canary, "x264", "Lavf", "Lavc", "Handler", "uuid", "XMP"} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("%q occurs in the file", word)
		}
	}
	if len(got.Chapters) != 0 || len(got.Streams) != 1 {
		t.Errorf("%d chapters, %d streams", len(got.Chapters), len(got.Streams))
	}
	allowed := []string{"major_brand", "minor_version", "compatible_brands", "language", "vendor_id"}
	for _, tags := range []map[string]string{got.Format.Tags, got.Streams[0].Tags} {
		for k, v := range tags {
			if !slices.Contains(allowed, k) && !(k == "encoder" && v == "veil") {
				t.Errorf("tag %s=%q", k, v)
			}
		}
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestNotes(t *testing.T) {
	v := VideoStream{StoredWidth: 193, StoredHeight: 145, Width: 193, Height: 145, Decoded: YUV420P10, Format: YUV420P10,
		TimeBase: Rational{1, 1_000_000_000}, AvgRate: Rational{25, 1}, Interlaced: true, HDR: true, StaticHDR: true, DolbyVision: true,
		Transfer: "smpte2084"}
	for _, c := range []struct {
		profile string
		want    string
	}{
		{Press, "deinterlaced tone_mapped padded hdr_metadata_lost dolby_vision_lost stamps_rounded"},
		{Court, "coded_progressive chroma_enlarged hdr_metadata_lost dolby_vision_lost stamps_rounded"},
	} {
		target, err := NewTarget(&Probe{Video: v}, c.profile)
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, n := range target.Notes {
			codes = append(codes, n.Code)
		}
		if got := strings.Join(codes, " "); got != c.want {
			t.Errorf("%s: notes %s, want %s", c.profile, got, c.want)
		}
	}
	if _, err := NewTarget(&Probe{Video: v}, "web"); err == nil {
		t.Error("an unknown profile is taken")
	}
}

func TestWithCRF(t *testing.T) {
	p := &Probe{Video: VideoStream{StoredWidth: 64, StoredHeight: 64, Width: 64, Height: 64, Decoded: YUV420P, Format: YUV420P, TimeBase: Rational{1, 25}}}
	court, err := NewTarget(p, Court)
	if err != nil {
		t.Fatal(err)
	}
	finer := court.WithCRF(8)
	if finer.CRF != 8 || court.CRF != 12 || !slices.Contains(finer.EncoderArgs, "8") || !slices.Contains(court.EncoderArgs, "12") {
		t.Errorf("%v from %v", finer.EncoderArgs, court.EncoderArgs)
	}
	exact, err := NewTarget(p, Lossless)
	if err != nil {
		t.Fatal(err)
	}
	if exact.WithCRF(8).CRF != 0 || !slices.Equal(exact.EncoderArgs, exact.WithCRF(8).EncoderArgs) {
		t.Error("lossless took another quality")
	}
}
