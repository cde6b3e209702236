package disk

import (
	"path/filepath"

	"veil/pipeline"
	"veil/worker/failure"
)

// CheckPlan refuses paths of analyze that cannot work.
func (p *Paths) CheckPlan() error {
	if err := CheckInput(&p.In); err != nil {
		return err
	}
	if err := CheckOutput("plan", &p.Plan, p.In); err != nil {
		return err
	}
	if p.Sheet == "" {
		return nil
	}
	if err := CheckOutput("people sheet", &p.Sheet, p.In); err != nil {
		return err
	}
	if p.Sheet == p.Plan {
		return failure.Usagef("name each output apart", "two outputs have the name %s", Base(p.Plan))
	}
	return nil
}

// Paths are the files of one clip. All are absolute once check has passed, so that a child in another folder, and a
// program that takes a leading dash for an option, read the same.
type Paths struct {
	In     string
	Out    string
	Plan   string // empty: not asked for
	Report string
	Sheet  string
}

// Check makes the paths absolute and refuses what cannot work, before anything is decoded.
func (p *Paths) Check() error {
	if err := CheckInput(&p.In); err != nil {
		return err
	}
	if err := CheckMP4(p.Out); err != nil {
		return err
	}
	for _, out := range []struct {
		what string
		path *string
	}{{"output", &p.Out}, {"plan", &p.Plan}, {"report", &p.Report}, {"contact sheet", &p.Sheet}} {
		if *out.path == "" {
			continue
		}
		if err := CheckOutput(out.what, out.path, p.In); err != nil {
			return err
		}
	}
	if Same(p.In, pipeline.HeldName(p.Out)) {
		return failure.Usagef("choose another name", "a held derivative would lie where the input is")
	}
	return p.distinct()
}

// distinct refuses two outputs under one name.
func (p *Paths) distinct() error {
	seen := map[string]bool{}
	for _, path := range []string{p.Out, pipeline.HeldName(p.Out), p.Plan, p.Report, p.Sheet} {
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
