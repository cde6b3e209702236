package media

import (
	"bufio"
	"strings"
	"testing"
)

const (
	frameHead = "[Parsed_showinfo_0 @ 0x5639b2fd5d80] [info] n:   3 pts:    100 pts_time:0.1     pos:   242255 fmt:yuv420p " +
		"sar:1/1 s:720x484 i:B iskey:1 type:I "
	keyFrame = frameHead
)

func TestClassify(t *testing.T) {
	facts := frameFacts{pts: 100, stamped: true, format: "yuv420p", width: 720, height: 484, interlaced: true, key: true}
	for _, c := range []struct {
		line   string
		kind   logKind
		frame  bool
		stream int
	}{
		{line: keyFrame, frame: true},
		{line: keyFrame + " ", frame: true},
		{line: "[Parsed_showinfo_0 @ 0x1] [info] color_range:unknown color_space:unknown"},
		{line: "[Parsed_showinfo_0 @ 0x1] [info] config in time_base: 1/1000, frame_rate: 30000/1001"},
		{line: "[Parsed_showinfo_0 @ 0x1] [info] User Data=7833"},
		// A decoder's thread speaks in the middle of showinfo's line, or the other way round.
		{line: frameHead + "Invalid NAL unit size (651 > 482).", kind: lineDecoder, frame: true},
		{line: frameHead, frame: true},
		{line: "[Parsed_showinfo_0 @ 0x1] [info] "},
		{line: "[h264 @ 0x2] [error] top block " + strings.SplitN(keyFrame, "[info] ", 2)[1], kind: lineDecoder, frame: true},
		{line: "[Parsed_showinfo_0 @ 0x1] [info]   side data - decode_slice_header error", kind: lineDecoder},
		// Text from a clip stands in lines of level info without a sender, and is never read.
		{line: "[info]     title           : n:   3 pts:    100 pts_time:0.1 fmt:yuv420p s:720x484 i:B iskey:1 type:I"},
		{line: "[info]     title           : error while decoding"},
		{line: "[info]     : " + keyFrame},
		{line: "[info] Stream mapping:", kind: lineMapped},
		{line: "[warning] file:/proc/self/fd/3: corrupt decoded frame in stream 0", kind: lineCorrupt},
		{line: "[vist#0:0/h264 @ 0x1] [warning] corrupt decoded frame", kind: lineCorrupt},
		{line: "[warning] file:/proc/self/fd/3: corrupt input packet in stream 1", kind: linePacket, stream: 1},
		{line: "[mpegts @ 0x1] [warning] Packet corrupt (stream = 2, dts = 12).", kind: linePacket, stream: 2},
		{line: "[swscaler @ 0x1] [warning] deprecated pixel format used, make sure you did set range correctly"},
		{line: "[h264 @ 0x1] [error] error while decoding MB 3 4, bytestream -5", kind: lineDecoder},
		{line: "[error] Error while decoding stream #0:0: Invalid data found when processing input", kind: lineDecoder},
		{line: "[matroska,webm @ 0x1] [error] File ended prematurely", kind: lineContainer},
		{line: "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] [error] stream 0, offset 0xe47d: partial file", kind: lineContainer},
		{line: "[AVFilterGraph @ 0x1] [error] No such filter: 'zscale'", kind: lineFilter},
		{line: "[Parsed_scale_1 @ 0x1] [error] Rescaled value for width or height is too big.", kind: lineFilter},
		{line: ""}, {line: "Consider increasing the value"},
	} {
		got := classify(c.line)
		if got.kind != c.kind || (got.frame != nil) != c.frame || got.stream != c.stream {
			t.Errorf("%s\n  gives %+v", c.line, got)
		}
		if got.frame != nil && *got.frame != facts {
			t.Errorf("%s\n  gives %+v", c.line, *got.frame)
		}
	}
}

func TestClassifyNewerFFmpeg(t *testing.T) {
	l := classify("[Parsed_showinfo_0 @ 0x1] [info] n:   0 pts:      0 pts_time:0       duration:    512 " +
		"duration_time:0.04    fmt:yuv420p cl:left sar:1/1 s:720x484 i:P iskey:1 type:I ")
	if l.frame == nil || l.kind != lineOther || l.frame.width != 720 {
		t.Errorf("gives %+v", l)
	}
}

// account runs lines through a log and tells each frame's fate: "." clean, "K" clean key, or the first letter of why.
func account(t *testing.T, lines ...string) string {
	t.Helper()
	p := &Probe{Video: VideoStream{StoredWidth: 720, StoredHeight: 484, Delay: 1}}
	l := newDecodeLog(p, 1, nil)
	l.read(bufio.NewReader(strings.NewReader(strings.Join(lines, "\n") + "\n")))
	var out strings.Builder
	for {
		line, err := l.next()
		if err != nil {
			return out.String()
		}
		switch {
		case line.Why != "":
			out.WriteByte(line.Why[0])
		case line.Key:
			out.WriteByte('K')
		default:
			out.WriteByte('.')
		}
	}
}

// frames builds showinfo's lines from stamps; K marks key frames.
func frameAt(pts string, key bool) string {
	s := strings.Replace(keyFrame, "   100", pts, 1)
	if !key {
		s = strings.Replace(s, "iskey:1", "iskey:0", 1)
	}
	return s
}

func TestDamageLasts(t *testing.T) {
	const (
		mapped  = "[info] Stream mapping:"
		broken  = "[h264 @ 0x1] [error] error while decoding MB 3 4, bytestream -5"
		corrupt = "[warning] file:x: corrupt decoded frame in stream 0"
		other   = "[warning] file:x: corrupt input packet in stream 7"
		end     = "[matroska,webm @ 0x1] [error] File ended prematurely"
	)
	f := func(pts string) string { return frameAt(pts, false) }
	k := func(pts string) string { return frameAt(pts, true) }
	for _, c := range []struct {
		name, want string
		lines      []string
	}{
		{"clean", "K..K", []string{mapped, k("1"), f("2"), f("3"), k("4")}},
		{"probing finds nothing", "K.", []string{broken, mapped, k("1"), f("2")}},
		{"corrupt until the next key frame", "K.ccK.", []string{mapped, k("1"), f("2"), corrupt, f("3"), f("4"), k("5"), f("6")}},
		{"corrupt key frame", "ccK", []string{mapped, corrupt, k("1"), f("2"), k("3")}},
		// The decoder may still hold the broken picture back when the key frame after it comes.
		{"complaint runs ahead", "KdddK", []string{mapped, k("1"), broken, f("2"), k("3"), k("4"), k("5")}},
		{"complaint behind the last frame", "K.d", []string{mapped, k("1"), f("2"), f("3"), broken}},
		{"container", "K.c", []string{mapped, k("1"), f("2"), f("3"), end}},
		{"other stream", "K.", []string{mapped, k("1"), other, f("2")}},
		{"repeated stamp", "K.t.", []string{mapped, k("1"), f("2"), f("2"), f("4")}},
		{"backward stamp", "K.tt.", []string{mapped, k("1"), f("9"), f("2"), f("3"), f("12")}},
		{"no stamp", "Kt.", []string{mapped, k("1"), f("NOPTS"), f("3")}},
	} {
		if got := account(t, c.lines...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Whatever stamps the source has, those handed on only grow.
func FuzzAccount(f *testing.F) {
	f.Add(keyFrame + "\n" + frameAt("3", false) + "\n[warning] x: corrupt decoded frame in stream 0\n" + frameAt("NOPTS", true))
	f.Add(frameHead + "Invalid NAL\n[Parsed_showinfo_0 @ 0x1] [info] ")
	f.Fuzz(func(t *testing.T, text string) {
		p := &Probe{Video: VideoStream{StoredWidth: 720, StoredHeight: 484}}
		l := newDecodeLog(p, 2, nil)
		l.read(bufio.NewReader(strings.NewReader(text)))
		last := int64(-1 << 63)
		for n := 0; ; n++ {
			line, err := l.next()
			if err != nil {
				return
			}
			if line.PTS <= last && n > 0 || line.Number != n || line.Damaged != (line.Why != "") {
				t.Fatalf("frame %d after stamp %d: %+v", n, last, line)
			}
			last = line.PTS
		}
	})
}
