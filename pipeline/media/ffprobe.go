package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// What ffprobe prints, as far as it is read.
type (
	probeDoc struct {
		Streams  []probeStream `json:"streams"`
		Chapters []struct {
			Tags map[string]string `json:"tags"`
		} `json:"chapters"`
		Format struct {
			Name     string            `json:"format_name"`
			Duration string            `json:"duration"`
			Tags     map[string]string `json:"tags"`
		} `json:"format"`
	}
	probeStream struct {
		Index          int               `json:"index"`
		Codec          string            `json:"codec_name"`
		Type           string            `json:"codec_type"`
		Tag            string            `json:"codec_tag_string"`
		Width          int               `json:"width"`
		Height         int               `json:"height"`
		Delay          int               `json:"has_b_frames"`
		SAR            string            `json:"sample_aspect_ratio"`
		PixelFormat    string            `json:"pix_fmt"`
		Range          string            `json:"color_range"`
		Space          string            `json:"color_space"`
		Transfer       string            `json:"color_transfer"`
		Primaries      string            `json:"color_primaries"`
		ChromaLocation string            `json:"chroma_location"`
		FieldOrder     string            `json:"field_order"`
		AvgRate        string            `json:"avg_frame_rate"`
		TimeBase       string            `json:"time_base"`
		StartPTS       int64             `json:"start_pts"`
		Ticks          int64             `json:"duration_ts"`
		Start          string            `json:"start_time"`
		Duration       string            `json:"duration"`
		Frames         string            `json:"nb_frames"`
		SampleRate     string            `json:"sample_rate"`
		Channels       int               `json:"channels"`
		Layout         string            `json:"channel_layout"`
		Captions       int               `json:"closed_captions"`
		Disposition    map[string]int    `json:"disposition"`
		Tags           map[string]string `json:"tags"`
		SideData       []probeSideData   `json:"side_data_list"`
	}
	probeSideData struct {
		Type   string `json:"side_data_type"`
		Matrix string `json:"displaymatrix"`
	}
	probeFrame struct {
		Width       int             `json:"width"`
		Height      int             `json:"height"`
		PixelFormat string          `json:"pix_fmt"`
		Interlaced  int             `json:"interlaced_frame"`
		TopFirst    int             `json:"top_field_first"`
		Range       string          `json:"color_range"`
		Space       string          `json:"color_space"`
		Transfer    string          `json:"color_transfer"`
		Primaries   string          `json:"color_primaries"`
		SideData    []probeSideData `json:"side_data_list"`
	}
)

const (
	maxProbeBytes  = 16 << 20
	scannedPackets = 20_000 // enough for eleven minutes at 30 a second; longer clips are counted by their index
	probedPackets  = 12     // decoded to see what the frames really are
)

// probeArgs are common to all calls of ffprobe and ffmpeg that read a clip: nothing but the one file is opened, and only
// as a format of the allow-list.
func inputLimits() []string {
	return []string{"-protocol_whitelist", "file", "-format_whitelist", strings.Join(demuxers, ",")}
}

func (t Tools) ffprobe(ctx context.Context, in *os.File, args ...string) (out, stderr []byte, err error) {
	all := append([]string{"-hide_banner", "-loglevel", "repeat+level+warning"}, inputLimits()...)
	all = append(all, "-threads", strconv.Itoa(t.DecoderThreads))
	all = append(all, args...)
	return t.output(ctx, t.FFprobe, in, maxProbeBytes, append(all, "-i", childInput)...)
}

// describe asks for the container's description.
func (t Tools) describe(ctx context.Context, in *os.File) (*probeDoc, []byte, error) {
	out, stderr, err := t.ffprobe(ctx, in, "-print_format", "json", "-show_format", "-show_streams", "-show_chapters")
	if err != nil {
		return nil, stderr, err
	}
	doc := &probeDoc{}
	if err := json.Unmarshal(out, doc); err != nil {
		return nil, stderr, fmt.Errorf("%w: its description is malformed", ErrUnreadable)
	}
	return doc, stderr, nil
}

// firstFrames decodes the start of one stream, named as ffprobe names streams. What can not be decoded is no error here: the decode
// tells it.
func (t Tools) firstFrames(ctx context.Context, in *os.File, stream string) ([]probeFrame, error) {
	for _, packets := range []int{probedPackets, 20 * probedPackets} {
		out, _, err := t.ffprobe(ctx, in, "-print_format", "json", "-select_streams", stream, "-show_frames",
			"-read_intervals", "%+#"+strconv.Itoa(packets))
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var doc struct {
			Frames []probeFrame `json:"frames"`
		}
		if err != nil || json.Unmarshal(out, &doc) != nil || len(doc.Frames) == 0 {
			continue
		}
		return doc.Frames, nil
	}
	return nil, nil
}

// packetScan is what the packets of one stream tell without decoding.
type packetScan struct {
	shown, hidden int
	unseen        int  // packets so close to the next that they hold a picture for reference only
	complete      bool // the scan reached the end
	encrypted     bool
	first, last   int64
	timed         int // shown packets with a stamp
	steady        bool
}

// scanPackets reads the stamps and flags of the first packets of one stream.
func (t Tools) scanPackets(ctx context.Context, in *os.File, stream string) (packetScan, error) {
	out, _, err := t.ffprobe(ctx, in, "-print_format", "compact=nk=0:p=0", "-select_streams", stream,
		"-show_packets", "-show_entries", "packet=pts,dts,flags:packet_side_data=side_data_type", "-read_intervals",
		"%+#"+strconv.Itoa(scannedPackets))
	if ctx.Err() != nil {
		return packetScan{}, context.Cause(ctx)
	}
	// A status other than 0 comes with damage at the end of what was read; the decode judges that.
	_ = err
	return readPackets(out), nil
}

// readPackets reads lines like "pts=0|dts=-512|flags=KD|side_data_type=..."; side data may follow on lines of its own.
func readPackets(out []byte) packetScan {
	var s packetScan
	var pts, dts []int64
	packets := 0
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if strings.Contains(line, "side_data_type=Encryption") {
			s.encrypted = true
		}
		if !strings.HasPrefix(line, "pts=") {
			continue
		}
		packets++
		hidden := false
		for field := range strings.SplitSeq(line, "|") {
			if key, value, _ := strings.Cut(field, "="); key == "flags" {
				hidden = strings.Contains(value, "D")
			}
		}
		if hidden {
			s.hidden++
			continue
		}
		s.shown++
		for field := range strings.SplitSeq(line, "|") {
			key, value, _ := strings.Cut(field, "=")
			v, err := strconv.ParseInt(value, 10, 64)
			switch {
			case err != nil:
			case key == "pts":
				pts = append(pts, v)
			case key == "dts":
				dts = append(dts, v)
			}
		}
	}
	s.complete = packets < scannedPackets
	// Some containers stamp only some of their packets; decoding order is then the better measure.
	if len(pts) < s.shown && len(dts) > len(pts) {
		pts = dts
	}
	s.measure(pts)
	return s
}
