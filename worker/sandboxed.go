package main

import (
	"context"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"veil/pipeline"
)

// sandboxInForce asks a child what it is denied, for the manifests. Where the sandbox is required and a part of it is missing,
// the error says which.
func (a *app) sandboxInForce(ctx context.Context, c pipeline.Config) (string, error) {
	report, err := a.checkSandbox(ctx, c)
	if err != nil {
		return "", err
	}
	return report.Mode + ": " + strings.Join(report.InForce, ", "), nil
}

// usableCores is how many cores this process may run on.
func usableCores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() == 0 {
		return runtime.NumCPU()
	}
	return min(set.Count(), runtime.NumCPU())
}
