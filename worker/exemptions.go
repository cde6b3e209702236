package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"veil/pipeline/account"
	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/text"
)

// accountFlags say what a report is made of and where it goes.
type accountFlags struct {
	In       string `arg:"" name:"in" help:"A plan (NAME.json), or a derivative beside which NAME.plan.json lies."`
	Report   string `placeholder:"FILE" help:"The report of the plan's render (default: NAME.report.json beside a derivative, where there is one)."`
	Language string `enum:",en,de" default:"" aliases:"lang" help:"Language of the page: en or de (default: the environment's)."`
	HTML     string `name:"html" placeholder:"FILE" help:"Write a page to print."`
	CSV      string `name:"csv" placeholder:"FILE" help:"Write a table."`
}

// exemptionsCmd is `veil exemptions`.
type exemptionsCmd struct{ accountFlags }

// Run makes the exemption log of a plan.
func (c *exemptionsCmd) Run(a *app) error {
	return c.run(a, func(p *decide.Plan, digest string, f account.Facts) accounted {
		e := account.NewExemptions(p, digest, f)
		return accounted{e, e, func() { a.printExemptions(e) }}
	})
}

// worklistCmd is `veil worklist`.
type worklistCmd struct{ accountFlags }

// Run makes the worklist of a plan.
func (c *worklistCmd) Run(a *app) error {
	return c.run(a, func(p *decide.Plan, digest string, _ account.Facts) accounted {
		w := account.NewWorklist(p, digest)
		return accounted{w, w, func() { a.printWorklist(w) }}
	})
}

// accounted is a report in its forms: as a document, and for people.
type accounted struct {
	forms interface {
		CSV() ([]byte, error)
		HTML(lang string) ([]byte, error)
	}
	document any
	print    func()
}

// run reads what the flags name, makes the report, and writes it as asked for.
func (f *accountFlags) run(a *app, make func(*decide.Plan, string, account.Facts) accounted) error {
	plan, report, err := f.read()
	if err != nil {
		return err
	}
	p, digest, facts, err := account.Read(plan, report)
	if err != nil {
		return failure.Usagef("name a plan, and the report of its render", "%s", err)
	}
	r := make(&p, digest, facts)
	for _, out := range []struct {
		path string
		form func() ([]byte, error)
	}{{f.HTML, func() ([]byte, error) { return r.forms.HTML(cmp.Or(f.Language, evidence.Language())) }}, {f.CSV, r.forms.CSV}} {
		if out.path == "" {
			continue
		}
		b, err := out.form()
		if err != nil {
			return err
		}
		if err := disk.Write(disk.PartName(out.path), out.path, b); err != nil {
			return err
		}
	}
	switch {
	case a.JSON:
		return a.printJSON(r.document)
	case f.HTML == "" && f.CSV == "":
		r.print()
	}
	return nil
}

// read reads the plan, and the report where there is one.
func (f *accountFlags) read() (plan, report []byte, err error) {
	planPath, reportPath := f.In, f.Report
	if !strings.HasSuffix(strings.ToLower(f.In), ".json") {
		stem := evidence.Stem(f.In)
		planPath = stem + evidence.PlanEnding
		if _, err := os.Stat(stem + evidence.ReportEnding); err == nil && reportPath == "" {
			reportPath = stem + evidence.ReportEnding
		}
	}
	for _, out := range []string{f.HTML, f.CSV} {
		if out != "" && (disk.Same(out, planPath) || disk.Same(out, f.In) || reportPath != "" && disk.Same(out, reportPath)) {
			return nil, nil, failure.Usagef("choose another name", "an output is one of the inputs")
		}
	}
	if plan, err = os.ReadFile(planPath); err != nil {
		return nil, nil, failure.Usagef("name a plan, or a derivative beside its NAME.plan.json", "plan cannot be read: %s", disk.Plain(err))
	}
	if reportPath != "" {
		if report, err = os.ReadFile(reportPath); err != nil {
			return nil, nil, failure.Usagef("name the report of the plan's render", "report cannot be read: %s", disk.Plain(err))
		}
	}
	return plan, report, nil
}

// printExemptions is the log for people.
func (a *app) printExemptions(e account.Exemptions) {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, x := range e.Entries {
		what := x.What
		if x.Track > 0 {
			what = fmt.Sprintf("%s, track %d", x.What, x.Track)
		}
		amount := fmt.Sprintf("%d frames, %.2f %%", x.Frames, 100*x.Share)
		if x.Kind == account.Audio {
			amount = fmt.Sprintf("%.1f s", x.Seconds)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s: %s\t%s\t%s\t%s\n", x.Number, x.From.Time, x.To.Time, x.Kind, what, text.Printable(orDash(x.Code)),
			text.Printable(orDash(x.Basis)), amount)
	}
	_ = t.Flush() // what standard output cannot take, nobody can be told of
	n := e.Necessity
	a.printf("%d entries; %.1f %% of the picture area over time is covered, %d of %d frames have something covered\n", len(e.Entries),
		100*n.Share, n.MaskedFrames, e.Frames)
	if n.Exceeded {
		a.printf("warning: the policy warns above %.1f %%\n", 100*n.Limit)
	}
	for _, m := range e.Missing {
		a.printf("missing: %s\n", text.Printable(m.String()))
	}
}

// printWorklist is the worklist for people.
func (a *app) printWorklist(w account.Worklist) {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	ranks := []string{"", "decide", "look", "note"}
	for _, x := range w.Items {
		about := ""
		if x.Track > 0 {
			about = fmt.Sprintf("track %d", x.Track)
		}
		if x.Finding != "" {
			about = strings.TrimSpace(x.Finding + " " + about)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\tframe %d\t%s\t%s\t%s\n", x.Number, ranks[x.Rank], x.From.Time, x.From.Frame, strings.ReplaceAll(x.Kind, "_", " "),
			about, text.Printable(x.Text))
	}
	_ = t.Flush()
	a.printf("%d places, %d left to decide\n", len(w.Items), w.Open)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
