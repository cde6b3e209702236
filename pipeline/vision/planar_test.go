package vision

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/media"
)

// raw runs ffmpeg and gives the one raw frame that it writes.
func raw(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", slices.Concat([]string{"-v", "error"}, args, []string{"-frames:v", "1", "-f", "rawvideo", "-"})...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, stderr.String())
	}
	return out
}

// TestPlanarIsWhatTheDecoderShows: a picture made of planes is the one that ffmpeg makes of them, in every layout that travels.
func TestPlanarIsWhatTheDecoderShows(t *testing.T) {
	for _, c := range []struct {
		format      media.PixelFormat
		space, span string
		w, h        int
	}{
		{media.YUV420P, "bt709", "tv", 320, 180}, {media.YUV420P, "smpte170m", "pc", 512, 288}, {media.YUV420P, "", "tv", 640, 360},
		{media.YUV422P, "bt709", "tv", 400, 225}, {media.YUV444P, "bt470bg", "tv", 320, 180}, {media.YUV420P10, "bt2020nc", "tv", 320, 180},
		{media.YUV422P10, "bt709", "pc", 320, 180}, {media.YUV444P10, "bt709", "tv", 320, 180},
		{media.YUV420P, "bt709", "tv", 853, 360}, // samples that are no squares
	} {
		t.Run(fmt.Sprintf("%s %s %s %dx%d", c.format, c.space, c.span, c.w, c.h), func(t *testing.T) {
			l := media.Layout{Width: 640, Height: 360, Format: c.format}
			marks := "range=" + c.span
			if c.space != "" {
				marks += ":colorspace=" + c.space
			}
			frame := raw(t, nil, "-f", "lavfi", "-i", "testsrc2=s=640x360", "-vf", "gblur=4,scale=out_range="+c.span+",format="+string(c.format))
			want := raw(t, frame, "-f", "rawvideo", "-pix_fmt", string(c.format), "-s", "640x360", "-i", "-", "-vf",
				fmt.Sprintf("setparams=%s,scale=w=%d:h=%d:flags=area+accurate_rnd,scale=flags=area+accurate_rnd,format=bgr24", marks, c.w, c.h))
			p, err := NewPlanar(&media.VideoStream{Decoded: c.format, Space: c.space, Range: c.span}, l)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			picture := &Picture{mat: gocv.NewMatWithSize(c.h, c.w, gocv.MatTypeCV8UC3)}
			defer picture.mat.Close()
			if picture.bytes, err = picture.mat.DataPtrUint8(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one in the memory of the first
				clear(picture.bytes)
				if err := p.Fill(picture, frame); err != nil {
					t.Fatal(err)
				}
			}
			if len(picture.bytes) != len(want) {
				t.Fatalf("%d bytes, ffmpeg gives %d", len(picture.bytes), len(want))
			}
			sum := 0.0
			for i, v := range picture.bytes {
				sum += math.Abs(float64(v) - float64(want[i]))
			}
			if mean := sum / float64(len(want)); mean > 2.5 { // the other range, or the other weights, is 4 and more
				t.Errorf("differs by %.2f in the mean", mean)
			}
			if err := p.Fill(picture, frame[1:]); err == nil {
				t.Error("a frame of another size was taken")
			}
		})
	}
}

// TestPlanarKnowsWhatItCannot: what needs more than a matrix is refused, not shown in false colours.
func TestPlanarKnowsWhatItCannot(t *testing.T) {
	l := media.Layout{Width: 64, Height: 64, Format: media.YUV420P10}
	for _, v := range []media.VideoStream{{HDR: true, Space: "bt2020nc"}, {Space: "ictcp"}, {Space: "ycgco"}} {
		if _, err := NewPlanar(&v, l); !errors.Is(err, ErrColours) {
			t.Errorf("%+v: %v", v, err)
		}
	}
	if _, err := NewPlanar(&media.VideoStream{}, media.Layout{Width: 64, Height: 64, Format: media.BGR24}); !errors.Is(err, ErrColours) {
		t.Errorf("bgr24: %v", err)
	}
}
