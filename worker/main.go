// Package main is veil, the command line and the worker.
//
// It owns the grammar (this file, and one file for each command), the life of one job (process.go, top to bottom: task.go,
// put.go, publish.go, fate.go), what serves it (daemon.go), and which process may touch what (isolate.go, stage.go). The rest
// has rooms of its own: jobs is the queue, store the object store, connect reaches both, intake hands clips in, fetch brings
// results out, archive keeps the store in order, watch serves a folder, screen and casepage show, failure words what went
// wrong; layout_test.go lists them all, and who may use whom.
//
// It never touches a pixel and never writes a derivative itself: package pipeline does. Its words for a failure are one line or
// one JSON object, never a stack trace and never another program's output.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"veil/worker/child"
	"veil/worker/failure"
)

// grammar is the command line. Every flag can also be given as VEIL_FLAG in the environment.
type grammar struct {
	settings
	child.Flags

	Redact   redactCmd   `cmd:"" help:"Cover the faces of clips: analyze, decide by policy, render, verify."`
	Analyze  analyzeCmd  `cmd:"" help:"First pass only: look at a clip and write the plan of what would be covered."`
	Render   renderCmd   `cmd:"" help:"Second pass: render a plan, with a person's decisions, and verify it."`
	Verify   verifyCmd   `cmd:"" help:"Check a derivative against its evidence, and against its original."`
	Probe    probeCmd    `cmd:"" help:"Show what a clip holds, and whether it would be taken."`
	Models   modelsCmd   `cmd:"" help:"List the networks' weights and whether they are the right ones."`
	Doctor   doctorCmd   `cmd:"" help:"Show what this machine has, what is in use, and what is missing."`
	Version  versionCmd  `cmd:"" help:"Print the build."`
	Capacity capacityCmd `cmd:"" help:"Say what machines a number of hours of video a day takes."`
	Worker   workerCmd   `cmd:"" group:"service" help:"Work on the jobs of a queue until a signal."`
	Dev      devCmd      `cmd:"" group:"service" help:"Queue, store and one worker in one process, for a laptop."`
	Setup    setupCmd    `cmd:"" group:"service" help:"Make and check what queue and store need."`
	Submit   submitCmd   `cmd:"" group:"queue" help:"Hand clips in: files, folders, or objects of a bucket."`
	Jobs     jobsCmd     `cmd:"" group:"queue" help:"List jobs, or watch them."`
	Job      jobCmd      `cmd:"" group:"queue" help:"Show everything about one job."`
	Decide   decideCmd   `cmd:"" group:"queue" help:"Decide about a held job and have it rendered again."`
	Get      getCmd      `cmd:"" group:"queue" help:"Fetch derivatives with their evidence."`
	Case     caseCmd     `cmd:"" group:"queue" help:"Write the page of a case: what became of each clip."`
	Cancel   cancelCmd   `cmd:"" group:"queue" help:"Cancel jobs that are not finished, or held."`
	Retry    retryCmd    `cmd:"" group:"queue" help:"Begin failed, cancelled or withdrawn jobs anew."`
	Withdraw withdrawCmd `cmd:"" group:"queue" help:"Take a release back."`
	Watch    watchCmd    `cmd:"" group:"queue" help:"Hand in what appears in a folder or a bucket, and bring the answers."`
	Dead     deadCmd     `cmd:"" group:"queue" help:"The dead letters: list, show, requeue, drop."`

	Keygen    keygenCmd    `cmd:"" group:"file" help:"Make a key to sign evidence with."`
	Certs     certsCmd     `cmd:"" group:"file" help:"Make and renew the certificates of queue, store and their clients."`
	Stamp     stampCmd     `cmd:"" group:"file" help:"Write what to send to a time stamp authority for a signed manifest."`
	Statement statementCmd `cmd:"" group:"file" help:"Sign what happened to a derivative later: release, disclosure, withdrawal, deletion."`
	Reproduce reproduceCmd `cmd:"" group:"file" help:"Render again as a manifest says, and tell whether the bytes are the same."`

	Exemptions exemptionsCmd `cmd:"" group:"file" help:"The exemption log of a plan: what is withheld, on what ground, how much."`
	Worklist   worklistCmd   `cmd:"" group:"file" help:"What of a plan a person should look at."`
	Sheet      sheetCmd      `cmd:"" group:"file" help:"Draw a contact sheet of a derivative."`
	Disclose   discloseCmd   `cmd:"" group:"file" help:"Record that a released derivative was handed to somebody."`
	Retention  retentionCmd  `cmd:"" group:"file" help:"Show or destroy what may stay no longer."`
	Hold       holdCmd       `cmd:"" group:"file" help:"Legal holds: set, lift, list."`
	Access     accessCmd     `cmd:"" group:"file" help:"Show or export the access log."`

	Stage stageCmd `cmd:"" hidden:"" help:"Run one stage for a parent process."`
}

// Validate refuses settings that no machine can keep; kong calls it.
func (g *grammar) Validate() error {
	if g.MaxFileSize < 0 || g.MaxCPUTime < 0 || g.MaxMemory < 0 {
		return errors.New("limits of the sandbox are 0 or more")
	}
	return g.settings.Validate()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// The first signal cancels; after it the default is back, so a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, realEngine())
	stop()
	os.Exit(code)
}

// streams are the three standard ones, so that tests can listen.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// helpShown ends the parse after --help was printed.
type helpShown int

func (helpShown) Error() string { return "help" }

// run parses the arguments, runs one command and gives the exit code.
func run(ctx context.Context, args []string, s streams, e engine) (code int) {
	var g grammar
	a := &app{settings: &g.settings, sandbox: &g.Flags, streams: s, engine: e}
	defer func() {
		// kong prints help and then calls its exit function, which must not return.
		if r := recover(); r != nil {
			shown, ok := r.(helpShown)
			if !ok {
				panic(r)
			}
			code = int(shown)
		}
	}()
	parser, err := kong.New(&g,
		kong.Name("veil"),
		kong.Description("Redacts faces in video. Settings and flags can also be given in the environment, as VEIL_NAME."),
		kong.DefaultEnvars("VEIL"),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(helpShown(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{{Key: "settings", Title: "Settings:"}, {Key: "policy", Title: "Changes to the policy:"},
			{Key: "order", Title: "What is said of each clip:"}, {Key: "service", Title: "Queue and store:"},
			{Key: "queue", Title: "Jobs in a queue:"}, {Key: "file", Title: "For the file, and how long it is kept:"}, {Key: "worker", Title: "The worker:"}, {Key: "jobs", Title: "What jobs may ask for:"},
			{Key: "setup", Title: "The queue:"}}),
		kong.Vars(defaults()),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
	)
	if err != nil {
		return a.fail("", err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		// The parse may have ended before it came to --json.
		env, _ := strconv.ParseBool(os.Getenv("VEIL_JSON"))
		g.JSON = g.JSON || env || slices.Contains(args, "--json")
		return a.fail("", failure.Usagef("see `veil --help`", "%s", err))
	}
	e.confine.Set(g.Flags)
	err = command.Run()
	var told status
	if errors.As(err, &told) {
		return int(told)
	}
	if err != nil {
		return a.fail("", err)
	}
	return 0
}
