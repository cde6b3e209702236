package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// grow makes the same tree in another order and at another time.
func grow(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	plant(t, dir, names...)
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "z")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheSameTreeGivesTheSameLayout(t *testing.T) {
	latest := time.Unix(1_700_000_000, 0).UTC()
	roots := []string{grow(t, "a", "d/b", "d/c", "e/"), grow(t, "e/", "d/c", "d/b", "a")}
	old := time.Unix(1_600_000_000, 123)
	for _, root := range roots {
		if err := os.Chtimes(filepath.Join(root, "d/b"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	var layouts []string
	for _, root := range roots {
		b := &builder{file: &file{path: "Dockerfile"}, work: t.TempDir()}
		dir := filepath.Join(t.TempDir(), "layout")
		if err := b.write(&image{root: root, config: v1.Config{User: "10001:10001"}}, dir, latest); err != nil {
			t.Fatal(err)
		}
		index, err := layout.ImageIndexFromPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
		d, err := index.Digest()
		if err != nil {
			t.Fatal(err)
		}
		layouts = append(layouts, d.String())
	}
	if layouts[0] != layouts[1] {
		t.Errorf("two layouts of one tree: %v", layouts)
	}
}

func TestAChangeChangesThePack(t *testing.T) {
	sum := func(root string) [sha256.Size]byte {
		var b bytes.Buffer
		if err := pack(root, time.Unix(0, 0), &b); err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b.Bytes())
	}
	plain := sum(grow(t, "a", "b"))
	for name, change := range map[string]func(root string) error{
		"content": func(root string) error { return os.WriteFile(filepath.Join(root, "b"), []byte("c"), 0o644) },
		"mode":    func(root string) error { return os.Chmod(filepath.Join(root, "b"), 0o600) },
		"name":    func(root string) error { return os.Rename(filepath.Join(root, "b"), filepath.Join(root, "c")) },
		"link":    func(root string) error { return os.Symlink("a", filepath.Join(root, "l")) },
	} {
		root := grow(t, "a", "b")
		if err := change(root); err != nil {
			t.Fatal(err)
		}
		if sum(root) == plain {
			t.Errorf("another %s gives the same pack", name)
		}
	}
	root := grow(t, "a", "b")
	if err := syscall.Mkfifo(filepath.Join(root, "p"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pack(root, time.Unix(0, 0), &bytes.Buffer{}); err == nil {
		t.Error("a pipe was packed")
	}
}

func TestNothingOfThisMachineMayStay(t *testing.T) {
	certificate := func(text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	m := &machine{dir: t.TempDir(), debian: map[string]string{archive: "http://mirror.example/debian", security: "http://www.debian.org/debian-security"},
		env: []string{"GOPROXY=https://modules.example|https://go.golang.org,direct", "https_proxy=http://gate.example:3128"}}
	if err := os.WriteFile(filepath.Join(m.dir, "apt.conf"), []byte("Acquire::http::Proxy \"http://apt.example:9999\";\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, text, want string }{
		{"etc/motd", "www.debian.org and go.golang.org are everybody's", ""},
		{"etc/apt/sources.list", "deb http://mirror.example/debian bookworm main", "mirror.example"},
		{"root/.config/go/env", "GOPROXY=https://modules.example", "modules.example"},
		{"etc/environment", "http://gate.example:3128", "gate.example"},
		{"etc/apt/apt.conf", "apt.example", "apt.example"},
		{"var/log/x", "read /dev/machine/ca.crt", given},
		{"usr/local/share/ca-certificates/own.crt", certificate("own"), "own.crt"},
		{"etc/ssl/certs/ca-certificates.crt", certificate("shipped") + certificate("own"), "does not ship"},
	} {
		root := t.TempDir()
		for path, text := range map[string]string{"usr/share/ca-certificates/mozilla/shipped.crt": certificate("shipped"),
			"etc/ssl/certs/ca-certificates.crt": certificate("shipped"), c.path: c.text} {
			plant(t, root, path)
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.clean(t.TempDir()); err != nil {
			t.Errorf("an image without any authority: %v", err)
		}
		err := m.clean(root)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
}
