package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fresh is for how long a base is taken again; Debian's security updates come in between.
const fresh = 24 * time.Hour

// What the slim variant of Debian's image leaves out, now and of packages that come later.
const slim = `path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
`

// base gives the root that stands for the image debian:SUITE-slim: the same release from Debian's archive with today's updates,
// since there is no engine to load an image. It is kept in cache, and made again when it is older than a day.
func (b *builder) base(ctx context.Context, suite string) (string, error) {
	root := filepath.Join(b.cache, "base-"+suite)
	done := root + ".done"
	if at, err := os.Stat(done); err == nil && time.Since(at.ModTime()) < fresh {
		return root, nil
	}
	b.say("base: Debian %s by debootstrap", suite)
	if err := errors.Join(os.RemoveAll(done), os.RemoveAll(root), os.MkdirAll(b.cache, 0o755)); err != nil {
		return "", err
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", suite, root, b.machine.debian[archive])
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("debootstrap (Debian package debootstrap): %w\n%s", err, lastLines(log.Bytes(), 5))
	}
	if err := settle(root); err != nil {
		return "", fmt.Errorf("base: %w", err)
	}
	update := &image{root: root, shell: defaultShell}
	if err := b.execute(ctx, update, []string{"/bin/sh", "-c",
		"apt-get update -q && apt-get upgrade -y -q && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*"}); err != nil {
		return "", fmt.Errorf("base: update: %w", err)
	}
	return root, os.WriteFile(done, nil, 0o644)
}

// settle makes a bootstrapped root what the slim image is: no documents, no names of this machine. It has no sources of packages
// either, since each step gets those of this machine.
func settle(root string) error {
	in := func(path string) string { return filepath.Join(root, path) }
	for path, content := range map[string]string{
		"etc/dpkg/dpkg.cfg.d/docker": slim,
		"etc/hostname":               "",
		"etc/hosts":                  "",
		"etc/resolv.conf":            "",
	} {
		if err := os.RemoveAll(in(path)); err != nil {
			return err
		}
		if err := os.WriteFile(in(path), []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{"dev", "proc", "run", "sys", "tmp"} {
		if err := emptyFolder(in(dir)); err != nil {
			return err
		}
	}
	for _, path := range []string{"etc/apt/sources.list", "usr/share/groff", "usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man"} {
		if err := os.RemoveAll(in(path)); err != nil {
			return err
		}
	}
	return filepath.WalkDir(in("usr/share/doc"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "/copyright") {
			return err
		}
		return os.Remove(path)
	})
}

// emptyFolder removes what is in a folder.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
