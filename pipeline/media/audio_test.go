package media

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// event is the shape that sound tests look for: a short chirp around time zero.
func event(t float64) float64 {
	return 0.7 * math.Exp(-t*t/(2*0.004*0.004)) * math.Sin(2*math.Pi*(900*t+120_000*t*t))
}

// signal has an event at each whole and half second, all of them different.
func signal(t float64) float64 {
	n := math.Round(2 * t)
	return event(t-n/2) * (0.6 + 0.4*math.Cos(n))
}

// noise never falls silent for longer than a millisecond.
func noise(t float64) float64 {
	return 0.3*math.Sin(2*math.Pi*440*t) + 0.2*math.Sin(2*math.Pi*1237*t) + 0.1*math.Sin(2*math.Pi*5003*t)
}

// writeSound makes a WAV with the same sound in every channel.
func writeSound(t testing.TB, seconds float64, rate, channels int, f func(float64) float64) string {
	t.Helper()
	dir := t.TempDir()
	raw := make([]byte, 0, int(seconds*float64(rate))*channels*4)
	for i := range int(seconds * float64(rate)) {
		for range channels {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f(float64(i)/float64(rate)))))
		}
	}
	path := filepath.Join(dir, "sound.f32")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	wav := filepath.Join(dir, "sound.wav")
	plainFFmpeg(t, "-f", "f32le", "-ar", strconv.Itoa(rate), "-ac", strconv.Itoa(channels), "-i", path, "-c:a", "pcm_f32le", wav)
	return wav
}

// soundCase is a source with sound.
type soundCase struct {
	name       string
	ext        string
	rate       int
	channels   int
	videoDelay string // seconds
	soundDelay string
	encode     []string
	late       string // -output_ts_offset
	notes      int
}

var soundCases = []soundCase{
	{name: "AAC 44.1 kHz", ext: ".mp4", rate: 44100, channels: 2, encode: []string{"-c:a", "aac", "-b:a", "192k"}},
	{name: "mono PCM, late", ext: ".mkv", rate: 48000, channels: 1, soundDelay: "0.5", encode: []string{"-c:a", "pcm_s16le"}},
	{name: "AAC, late", ext: ".mp4", rate: 48000, channels: 2, soundDelay: "0.5", encode: []string{"-c:a", "aac", "-b:a", "192k", "-movie_timescale", "48000"}},
	{name: "PCM, early", ext: ".mkv", rate: 48000, channels: 2, videoDelay: "0.48", encode: []string{"-c:a", "pcm_s16le"}},
	{name: "AAC, early", ext: ".mp4", rate: 44100, channels: 2, videoDelay: "0.52", encode: []string{"-c:a", "aac", "-b:a", "192k", "-movie_timescale", "44100"}},
	{name: "transport stream", ext: ".ts", rate: 48000, channels: 2, encode: []string{"-c:a", "mp2", "-b:a", "256k"}},
	{name: "clock at 2357 s", ext: ".mkv", rate: 22050, channels: 1, encode: []string{"-c:a", "flac"}, late: "2357"},
	{name: "six channels", ext: ".mov", rate: 32000, channels: 6, encode: []string{"-c:a", "pcm_s16le"}},
	{name: "four channels", ext: ".mkv", rate: 48000, channels: 4, encode: []string{"-c:a", "flac"}, notes: 1},
	{name: "with a hole", ext: ".mkv", rate: 48000, channels: 1,
		encode: []string{"-af", "aselect='not(between(t,1.1,1.37))'", "-c:a", "pcm_s16le"}},
}

func (c soundCase) make(t testing.TB, f func(float64) float64) string {
	t.Helper()
	or := func(s string) string {
		if s == "" {
			return "0"
		}
		return s
	}
	out := filepath.Join(t.TempDir(), "clip"+c.ext)
	args := slices.Concat([]string{"-itsoffset", or(c.videoDelay), "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3",
		"-itsoffset", or(c.soundDelay), "-i", writeSound(t, 3, c.rate, c.channels, f)}, x264With("-bf", "2", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-enc_time_base:v", "1/25"), c.encode,
		[]string{"-output_ts_offset", or(c.late), out})
	plainFFmpeg(t, args...)
	return out
}

// render makes a press derivative with the sound of o.
func render(t testing.TB, path string, o AudioOptions) (string, *AudioFile) {
	t.Helper()
	tl := tools(t)
	p, err := Inspect(t.Context(), tl, path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	target, err := NewTarget(p, Press)
	if err != nil {
		t.Fatal(err)
	}
	in := decodeView(t, tl, path, p, target.View)
	tick := p.Video.TimeBase.Float()
	dir := t.TempDir()
	o.Path, o.Probe, o.Out, o.Origin = path, p, filepath.Join(dir, "sound.m4a"), float64(in.stamps[0])*tick
	audio, err := PrepareAudio(t.Context(), tl, o)
	if err != nil {
		t.Fatal(err)
	}
	if o.From != nil {
		cut := decoded{}
		for i, s := range in.stamps {
			if at := float64(s-in.stamps[0]) * tick; at >= *o.From-1e-9 && at < *o.To-1e-9 {
				cut.stamps, cut.pixels = append(cut.stamps, s), append(cut.pixels, in.pixels[i])
			}
		}
		in = cut
	}
	out := filepath.Join(dir, "out.mp4")
	encodeView(t, tl, EncodeOptions{Target: target, Probe: p, Out: out, Audio: audio}, in)
	return out, audio
}

// heard is a derivative's sound as the real ffmpeg decodes it: the first channel at 48 kHz, and the time of its first
// sample, in seconds from the first video frame.
func heard(t testing.TB, path string) (samples []float64, start float64) {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-print_format", "json", "-show_entries",
		"stream=codec_type,start_time,sample_rate,channels", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Streams []struct {
			Type     string `json:"codec_type"`
			Start    string `json:"start_time"`
			Rate     string `json:"sample_rate"`
			Channels int    `json:"channels"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(out, &doc); err != nil || len(doc.Streams) != 2 || doc.Streams[1].Type != "audio" || doc.Streams[1].Rate != "48000" {
		t.Fatalf("streams %+v, %v", doc.Streams, err)
	}
	at := func(i int) float64 {
		v, err := strconv.ParseFloat(doc.Streams[i].Start, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	raw := plainFFmpeg(t, "-i", path, "-map", "0:a", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
	step := 4 * doc.Streams[1].Channels
	for i := 0; i+step <= len(raw); i += step {
		samples = append(samples, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))))
	}
	return samples, at(1) - at(0)
}

// lag finds by how many samples an event is off its place, and how much it resembles what it should be.
func lag(samples []float64, start, at float64) (best int, likeness float64) {
	const half, reach = 960, 400
	first := (at - start) * sampleRate
	for d := -reach; d <= reach; d++ {
		var xy, xx, yy float64
		for i := -half; i <= half; i++ {
			j := int(math.Round(first)) + i + d
			if j < 0 || j >= len(samples) {
				continue
			}
			x, y := event((float64(int(math.Round(first))+i)-first)/sampleRate), samples[j]
			xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
		}
		if like := xy / math.Sqrt(xx*yy+1e-30); like > likeness {
			best, likeness = d, like
		}
	}
	return best, likeness
}

func TestSoundStaysInSync(t *testing.T) {
	for _, c := range soundCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, audio := render(t, c.make(t, signal), AudioOptions{})
			samples, start := heard(t, out)
			offset := seconds(c.soundDelay) - seconds(c.videoDelay)
			worst := 0
			for n := 1; n <= 5; n++ {
				at := float64(n)/2 + offset
				d, like := lag(samples, start, at)
				if like < 0.9 {
					t.Errorf("event at %g s is not there: likeness %.2f", at, like)
				}
				worst = max(worst, d, -d)
			}
			// Matroska and MPEG-TS round the source's own stamps, to 1 ms (48 samples) at worst.
			limit := map[string]int{".mkv": 48, ".ts": 4}[c.ext] + 2
			if worst > limit {
				t.Errorf("sound is off by %d samples", worst)
			}
			if len(audio.Notes) != c.notes || audio.Description == "" {
				t.Errorf("%q, notes %v", audio.Description, audio.Notes)
			}
			t.Logf("worst %d samples, lead %d ticks, %s", worst, audio.Lead, audio.Description)
		})
	}
}

// silent says whether all samples of a range, in seconds, are zero, and whether some piece of a millisecond is.
func silent(samples []float64, from, to float64) (all, some bool) {
	all = true
	run := 0
	for i := max(0, int(math.Ceil(from*sampleRate))); i < min(len(samples), int(to*sampleRate)); i++ {
		if samples[i] != 0 {
			all, run = false, 0
			continue
		}
		if run++; run >= sampleRate/1000 {
			some = true
		}
	}
	return all, some
}

func TestMuteIsDigitalSilence(t *testing.T) {
	t.Parallel()
	c := soundCase{ext: ".mp4", rate: 44100, channels: 2, soundDelay: "0.2", encode: []string{"-c:a", "aac", "-b:a", "192k"}}
	path := c.make(t, noise)
	mute := []Span{{2.0, 2.1}, {0.8123, 1.4321}, {1.4, 1.5}}
	out, audio := render(t, path, AudioOptions{Mute: mute})
	samples, start := heard(t, out)
	if start != 0 {
		t.Errorf("sound starts at %g", start)
	}
	for _, m := range mute {
		if all, _ := silent(samples, m.From, m.To); !all {
			t.Errorf("sound in %v", m)
		}
	}
	for _, m := range []Span{{0.25, 0.8123 - 0.06}, {1.5 + 0.06, 2 - 0.06}, {2.1 + 0.06, 2.9}} {
		if _, some := silent(samples, m.From, m.To); some {
			t.Errorf("silence in %v", m)
		}
	}
	if want := (1.5 - 0.8123 + 0.1) + 0.2; math.Abs(audio.Muted-want) > 0.001 {
		t.Errorf("%g s muted, want %g", audio.Muted, want)
	}
}

func TestMuteInExcerpt(t *testing.T) {
	t.Parallel()
	c := soundCase{ext: ".mkv", rate: 48000, channels: 1, videoDelay: "0.32", encode: []string{"-c:a", "pcm_s16le"}}
	from, to := 0.4, 2.0
	out, audio := render(t, c.make(t, noise), AudioOptions{From: &from, To: &to, Mute: []Span{{0.1, 0.5}, {1.0, 1.5}}})
	samples, start := heard(t, out)
	if start != 0 || audio.Lead != 0 || audio.Samples != samples48(to-from) {
		t.Errorf("starts at %g, lead %d, %d samples", start, audio.Lead, audio.Samples)
	}
	for _, m := range []Span{{0, 0.1}, {0.6, 1.1}} {
		if all, _ := silent(samples, m.From, m.To); !all {
			t.Errorf("sound in %v of the excerpt", m)
		}
	}
	for _, m := range []Span{{0.16, 0.54}, {1.16, 1.59}} {
		if _, some := silent(samples, m.From, m.To); some {
			t.Errorf("silence in %v of the excerpt", m)
		}
	}
	// Nothing of the sound behind the excerpt comes out: what follows is the rest of the last block.
	if over := float64(len(samples))/sampleRate - (to - from); over > 2048.0/sampleRate {
		t.Errorf("%g s too long", over)
	}
}

func samples48(seconds float64) int64 { return int64(math.Round(seconds * sampleRate)) }

func TestSoundThatIsNotThere(t *testing.T) {
	t.Parallel()
	tl := tools(t)
	p, _ := blank(t, Rational{1, 25})
	if a, err := PrepareAudio(t.Context(), tl, AudioOptions{Probe: p, Track: 3}); a != nil || err != nil {
		t.Errorf("a clip without sound: %v, %v", a, err)
	}
	p.Audio = []AudioStream{{Index: 1, Channels: 2}}
	for _, track := range []int{-1, 1} {
		if _, err := PrepareAudio(t.Context(), tl, AudioOptions{Probe: p, Track: track}); !errors.Is(err, ErrNoAudioTrack) {
			t.Errorf("track %d: %v", track, err)
		}
	}
	if _, err := PrepareAudio(t.Context(), tl, AudioOptions{Probe: p, Mute: []Span{{3, 2}}}); err == nil {
		t.Error("a mute range that ends before it begins is taken")
	}
}

func TestDamagedSound(t *testing.T) {
	t.Parallel()
	c := soundCase{ext: ".mkv", rate: 48000, channels: 2, encode: []string{"-c:a", "flac"}}
	path := c.make(t, noise)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)/2+4000; i++ {
		b[i] ^= 0x5a
	}
	p, err := Inspect(t.Context(), tools(t), path, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "sound.m4a")
	if _, err := PrepareAudio(t.Context(), tools(t), AudioOptions{Path: path, Probe: p, Out: out}); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged sound: %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file is left: %v", err)
	}
}

// The second of two tracks is the one that comes out when it is asked for.
func TestTrackByNumber(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "two.mkv")
	plainFFmpeg(t, slices.Concat([]string{"-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "anullsrc=d=1",
		"-f", "lavfi", "-i", "sine=f=500:d=1", "-map", "0", "-map", "1", "-map", "2", "-c:a", "flac", "-pix_fmt", "yuv420p"}, x264, []string{path})...)
	for track, quiet := range []bool{true, false} {
		out, audio := render(t, path, AudioOptions{Track: track})
		samples, _ := heard(t, out)
		if all, _ := silent(samples, 0.1, 0.9); all != quiet {
			t.Errorf("track %d: silence is %v", track, all)
		}
		if audio.Track != track {
			t.Errorf("track %d told as %d", track, audio.Track)
		}
	}
}
