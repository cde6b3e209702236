package e2e_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"testing"
)

// soundRate is the rate at which sound is decoded here.
const soundRate = 48000

// soundOf decodes the first sound track to one channel of floats, and gives the time of its first sample on the file's own
// clock, in seconds.
func soundOf(t *testing.T, path string) ([]float64, float64) {
	t.Helper()
	b := ffmpeg(t, nil, "-i", "file:"+path, "-map", "0:a:0", "-ac", "1", "-ar", fmt.Sprint(soundRate), "-f", "f32le", "pipe:")
	var samples []float64
	for ; len(b) >= 4; b = b[4:] {
		samples = append(samples, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	return samples, probe(t, path).start(t, "audio")
}

// strength is the share of a tone among samples: near 1 where nothing else sounds, near 0 where it does not.
func strength(samples []float64, hertz float64) float64 {
	var re, im, power float64
	for i, v := range samples {
		a := 2 * math.Pi * hertz * float64(i) / soundRate
		re, im, power = re+v*math.Cos(a), im+v*math.Sin(a), power+v*v
	}
	if power == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / (power * float64(len(samples)))
}

// loudness is the root of the mean square.
func loudness(samples []float64) float64 {
	var sum float64
	for _, v := range samples {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// soundClip makes a clip of two seconds whose tone rises steadily, so that a moment can be told by its pitch.
func soundClip(t *testing.T, path string, rate int, more ...string) {
	t.Helper()
	tone := fmt.Sprintf("aevalsrc='0.5*sin(2*PI*(400*t+200*t*t))':s=%d:d=2", rate)
	args := with([]string{"-f", "lavfi", "-i", tone}, h264...)
	makeClip(t, 50, oneFace, append(append(args, "-c:a", "aac", "-b:a", "160k"), append(more, path)...)...)
}

// pitchAt finds the tone's pitch in a few hundredths of a second around a moment, by counting how often it crosses zero.
func pitchAt(samples []float64, at int) float64 {
	const half = soundRate / 50
	var first, last, n int
	for i := max(at-half, 1); i < min(at+half, len(samples)); i++ {
		if samples[i-1] < 0 && samples[i] >= 0 {
			if n == 0 {
				first = i
			}
			last = i
			n++
		}
	}
	if n < 2 {
		return 0
	}
	return float64(n-1) * soundRate / float64(last-first)
}

// sourceTime is the moment of the source at which soundClip's tone has a pitch.
func sourceTime(hertz float64) float64 { return (hertz - 400) / 400 }

// muteRange is what the tests silence, and muteGuard how far around it may be silent too, in seconds: the guard and two of the
// encoder's blocks.
const (
	muteFrom, muteTo = 0.5, 1.0
	muteGuard        = 0.05 + 2*1024.0/soundRate
)

// holdsMute fails the test unless every sample in the muted range is zero and there is sound everywhere else. The time of the
// source's first frame on the derivative's sound is at origin, in samples.
func holdsMute(t *testing.T, samples []float64, origin float64) {
	t.Helper()
	at := func(seconds float64) int { return min(max(int(math.Round(origin+seconds*soundRate)), 0), len(samples)) }
	for i := at(muteFrom); i < at(muteTo); i++ {
		if samples[i] != 0 {
			t.Fatalf("sample at %.4f s is %g", (float64(i)-origin)/soundRate, samples[i])
		}
	}
	const window = soundRate / 100
	for _, part := range [][2]int{{at(0.03), at(muteFrom - muteGuard)}, {at(muteTo + muteGuard), at(1.95)}} {
		for i := part[0]; i+window <= part[1]; i += window {
			if l := loudness(samples[i : i+window]); l < 0.1 {
				t.Fatalf("at %.3f s there is no sound (%.3f)", (float64(i)-origin)/soundRate, l)
			}
		}
	}
}

// inSync fails the test unless the pitch tells the same moment as the place of the sample.
func inSync(t *testing.T, samples []float64, origin float64, moments ...float64) {
	t.Helper()
	for _, m := range moments {
		got := sourceTime(pitchAt(samples, int(origin+m*soundRate)))
		if math.Abs(got-m) > 0.01 {
			t.Errorf("at %.3f s sounds what belongs to %.3f s", m, got)
		}
	}
}

// TestMuteIsSilence keeps the sound but for a range: digital silence there, to the sample, and the sound in its place around it
// (A20), whatever the rate of the source's sound, and where that begins late.
func TestMuteIsSilence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		ext  string
	}{
		{"48 kHz", func(t *testing.T, path string) { soundClip(t, path, 48000) }, ".mp4"},
		{"16 kHz", func(t *testing.T, path string) { soundClip(t, path, 16000) }, ".mp4"},
		{"late start", func(t *testing.T, path string) { soundClip(t, path, 44100, "-output_ts_offset", "100") }, ".mkv"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			in := p.path("in" + tt.ext)
			tt.make(t, in)
			p.must(t, exitReleased, "redact", filepath.Base(in), "-o", "out.mp4", "--effort", "fast", "--audio", "keep", "--mute", "0.5-1.0")
			samples, start := soundOf(t, p.path("out.mp4"))
			video := stampsOf(t, p.path("out.mp4"))
			origin := (video[0] - start) * soundRate
			holdsMute(t, samples, origin)
			inSync(t, samples, origin, 0.2, 1.3, 1.8)
			if n := len(video); n != 50 {
				t.Errorf("%d frames", n)
			}
		})
	}
}

// excerptFrom and excerptTo cut frames 10 to 39 of the 50.
const excerptFrom, excerptTo = "0.4", "1.6"

// TestExcerptIsExact cuts a part: its frames and no other, and the sound that belongs to them, whatever its rate.
func TestExcerptIsExact(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{48000, 44100} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) { excerpt(t, rate) })
	}
}

func excerpt(t *testing.T, rate int) {
	p := newPlace(t)
	soundClip(t, p.path("in.mp4"), rate, "-g", "50", "-bf", "2")
	r := []string{"redact", "in.mp4", "-o", "out.mp4", "--effort", "fast", "--from", excerptFrom, "--to", excerptTo, "--profile", "lossless",
		"--audio", "keep", "--mute", "0.5-1.0", "--plan-out", "plan.json"}
	p.must(t, exitReleased, r...)
	const first, last = 10, 39
	before, after := framesOf(t, p.path("in.mp4"), "yuv420p"), framesOf(t, p.path("out.mp4"), "yuv420p")
	if len(after) != last-first+1 {
		t.Fatalf("%d frames instead of %d", len(after), last-first+1)
	}
	// The upper rows are free of masks: each frame is known by them.
	free := [4]int{0, 0, clipWidth, 16}
	for i, frame := range after {
		if psnr(frame, before[first+i], free) != 100 {
			t.Errorf("frame %d is not frame %d of the source", i, first+i)
		}
	}
	source, stamps := stampsOf(t, p.path("in.mp4")), stampsOf(t, p.path("out.mp4"))
	if len(stamps) != len(after) {
		t.Fatalf("%d stamps for %d frames", len(stamps), len(after))
	}
	for i := range stamps {
		if d := (stamps[i] - stamps[0]) - (source[first+i] - source[first]); math.Abs(d) > 1e-4 {
			t.Errorf("frame %d is %.5f s off", i, d)
		}
	}
	x := readPlan(t, p.path("plan.json")).Excerpt
	if x == nil || x.First != first || x.Last != last {
		t.Errorf("the plan's excerpt is %+v", x)
	}
	// No other frame is hidden in the file: decoding without its edit list shows the same number.
	all := ffmpeg(t, nil, "-ignore_editlist", "1", "-i", p.path("out.mp4"), "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:")
	if n := len(all) / (clipWidth * clipHeight); n != len(after) {
		t.Errorf("%d frames without the edit list instead of %d", n, len(after))
	}
	samples, start := soundOf(t, p.path("out.mp4"))
	begin := (stamps[0] - start) * soundRate
	if n := len(samples); math.Abs(float64(n)-1.2*soundRate) > 2048 {
		t.Errorf("%.4f s of sound", float64(n)/soundRate)
	}
	origin := begin - 0.4*soundRate // the source's first frame lies before the excerpt
	for i := int(origin + muteFrom*soundRate); i < int(origin+muteTo*soundRate); i++ {
		if samples[i] != 0 {
			t.Fatalf("sample at %.4f s is %g", (float64(i)-origin)/soundRate, samples[i])
		}
	}
	inSync(t, samples, origin, 1.2, 1.5)
}
