package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// file is a Dockerfile in which everything is known to the rehearsal.
type file struct {
	path   string
	stages []instructions.Stage
	// ignore is the file beside the Dockerfile that says what of the context is not there.
	ignore string
}

// readFile parses a Dockerfile and refuses what the rehearsal would do otherwise than an engine, or not at all.
func readFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	parsed, err := parser.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	stages, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case parsed.EscapeToken != '\\':
		return nil, fmt.Errorf("%s: the escape directive is not known to the rehearsal", path)
	case len(args) > 0:
		return nil, fmt.Errorf("%s: ARG before the first FROM is not known to the rehearsal", path)
	case len(stages) == 0:
		return nil, fmt.Errorf("%s: no FROM", path)
	}
	for i, s := range stages {
		if err := known(s, stages[:i]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line(s.Location), err)
		}
		for _, c := range s.Commands {
			if err := knownCommand(c, stages[:i]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, line(c.Location()), err)
			}
		}
	}
	return &file{path: path, stages: stages, ignore: path + ".dockerignore"}, nil
}

func line(r []parser.Range) int {
	if len(r) == 0 {
		return 0
	}
	return r[0].Start.Line
}

// known refuses a FROM that the rehearsal cannot follow: it begins with an earlier stage or with Debian.
func known(s instructions.Stage, earlier []instructions.Stage) error {
	if s.Platform != "" {
		return errors.New("FROM --platform is not known to the rehearsal")
	}
	if stageNamed(earlier, s.BaseName) != nil {
		return nil
	}
	_, err := suiteOf(s.BaseName)
	return err
}

// suiteOf gives the Debian release of an image of Docker's library that is pinned by its digest, as in
// debian:bookworm-20261005-slim@sha256:7c7b...
func suiteOf(image string) (string, error) {
	rest, debian := strings.CutPrefix(image, "debian:")
	tag, digest, pinned := strings.Cut(rest, "@sha256:")
	suite, _, _ := strings.Cut(tag, "-")
	switch {
	case !debian || suite == "":
		return "", fmt.Errorf("FROM %s is neither a stage above nor debian:SUITE", image)
	case !pinned || len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "":
		return "", fmt.Errorf("FROM %s is not pinned by a digest", image)
	case !slices.Contains([]string{"bookworm", "trixie"}, suite):
		return "", fmt.Errorf("FROM %s: no Debian that the rehearsal knows", image)
	}
	return suite, nil
}

// knownCommand refuses an instruction, or a flag of one, that the rehearsal cannot carry out.
func knownCommand(c instructions.Command, earlier []instructions.Stage) error {
	switch c := c.(type) {
	case *instructions.RunCommand:
		if len(c.FlagsUsed) > 0 || len(c.Files) > 0 {
			return errors.New("RUN with flags or a here-document is not known to the rehearsal")
		}
	case *instructions.CopyCommand:
		switch {
		case c.Link || c.Parents || len(c.ExcludePatterns) > 0 || len(c.SourceContents) > 0:
			return errors.New("of COPY the rehearsal knows --from, --chown and --chmod")
		case c.From != "" && stageNamed(earlier, c.From) == nil:
			return fmt.Errorf("COPY --from=%s names no stage above", c.From)
		}
	case *instructions.UserCommand:
		if _, _, err := numeric(c.User); err != nil && !strings.Contains(c.User, "$") {
			return err
		}
	case *instructions.ArgCommand, *instructions.CmdCommand, *instructions.EntrypointCommand, *instructions.EnvCommand,
		*instructions.ExposeCommand, *instructions.HealthCheckCommand, *instructions.LabelCommand, *instructions.ShellCommand,
		*instructions.StopSignalCommand, *instructions.VolumeCommand, *instructions.WorkdirCommand:
	default:
		return fmt.Errorf("%s is not known to the rehearsal", strings.ToUpper(c.Name()))
	}
	return nil
}

// stageNamed finds a stage by its name; nil where there is none.
func stageNamed(stages []instructions.Stage, name string) *instructions.Stage {
	i := slices.IndexFunc(stages, func(s instructions.Stage) bool { return s.Name != "" && strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return &stages[i]
}

// needed gives the stages that the last one is made from, itself included, in their order.
func (f *file) needed() []instructions.Stage {
	want := map[int]bool{}
	var add func(i int)
	add = func(i int) {
		if want[i] {
			return
		}
		want[i] = true
		for j, s := range f.stages[:i] {
			uses := strings.EqualFold(f.stages[i].BaseName, s.Name)
			for _, c := range f.stages[i].Commands {
				copied, ok := c.(*instructions.CopyCommand)
				uses = uses || ok && copied.From != "" && strings.EqualFold(copied.From, s.Name)
			}
			if uses {
				add(j)
			}
		}
	}
	add(len(f.stages) - 1)
	var stages []instructions.Stage
	for i, s := range f.stages {
		if want[i] {
			stages = append(stages, s)
		}
	}
	return stages
}

// numeric reads "UID:GID". Names are refused: an orchestrator can only tell by numbers that a user is not root.
func numeric(user string) (uid, gid uint32, err error) {
	if n, scanned := fmt.Sscanf(user, "%d:%d", &uid, &gid); scanned != nil || n != 2 || fmt.Sprintf("%d:%d", uid, gid) != user {
		return 0, 0, fmt.Errorf("USER %s: write it as numbers, UID:GID", user)
	}
	return uid, gid, nil
}

// inside makes a path of an image relative to its root.
func inside(path string) string {
	rel, err := filepath.Rel("/", filepath.Join("/", path))
	if err != nil {
		return "."
	}
	return rel
}
