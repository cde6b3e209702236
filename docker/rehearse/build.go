package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// builder carries out a Dockerfile.
type builder struct {
	file    *file
	context string            // the folder that COPY reads
	args    map[string]string // given for ARG
	work    string            // stages grow here
	cache   string
	machine *machine
	log     io.Writer // what the steps write
	out     io.Writer // one line a step
	begun   time.Time
}

// say prints a line with the time since the beginning.
func (b *builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.out, "rehearse: %4.0f s  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// build carries out every stage that the last one needs, and gives the last.
func (b *builder) build(ctx context.Context) (*image, error) {
	built := map[string]*image{}
	stages := b.file.needed()
	for n, s := range stages {
		from, ok := built[strings.ToLower(s.BaseName)]
		if !ok {
			suite, err := suiteOf(s.BaseName)
			if err != nil {
				return nil, err
			}
			root, err := b.base(ctx, suite)
			if err != nil {
				return nil, err
			}
			// What the config of Debian's image says.
			from = &image{root: root, shell: defaultShell, config: v1.Config{Env: []string{defaultPath}, Cmd: []string{"bash"}}}
		}
		i := from.next(filepath.Join(b.work, fmt.Sprintf("stage-%d", n)))
		// A stage without instructions is another name for its base.
		if i.root = from.root; len(s.Commands) > 0 {
			i.root = filepath.Join(b.work, fmt.Sprintf("stage-%d", n))
			if err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from.root, i.root).Run(); err != nil {
				return nil, fmt.Errorf("copy the root of %s: %w", s.BaseName, err)
			}
		}
		for m, c := range s.Commands {
			b.say("[%s %d/%d] %s", cmp.Or(s.Name, "image"), m+1, len(s.Commands), oneLine(c))
			if err := b.step(ctx, i, built, c); err != nil {
				return nil, fmt.Errorf("%s:%d: %s: %w", b.file.path, line(c.Location()), oneLine(c), err)
			}
		}
		built[strings.ToLower(s.Name)] = i
		if n == len(stages)-1 {
			return i, nil
		}
	}
	return nil, errors.New("no stage")
}

// oneLine shows an instruction in one line of a terminal.
func oneLine(c instructions.Command) string {
	s := strings.Join(strings.Fields(fmt.Sprint(c)), " ")
	if len(s) > 100 {
		s = s[:97] + "..."
	}
	return s
}

// step carries out one instruction.
func (b *builder) step(ctx context.Context, i *image, built map[string]*image, c instructions.Command) error {
	if e, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		lex := shell.NewLex('\\')
		if err := e.Expand(func(word string) (string, error) { s, _, err := lex.ProcessWord(word, i); return s, err }); err != nil {
			return err
		}
	}
	switch c := c.(type) {
	case *instructions.RunCommand:
		return b.execute(ctx, i, prepend(i.shell, c.ShellDependantCmdLine))
	case *instructions.CopyCommand:
		return b.copy(i, built[strings.ToLower(c.From)], c)
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			if v, given := b.args[a.Key]; given {
				i.args[a.Key] = v
			} else if a.Value != nil {
				i.args[a.Key] = *a.Value
			}
		}
	case *instructions.WorkdirCommand:
		dir := c.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join("/", i.config.WorkingDir, dir)
		}
		i.config.WorkingDir = filepath.Clean(dir)
		return mkdir(i.root, dir)
	case *instructions.UserCommand:
		_, _, err := numeric(c.User)
		i.config.User = c.User
		return err
	default:
		return configure(i, c)
	}
	return nil
}

// configure carries out what changes nothing but the config.
func configure(i *image, c instructions.Command) error {
	switch c := c.(type) {
	case *instructions.EnvCommand:
		for _, v := range c.Env {
			i.setenv(v.Key, v.Value)
		}
	case *instructions.LabelCommand:
		if i.config.Labels == nil {
			i.config.Labels = map[string]string{}
		}
		for _, l := range c.Labels {
			i.config.Labels[l.Key] = l.Value
		}
	case *instructions.CmdCommand:
		i.config.Cmd = prepend(i.shell, c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		// An entry point of its own leaves the base's arguments behind.
		i.config.Entrypoint, i.config.Cmd = prepend(i.shell, c.ShellDependantCmdLine), nil
	case *instructions.ExposeCommand:
		for _, p := range c.Ports {
			if !strings.Contains(p, "/") {
				p += "/tcp"
			}
			i.config.ExposedPorts = set(i.config.ExposedPorts, p)
		}
	case *instructions.VolumeCommand:
		for _, v := range c.Volumes {
			i.config.Volumes = set(i.config.Volumes, v)
		}
	case *instructions.HealthCheckCommand:
		i.config.Healthcheck = healthcheck(c)
	case *instructions.StopSignalCommand:
		i.config.StopSignal = c.Signal
	case *instructions.ShellCommand:
		i.shell = c.Shell
	default:
		return errors.New("not known to the rehearsal")
	}
	return nil
}

// prepend gives a command's words, with the shell where it was written as a line for one.
func prepend(sh []string, c instructions.ShellDependantCmdLine) []string {
	if !c.PrependShell {
		return c.CmdLine
	}
	return append(slices.Clone(sh), strings.Join(c.CmdLine, " "))
}

// execute runs a step's process in the root that it changes, with this machine's network and package clients.
func (b *builder) execute(ctx context.Context, i *image, args []string) error {
	c := &container{root: i.root, args: args, cwd: cmp.Or(i.config.WorkingDir, "/"), out: b.log, env: i.environ(b.machine.env)}
	if i.config.User != "" {
		var err error
		if c.uid, c.gid, err = numeric(i.config.User); err != nil {
			return err
		}
	}
	suite, err := os.ReadFile(filepath.Join(i.root, "etc/os-release"))
	if err != nil {
		return err
	}
	list := b.machine.sources(release(string(suite)))
	if err := os.WriteFile(filepath.Join(b.machine.dir, "sources.list"), []byte(list), 0o644); err != nil {
		return err
	}
	c.mounts = []specs.Mount{bind(b.machine.dir, given, false), bind("/etc/resolv.conf", "/etc/resolv.conf", false), bind("/etc/hosts", "/etc/hosts", false)}
	return c.run(ctx)
}

// release reads the code name out of an os-release file.
func release(file string) string {
	for l := range strings.Lines(file) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(l), "VERSION_CODENAME="); ok {
			return name
		}
	}
	return ""
}
