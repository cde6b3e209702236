package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/child"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/text"
)

// leastScratch is how much free space scratch should have, in bytes: raw sound and plans of hours fit.
const leastScratch = 1 << 30

// doctorCmd is `veil doctor`.
type doctorCmd struct{ connect.Flags }

// machine is what doctor found.
type machine struct {
	Build   buildInfo   `json:"build"`
	FFmpeg  string      `json:"ffmpeg,omitempty"`  // path
	FFprobe string      `json:"ffprobe,omitempty"` // path
	Version string      `json:"ffmpeg_version,omitempty"`
	Engines enginesInfo `json:"engines"`
	Models  []weight    `json:"models"`
	Folder  string      `json:"models_folder,omitempty"`
	Scratch string      `json:"scratch"`
	// Key is the fingerprint of the signing key, or "unsigned".
	Key string `json:"key"`
	// Sandbox is what a child found that it is denied.
	Sandbox *child.Report `json:"sandbox,omitempty"`
	// Service is where queue and store are, without secrets.
	Service  *connect.Description `json:"service,omitempty"`
	Free     uint64               `json:"scratch_free"` // bytes
	Cores    int                  `json:"cores"`
	Memory   uint64               `json:"memory"` // bytes
	Problems []problem            `json:"problems"`
	Advice   []problem            `json:"advice"` // works without
}

// enginesInfo is what the networks run on; empty where they could not be loaded.
type enginesInfo struct {
	Asked    string    `json:"asked"`
	OpenCV   string    `json:"opencv,omitempty"`
	Networks []network `json:"networks,omitempty"`
}

type network struct {
	Name   string `json:"name"`
	Engine string `json:"engine"`
	SHA256 string `json:"sha256"`
}

// problem is something missing, and what to run.
type problem struct {
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// Run looks at the machine and ends with exit 1 if anything needed is missing.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	h := &machine{Build: build(), Cores: runtime.NumCPU(), Memory: memory(), Problems: []problem{}, Advice: []problem{}}
	h.Engines.Asked = a.Engine
	h.programs(ctx, a)
	h.key(a)
	h.weights(a)
	h.scratch(a)
	h.engines(ctx, a)
	h.sandbox(ctx, a)
	h.service(ctx, c.Flags)
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.JSON {
		if err := a.printJSON(h); err != nil {
			return err
		}
	} else {
		a.printHealth(h)
	}
	if len(h.Problems) > 0 {
		return status(pipeline.ExitFailed)
	}
	return nil
}

func (h *machine) lacks(remedy, format string, args ...any) {
	h.Problems = append(h.Problems, problem{What: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (h *machine) advise(remedy, format string, args ...any) {
	h.Advice = append(h.Advice, problem{What: fmt.Sprintf(format, args...), Remedy: remedy})
}

// programs finds ffmpeg and ffprobe and asks for the encoders that every derivative needs.
func (h *machine) programs(ctx context.Context, a *app) {
	tools, err := a.tools()
	if err != nil {
		h.lacks("run `make deps`", "%s", failure.As(err).Detail)
		return
	}
	h.FFmpeg, h.FFprobe = tools.FFmpeg, tools.FFprobe
	if h.Version, err = tools.Versions(ctx); err != nil {
		h.lacks("run `make deps`", "ffmpeg does not run")
		return
	}
	var list bytes.Buffer
	cmd := media.Command(ctx, tools.FFmpeg, "-hide_banner", "-loglevel", "quiet", "-encoders")
	cmd.Stdout = &list
	child, err := media.StartChild(cmd)
	if err == nil {
		err = child.Wait()
	}
	for _, name := range []string{"libx264", "aac"} {
		if err != nil || !bytes.Contains(list.Bytes(), []byte(" "+name+" ")) {
			h.lacks("run `make deps`, or name another with --ffmpeg", "ffmpeg has no encoder %s", name)
		}
	}
}

// key looks at the signing key.
func (h *machine) key(a *app) {
	key, err := a.signingKey(false)
	if err != nil {
		f := failure.As(err)
		h.lacks(f.Remedy, "%s", f.Detail)
		return
	}
	h.Key = keyName(key)
	if key == nil {
		h.advise("make a key with `veil keygen` and name it with --key", "evidence is not signed")
	}
}

// weights looks at the networks' files.
func (h *machine) weights(a *app) {
	folder, err := a.modelFolder()
	if err != nil {
		h.lacks("run `make models`", "the folder of the weights is missing")
		return
	}
	h.Folder, h.Models = folder, weights(folder)
	for _, w := range h.Models {
		switch {
		case w.lacking():
			h.lacks("run `make models`", "%s is %s", w.Name, w.State)
		case w.State != present:
			h.advise("run `make models`; the networks run slower without it", "%s is %s", w.Name, w.State)
		}
	}
}

// scratch looks at the scratch folder.
func (h *machine) scratch(a *app) {
	dir, err := a.scratchFolder()
	if err == nil {
		h.Scratch = dir
		err = disk.MakeScratch(dir)
	}
	if err == nil {
		err = disk.CheckFolder("temporary files", dir)
	}
	if err != nil {
		f := failure.As(err)
		h.lacks(f.Remedy, "%s", f.Detail)
		return
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		h.lacks("name another with --scratch", "free space of the scratch folder cannot be read")
		return
	}
	h.Free = fs.Bavail * uint64(fs.Bsize)
	if h.Free < leastScratch {
		h.advise("free space, or name another folder with --scratch", "the scratch folder has only %s free", text.Size(h.Free))
	}
}

// engines loads the networks in a child, where they have to find a face.
func (h *machine) engines(ctx context.Context, a *app) {
	told := h.Folder == ""
	for _, w := range h.Models {
		told = told || w.lacking()
	}
	config := pipeline.Config{Models: h.Folder, Engine: a.Engine, Threads: a.Threads, Scratch: h.Scratch}
	res, err := isolated{child.Runner{Log: a.CrashLog, Confine: a.engine.confine}}.engines(ctx, config)
	if err != nil {
		h.lacks("run `make deps` and `make models`", "the networks cannot be loaded: %s", failure.As(err).Detail)
		return
	}
	h.Engines.OpenCV = res.OpenCV
	if res.Fault != "" && !told {
		h.lacks("run `make models`, or use --engine auto", "the networks cannot be used: %s", res.Fault)
	}
	for _, n := range res.Networks {
		h.Engines.Networks = append(h.Engines.Networks, network{Name: n.Name, Engine: n.Engine, SHA256: n.SHA256})
	}
}

// sandbox starts a child that tries what it must not be able to do. What fails is missing where the sandbox is required, and
// advice elsewhere.
func (h *machine) sandbox(ctx context.Context, a *app) {
	if a.engine.confine.Way() == child.Off {
		h.advise("leave --sandbox out", "the sandbox is turned off")
		return
	}
	report, err := a.checkSandbox(ctx, pipeline.Config{Tools: media.Tools{FFmpeg: h.FFmpeg, FFprobe: h.FFprobe}, Models: h.Folder, Scratch: h.Scratch})
	if len(report.InForce) > 0 {
		h.Sandbox = &report
	}
	if err != nil {
		h.lacks("see docs/sandbox.md", "%s", failure.As(err).Detail)
		return
	}
	for _, f := range report.Faults {
		h.advise("see docs/sandbox.md; a worker refuses to start here", "sandbox: %s", f)
	}
	if err := a.engine.confine.MemoryFault(); err != nil {
		h.advise("Delegate=yes in the unit of the service, or a memory limit of service or container (docs/sandbox.md)", "the memory of stages is not limited: %s", err)
	}
	if !slices.Contains(report.InForce, "network namespace") {
		h.advise("see docs/sandbox.md; clips are still taken without a network", "namespaces are not permitted here: the sandbox does without")
	}
}

// service shows how queue and store are reached, where the settings name any, and tries them.
func (h *machine) service(ctx context.Context, f connect.Flags) {
	if f.Nats == "" && f.Dir == "" && f.Store == "" {
		return
	}
	c := connect.Describe(f)
	h.Service = &c
	s, err := f.Connect(ctx, jobs.Options{Validator: intake.Validator()})
	if err != nil {
		h.unreached(err)
		return
	}
	defer func() { _ = s.Close() }()
	if _, err := s.CheckStore(ctx); err != nil {
		h.unreached(err)
	}
}

func (h *machine) unreached(err error) {
	f := failure.As(err)
	h.lacks(cmp.Or(f.Remedy, "see docs/worker.md"), "%s", f.Detail)
}

// printHealth is the answer for people.
func (a *app) printHealth(h *machine) {
	line := func(name, format string, args ...any) {
		a.printf("%-10s %s\n", name, text.Printable(fmt.Sprintf(format, args...)))
	}
	line("veil", "%s (%s)", h.Build.Revision, h.Build.Go)
	if h.FFmpeg != "" {
		line("ffmpeg", "%s (%s)", h.Version, h.FFmpeg)
		line("ffprobe", "%s", h.FFprobe)
	}
	if h.Engines.OpenCV != "" {
		line("opencv", "%s", h.Engines.OpenCV)
	}
	for _, n := range h.Engines.Networks {
		line("network", "%s on %s", n.Name, n.Engine)
	}
	if h.Folder != "" {
		line("weights", "%s", h.Folder)
	}
	for _, w := range h.Models {
		line("", "%s: %s, sha256 %s", w.Name, w.State, w.SHA256)
	}
	line("key", "%s", h.Key)
	line("scratch", "%s, %s free", h.Scratch, text.Size(h.Free))
	if h.Sandbox != nil {
		line("sandbox", "%s: %s", h.Sandbox.Mode, strings.Join(h.Sandbox.InForce, ", "))
	}
	if h.Service != nil {
		for _, l := range h.Service.Lines() {
			line(l[0], "%s", l[1])
		}
	}
	line("machine", "%d cores, %s of memory", h.Cores, text.Size(h.Memory))
	for _, p := range h.Advice {
		line("advice", "%s: %s", p.What, p.Remedy)
	}
	for _, p := range h.Problems {
		line("missing", "%s: %s", p.What, p.Remedy)
	}
	if len(h.Problems) == 0 {
		line("", "ready")
	}
}
