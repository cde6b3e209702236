package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"veil/models"
	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/track"
	"veil/pipeline/vision"
)

// made is a generated clip: a drawn face that walks over a gradient.
type made struct {
	name          string
	width, height int    // as the viewer sees it
	filter        string // from the upright picture to the stored one
	encode        []string
	remux         []string // a second pass with stream copy
	ext           string
	matrix        []int32 // display matrix to write into the track header, nil for none
	sar           float64 // sample aspect ratio: the face is drawn narrower by it
	filmed        int     // degrees clockwise by which the filter turns the picture, and nothing in the file says so
}

const (
	madeFrames = 18
	faceSide   = 72
)

var madeClips = []made{
	{name: "plain with B-frames", width: 320, height: 240, encode: []string{"-bf", "3"}},
	{name: "variable rate with B-frames", width: 320, height: 240, filter: "settb=1/12800,setpts='(N*2+gt(mod(N,3),1))/50/TB'", encode: []string{"-bf", "3", "-fps_mode", "passthrough", "-enc_time_base", "1/12800"}},
	{name: "rotated 90", width: 240, height: 320, filter: "transpose=1", remux: []string{"-metadata:s:v", "rotate=90"}},
	{name: "rotated 180", width: 320, height: 240, filter: "hflip,vflip", remux: []string{"-metadata:s:v", "rotate=180"}},
	{name: "rotated 270", width: 240, height: 320, filter: "transpose=2", remux: []string{"-metadata:s:v", "rotate=270"}},
	{name: "mirrored", width: 320, height: 240, filter: "hflip", matrix: []int32{-1 << 16, 0, 0, 0, 1 << 16, 0, 320 << 16, 0, 1 << 30}},
	{name: "odd sides", width: 321, height: 241, filter: "format=yuv444p", encode: []string{"-pix_fmt", "yuv444p"}},
	{name: "anamorphic", width: 320, height: 240, filter: "setsar=4/3", sar: 4.0 / 3},
	{name: "interlaced", width: 320, height: 256, filter: "setfield=tff", encode: []string{"-flags", "+ildct+ilme", "-x264-params", "tff=1"}},
	{name: "ten bit", width: 320, height: 240, encode: []string{"-pix_fmt", "yuv420p10le"}},
	{name: "4:2:2", width: 320, height: 240, encode: []string{"-pix_fmt", "yuv422p"}},
	{name: "4:4:4", width: 320, height: 240, encode: []string{"-pix_fmt", "yuv444p"}},
	{name: "late start", width: 320, height: 240, remux: []string{"-output_ts_offset", "2357"}, ext: ".mkv"},
	{name: "edit list", width: 320, height: 240, encode: []string{"-g", "6", "-bf", "0"}, remux: []string{"-ss", "0.36"}},
	{name: "filmed upside down", width: 320, height: 240, filter: "hflip,vflip", filmed: 180},
	{name: "filmed on its side", width: 320, height: 240, filter: "transpose=1", filmed: 90},
	{name: "two video tracks", width: 320, height: 240, remux: []string{"-map", "0:v", "-map", "0:v"}},
}

// faceAt is where the face lies in a frame, in upright storage pixels.
func (m made) faceAt(i int) track.Box {
	w := float64(faceSide)
	if m.sar > 0 {
		w /= m.sar
	}
	return track.Box{X: 20 + 8*float64(i), Y: 40 + 2*float64(i), W: w, H: faceSide * 1.2}
}

// shown is what a player shows of the clip: its sides, where the face lies in a frame, and the turns at which the face stands.
func (m made) shown(i int) (width, height int, face track.Box, upright []int) {
	b, w, h := m.faceAt(i), float64(m.width), float64(m.height)
	switch m.filmed {
	case 90:
		return m.height, m.width, track.Box{X: h - b.Y - b.H, Y: b.X, W: b.H, H: b.W}, []int{270}
	case 180:
		return m.width, m.height, track.Box{X: w - b.X - b.W, Y: h - b.Y - b.H, W: b.W, H: b.H}, []int{180}
	}
	return m.width, m.height, b, nil
}

// make writes the clip and returns its path.
func (m made) make(t *testing.T) string {
	t.Helper()
	var raw bytes.Buffer
	pixels := make([]byte, 3*m.width*m.height)
	for i := range madeFrames {
		for y := range m.height {
			for x := range m.width {
				p := pixels[3*(y*m.width+x):]
				p[0], p[1], p[2] = byte(90+x/4), byte(120+y/4), byte(100+(x+y)/8)
			}
		}
		vision.DrawFace(pixels, m.width, m.height, m.faceAt(i))
		raw.Write(pixels)
	}
	ext := m.ext
	if ext == "" {
		ext = ".mp4"
	}
	dir := t.TempDir()
	first := filepath.Join(dir, "first"+ext)
	filter := m.filter
	if filter == "" {
		filter = "null"
	}
	args := []string{"-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", fmt.Sprintf("%dx%d", m.width, m.height), "-framerate", "25", "-i", "pipe:",
		"-vf", filter, "-c:v", "libx264", "-crf", "10", "-preset", "ultrafast", "-threads", "1"}
	if !strings.Contains(strings.Join(m.encode, " "), "-pix_fmt") {
		args = append(args, "-pix_fmt", "yuv420p")
	}
	ffmpeg(t, &raw, append(append(args, m.encode...), first)...)
	if m.remux != nil {
		second := filepath.Join(dir, "second"+ext)
		if m.remux[0] == "-ss" {
			ffmpeg(t, nil, append(append([]string{}, m.remux...), "-i", first, "-c", "copy", second)...)
		} else {
			ffmpeg(t, nil, append(append([]string{"-i", first, "-c", "copy"}, m.remux...), second)...)
		}
		first = second
	}
	if m.matrix != nil {
		patchMatrix(t, first, m.matrix)
	}
	return first
}

// patchMatrix writes a display matrix into the first track header.
func patchMatrix(t *testing.T, path string, matrix []int32) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("tkhd"))
	if at < 0 {
		t.Fatal("no track header")
	}
	for i, v := range matrix {
		binary.BigEndian.PutUint32(b[at+4+40+4*i:], uint32(v))
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// ffmpeg runs the program for a test.
func ffmpeg(t *testing.T, in *bytes.Buffer, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
	if in != nil {
		cmd.Stdin = in
	}
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, fault.String())
	}
	return out.Bytes()
}

// stampsOf lists the time stamps, in seconds, of the frames that a player shows.
func stampsOf(t *testing.T, path string) []float64 {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v", err)
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

// grayOf decodes what a viewer sees to 8-bit luma of the given size, without any scaling.
func grayOf(t *testing.T, path string) []byte {
	t.Helper()
	return ffmpeg(t, nil, "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:")
}

// testConfig uses the real weights and programs.
func testConfig(t *testing.T) Config {
	t.Helper()
	tools, err := media.DefaultTools()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := models.Folder(filepath.Join("..", "models", "weights"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Tools: tools, Limits: media.DefaultLimits(), Models: folder, Engine: "auto", Scratch: filepath.Join(t.TempDir(), "scratch"), Build: "test"}
}

// TestRedactCoversTheFaceTheViewerSees runs the whole pipeline over clips of every shape that cameras make, and looks at the
// derivative with plain ffmpeg: frames, time stamps, and a flat fill where the face was.
func TestRedactCoversTheFaceTheViewerSees(t *testing.T) {
	for _, profile := range []string{"press", "court"} {
		folder := t.TempDir()
		t.Run(profile, func(t *testing.T) {
			for _, m := range madeClips {
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					redactMade(t, m, profile, filepath.Join(folder, m.file()))
				})
			}
		})
		if profile == "press" && !t.Failed() {
			t.Run("plays in a browser", func(t *testing.T) {
				var names []string
				for _, m := range madeClips {
					names = append(names, m.file())
				}
				playInBrowser(t, folder, names)
			})
		}
	}
}

// file is a name for the clip's derivative.
func (m made) file() string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == ':' {
			return '_'
		}
		return r
	}, m.name) + ".mp4"
}

func redactMade(t *testing.T, m made, profile, out string) {
	policy, err := decide.Shipped("court")
	if err != nil {
		t.Fatal(err)
	}
	policy.Profile, policy.Fill, policy.Cover, policy.Audio = profile, "solid", "face", "drop"
	if profile == "court" {
		policy.Effort = "fast"
	}
	in := m.make(t)
	o, err := Redact(context.Background(), Direct{}, Request{Config: testConfig(t), In: in, Out: out, Policy: policy}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.State != Released {
		t.Fatalf("held: %+v", o.Report.Findings)
	}
	want, got := stampsOf(t, in), stampsOf(t, out)
	if len(got) != len(want) {
		t.Fatalf("%d frames, the source has %d", len(got), len(want))
	}
	skipped := madeFrames - len(want)
	for i := range want {
		if d := math.Abs((got[i] - got[0]) - (want[i] - want[0])); d > 1.0/1000 {
			t.Errorf("frame %d is %.4f s off", i, d)
		}
	}
	before, after := grayOf(t, in), grayOf(t, out)
	plainWidth, plainHeight, _, upright := m.shown(0)
	width, height := plainWidth, plainHeight
	if profile == "press" {
		width, height = width+width%2, height+height%2
	}
	if !slices.Equal(o.Report.Analysis.Turned, upright) {
		t.Errorf("searched turned by %v, want %v", o.Report.Analysis.Turned, upright)
	}
	if len(after) != len(want)*width*height {
		t.Fatalf("derivative is not %dx%d", width, height)
	}
	for i := range want {
		_, _, box, _ := m.shown(i + skipped)
		if f := spread(before[i*plainWidth*plainHeight:], plainWidth, box); f < 25 {
			t.Fatalf("frame %d: no face in the source where the test thinks it is (%.0f)", i, f)
		}
		if f := spread(after[i*width*height:], width, box); f > 4 {
			t.Errorf("frame %d: the face's place is not flat (%.1f)", i, f)
		}
	}
}

// spread is the standard deviation of luma in a box.
func spread(gray []byte, width int, b track.Box) float64 {
	var n, sum, squares float64
	for y := int(b.Y); y < int(b.Y+b.H); y++ {
		for x := int(b.X); x < int(b.X+b.W); x++ {
			v := float64(gray[y*width+x])
			n, sum, squares = n+1, sum+v, squares+v*v
		}
	}
	return math.Sqrt(max(squares/n-(sum/n)*(sum/n), 0))
}

// TestRedactHoldsNearDarkness: a clip that is too dark for faces to be found for certain is not released before a person has looked,
// and is then.
func TestRedactHoldsNearDarkness(t *testing.T) {
	policy, err := decide.Shipped("press")
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Config: testConfig(t), In: made{width: 320, height: 240, filter: "lutyuv=y=16+(val-16)*0.06"}.make(t),
		Out: filepath.Join(t.TempDir(), "out.mp4"), Policy: policy}
	held, err := Redact(context.Background(), Direct{}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if held.State != Held || len(held.Report.Findings) != 1 || held.Report.Findings[0].Kind != decide.FindingQuality || held.Report.Findings[0].Last != madeFrames-1 {
		t.Fatalf("%s: %+v", held.State, held.Report.Findings)
	}
	plan, err := os.ReadFile(held.Plan)
	if err != nil {
		t.Fatal(err)
	}
	r.Plan = held.Plan
	r.Decisions = &decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(plan), By: "A. Officer",
		Dismiss: []decide.DismissFinding{{Finding: held.Report.Findings[0].ID, Reason: "nobody in it, brightened"}}}
	if seen, err := Redact(context.Background(), Direct{}, r, nil); err != nil || seen.State != Released {
		t.Errorf("after it was dismissed: %s, %v", seen.State, err)
	}
}
