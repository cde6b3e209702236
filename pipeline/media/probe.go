package media

// Probe is what is known of a clip before it is decoded. It holds no title, place, name or path of the clip.
type Probe struct {
	// Container is the demuxer on the allow-list that reads it: "mov", "matroska", "mpegts", ...
	Container string        `json:"container"`
	Bytes     int64         `json:"bytes"`
	Duration  float64       `json:"duration"` // seconds, as the container says; 0 if it does not
	Streams   int           `json:"streams"`  // of every kind
	Video     VideoStream   `json:"video"`
	Audio     []AudioStream `json:"audio"`
	Removed   []Removed     `json:"removed"`
	// Notes tell what the way from the stored to the travelling pixels changes, whatever the profile.
	Notes []Note `json:"notes"`
}

// VideoStream is the one video stream that is redacted. Width, Height and SAR are those of the upright picture.
type VideoStream struct {
	Index        int    `json:"index"` // in the container
	Codec        string `json:"codec"`
	StoredWidth  int    `json:"stored_width"` // as decoded, before the picture is turned
	StoredHeight int    `json:"stored_height"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	// Decoded is the decoder's own pixel format, Format the one that travels: the nearest without loss.
	Decoded PixelFormat `json:"decoded"`
	Format  PixelFormat `json:"format"`
	// TimeBase is the tick in seconds that PTS count.
	TimeBase Rational `json:"time_base"`
	AvgRate  Rational `json:"avg_rate"` // frames a second; 0/1 where unknown
	// Variable says that the frames are not evenly spaced.
	Variable bool     `json:"variable"`
	SAR      Rational `json:"sar"` // sample aspect ratio of the upright picture, 1/1 where unknown
	// Matrix is the display matrix as stored, row by row (16.16 and, in the last column, 2.30 fixed point); all zero
	// where there is none. Turn is what it asks for.
	Matrix     [9]int32 `json:"matrix"`
	Turn       Turn     `json:"turn"`
	Interlaced bool     `json:"interlaced"`
	TopFirst   bool     `json:"top_first"` // of interlaced video: the top field is shown first
	// Colour as ffmpeg names it; empty where the file says nothing. Range is "tv" or "pc".
	Range     string `json:"range"`
	Primaries string `json:"primaries"`
	Transfer  string `json:"transfer"`
	Space     string `json:"space"`
	// ChromaLocation is where chroma samples sit: "left", "center", "topleft", ... or empty.
	ChromaLocation string `json:"chroma_location"`
	HDR            bool   `json:"hdr"` // PQ or HLG transfer
	// StaticHDR says that mastering display or light level data is there, DolbyVision its configuration record.
	StaticHDR    bool `json:"static_hdr"`
	DolbyVision  bool `json:"dolby_vision"`
	HiddenFrames int  `json:"hidden_frames"` // packets that an edit list hides
	EditList     bool `json:"edit_list"`
	// EndPTS is where the container says that the stream ends; 0 where it does not say.
	EndPTS int64 `json:"end_pts,omitempty"`
	// StartPTS is the first shown packet's stamp, Frames the number of shown packets: an estimate of the frames, exact
	// only after decoding; 0 where it is not known.
	StartPTS int64 `json:"start_pts"`
	Frames   int64 `json:"frames"`
	Delay    int   `json:"delay"` // frames that the decoder may hold back for reordering
}

// AudioStream is one sound track. Its language and title are not read.
type AudioStream struct {
	Index      int      `json:"index"` // in the container
	Codec      string   `json:"codec"`
	SampleRate int      `json:"sample_rate"`
	Channels   int      `json:"channels"`
	Layout     string   `json:"layout"`
	TimeBase   Rational `json:"time_base"`
	StartPTS   int64    `json:"start_pts"`
	Start      float64  `json:"start"`    // seconds, on the clip's own clock
	Duration   float64  `json:"duration"` // seconds; 0 where unknown
	Default    bool     `json:"default"`
}

// Removed counts one kind of thing in the source that a derivative never carries. Content is never told, only the kind.
type Removed struct {
	Kind  string `json:"kind"` // "video_stream", "audio_stream", "subtitle_stream", "data_stream", "attachment", "cover", "chapters", "metadata", "timecode", "program"
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// Note is something that was changed or lost on the way.
type Note struct {
	Code string `json:"code"`
	Text string `json:"text"`
}
