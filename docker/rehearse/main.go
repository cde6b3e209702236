// Command rehearse builds the image of a Dockerfile where no container engine runs: it reads the Dockerfile with the parser of
// BuildKit, carries out each step in a root file system of its own under runc, and refuses an instruction that it would carry out
// otherwise than an engine. It can write the image as an OCI layout and prove it: that veil redacts a clip in it as an engine
// would run it, with a read-only root and without a network.
//
// The base image is not loaded: the same Debian release is bootstrapped from the archive that this machine uses. Needs root and
// the Debian packages of the group "rehearse" in docker/packages.txt.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rehearse:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	dockerfile, context string
	root, oci, clip     string
	args                map[string]string
}

func parse(args []string) (*options, error) {
	o := &options{args: map[string]string{}}
	f := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	f.StringVar(&o.dockerfile, "f", "docker/Dockerfile", "the Dockerfile")
	f.StringVar(&o.context, "context", ".", "the `folder` that COPY reads")
	f.StringVar(&o.root, "o", "", "leave the image's root file system in this new `folder`")
	f.StringVar(&o.oci, "oci", "", "write the image as an OCI layout into this new `folder`")
	f.StringVar(&o.clip, "prove", "", "have the image redact this `clip`, and check what it needs to run")
	f.Func("build-arg", "a value for ARG, as `NAME=VALUE`; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write NAME=VALUE")
		}
		o.args[name] = value
		return nil
	})
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%s: no arguments are known", f.Arg(0))
	}
	for _, dir := range []string{o.root, o.oci} {
		if _, err := os.Lstat(dir); dir != "" && err == nil {
			return nil, fmt.Errorf("%s is there already: remove it first", dir)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	f, err := readFile(o.dockerfile)
	if err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return errors.New("bootstrapping Debian and making namespaces needs root: run it with sudo")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache = filepath.Join(cache, "veil")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, "rehearse-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m, err := newMachine(ctx, filepath.Join(work, "machine"))
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(cache, "rehearse.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	b := &builder{file: f, context: o.context, args: o.args, work: work, cache: cache, machine: m, log: log, out: os.Stdout, begun: time.Now()}
	i, err := b.build(ctx)
	if err != nil {
		return err
	}
	return b.finish(ctx, i, o)
}

// finish checks what was built and leaves what was asked for.
func (b *builder) finish(ctx context.Context, i *image, o *options) error {
	if err := b.machine.clean(i.root); err != nil {
		return err
	}
	b.say("built; nothing of this machine is in it")
	latest, err := epoch()
	if err != nil {
		return err
	}
	oci := o.oci
	if oci == "" {
		oci = filepath.Join(b.work, "layout")
	}
	if err := b.write(i, oci, latest); err != nil {
		return err
	}
	root, digest, err := b.readBack(ctx, oci, latest)
	if err != nil {
		return err
	}
	b.say("OCI layout %s: image %s, %d MB; unpacked, it is the same tree of %d MB", o.oci, digest, size(oci)>>20, size(root)>>20)
	if o.clip != "" {
		if err := b.prove(ctx, root, i.config, o.clip); err != nil {
			return err
		}
	}
	if o.root != "" {
		return b.leave(i, o.root)
	}
	return nil
}

// leave puts the root where it was asked for, and its config beside it.
func (b *builder) leave(i *image, root string) error {
	config, err := json.MarshalIndent(i.config, "", "  ")
	if err != nil {
		return err
	}
	if err := exec.Command("mv", "-T", i.root, root).Run(); err != nil {
		return fmt.Errorf("move the root to %s: %w", root, err)
	}
	return os.WriteFile(root+".json", append(config, '\n'), 0o644)
}

// size is how much the files of a folder hold, in bytes; one with several names counts once.
func size(dir string) int64 {
	var n int64
	seen := map[uint64]bool{}
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && !seen[stat.Ino] {
			seen[stat.Ino] = true
			n += info.Size()
		}
		return nil
	})
	return n
}
