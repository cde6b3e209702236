// Package pipeline turns a clip into a redacted clip and the account of what was done: probe, detect, track, decide, plan,
// obscure, encode, verify.
//
// It owns the order of the stages, the temporary files and the last rename. It knows no queue, no object store and no
// keys. Its stages are functions of a request that fits in JSON, so that a caller can run each in a process of its own.
package pipeline

import (
	"context"

	"veil/pipeline/decide"
	"veil/pipeline/media"
	"veil/pipeline/media/mp4"
)

// Config says where things lie and how much may be used; it changes no pixel but through the thread counts in Tools.
type Config struct {
	Tools   media.Tools  `json:"tools"`
	Limits  media.Limits `json:"limits"`
	Models  string       `json:"models"`  // folder of the weights
	Engine  string       `json:"engine"`  // "auto", "onnxruntime" or "opencv"
	Threads int          `json:"threads"` // for inference; 0 means all cores
	Scratch string       `json:"scratch"` // root of the scratch folders
	Build   string       `json:"build"`   // revision of veil, for plan and report
}

// Event is progress: a stage, how far it is, and how far it will go (0 if unknown), in frames.
type Event struct {
	Stage string `json:"stage"` // "digest", "analyze", "render", "verify"
	Round int    `json:"round,omitempty"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// AnalyzeRequest asks for the first pass over In.
type AnalyzeRequest struct {
	Config Config        `json:"config"`
	In     string        `json:"in"`
	SHA256 string        `json:"sha256"` // of In, as the caller read it
	Policy decide.Policy `json:"policy"`
	// From and To cut an excerpt, in seconds from the first frame; To is exclusive, nil means the clip's end.
	From *float64 `json:"from,omitempty"`
	To   *float64 `json:"to,omitempty"`
	// PlanOut and AnalysisOut are where the plan and the raw analysis (detections and motion, for later rounds) go.
	PlanOut     string `json:"plan_out"`
	AnalysisOut string `json:"analysis_out"`
	// ExtraIn names a file of further detections (what the check on an earlier derivative found), AnalysisIn an earlier
	// raw analysis to build on instead of looking again.
	ExtraIn    string `json:"extra_in,omitempty"`
	AnalysisIn string `json:"analysis_in,omitempty"`
}

// AnalyzeResult is what the first pass tells besides the plan.
type AnalyzeResult struct {
	Probe   media.Probe `json:"probe"`
	Frames  int         `json:"frames"`
	Tracks  int         `json:"tracks"`
	Seconds float64     `json:"seconds"`
}

// RenderRequest asks for the second pass.
type RenderRequest struct {
	Config Config `json:"config"`
	In     string `json:"in"`
	Plan   string `json:"plan"` // path
	Out    string `json:"out"`  // path, written anew; MP4
	CRF    int    `json:"crf"`  // 0: the profile's
	// Audio is a path in scratch for the re-encoded sound.
	Audio string `json:"audio"`
	// Probe is what the first pass of the same run saw of In, which need not be inspected again then; nil: it is.
	Probe *media.Probe `json:"probe,omitempty"`
}

// RenderResult is what the second pass tells.
type RenderResult struct {
	Frames      int             `json:"frames"`
	Notes       []media.Note    `json:"notes"` // what the profile changed or lost
	EncoderArgs []string        `json:"encoder_args"`
	CRF         int             `json:"crf"`
	Masked      float64         `json:"masked"` // share of the picture area over time
	WholeFrames int             `json:"whole_frames"`
	HasAudio    bool            `json:"has_audio"` // the source has sound
	AudioTrack  string          `json:"audio_track,omitempty"`
	Removed     []media.Removed `json:"removed"` // streams and tags of the source that the derivative does not carry
	Seconds     float64         `json:"seconds"`
}

// VerifyRequest asks for the check of a finished file against the original and the plan.
type VerifyRequest struct {
	Config Config `json:"config"`
	In     string `json:"in"`
	Out    string `json:"out"`
	Plan   string `json:"plan"`
	// ExtraOut is where faces that were found outside every mask go, in the form AnalyzeRequest.ExtraIn reads.
	ExtraOut string `json:"extra_out,omitempty"`
	// SheetOut is where a contact sheet goes: a PNG of some frames before and after. It shows faces.
	SheetOut string `json:"sheet_out,omitempty"`
	// FramesOut is where the account of every frame goes (Shown); empty: not written.
	FramesOut string `json:"frames_out,omitempty"`
}

// Check is one thing that verify looked at.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"` // "passed", "failed", "not done"
	Text   string `json:"text"`
}

// VerifyResult is what verify saw. A failed check is not an error of the stage.
type VerifyResult struct {
	Checks    []Check          `json:"checks"`
	Findings  []decide.Finding `json:"findings"`  // faces outside every mask: a hold
	PSNR      float64          `json:"psnr"`      // of the untouched area, dB; 100 where it is exact
	TooNoisy  bool             `json:"too_noisy"` // the untouched area misses the profile's figure: a lower CRF may mend it
	Container mp4.Counts       `json:"container"` // every byte of the derivative, accounted for
	Seconds   float64          `json:"seconds"`
}

// Stages runs the three stages: in this process (Direct) or each in a child.
type Stages interface {
	Analyze(context.Context, AnalyzeRequest, func(Event)) (AnalyzeResult, error)
	Render(context.Context, RenderRequest, func(Event)) (RenderResult, error)
	Verify(context.Context, VerifyRequest, func(Event)) (VerifyResult, error)
}

// Confined are stages that deny their processes something. Sandbox lists what was denied in all that ran so far; the report
// tells it.
type Confined interface {
	Sandbox() []string
}

// Direct runs the stages in this process.
type Direct struct{}

// Request asks for one clip.
type Request struct {
	Config Config
	In     string
	// Out is the derivative's final name; it appears there only when verify has passed.
	Out    string
	Policy decide.Policy
	From   *float64
	To     *float64
	// Plan, when set, is an existing plan to render (Policy, From and To are then the plan's), Decisions what a person
	// decided about it.
	Plan      string
	Decisions *decide.Decisions
	// Draft, when set, is what an interrupted run of the same request handed to Planned: the first pass is left out. One that
	// does not fit (another clip, policy or build, or damaged) is not used. Unlike a Plan it is nobody's word: where the check
	// finds a face outside every mask, the clip is looked at again and the face covered, as if there had been no interruption.
	Draft string
	// Planned, when set, hears of the end of the first pass with a file for a later run's Draft; it is gone when Redact returns.
	Planned func(ctx context.Context, draft string) error
	// Seal, when set, is called once everything but the derivative has its final name: what belongs beside it is there when it
	// appears. It is not called for one that is discarded. An error means that nothing appears.
	Seal func(ctx context.Context, o Outcome) error
	// OnHold is "keep" (the held derivative lies beside Out as NAME.held.EXT) or "discard".
	OnHold string
	// PlanOut and ReportOut get the plan and the report; empty: not written (a held clip's plan always is).
	PlanOut   string
	ReportOut string
	// SheetOut gets the contact sheet, a PNG of some frames before and after; empty: not drawn. It shows faces.
	SheetOut string
}

// States of a finished clip.
const (
	Released = "released"
	Held     = "held"
)

// Outcome is how one clip ended. A hold is an outcome, not an error.
type Outcome struct {
	State      string `json:"state"`
	Derivative string `json:"derivative"` // path; empty where it was discarded
	Plan       string `json:"plan,omitempty"`
	Report     Report `json:"report"`
	// Account is for the maker of a manifest; it names persons.
	Account *Account `json:"-"`
	// Seconds is how much video was looked at, from the first frame's time stamp to the last one's.
	Seconds float64 `json:"-"`
}

// maxRounds is how often a clip is rendered again because the check found a face outside every mask.
const maxRounds = 2

// Redact takes one clip from its source to a released or held derivative. Out appears only when every check has passed;
// whatever happens, nothing else is left behind.
func Redact(ctx context.Context, s Stages, r Request, events func(Event)) (Outcome, error) {
	c, err := openClip(ctx, r, events)
	if err != nil {
		return Outcome{}, err
	}
	defer c.close()
	if err := c.digest(ctx); err != nil {
		return Outcome{}, err
	}
	if err := c.makePlan(ctx, s); err != nil {
		return Outcome{}, err
	}
	for {
		if err := c.render(ctx, s); err != nil {
			return Outcome{}, err
		}
		if err := c.verify(ctx, s); err != nil {
			return Outcome{}, err
		}
		if c.finerCRF() {
			continue
		}
		if err := c.failedCheck(); err != nil {
			return Outcome{}, err
		}
		again, err := c.coverFindings(ctx, s)
		if err != nil {
			return Outcome{}, err
		}
		if !again {
			break
		}
	}
	if err := c.sameSource(ctx); err != nil {
		return Outcome{}, err
	}
	if confined, ok := s.(Confined); ok {
		c.sandbox = confined.Sandbox()
	}
	return c.settle(ctx)
}
