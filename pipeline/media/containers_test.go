package media

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// containers is what each file of the robustness set comes to: frames that decode without a fault, damage, or a refusal.
// Files that a plain ffmpeg decodes without a word and that are refused here: the 1x1 picture (under the least side), the
// JPEG by another name (no video), five frames with one and the same stamp (time stamps repeat), and two sample
// descriptions of different size (the picture's size changes).
var containers = map[string]struct {
	frames  int
	damaged bool
	err     error
}{
	"-video-with-dash-.mp4":                                         {err: ErrLimit},
	"androidx_bbb_176x144_128kbps_15fps_h263.3gp":                   {frames: 15},
	"androidx_bbb_176x144_192kbps_15fps_mpeg4.mp4":                  {frames: 15},
	"androidx_dolbyVision-hdr.MOV":                                  {frames: 4},
	"androidx_fragmented_captions.mp4":                              {frames: 60},
	"androidx_hdr10-video-with-sdr-container.mp4":                   {frames: 28},
	"androidx_iibbibb_editlist_videoonly.mp4":                       {frames: 12},
	"androidx_internal_emulator_transformer_output_270_rotated.mp4": {frames: 149},
	"androidx_pixel-motion-photo-2-hevc-tracks.mp4":                 {frames: 58},
	"androidx_pixel-motion-photo-shortened.jpg":                     {err: ErrNotAVideo},
	"androidx_portrait_4k60.mp4":                                    {frames: 18},
	"androidx_roadtrip-vp92-10bit.webm":                             {frames: 72},
	"androidx_sample-unflagged-audio-keyframes.avi":                 {frames: 96},
	"androidx_sample.avi":                                           {frames: 96},
	"androidx_sample.flv":                                           {frames: 30},
	"androidx_sample_MP.heic":                                       {err: ErrNotAVideo},
	"androidx_sample_android_slow_motion.mp4":                       {frames: 7},
	"androidx_sample_edit_list_no_sync_frame_before_edit.mp4":       {frames: 68},
	"androidx_sample_h263.ts":                                       {frames: 25},
	"androidx_sample_h264.ts":                                       {frames: 30},
	"androidx_sample_h264_dts_audio.ts":                             {frames: 3},
	"androidx_sample_h264_iframes_only.ts":                          {frames: 30},
	"androidx_sample_h265.ts":                                       {frames: 30},
	"androidx_sample_missing_stsd.mp4":                              {frames: 30},
	"androidx_sample_partially_fragmented.mp4":                      {frames: 30},
	"androidx_sample_portrait.mp4":                                  {frames: 30},
	"androidx_sample_scte35.ts":                                     {frames: 3},
	"androidx_sample_video_only.mp4":                                {frames: 30},
	"androidx_sample_vvc.mp4":                                       {err: ErrCodec},
	"androidx_sample_with_ass_subtitles.mkv":                        {frames: 30},
	"androidx_sample_with_chapters.mkv":                             {frames: 150},
	"androidx_sample_with_chapters.mp4":                             {frames: 30},
	"androidx_sample_with_fake_auxiliary_tracks.mp4":                {damaged: true},
	"androidx_sample_with_htc_rotation_track_name.mkv":              {frames: 30},
	"androidx_sample_with_invalid_nalu.mp4":                         {damaged: true},
	"androidx_sample_with_metadata.mp4":                             {frames: 30},
	"androidx_sample_with_vobsub.mkv":                               {frames: 30},
	"androidx_sample_with_vobsub.mp4":                               {frames: 30},
	"androidx_sample_without_stss.mp4":                              {frames: 30},
	"androidx_silent-black-10s.mp4":                                 {frames: 300},
	"androidx_sowt-with-video.mov":                                  {frames: 100},
	"androidx_trim_optimization_failure.mp4":                        {frames: 167},
	"decord_video_270.mov":                                          {frames: 3},
	"derived_attached_cover.mp4":                                    {frames: 41},
	"derived_audio_only.mp4":                                        {err: ErrNoVideo},
	"derived_av1.mp4":                                               {frames: 41},
	"derived_editlist_cut.mp4":                                      {frames: 31},
	"derived_empty.mp4":                                             {err: ErrUnreadable},
	"derived_ffv1.mkv":                                              {frames: 41},
	"derived_jpeg_named.mp4":                                        {err: ErrNotAVideo},
	"derived_random_bytes.mp4":                                      {err: ErrUnreadable},
	"derived_rot180.mov":                                            {frames: 41},
	"derived_rot90cw.mp4":                                           {frames: 41},
	"derived_subs_2audio_chapters_cover.mkv":                        {frames: 41},
	"fate_h264_anim.mkv":                                            {frames: 71},
	"fate_h264_brokensps.mp4":                                       {err: ErrSizeChange},
	"fate_h264_direct-bff.mkv":                                      {damaged: true},
	"fate_h264_displaymatrix.mp4":                                   {damaged: true},
	"fate_h264_extradata-reload-multi-stsd.mp4":                     {err: ErrSizeChange},
	"fate_h264_h264_intra_first-small.mp4":                          {damaged: true},
	"fate_h264_mixed-nal-coding.mp4":                                {frames: 5},
	"fate_h264_mov-1elist-ends-last-bframe.mp4":                     {frames: 47},
	"fate_h264_mov-3elist-1ctts.mp4":                                {frames: 48},
	"fate_h264_mov-frag-encrypted.mp4":                              {err: ErrEncrypted},
	"fate_h264_moviedispmat.mp4":                                    {frames: 25},
	"fate_h264_mp4-init-nonkeyframe.mp4":                            {damaged: true},
	"fate_h264_mp4-with-mov-in24-ver.mp4":                           {err: ErrNoFrames},
	"fate_h264_spherical.mp4":                                       {frames: 120},
	"fate_h264_test-4867.mp4":                                       {damaged: true},
	"fate_hevc_loewe.mp4":                                           {damaged: true},
	"fate_hevc_multiview.mp4":                                       {frames: 11},
	"fate_hevc_two_first_slice.mp4":                                 {damaged: true},
	"fate_mjpeg_Owner-iTunes_9.0.3.15.mp4":                          {err: ErrNotAVideo},
	"fate_mpeg2video_Sony-00001.mp4":                                {frames: 4},
	"fate_mpeg2video_dvbsubtest_filter.mp4":                         {err: ErrNoFrames},
	"fate_mpeg2video_sony-ct3.mp4":                                  {frames: 7},
	"fate_mpeg2video_t.mp4":                                         {damaged: true},
	"fate_mpeg4_demo.mp4":                                           {err: ErrFormat},
	"fate_mpeg4_extended_atom_size_probe.mp4":                       {frames: 1},
	"fate_mpeg4_invalid_elst_entry_count.mp4":                       {frames: 48},
	"fate_theora_offset_test.mp4":                                   {frames: 10},
	"fate_vc1_vc1-wmapro.mp4":                                       {damaged: true},
	"fate_vp8_frame_size_change.mp4":                                {frames: 300},
	"fate_vp9_hdr10_plus_vp9_sample.mp4":                            {frames: 1},
	"fate_vp9_vp90-2-05-resize.mp4":                                 {frames: 10},
	"mp4parse_chunk_out_of_range.mp4":                               {err: ErrUnreadable},
	"mp4parse_h264_white_frame_sar_16_9.mp4":                        {frames: 1},
	"mp4parse_short-cenc.mp4":                                       {err: ErrEncrypted},
	"mp4parse_zero_empty_stsc.mp4":                                  {err: ErrNoFrames},
	"opencv_big_buck_bunny.mov":                                     {frames: 125},
	"opencv_big_buck_bunny.mp4":                                     {frames: 125},
	"opencv_big_buck_bunny.mpg":                                     {frames: 125},
	"opencv_indeo.avi":                                              {frames: 30},
	"opencv_wmv9.avi":                                               {frames: 30},
	"torchcodec_av1_video.mkv":                                      {frames: 125},
	"torchcodec_bt709_full_range.mp4":                               {frames: 30},
	"torchcodec_h264_10bits.mp4":                                    {frames: 30},
}

func TestContainers(t *testing.T) {
	dir := footage(t, "containers")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, ".gt.json") {
			continue
		}
		want, ok := containers[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		seen++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, name)
			frames, err := inspectAndDecode(t, path)
			n, why := damage(frames)
			switch {
			case want.err != nil:
				if !errors.Is(err, want.err) {
					t.Fatalf("error %v, want %v", err, want.err)
				}
				if strings.ContainsAny(err.Error(), "\n\r") || strings.Contains(err.Error(), dir) {
					t.Errorf("error shows more than the cause: %q", err)
				}
			case err != nil:
				t.Fatal(err)
			case want.damaged:
				if n == 0 {
					t.Errorf("no damage in %d frames", len(frames))
				}
			case n > 0:
				t.Errorf("%d of %d frames damaged: %s", n, len(frames), why)
			case len(frames) != want.frames:
				t.Errorf("%d frames, want %d", len(frames), want.frames)
			}
		})
	}
	if seen != len(containers) {
		t.Errorf("%d files, %d in the table", seen, len(containers))
	}
}

func inspectAndDecode(t *testing.T, path string) ([]FrameInfo, error) {
	p, err := Inspect(t.Context(), tools(t), path, DefaultLimits())
	if err != nil {
		return nil, err
	}
	// One pass tells the next in these words.
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var told Probe
	if err := json.Unmarshal(b, &told); err != nil || !reflect.DeepEqual(p, &told) {
		t.Errorf("%s: told as %s, %v", filepath.Base(path), b, err)
	}
	return decodeAll(t, path, &told, AnalysisView(p, 160), nil)
}

// What the container and the first frames tell, of clips that have it.
func TestInspectKinds(t *testing.T) {
	dir := footage(t, "containers")
	for _, c := range []struct {
		name string
		ok   func(*Probe) bool
	}{
		{"androidx_dolbyVision-hdr.MOV", func(p *Probe) bool {
			v := p.Video
			return v.DolbyVision && v.HDR && v.Turn == TurnRight && v.Width == 720 && v.Height == 1280 &&
				v.Format == YUV420P10 && v.HiddenFrames == 1 && len(p.Audio) == 1 && has(p, "data_stream", 3)
		}},
		{"androidx_internal_emulator_transformer_output_270_rotated.mp4", func(p *Probe) bool {
			return p.Video.Turn == TurnLeft && p.Video.Width == 720 && p.Video.StoredWidth == 1280
		}},
		{"androidx_portrait_4k60.mp4", func(p *Probe) bool { return p.Video.Range == "pc" && p.Video.Format == YUV420P }},
		{"derived_attached_cover.mp4", func(p *Probe) bool { return p.Video.Codec == "h264" && has(p, "cover", 1) }},
		{"derived_editlist_cut.mp4", func(p *Probe) bool {
			return p.Video.EditList && p.Video.HiddenFrames == 10 && p.Video.Frames == 31 && has(p, "hidden_frames", 10)
		}},
		{"derived_subs_2audio_chapters_cover.mkv", func(p *Probe) bool {
			return len(p.Audio) == 2 && has(p, "subtitle_stream", 1) && has(p, "cover", 1) && p.Container == "matroska"
		}},
		{"fate_h264_direct-bff.mkv", func(p *Probe) bool { return p.Video.Interlaced && !p.Video.TopFirst }},
		{"fate_mpeg2video_sony-ct3.mp4", func(p *Probe) bool { return p.Video.Interlaced && p.Video.SAR == Rational{8, 9} }},
		{"fate_h264_mixed-nal-coding.mp4", func(p *Probe) bool { return p.Video.Interlaced }},
		{"mp4parse_h264_white_frame_sar_16_9.mp4", func(p *Probe) bool { return p.Video.SAR == Rational{16, 9} }},
		{"opencv_indeo.avi", func(p *Probe) bool {
			return p.Video.Decoded == "yuv410p" && p.Video.Format == YUV420P && len(p.Notes) == 1
		}},
		{"androidx_sample.avi", func(p *Probe) bool { return p.Video.Variable }},
		{"torchcodec_h264_10bits.mp4", func(p *Probe) bool { return !p.Video.Variable && !p.Video.Interlaced }},
		{"torchcodec_nasa_13013.mp4", func(p *Probe) bool { return has(p, "video_stream", 1) && len(p.Audio) == 2 }},
	} {
		path := filepath.Join(dir, c.name)
		if c.name == "torchcodec_nasa_13013.mp4" {
			path = filepath.Join(dir, "..", "video", c.name)
		}
		p, err := Inspect(t.Context(), tools(t), path, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !c.ok(p) {
			t.Errorf("%s: %+v", c.name, *p)
		}
	}
}

func has(p *Probe, kind string, count int) bool {
	for _, r := range p.Removed {
		if r.Kind == kind {
			return r.Count == count
		}
	}
	return false
}
