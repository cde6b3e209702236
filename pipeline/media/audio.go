package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
)

const (
	// sampleRate is the rate of every derivative's sound.
	sampleRate = 48000
	// guard is added to both sides of a muted range, in seconds. It also keeps the encoder's blocks of 2048 samples that
	// hold sound away from the range, so that it decodes to zeros.
	guard = 0.05
	// maxSample is far above any real sample (1 is full scale); beyond it the decoder gave garbage.
	maxSample = 1000
)

// Span is a time range in seconds from the first video frame of the source, To exclusive.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// AudioOptions says which sound is prepared. All times are in seconds.
type AudioOptions struct {
	Path  string
	Probe *Probe
	// Track is the number, from 0, of the audio stream.
	Track int
	// Origin is the source's first video frame on the clip's own clock. Mute, From and To count from there.
	Origin float64
	Mute   []Span
	// From and To cut an excerpt: From is the excerpt's first frame, To the end of its last. Nil means the clip's.
	From, To *float64
	// Out is written anew, mode 0600.
	Out string
}

// AudioFile is sound that is ready to go beside the pictures: AAC, 48 kHz, this package's own encode.
type AudioFile struct {
	Path string
	// Lead is how far the sound begins before the first frame, in ticks of the video's time base; never negative, for
	// silence fills the time where it begins later.
	Lead int64
	// Track is the stream's number among the audio streams, Description tells which it was, without its title.
	Track       int
	Description string
	Channels    int
	Samples     int64   // of each channel
	Muted       float64 // seconds that were silenced, guards included
	Notes       []Note
}

// PrepareAudio decodes one audio stream, silences the muted ranges to the sample, and encodes the result as AAC. A clip
// without sound gives nil and no error. Sound that does not decode cleanly is ErrDamaged.
func PrepareAudio(ctx context.Context, t Tools, o AudioOptions) (*AudioFile, error) {
	if len(o.Probe.Audio) == 0 {
		return nil, nil
	}
	if o.Track < 0 || o.Track >= len(o.Probe.Audio) {
		return nil, fmt.Errorf("%w: number %d of %d (they count from 0)", ErrNoAudioTrack, o.Track, len(o.Probe.Audio))
	}
	a, err := newAudioJob(o)
	if err != nil {
		return nil, err
	}
	if err := createPrivate(o.Out); err != nil {
		return nil, fmt.Errorf("prepare sound: %w", err)
	}
	if err := a.run(ctx, t); err != nil {
		_ = os.Remove(o.Out)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("prepare sound: %w", err)
	}
	return &a.file, nil
}

// audioJob is one track under way.
type audioJob struct {
	o      AudioOptions
	stream AudioStream
	file   AudioFile
	layout string
	first  int64   // sample, on the clip's own clock, that the file starts with
	limit  int64   // samples to write; -1 for all there are
	zero   []zeros // muted ranges in samples of the file, in order
}

// zeros is a range of samples, to exclusive.
type zeros struct{ from, to int64 }

func newAudioJob(o AudioOptions) (*audioJob, error) {
	s := o.Probe.Audio[o.Track]
	a := &audioJob{o: o, stream: s, limit: -1}
	a.file = AudioFile{Path: o.Out, Track: o.Track}
	a.layout, a.file.Channels = "stereo", 2
	switch s.Channels {
	case 1:
		a.layout, a.file.Channels = "mono", 1
	case 6:
		a.layout, a.file.Channels = "5.1", 6
	case 2:
	default:
		a.file.Notes = append(a.file.Notes, Note{Code: "downmixed", Text: fmt.Sprintf("%d sound channels became 2", s.Channels)})
	}
	a.file.Description = fmt.Sprintf("track %d of %d: %s, %d Hz, %d channels", o.Track+1, len(o.Probe.Audio), s.Codec, s.SampleRate, s.Channels)
	start := o.Origin
	tick := o.Probe.Video.TimeBase.Float()
	if tick <= 0 {
		return nil, fmt.Errorf("prepare sound: time base %s", o.Probe.Video.TimeBase)
	}
	if o.From != nil {
		start += *o.From
	} else if early := o.Origin - s.Start; early > 0 {
		// Whole ticks of the video, so that its stamps stay exact; silence fills the fraction.
		a.file.Lead = int64(math.Ceil(early/tick - 1e-6))
		start -= float64(a.file.Lead) * tick
	}
	a.first = samples(start)
	if o.To != nil {
		a.limit = max(0, samples(o.Origin+*o.To)-a.first)
	}
	if err := a.muteRanges(); err != nil {
		return nil, err
	}
	return a, nil
}

// samples is the nearest sample to a time.
func samples(seconds float64) int64 { return int64(math.Round(seconds * sampleRate)) }

// muteRanges turns the muted spans, with their guards, into samples of the file: outwards rounded, sorted and joined.
func (a *audioJob) muteRanges() error {
	for _, m := range a.o.Mute {
		if !(m.From >= 0 && m.To > m.From) || math.IsInf(m.To, 0) {
			return fmt.Errorf("prepare sound: mute range from %g to %g s", m.From, m.To)
		}
		from := int64(math.Floor((a.o.Origin + m.From - guard) * sampleRate))
		to := int64(math.Ceil((a.o.Origin + m.To + guard) * sampleRate))
		a.zero = append(a.zero, zeros{from: max(0, from-a.first), to: to - a.first})
	}
	slices.SortFunc(a.zero, func(x, y zeros) int { return int(min(1, max(-1, x.from-y.from))) })
	joined := a.zero[:0]
	for _, z := range a.zero {
		if z.to <= 0 {
			continue
		}
		if n := len(joined); n > 0 && z.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, z.to)
			continue
		}
		joined = append(joined, z)
	}
	a.zero = joined
	return nil
}

// run ties the two children together: decoder, this process, encoder.
func (a *audioJob) run(ctx context.Context, t Tools) (err error) {
	dec, pcm, err := a.decoder(ctx, t)
	if err != nil {
		return err
	}
	defer func() {
		dec.kill()
		_ = dec.wait()
		_ = pcm.Close()
	}()
	enc, sink, err := a.encoder(ctx, t)
	if err != nil {
		return err
	}
	// Killed first and closed second: an encoder whose input ends finishes its file.
	defer func() {
		enc.kill()
		_ = enc.wait()
		_ = sink.Close()
	}()
	whole, err := a.copy(sink, pcm)
	if err != nil {
		if errors.Is(err, errSink) {
			if werr := enc.wait(); werr != nil {
				err = werr
			}
			return encoderError(err)
		}
		return err
	}
	if whole {
		if err := dec.wait(); err != nil {
			// The child's own words may tell of the source: they stay here.
			return fmt.Errorf("%w: its sound does not decode cleanly (%d messages)", ErrDamaged, dec.log.errors)
		}
	}
	if err := a.pad(sink); err != nil {
		if errors.Is(err, ErrDamaged) {
			return err // the encoder waits for samples that will not come
		}
		return encoderError(errors.Join(err, enc.wait()))
	}
	if err := sink.Close(); err != nil {
		return encoderError(err)
	}
	if err := enc.wait(); err != nil {
		return encoderError(err)
	}
	for _, z := range a.zero {
		a.file.Muted += float64(max(0, min(z.to, a.file.Samples)-z.from)) / sampleRate
	}
	return nil
}

// decoder gives interleaved 32-bit floats at 48 kHz that begin exactly with sample a.first of the clip's clock: time
// stamps decide, gaps are filled with silence and overlaps cut. A change of the sound's format on the way is an error. No
// vector instructions, so that the same clip gives the same samples on every processor.
func (a *audioJob) decoder(ctx context.Context, t Tools) (*ffmpegChild, *os.File, error) {
	clip, _, err := openInput(a.o.Path)
	if err != nil {
		return nil, nil, err
	}
	defer clip.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	enlargePipe(r)
	// Two resamplers, for first_pts counts samples of the filter's input: at the source's own rate it would mean another
	// moment. aformat holds the first one to the layout that the reader counts on.
	format := "aformat=sample_fmts=flt:sample_rates=48000:channel_layouts=" + a.layout
	resample := "aresample=osr=48000:osf=flt:rematrix_maxval=1:ocl=" + a.layout + "," + format +
		",aresample=async=1:min_comp=0.00001:min_hard_comp=0.01:first_pts=" + strconv.FormatInt(a.first, 10) + "," + format
	args := append([]string{"-cpuflags", "0", "-threads", "1"}, inputLimits()...)
	args = append(args, "-copyts", "-reinit_filter", "0", "-i", childInput, "-map", fmt.Sprintf("0:%d", a.stream.Index),
		"-vn", "-sn", "-dn", "-af", resample, "-map_metadata", "-1", "-map_chapters", "-1",
		"-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
	c, err := startFFmpeg(ctx, t, ffmpegIO{stdout: w, clip: clip,
		mute: []string{a.o.Probe.Video.Codec, "libdav1d", "mjpeg", "png"}}, args)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	return c, r, nil
}

// encoder takes the floats and writes AAC at 96 kbit/s a channel (64 of six).
func (a *audioJob) encoder(ctx context.Context, t Tools) (*ffmpegChild, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	enlargePipe(w)
	rate := 96000 * a.file.Channels
	if a.file.Channels > 2 {
		rate = 64000 * a.file.Channels
	}
	c, err := startFFmpeg(ctx, t, ffmpegIO{stdin: r}, []string{"-cpuflags", "0", "-f", "f32le", "-ar", strconv.Itoa(sampleRate),
		"-channel_layout", a.layout, "-i", "pipe:0", "-c:a", "aac", "-b:a", strconv.Itoa(rate), "-threads", "1",
		"-flags:a", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1", "-f", "mp4", "-y", fileURL(a.o.Out)})
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return c, w, nil
}

// errSink marks a failed write to the encoder.
var errSink = errors.New("encoder took no more")

// copy carries the samples over and silences what is muted. whole is false where it stopped at the limit, before the
// decoder's end.
func (a *audioJob) copy(sink io.Writer, pcm io.Reader) (whole bool, err error) {
	frame := 4 * a.file.Channels
	buf := make([]byte, 1<<14*frame)
	for a.limit < 0 || a.file.Samples < a.limit {
		n, err := io.ReadFull(pcm, buf)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return false, err
		}
		if n%frame != 0 {
			return false, fmt.Errorf("%w: sound ends within a sample", ErrDamaged)
		}
		got := int64(n / frame)
		if a.limit >= 0 {
			got = min(got, a.limit-a.file.Samples)
		}
		part := buf[:int(got)*frame]
		a.silence(part, a.file.Samples)
		if !sane(part) {
			return false, fmt.Errorf("%w: sound decodes to values that are none", ErrDamaged)
		}
		if _, err := sink.Write(part); err != nil {
			return false, fmt.Errorf("%w: %w", errSink, err)
		}
		a.file.Samples += got
		if ended {
			return true, nil
		}
	}
	return false, nil
}

// silence zeroes the muted samples of a part that begins with sample at.
func (a *audioJob) silence(part []byte, at int64) {
	frame := int64(4 * a.file.Channels)
	n := int64(len(part)) / frame
	for _, z := range a.zero {
		from, to := max(z.from-at, 0), min(z.to-at, n)
		if from < to {
			clear(part[from*frame : to*frame])
		}
	}
}

// sane says whether every value can be a sample.
func sane(part []byte) bool {
	for i := 0; i+4 <= len(part); i += 4 {
		bits := uint32(part[i]) | uint32(part[i+1])<<8 | uint32(part[i+2])<<16 | uint32(part[i+3])<<24
		if v := math.Float32frombits(bits); !(v > -maxSample && v < maxSample) {
			return false
		}
	}
	return true
}

// pad fills an excerpt with silence up to its end, where the sound ends sooner. A whole track without a sample is damaged.
func (a *audioJob) pad(sink io.Writer) error {
	if a.file.Samples == 0 && a.limit <= 0 {
		return fmt.Errorf("%w: sound holds no sample", ErrDamaged)
	}
	quiet := make([]byte, 1<<14*4*a.file.Channels)
	for a.file.Samples < a.limit {
		n := min(a.limit-a.file.Samples, 1<<14)
		if _, err := sink.Write(quiet[:int(n)*4*a.file.Channels]); err != nil {
			return err
		}
		a.file.Samples += n
	}
	return nil
}
