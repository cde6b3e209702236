package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// machine is how this machine's package clients reach their registries. Steps get it by files under /dev, which is no part of
// the image, and by the environment of their processes; nothing of it is written into the image.
type machine struct {
	dir    string            // the files, on this machine
	debian map[string]string // where Debian's archive is, by label
	env    []string          // for the steps of a build
}

// given is where the steps find the files.
const given = "/dev/machine"

// Labels of Debian's archives in their Release files.
const (
	archive  = "Debian"
	security = "Debian-Security"
)

// newMachine asks this machine's clients and writes what the steps get into dir.
func newMachine(ctx context.Context, dir string) (*machine, error) {
	m := &machine{dir: dir, debian: map[string]string{archive: "", security: ""}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := m.archives(ctx); err != nil {
		return nil, err
	}
	if err := m.apt(ctx); err != nil {
		return nil, err
	}
	if err := m.certificates(); err != nil {
		return nil, err
	}
	if err := m.clients(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// archives finds where this machine gets Debian from.
func (m *machine) archives(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return fmt.Errorf("ask apt for its sources: %w", err)
	}
	for l := range strings.Lines(string(out)) {
		if label, uri, ok := strings.Cut(strings.TrimSpace(l), " "); ok && (label == archive || label == security) {
			m.debian[label] = strings.TrimSuffix(uri, "/")
		}
	}
	if m.debian[archive] == "" || m.debian[security] == "" {
		return errors.New("apt knows no lists of Debian and of its security updates: run apt-get update as root")
	}
	return nil
}

// sources is apt's list for a release of Debian.
func (m *machine) sources(suite string) string {
	return fmt.Sprintf("deb %s %s main\ndeb %s %s-updates main\ndeb %s %s-security main\n",
		m.debian[archive], suite, m.debian[archive], suite, m.debian[security], suite)
}

// apt writes how apt fetches on this machine: proxies, certificates, what it checks.
func (m *machine) apt(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "Acquire").Output()
	if err != nil {
		return fmt.Errorf("ask apt for its settings: %w", err)
	}
	var conf strings.Builder
	for l := range strings.Lines(string(out)) {
		if strings.HasPrefix(l, "Acquire::IndexTargets") || strings.HasPrefix(l, "Acquire::Changelogs") || strings.HasSuffix(l, " \"\";\n") {
			continue
		}
		conf.WriteString(l)
	}
	fmt.Fprintf(&conf, "Dir::Etc::SourceList %q;\nDir::Etc::SourceParts \"/dev/null\";\n", given+"/sources.list")
	conf.WriteString("Dpkg::Options:: \"--force-unsafe-io\";\n")
	m.env = append(m.env, "APT_CONFIG="+given+"/apt.conf")
	return os.WriteFile(filepath.Join(m.dir, "apt.conf"), []byte(conf.String()), 0o644)
}

// certificates hands over the authorities that this machine trusts.
func (m *machine) certificates() error {
	bundle := os.Getenv("SSL_CERT_FILE")
	if bundle == "" {
		bundle = "/etc/ssl/certs/ca-certificates.crt"
	}
	b, err := os.ReadFile(bundle)
	if err != nil {
		return fmt.Errorf("read the certificates of this machine: %w", err)
	}
	for _, name := range []string{"SSL_CERT_FILE", "PIP_CERT", "CURL_CA_BUNDLE"} {
		m.env = append(m.env, name+"="+given+"/ca.crt")
	}
	return os.WriteFile(filepath.Join(m.dir, "ca.crt"), b, 0o644)
}

// clients hands over proxies and what the clients of Go and Python were told.
func (m *machine) clients(ctx context.Context) error {
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
		"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"} {
		if v := os.Getenv(name); v != "" {
			m.env = append(m.env, name+"="+v)
		}
	}
	names := []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE"}
	out, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return fmt.Errorf("ask go for its settings: %w", err)
	}
	values := bufio.NewScanner(bytes.NewReader(out))
	for _, name := range names {
		if values.Scan() && values.Text() != "" {
			m.env = append(m.env, name+"="+values.Text())
		}
	}
	if b, err := os.ReadFile("/etc/pip.conf"); err == nil {
		m.env = append(m.env, "PIP_CONFIG_FILE="+given+"/pip.conf")
		return os.WriteFile(filepath.Join(m.dir, "pip.conf"), b, 0o644)
	}
	return nil
}
