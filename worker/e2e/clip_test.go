package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/track"
	"veil/pipeline/vision"
)

// Size of every clip that is made here, and frames in a second.
const (
	clipWidth  = 320
	clipHeight = 240
	clipRate   = 25
)

// faces gives the faces of one frame, from forehead to chin, in pixels.
type faces func(frame int) []track.Box

// noFace is a clip of nobody.
func noFace(int) []track.Box { return nil }

// oneFace walks slowly to the right.
func oneFace(i int) []track.Box {
	return []track.Box{{X: 40 + 2*float64(i), Y: 60 + float64(i)/2, W: 64, H: 77}}
}

// twoFaces stay apart from each other.
func twoFaces(i int) []track.Box {
	return []track.Box{{X: 30 + float64(i)/4, Y: 70, W: 60, H: 72}, {X: 220 - float64(i)/4, Y: 80, W: 60, H: 72}}
}

// makeClip draws a clip and encodes it with the arguments, which end with the file's name. Further inputs may stand among them:
// the picture is input 0.
func makeClip(t *testing.T, frames int, who faces, args ...string) {
	t.Helper()
	var raw bytes.Buffer
	pixels := make([]byte, 3*clipWidth*clipHeight)
	for i := range frames {
		for y := range clipHeight {
			for x := range clipWidth {
				p := pixels[3*(y*clipWidth+x):]
				p[0], p[1], p[2] = byte(90+x/4), byte(120+y/4), byte(100+(x+y+i)/8)
			}
		}
		for _, box := range who(i) {
			vision.DrawFace(pixels, clipWidth, clipHeight, box)
		}
		raw.Write(pixels)
	}
	in := []string{"-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", fmt.Sprintf("%dx%d", clipWidth, clipHeight),
		"-framerate", strconv.Itoa(clipRate), "-i", "pipe:"}
	ffmpeg(t, &raw, append(in, args...)...)
}

// h264 are the usual arguments of a clip's picture.
var h264 = []string{"-c:v", "libx264", "-crf", "10", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"}

// simpleClip makes an MP4 without sound.
func simpleClip(t *testing.T, path string, frames int, who faces) {
	t.Helper()
	makeClip(t, frames, who, with(h264, "-f", "mp4", "file:"+path)...)
}

// with appends to a copy.
func with(list []string, more ...string) []string {
	return append(append([]string{}, list...), more...)
}

// ffmpeg runs the program for a test and gives its standard output.
func ffmpeg(t *testing.T, in *bytes.Buffer, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
	if in != nil {
		cmd.Stdin = in
	}
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, fault.String())
	}
	return out.Bytes()
}

// shown is what ffprobe tells of a file.
type shown struct {
	Streams []struct {
		Index int               `json:"index"`
		Type  string            `json:"codec_type"`
		Start string            `json:"start_time"`
		Tags  map[string]string `json:"tags"`
	} `json:"streams"`
	Chapters []any `json:"chapters"`
	Format   struct {
		Tags map[string]string `json:"tags"`
	} `json:"format"`
}

// probe asks ffprobe.
func probe(t *testing.T, path string) shown {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-show_streams", "-show_format", "-show_chapters", "-of", "json", "file:"+path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var s shown
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// start is when the first stream of a kind begins, in seconds.
func (s shown) start(t *testing.T, kind string) float64 {
	t.Helper()
	for _, x := range s.Streams {
		if x.Type == kind {
			v, err := strconv.ParseFloat(x.Start, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s stream", kind)
	return 0
}

// count is how many streams of a kind there are.
func (s shown) count(kind string) int {
	n := 0
	for _, x := range s.Streams {
		if x.Type == kind {
			n++
		}
	}
	return n
}

// stampsOf lists the time stamps, in seconds, of the frames that a player shows.
func stampsOf(t *testing.T, path string) []float64 {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0", "file:"+path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var stamps []float64
	for line := range strings.Lines(string(out)) {
		field := strings.Trim(strings.TrimSpace(line), ",")
		if field == "" {
			continue // side data of a frame
		}
		v, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatalf("ffprobe said %q", line)
		}
		stamps = append(stamps, v)
	}
	return stamps
}

// framesOf decodes a clip of the usual size to its planes, one after another.
func framesOf(t *testing.T, path, format string) [][]byte {
	t.Helper()
	size := clipWidth * clipHeight
	if format == "yuv420p" {
		size += size / 2
	}
	all := ffmpeg(t, nil, "-i", "file:"+path, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", format, "-f", "rawvideo", "pipe:")
	if len(all) == 0 || len(all)%size != 0 {
		t.Fatalf("%s is no clip of %dx%d", path, clipWidth, clipHeight)
	}
	var frames [][]byte
	for ; len(all) > 0; all = all[size:] {
		frames = append(frames, all[:size])
	}
	return frames
}

// psnr compares the luma of two frames in a rectangle, in dB; 100 where they are equal.
func psnr(a, b []byte, r [4]int) float64 {
	var n, squares float64
	for y := r[1]; y < r[1]+r[3]; y++ {
		for x := r[0]; x < r[0]+r[2]; x++ {
			d := float64(a[y*clipWidth+x]) - float64(b[y*clipWidth+x])
			n, squares = n+1, squares+d*d
		}
	}
	if squares == 0 {
		return 100
	}
	return 10 * math.Log10(255*255/(squares/n))
}

// rect rounds a box to whole pixels.
func rect(b track.Box) [4]int { return [4]int{int(b.X), int(b.Y), int(b.W), int(b.H)} }

// readPlan reads a plan.
func readPlan(t *testing.T, path string) decide.Plan {
	t.Helper()
	plan, err := decide.ParsePlan(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// writePlan writes a plan as a person's editor would.
func writePlan(t *testing.T, path string, plan decide.Plan) {
	t.Helper()
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// absent fails the test if something lies under a name.
func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is there", path)
	}
}

// digest is a file's SHA-256.
func digest(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

func itoa(n int) string { return strconv.Itoa(n) }
