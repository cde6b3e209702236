package main

import (
	"runtime/debug"
)

// revision is set by the linker (-X main.revision=...).
var revision string

// buildInfo names the program.
type buildInfo struct {
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

// build gives the revision that the linker stamped, else the one that the Go tool did, else "unknown".
func build() buildInfo {
	b := buildInfo{Revision: revision}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.Go = info.GoVersion
	}
	if b.Revision == "" && ok {
		b.Revision = stamped(info.Settings)
	}
	if b.Revision == "" {
		b.Revision = "unknown"
	}
	return b
}

// stamped is the revision among the Go tool's build settings, "" if there is none.
func stamped(settings []debug.BuildSetting) string {
	rev, dirty := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if rev == "" {
		return ""
	}
	return rev + dirty
}

// versionCmd is `veil version`.
type versionCmd struct{}

// Run prints the build.
func (versionCmd) Run(a *app) error {
	b := build()
	if a.JSON {
		return a.printJSON(b)
	}
	a.printf("veil %s (%s)\n", b.Revision, b.Go)
	return nil
}
