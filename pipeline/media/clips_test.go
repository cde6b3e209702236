package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// canary is planted wherever a container takes text; it may occur in nothing that is made of the clip.
const canary = "CANARY7431"

// sourceClip is a generated source: made by ffmpeg, then copied once more with remux where that is set.
type sourceClip struct {
	name   string
	ext    string // ".mp4" where empty
	source string // lavfi
	filter string
	encode []string
	input  []string // in front of the second pass's input
	remux  []string
	matrix []int32
	exact  bool // also made lossless
	odd    bool // its pixels are converted on the way to H.264, whatever the profile
}

const clipFrames = 12

var x264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-crf", "16", "-threads", "1"}

func x264With(args ...string) []string { return slices.Concat(x264, args) }

var sourceClips = []sourceClip{
	{name: "vfr with B-frames", exact: true, filter: `settb=1/12800,setpts=PTS+floor(mod(N\,3)*100)`,
		encode: x264With("-preset", "veryfast", "-bf", "3", "-enc_time_base", "1/12800", "-video_track_timescale", "12800")},
	{name: "rotated 90", encode: x264, remux: []string{"-metadata:s:v", "rotate=90"}},
	{name: "rotated 180", encode: x264, remux: []string{"-metadata:s:v", "rotate=180"}},
	{name: "rotated 270", encode: x264, remux: []string{"-metadata:s:v", "rotate=270"}},
	{name: "mirrored", exact: true, encode: x264, matrix: []int32{-1 << 16, 0, 0, 0, 1 << 16, 0, 192 << 16, 0, 1 << 30}},
	{name: "odd 4:4:4", exact: true, source: "testsrc=s=193x145:r=25", filter: "format=yuv444p", encode: x264},
	{name: "odd 4:2:0", ext: ".mkv", source: "testsrc=s=193x145:r=25", filter: "format=yuv420p", encode: []string{"-c:v", "ffv1"}, odd: true},
	{name: "odd full range", exact: true, ext: ".mkv", source: "testsrc=s=193x144:r=25", filter: "scale=out_range=pc,format=yuvj420p",
		encode: []string{"-c:v", "mjpeg", "-q:v", "2"}, odd: true},
	{name: "anamorphic", filter: "setsar=16/11", encode: x264},
	{name: "interlaced tff", filter: "setfield=tff", encode: x264With("-flags", "+ildct+ilme")},
	{name: "interlaced bff", exact: true, filter: "setfield=bff", encode: x264With("-flags", "+ildct+ilme")},
	{name: "interlaced, 146 rows", ext: ".mkv", source: "testsrc=s=192x146:r=25", filter: "format=yuv420p,setfield=tff",
		encode: []string{"-c:v", "ffv1", "-field_order", "tt"}, odd: true},
	{name: "ten bit", filter: "format=yuv420p10le", encode: x264},
	{name: "4:2:2 ten bit", exact: true, filter: "format=yuv422p10le", encode: x264},
	{name: "4:2:2 sideways", filter: "format=yuv422p", encode: x264, remux: []string{"-metadata:s:v", "rotate=90"}, odd: true},
	{name: "4:4:4", filter: "format=yuv444p", encode: x264},
	{name: "RGB", exact: true, ext: ".mkv", filter: "format=bgr0", encode: []string{"-c:v", "ffv1"}, odd: true},
	{name: "tagged full range", filter: "scale=out_range=pc:out_color_matrix=bt601,format=yuvj420p",
		encode: x264With("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m")},
	{name: "edit list", encode: x264With("-g", "4", "-bf", "0"), input: []string{"-ss", "0.2"}},
	{name: "late start", ext: ".mkv", encode: x264With("-bf", "2"), remux: []string{"-output_ts_offset", "2357"}},
	{name: "transport stream", ext: ".ts", encode: x264With("-bf", "2")},
	{name: "29.97", ext: ".avi", source: "testsrc2=s=192x144:r=30000/1001", encode: []string{"-c:v", "mpeg4", "-q:v", "2"}},
	{name: "HDR", filter: "format=yuv420p10le", encode: x264With("-color_primaries", "bt2020", "-color_trc", "smpte2084",
		"-colorspace", "bt2020nc", "-color_range", "tv")},
}

// make writes the clip into a folder of the test's own.
func (c sourceClip) make(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	or := func(s, d string) string {
		if s == "" {
			return d
		}
		return s
	}
	ext := or(c.ext, ".mp4")
	path := filepath.Join(dir, "first"+ext)
	meta := filepath.Join(dir, "meta.txt")
	text := fmt.Sprintf(";FFMETADATA1\ntitle=%s\ncomment=%s\nlocation=+48.1+011.5/%s\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=3\ntitle=%s\n",
		canary, canary, canary, canary)
	if err := os.WriteFile(meta, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plainFFmpeg(t, slices.Concat([]string{"-f", "lavfi", "-i", or(c.source, "testsrc2=s=192x144:r=25"), "-i", meta, "-map_metadata", "1",
		"-map_chapters", "1", "-frames:v", strconv.Itoa(clipFrames), "-vf", or(c.filter, "null"), "-fps_mode", "passthrough"},
		pixelFormat(c), c.encode, []string{path})...)
	if c.remux != nil || c.input != nil {
		first := path
		path = filepath.Join(dir, "second"+ext)
		plainFFmpeg(t, slices.Concat(c.input, []string{"-i", first, "-c", "copy"}, c.remux, []string{path})...)
	}
	if c.matrix != nil {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte("tkhd"))
		for i, v := range c.matrix {
			binary.BigEndian.PutUint32(b[at+44+4*i:], uint32(v))
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func pixelFormat(c sourceClip) []string {
	if c.filter == "" || !strings.Contains(c.filter, "format=") {
		return []string{"-pix_fmt", "yuv420p"}
	}
	return nil
}

// plainFFmpeg runs the real ffmpeg and gives its stdout.
func plainFFmpeg(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, fault.String())
	}
	return out.Bytes()
}
