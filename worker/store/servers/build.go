// Package servers runs real S3 servers for tests: versitygw and the MinIO server, built from their pinned modules.
//
// It owns the processes that it starts, and ends them with the test. The binaries lie outside the checkout, in veil/bin below
// the user's cache folder; nothing else is ever kept. It is no part of veil itself: neither server is a dependency of go.mod.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// module is a command of a module at a version.
type module struct {
	name    string // of the command
	path    string // of its package
	version string
}

var (
	versitygw = module{"versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"}
	minioMod  = module{"minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"}
)

// binary is the path of a built command. Each version has its own.
func (m module) binary() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(cache, "veil", "bin", m.name+"-"+m.version), nil
}

// Build builds the servers that are missing. The MinIO server takes some ten minutes of two cores, once.
func Build(ctx context.Context) error {
	for _, m := range []module{versitygw, minioMod} {
		if _, err := build(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// VersitygwPath is where versitygw lies; it is built where it is missing.
func VersitygwPath(ctx context.Context) (string, error) { return build(ctx, versitygw) }

// build gives the path of a command and builds it where it is missing. Of several processes one builds, the others wait.
func build(ctx context.Context, m module) (path string, err error) {
	path, err = m.binary()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", m.name, err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", m.name, err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("build %s: wait for another build: %w", m.name, err)
	}
	if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), m.name+"-build-")
	if err != nil {
		return "", fmt.Errorf("build %s: %w", m.name, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Fprintf(os.Stderr, "servers: building %s %s\n", m.name, m.version)
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags=-s -w", m.path+"@"+m.version)
	cmd.Dir = dir // outside of any module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", m.name, err, strings.TrimSpace(string(out[max(0, len(out)-2000):])))
	}
	if err := os.Rename(filepath.Join(dir, m.name), path); err != nil {
		return "", fmt.Errorf("build %s: %w", m.name, err)
	}
	return path, nil
}
