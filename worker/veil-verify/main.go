// Package main is veil-verify: it checks a redacted clip against the evidence that belongs to it, offline.
//
// It is a program of its own so that a court or a newsroom can have it without the rest: one static file for Linux, Windows and
// macOS, that needs no network, no queue, no store and no OpenCV. Where ffmpeg is on the PATH it looks at the pictures too.
// What is checked, and how, is package evidence; the formats are package seal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"veil/worker/evidence"
	"veil/worker/seal"
)

// Exit codes, the same as those of `veil verify`.
const (
	exitComplete = 0
	exitFailed   = 1
	exitUsage    = 2
	exitBroken   = 4
	exitPartial  = 7
)

// revision is set by the linker (-X main.revision=...).
var revision = "unknown"

// grammar is the command line.
type grammar struct {
	Out      string `arg:"" name:"out" help:"The derivative. Its set lies beside it, under its name or for its digest."`
	Trust    string `placeholder:"FILE" help:"Whom to trust: veil.pub, or a trust file with several keys."`
	Set      string `placeholder:"FOLDER" help:"Folder of the set (default: the derivative's own)."`
	Original string `placeholder:"IN" help:"The clip that it was made from."`
	Plan     string `placeholder:"FILE" help:"The plan (default: the one of the set)."`
	FFmpeg   string `name:"ffmpeg" placeholder:"FILE" help:"ffmpeg to decode the pictures with (default: the one on the PATH)."`
	NoFFmpeg bool   `name:"no-ffmpeg" help:"Do not decode the pictures."`
	// MaxTime bounds what a hostile file can cost.
	MaxTime  time.Duration `name:"max-time" default:"1h" placeholder:"TIME" help:"How long the pictures may take to be decoded."`
	JSON     bool          `name:"json" help:"Answer in JSON."`
	HTML     string        `name:"html" placeholder:"FILE" help:"Write the answer as a page to print as well."`
	Language string        `enum:",en,de" default:"" aliases:"lang" help:"Language of the answer: en or de (default: the environment's)."`

	Version kong.VersionFlag `help:"Print the build."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// helpShown ends the parse after --help or --version.
type helpShown int

// run parses the arguments, checks, prints and gives the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			shown, ok := r.(helpShown)
			if !ok {
				panic(r)
			}
			code = int(shown)
		}
	}()
	var g grammar
	parser, err := kong.New(&g, kong.Name("veil-verify"), kong.Description("Checks a redacted clip against its evidence, offline. "+
		"Exit: 0 all checks passed, 4 a check failed, 7 none failed and not all were done, 2 usage, 1 something else."),
		kong.Vars{"version": "veil-verify " + revision}, kong.Writers(out, errs), kong.Exit(func(c int) { panic(helpShown(c)) }))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		fmt.Fprintf(errs, "veil-verify: %v: see --help\n", err)
		return exitUsage
	}
	r, err := g.verify(ctx)
	if err == nil {
		err = g.answer(r, out)
	}
	if err != nil {
		fmt.Fprintf(errs, "veil-verify: %v\n", err)
		if errors.Is(err, evidence.ErrNoSet) || errors.Is(err, errUsage) || errors.Is(err, os.ErrNotExist) {
			return exitUsage
		}
		return exitFailed
	}
	switch r.Outcome {
	case evidence.Complete:
		return exitComplete
	case evidence.Partial:
		return exitPartial
	}
	return exitBroken
}

// errUsage says that what was given makes no sense.
var errUsage = errors.New("give it otherwise")

// verify reads the trust file and checks.
func (g *grammar) verify(ctx context.Context) (*evidence.Result, error) {
	r := evidence.Request{Out: g.Out, Set: g.Set, Original: g.Original, Plan: g.Plan, Language: g.Language}
	if r.Language == "" {
		r.Language = evidence.Language()
	}
	if !g.NoFFmpeg {
		ffmpeg := evidence.FindFFmpeg(g.FFmpeg)
		if g.FFmpeg != "" && ffmpeg.Path == "" {
			return nil, fmt.Errorf("ffmpeg cannot be run: %w", errUsage)
		}
		if g.MaxTime <= 0 {
			return nil, fmt.Errorf("--max-time must be more than 0: %w", errUsage)
		}
		ffmpeg.Limit = g.MaxTime
		ffmpeg.Start = confined(ffmpeg.Path)
		r.Pictures = ffmpeg
	}
	if g.Trust != "" {
		b, err := os.ReadFile(g.Trust)
		if err != nil {
			return nil, fmt.Errorf("read trust file: %w", err)
		}
		trust, err := seal.ParseTrust(b)
		if err != nil {
			return nil, fmt.Errorf("the file for --trust %w: %w", err, errUsage)
		}
		r.Trust = &trust
	}
	return evidence.Verify(ctx, r)
}

// answer prints, and writes the page.
func (g *grammar) answer(r *evidence.Result, out io.Writer) error {
	if g.HTML != "" {
		err := r.WritePage(g.HTML, g.Out, g.Trust, g.Original, g.Plan, g.FFmpeg)
		if errors.Is(err, evidence.ErrOverInput) {
			return fmt.Errorf("%w: %w", err, errUsage)
		}
		if err != nil {
			return err
		}
	}
	if g.JSON {
		return r.JSON(out)
	}
	return r.Text(out)
}
