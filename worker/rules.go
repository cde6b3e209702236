package main

import (
	"fmt"
	"os"
	"path/filepath"

	"veil/pipeline"
	"veil/pipeline/media"
	"veil/worker/child"
	"veil/worker/sandbox"
)

// rulesFor lists every file that a stage may touch, and how; what is not here does not exist for it. Outputs are single
// files: a stage makes none itself, and none of its inputs is among them.
func rulesFor(request any) ([]sandbox.Rule, error) {
	switch r := request.(type) {
	case pipeline.AnalyzeRequest:
		return rules(r.Config,
			reads(r.In, r.ExtraIn, r.AnalysisIn),
			writes(r.PlanOut, r.AnalysisOut))
	case pipeline.RenderRequest:
		return rules(r.Config,
			reads(r.In, r.Plan),
			writes(r.Out, media.Besides(r.Out), r.Audio))
	case pipeline.VerifyRequest:
		return rules(r.Config,
			reads(r.In, r.Out, r.Plan),
			writes(r.ExtraOut))
	case sheetRequest:
		return rules(r.Config,
			reads(r.Sheet.In, r.Sheet.Out, r.Sheet.Plan),
			[]sandbox.Rule{{Path: r.Folder, Access: sandbox.Own}})
	case probeRequest:
		return rules(r.Config, reads(r.In))
	case enginesRequest:
		return rules(r.Config)
	case nothingRequest:
		return rules(r.Config)
	}
	return nil, fmt.Errorf("no rules are known for a %T", request)
}

// rules are what every stage needs, and what one needs besides.
func rules(c pipeline.Config, own ...[]sandbox.Rule) ([]sandbox.Rule, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find program: %w", err)
	}
	list := append(sandbox.System(), sandbox.Rule{Path: program, Access: sandbox.Run})
	for _, tool := range []string{c.Tools.FFmpeg, c.Tools.FFprobe} {
		if tool == "" {
			continue
		}
		// A program that does not come from the system may bring its libraries.
		list = append(list, sandbox.Rule{Path: tool, Access: sandbox.Run},
			sandbox.Rule{Path: filepath.Join(filepath.Dir(tool), "..", "lib"), Access: sandbox.Read})
	}
	list = append(list, reads(c.Models)...)
	list = append(list, reads(filepath.SplitList(os.Getenv(child.LibraryPath))...)...)
	for _, o := range own {
		list = append(list, o...)
	}
	return list, nil
}

// reads allows reading the files or folders that have a name.
func reads(paths ...string) []sandbox.Rule { return ruled(sandbox.Read, paths) }

// writes allows writing the files that have a name.
func writes(paths ...string) []sandbox.Rule { return ruled(sandbox.Write, paths) }

func ruled(access sandbox.Access, paths []string) []sandbox.Rule {
	var list []sandbox.Rule
	for _, p := range paths {
		if p != "" {
			list = append(list, sandbox.Rule{Path: p, Access: access})
		}
	}
	return list
}
