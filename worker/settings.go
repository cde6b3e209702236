package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"veil/models"
	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/disk"
	"veil/worker/failure"
)

// settings say where things lie and how much may be used. They change no pixel; what is covered and how the derivative
// is made stands in the policy.
type settings struct {
	FFmpeg  string `name:"ffmpeg" group:"settings" placeholder:"FILE" help:"ffmpeg to use (default: the one on the PATH)."`
	FFprobe string `name:"ffprobe" group:"settings" placeholder:"FILE" help:"ffprobe to use (default: the one on the PATH)."`
	Models  string `group:"settings" placeholder:"FOLDER" help:"Folder of the weights (default: models/weights beside the program, then /usr/share/veil/models)."`
	Engine  string `group:"settings" enum:"auto,onnxruntime,opencv" default:"auto" help:"What runs the networks: ${enum}."`
	Threads int    `group:"settings" default:"0" placeholder:"N" help:"Threads for the networks; 0 means all cores."`
	Scratch string `group:"settings" placeholder:"FOLDER" help:"Where temporary files go (default: veil-UID in the temporary folder)."`

	MinSide     int           `group:"settings" default:"${min_side}" placeholder:"PIXELS" help:"Refuse clips whose shorter side is below this."`
	MaxPixels   int64         `group:"settings" default:"${max_pixels}" placeholder:"N" help:"Refuse clips with more pixels in a frame; 0 means no limit, here and below."`
	MaxFrames   int64         `group:"settings" default:"${max_frames}" placeholder:"N" help:"Refuse clips with more frames."`
	MaxDuration time.Duration `group:"settings" default:"${max_duration}" placeholder:"TIME" help:"Refuse longer clips (5h, 90m)."`
	MaxStreams  int           `group:"settings" default:"${max_streams}" placeholder:"N" help:"Refuse clips with more streams."`

	Key      string `group:"settings" placeholder:"FILE" help:"Sign the evidence with this key (veil keygen makes one); without it a set is unsigned. VEIL_SIGNING_KEY may hold the key itself instead."`
	CrashLog string `group:"settings" placeholder:"FILE" help:"Append what a crashed stage wrote to its standard error; may name paths and titles."`
	JSON     bool   `name:"json" group:"settings" help:"Answer in JSON, failures too, on standard output."`
}

// defaults gives the grammar the limits that package media starts with.
func defaults() map[string]string {
	l := media.DefaultLimits()
	return map[string]string{
		"min_side":     fmt.Sprint(l.MinSide),
		"max_pixels":   fmt.Sprint(l.MaxPixels),
		"max_frames":   fmt.Sprint(l.MaxFrames),
		"max_duration": l.MaxDuration.String(),
		"max_streams":  fmt.Sprint(l.MaxStreams),
		"phases":       strings.Join(phaseNames(), ","),
	}
}

// Validate refuses numbers that no limit can have; kong calls it.
func (s *settings) Validate() error {
	if s.Threads < 0 || s.MinSide < 0 || s.MaxPixels < 0 || s.MaxFrames < 0 || s.MaxDuration < 0 || s.MaxStreams < 0 {
		return errors.New("threads and limits are 0 or more")
	}
	return nil
}

// config turns the settings into what the pipeline takes: programs found, folders absolute. It makes no folder.
func (s *settings) config() (pipeline.Config, error) {
	tools, err := s.tools()
	if err != nil {
		return pipeline.Config{}, err
	}
	weights, err := s.modelFolder()
	if err != nil {
		return pipeline.Config{}, err
	}
	scratch, err := s.scratchFolder()
	if err != nil {
		return pipeline.Config{}, err
	}
	return pipeline.Config{
		Tools: tools, Limits: s.limits(), Models: weights, Engine: s.Engine, Threads: s.Threads, Scratch: scratch,
		Build: build().Revision,
	}, nil
}

// limits gives the bounds for what is accepted before decoding.
func (s *settings) limits() media.Limits {
	return media.Limits{MinSide: s.MinSide, MaxPixels: s.MaxPixels, MaxFrames: s.MaxFrames, MaxDuration: s.MaxDuration, MaxStreams: s.MaxStreams}
}

// tools finds ffmpeg and ffprobe.
func (s *settings) tools() (media.Tools, error) {
	for _, named := range []string{s.FFmpeg, s.FFprobe} {
		if named == "" {
			continue
		}
		info, err := os.Stat(named)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return media.Tools{}, failure.Usagef("name a program, or leave the flag out to use the one on the PATH", "%s cannot be run", named)
		}
	}
	t := media.Tools{FFmpeg: s.FFmpeg, FFprobe: s.FFprobe, DecoderThreads: decoderThreads, EncoderThreads: encoderThreads}
	if s.FFmpeg == "" || s.FFprobe == "" {
		found, err := media.DefaultTools()
		if err != nil {
			return media.Tools{}, err
		}
		t.FFmpeg, t.FFprobe = cmp.Or(s.FFmpeg, found.FFmpeg), cmp.Or(s.FFprobe, found.FFprobe)
		t.DecoderThreads, t.EncoderThreads = found.DecoderThreads, found.EncoderThreads
	}
	return t, absolute(&t.FFmpeg, &t.FFprobe)
}

// The threads of programs that were named; a test holds them against media.DefaultTools.
const (
	decoderThreads = 2
	encoderThreads = 3
)

// absolute makes paths absolute.
func absolute(paths ...*string) error {
	for _, p := range paths {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("find folder: %w", err)
		}
		*p = abs
	}
	return nil
}

// modelFolder finds the folder of the weights; where there is none, the error says what to run.
func (s *settings) modelFolder() (string, error) {
	dir, err := models.Folder(s.Models)
	if err != nil {
		return "", failure.Newf(failure.Models, "run `make models`", "the folder of the weights is missing")
	}
	return filepath.Abs(dir)
}

// scratchFolder is the root of all scratch folders.
func (s *settings) scratchFolder() (string, error) {
	if s.Scratch != "" {
		return filepath.Abs(s.Scratch)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("veil-%d", os.Getuid())), nil
}

// ready gives the config with its scratch folder made, safe, and swept of what killed runs left.
func (a *app) ready() (pipeline.Config, error) {
	c, err := a.config()
	if err != nil {
		return c, err
	}
	if err := checkModels(c.Models); err != nil {
		return c, err
	}
	if err := disk.MakeScratch(c.Scratch); err != nil {
		return c, err
	}
	if err := pipeline.Sweep(c.Scratch); err != nil {
		return c, failure.Newf(failure.Setup, "remove it by hand, or name another folder with --scratch", "what an earlier run left cannot be removed: %s", err)
	}
	return c, nil
}
