package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/screen"
	"veil/worker/seal"
	"veil/worker/text"
)

// exitPartial says that no check failed, and that not all were done.
const exitPartial = 7

// verifyCmd is `veil verify`.
type verifyCmd struct {
	Out      string `arg:"" name:"out" help:"The derivative. Its set lies beside it, under its name or for its digest."`
	Trust    string `placeholder:"FILE" help:"Whom to trust: veil.pub, or a trust file with several keys."`
	Set      string `placeholder:"FOLDER" help:"Folder of the set (default: the derivative's own)."`
	Original string `placeholder:"IN" help:"The clip that it was made from: its pictures are compared where the plan is there."`
	Plan     string `placeholder:"PLAN" help:"The plan that it was rendered by (default: the one of the set)."`
	HTML     string `name:"html" placeholder:"FILE" help:"Write the answer as a page to print as well."`
	Language string `enum:",en,de" default:"" aliases:"lang" help:"Language of the answer: en or de (default: the environment's)."`
	Progress string `enum:"auto,json,none" default:"auto" help:"auto (on a terminal), json (lines on standard error) or none."`
}

// Run checks the derivative against its set. Without a set, but with original and plan, it compares the pictures alone.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	for _, path := range []*string{&c.Out, &c.Original, &c.Plan} {
		if *path == "" {
			continue
		}
		if err := disk.CheckInput(path); err != nil {
			return failure.About(*path, err)
		}
	}
	trust, err := readTrust(c.Trust)
	if err != nil {
		return err
	}
	m := screen.NewMeter(c.Progress, a.err, disk.Base(c.Out))
	defer m.Close()
	r := evidence.Request{Out: c.Out, Set: c.Set, Original: c.Original, Plan: c.Plan, Trust: trust, Language: c.Language,
		Pictures: confinedPictures{a: a, events: m.Event}}
	if r.Language == "" {
		r.Language = evidence.Language()
	}
	res, err := evidence.Verify(ctx, r)
	m.Close()
	switch {
	case errors.Is(err, evidence.ErrNoSet) && c.Original != "" && c.Plan != "" && trust == nil:
		return c.picturesAlone(ctx, a)
	case errors.Is(err, evidence.ErrNoSet):
		return failure.About(c.Out, failure.Usagef("name its folder with --set; without a set --original and --plan compare the pictures alone", "%s", err))
	case err != nil:
		return failure.About(c.Out, err)
	}
	return c.answer(a, res)
}

// readTrust reads whom to trust; nil where nobody is named.
func readTrust(path string) (*seal.Trust, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.Usagef("check the path", "the file for --trust cannot be read: %s", disk.Plain(err))
	}
	t, err := seal.ParseTrust(b)
	if err != nil {
		return nil, failure.Usagef("name veil.pub or a trust file", "the file for --trust %s", err)
	}
	return &t, nil
}

// answer prints, and ends with the outcome's code.
func (c *verifyCmd) answer(a *app, r *evidence.Result) error {
	if c.HTML != "" {
		if err := r.WritePage(c.HTML, c.Out, c.Trust, c.Original, c.Plan); err != nil {
			return failure.Usagef("choose another place", "the page cannot be written: %s", disk.Plain(err))
		}
	}
	print := r.Text
	if a.JSON {
		print = r.JSON
	}
	if err := print(a.out); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	return ended(map[string]int{evidence.Complete: pipeline.ExitReleased, evidence.Partial: exitPartial, evidence.Broken: pipeline.ExitVerify}[r.Outcome])
}

// confinedPictures decodes in processes of its own, confined like every stage.
type confinedPictures struct {
	a      *app
	events func(pipeline.Event)
}

// Frames names the frames of a derivative.
func (p confinedPictures) Frames(ctx context.Context, out, format string) (f seal.Frames, err error) {
	tools, err := p.a.tools()
	if err != nil || p.a.engine.frames == nil {
		return f, errors.Join(evidence.ErrNoDecoder, err)
	}
	root, err := p.a.scratchFolder()
	if err != nil {
		return f, err
	}
	if err := disk.MakeScratch(root); err != nil {
		return f, err
	}
	s, err := disk.OpenScratch(root)
	if err != nil {
		return f, err
	}
	defer s.Close()
	to := s.Path("frames.json")
	if err := p.a.engine.frames(ctx, framesRequest{Config: pipeline.Config{Tools: tools, Scratch: root}, In: out, Format: format, To: to}); err != nil {
		return f, err
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return f, fmt.Errorf("read frames: %w", disk.Plain(err))
	}
	err = seal.Decode(b, &f)
	return f, err
}

// Compare holds the pictures against the original, and looks for faces once more.
func (p confinedPictures) Compare(ctx context.Context, out, original, plan string) ([]evidence.Finding, error) {
	if _, err := p.a.tools(); err != nil {
		return nil, fmt.Errorf("%w: %w", evidence.ErrNoDecoder, err)
	}
	config, err := p.a.ready()
	if err != nil {
		return nil, &evidence.NotReady{Detail: failure.As(err).Error()}
	}
	res, err := p.a.engine.stages(p.a.CrashLog).Verify(ctx, pipeline.VerifyRequest{Config: config, In: original, Out: out, Plan: plan}, p.events)
	if err != nil {
		return nil, err
	}
	var list []evidence.Finding
	for _, k := range res.Checks {
		list = append(list, evidence.Finding{Name: k.Name, Passed: k.Result == "passed", Text: k.Text})
	}
	for _, name := range res.Missing() {
		list = append(list, evidence.Finding{Name: name, Text: "not checked"})
	}
	for _, f := range res.Findings {
		list = append(list, evidence.Finding{Name: evidence.FacesOutside, Text: fmt.Sprintf("%s (frames %d to %d)", f.Text, f.First, f.Last)})
	}
	return list, nil
}

// picturesAlone compares original and derivative by the plan: a failed check ends with exit 4, a face outside every mask with
// exit 3.
func (c *verifyCmd) picturesAlone(ctx context.Context, a *app) error {
	config, err := a.ready()
	if err != nil {
		return err
	}
	m := screen.NewMeter(c.Progress, a.err, disk.Base(c.Out))
	defer m.Close()
	if err := c.belongs(ctx, m); err != nil {
		return failure.About(c.Original, err)
	}
	res, err := a.engine.stages(a.CrashLog).Verify(ctx, pipeline.VerifyRequest{Config: config, In: c.Original, Out: c.Out, Plan: c.Plan}, m.Event)
	if err != nil {
		return failure.About(c.Out, err)
	}
	m.Close()
	if a.JSON {
		if err := a.printJSON(res); err != nil {
			return err
		}
	} else {
		a.printChecks(c.Out, res)
	}
	return ended(verdict(res))
}

// belongs refuses a plan that was made for another clip.
func (c *verifyCmd) belongs(ctx context.Context, m screen.Meter) error {
	b, err := os.ReadFile(c.Plan)
	if err != nil {
		return failure.Usagef("check the file's owner and mode", "plan cannot be read: %s", disk.Plain(err))
	}
	plan, err := decide.ParsePlan(b)
	if err != nil {
		return failure.Usagef("name the plan that the derivative was rendered by", "%s", err)
	}
	src, err := pipeline.DigestFile(ctx, c.Original, m.Event)
	if err != nil {
		return err
	}
	if src.SHA256 != plan.Source.SHA256 {
		return &pipeline.Failure{Code: "verify", Detail: "the plan was made for another clip", Remedy: "name the original that the plan names by its SHA-256", Exit: pipeline.ExitVerify}
	}
	return nil
}

// verdict is the exit code that the checks ask for. A check that was not done is not a check that passed.
func verdict(r pipeline.VerifyResult) int {
	for _, k := range r.Checks {
		if k.Result != "passed" {
			return pipeline.ExitVerify
		}
	}
	if len(r.Missing()) > 0 {
		return pipeline.ExitVerify
	}
	if len(r.Findings) > 0 {
		return pipeline.ExitHeld
	}
	return pipeline.ExitReleased
}

// printChecks is the result for people.
func (a *app) printChecks(out string, r pipeline.VerifyResult) {
	words := map[int]string{pipeline.ExitReleased: "passed", pipeline.ExitHeld: "passed, with findings", pipeline.ExitVerify: "failed"}
	a.printf("%s: %s\n", text.Printable(disk.Base(out)), words[verdict(r)])
	for _, k := range r.Checks {
		a.printf("  %-9s %s: %s\n", text.Printable(k.Result), text.Printable(strings.ReplaceAll(k.Name, "_", " ")), text.Printable(k.Text))
	}
	for _, f := range r.Findings {
		a.printf("  %-9s %s (frames %d to %d)\n", "finding", text.Printable(f.Text), f.First, f.Last)
	}
}
