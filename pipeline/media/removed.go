package media

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// isCover tells a picture that belongs to the sound or to a player's time bar.
func (s *probeStream) isCover() bool {
	return s.Disposition["attached_pic"] == 1 || s.Disposition["timed_thumbnails"] == 1
}

// isEncrypted looks for the marks that a demuxer puts on what it can not decrypt.
func isEncrypted(list []probeSideData) bool {
	for _, d := range list {
		if strings.HasPrefix(d.Type, "Encryption") {
			return true
		}
	}
	return false
}

// audioStreams lists the sound tracks that can be decoded.
func audioStreams(doc *probeDoc) []AudioStream {
	var list []AudioStream
	for i := range doc.Streams {
		s := &doc.Streams[i]
		rate, err := strconv.Atoi(s.SampleRate)
		if s.Type != "audio" || s.Codec == "" || s.Codec == "unknown" || s.Codec == "none" || err != nil || rate < 1 ||
			s.Channels < 1 || isEncrypted(s.SideData) {
			continue
		}
		start, err := strconv.ParseFloat(s.Start, 64)
		if err != nil {
			start = 0
		}
		list = append(list, AudioStream{
			Index: s.Index, Codec: printable(s.Codec), SampleRate: rate, Channels: s.Channels, Layout: known(s.Layout),
			TimeBase: rational(s.TimeBase, "/"), StartPTS: s.StartPTS, Start: start, Duration: seconds(s.Duration),
			Default: s.Disposition["default"] == 1,
		})
	}
	return list
}

// technicalTags are written by muxers and tell nothing of the recording.
var technicalTags = map[string]bool{
	"language": true, "handler_name": true, "vendor_id": true, "encoder": true, "major_brand": true, "minor_version": true,
	"compatible_brands": true, "duration": true, "bps": true, "number_of_frames": true, "number_of_bytes": true,
	"variant_bitrate": true,
}

// removedStreams counts, by kind, what a derivative never carries. Sound is not among them: the policy decides on it.
func removedStreams(doc *probeDoc, video int) []Removed {
	var r removals
	for i := range doc.Streams {
		s := &doc.Streams[i]
		switch {
		case s.Index == video, s.Type == "audio":
		case s.Type == "video" && s.isCover():
			r.add("cover", "cover picture or thumbnails")
		case s.Type == "video":
			r.add("video_stream", "further video stream")
		case s.Type == "subtitle":
			r.add("subtitle_stream", "subtitle stream")
		case s.Type == "attachment":
			r.add("attachment", "attached file")
		case s.Tag == "tmcd":
			r.add("timecode", "timecode track")
		default:
			r.add("data_stream", "data stream")
		}
		r.tags(s.Tags)
	}
	for _, c := range doc.Chapters {
		r.add("chapter", "chapter mark")
		r.tags(c.Tags)
	}
	r.tags(doc.Format.Tags)
	return r.list
}

// removals keeps the kinds in order of first appearance.
type removals struct{ list []Removed }

func (r *removals) add(kind, text string) {
	for i := range r.list {
		if r.list[i].Kind == kind {
			r.list[i].Count++
			return
		}
	}
	r.list = append(r.list, Removed{Kind: kind, Text: text, Count: 1})
}

// tags counts by kind; neither names nor content of free tags are kept.
func (r *removals) tags(tags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		name = strings.ToLower(name)
		switch {
		case technicalTags[name] || strings.HasPrefix(name, "_statistics"):
		case strings.Contains(name, "location") || strings.Contains(name, "gps") || strings.Contains(name, "xyz"):
			r.add("location", "place of recording")
		case name == "creation_time" || name == "date":
			r.add("creation_time", "time of recording")
		default:
			r.add("tag", "descriptive tag")
		}
	}
}
