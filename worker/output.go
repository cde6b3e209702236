package main

import (
	"path/filepath"

	"veil/pipeline"
	"veil/worker/failure"
	"veil/worker/files"
)

// paths are the files of one clip. All are absolute once check has passed, so that a child in another folder, and a
// program that takes a leading dash for an option, read the same.
type paths struct {
	in     string
	out    string
	plan   string // empty: not asked for
	report string
	sheet  string
}

// check makes the paths absolute and refuses what cannot work, before anything is decoded.
func (p *paths) check() error {
	if err := files.CheckInput(&p.in); err != nil {
		return err
	}
	if err := files.CheckMP4(p.out); err != nil {
		return err
	}
	for _, out := range []struct {
		what string
		path *string
	}{{"output", &p.out}, {"plan", &p.plan}, {"report", &p.report}, {"contact sheet", &p.sheet}} {
		if *out.path == "" {
			continue
		}
		if err := files.CheckOutput(out.what, out.path, p.in); err != nil {
			return err
		}
	}
	if files.Same(p.in, pipeline.HeldName(p.out)) {
		return failure.Usagef("choose another name", "a held derivative would lie where the input is")
	}
	return p.distinct()
}

// distinct refuses two outputs under one name.
func (p *paths) distinct() error {
	seen := map[string]bool{}
	for _, path := range []string{p.out, pipeline.HeldName(p.out), p.plan, p.report, p.sheet} {
		if path == "" {
			continue
		}
		if seen[path] {
			return failure.Usagef("name each output apart", "two outputs have the name %s", filepath.Base(path))
		}
		seen[path] = true
	}
	return nil
}
