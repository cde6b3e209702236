package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// module is a Go module as a program holds it.
type module struct{ path, version, sum string }

func (m module) ref() string { return "pkg:golang/" + m.path + "@" + m.version }

// component names a module. Its sum is that of the Go checksum database, which is no digest of a file, so it is a property.
func (m module) component() cdx.Component {
	c := cdx.Component{BOMRef: m.ref(), Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version, PackageURL: m.ref()}
	if m.sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.sum}}
	}
	return c
}

// readProgram reads a program's own account of what it was built from: the toolchain, its main module, all others.
func readProgram(path string) (cdx.Component, []module, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return cdx.Component{}, nil, fmt.Errorf("read %s: %w", path, err)
	}
	digest, err := sha256File(path)
	if err != nil {
		return cdx.Component{}, nil, err
	}
	name := filepath.Base(path)
	c := cdx.Component{BOMRef: "program:" + name, Type: cdx.ComponentTypeApplication, Name: name,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digest}}}
	parts := []module{{path: "std", version: strings.TrimPrefix(info.GoVersion, "go")}}
	if main := info.Main; main.Version != "" && main.Version != "(devel)" {
		parts = append(parts, module{main.Path, main.Version, main.Sum})
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		parts = append(parts, module{d.Path, d.Version, d.Sum})
	}
	return c, parts, nil
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("digest of %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// text matches the names of the files that hold a module's terms.
var text = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// copyLicences copies the texts at the top of each module into a folder of its own below into. A module without any is an
// error: somebody has to look at it.
func copyLicences(modules []module, into string) error {
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		if m.path != "std" {
			args = append(args, m.path+"@"+m.version)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	cmd.Stderr = os.Stderr
	cmd.Dir = os.TempDir() // outside of any module
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read what go mod download says: %w", err)
		}
		if err := copyTexts(m.Dir, filepath.Join(into, m.Path+"@"+m.Version)); err != nil {
			return fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	return copyTexts(strings.TrimSpace(string(root)), filepath.Join(into, "std"))
}

func copyTexts(from, into string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	found := false
	for _, f := range files {
		if !f.Type().IsRegular() || !text.MatchString(f.Name()) {
			continue
		}
		found = true
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(into, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(into, f.Name()), data, 0o644); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("no licence text at its top: look at it")
	}
	return nil
}
