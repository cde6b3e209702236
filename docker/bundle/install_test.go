package bundle_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// archive makes an unpacked archive of empty packages for this machine, signed with a key of its own, and gives its folder and
// the key. change alters it before it is signed.
func archive(t *testing.T, change func(tree string)) (tree, key string) {
	t.Helper()
	for _, program := range []string{"gpg", "gpgv", "apt-ftparchive", "dpkg-deb", "apt-get"} {
		need(t, program)
	}
	dir := t.TempDir()
	tree, key = filepath.Join(dir, "veil-1"), filepath.Join(dir, "key")
	for _, name := range []string{"veil", "veil-queue", "veil-store"} {
		fakePackage(t, tree, name, 1)
	}
	copyInto(t, "install.sh", filepath.Join(tree, "install.sh"), 0o755)
	release := strings.TrimSpace(mustRun(t, ".", "sh", "-c", ". /etc/os-release; echo $VERSION_ID"))
	write(t, filepath.Join(tree, "BUNDLE"), "version=1\nrevision=0123456789ab\ndebian="+release+"\narchitecture=amd64\n")
	if change != nil {
		change(tree)
	}
	mustRun(t, ".", "./seal.sh", key, tree, filepath.Join(dir, "archive.tar"))
	mustRun(t, ".", "gpgv", "--keyring", filepath.Join(tree, "veil-bundle.gpg"), filepath.Join(dir, "archive.tar.sig"), filepath.Join(dir, "archive.tar"))
	return tree, key
}

// fakePackage makes an empty package that says to take kib when installed.
func fakePackage(t *testing.T, tree, name string, kib int64) {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "DEBIAN", "control"), fmt.Sprintf(
		"Package: %s\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nInstalled-Size: %d\nDescription: empty\n", name, kib))
	if err := os.MkdirAll(filepath.Join(tree, "packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	mustRun(t, ".", "dpkg-deb", "--root-owner-group", "--build", root, filepath.Join(tree, "packages", name+"_1_amd64.deb"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyInto(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, mode); err != nil {
		t.Fatal(err)
	}
}

// install runs the archive's install.sh and gives what it printed and its exit code.
func install(t *testing.T, tree string, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(filepath.Join(tree, "install.sh"), args...).CombinedOutput()
	return string(out), exitCode(t, err)
}

func TestInstallSaysWhatItWouldDo(t *testing.T) {
	tree, _ := archive(t, nil)
	out, code := install(t, tree, "install", "--dry-run", "--only", "worker,queue")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	for _, want := range []string{"veil 1, built from 0123456789ab, signed by ", "compare it with what you were told", "This will be done:",
		"is installed for the first time: veil veil-queue", "keep its packages in /var/lib/veil-install/versions/1", "install 2 packages: veil veil-queue",
		"draw /etc/veil/keys/veil.key", "draw /etc/veil/keys/nats-auth.conf", "draw /etc/veil/keys/worker.env", "Never touched:"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat("/var/lib/veil-install"); err == nil {
		t.Error("a dry run made /var/lib/veil-install")
	}
	if out, code := install(t, tree, "check"); code != 0 || !strings.Contains(out, "archive and machine fit") {
		t.Errorf("check: exit %d\n%s", code, out)
	}
}

// TestInstallRefuses holds each reason to refuse against its exit code and the word that tells it.
func TestInstallRefuses(t *testing.T) {
	sum := func(tree string) string { return filepath.Join(tree, "packages", "veil_1_amd64.deb") }
	for _, c := range []struct {
		name   string
		before func(tree string) // it is signed
		after  func(tree string)
		args   string
		code   int
		says   string
	}{
		{name: "no command", code: 2, says: "say what to do"},
		{name: "unknown flag", args: "install --wrong", code: 2, says: "unknown: --wrong"},
		{name: "unknown part", args: "install --only worker,kitchen", code: 2, says: "--only takes"},
		{name: "nothing to go back to", args: "rollback --dry-run", code: 2, says: "nothing to go back to"},
		{name: "changed byte", args: "install --dry-run", code: 3, says: "packages/veil_1_amd64.deb",
			after: func(tree string) { appendTo(t, sum(tree), "x") }},
		{name: "changed list", args: "install --dry-run", code: 3, says: "signature",
			after: func(tree string) { appendTo(t, filepath.Join(tree, "SHA256SUMS"), "\n") }},
		{name: "package that nobody signed", args: "install --dry-run", code: 3, says: "does not name packages/more_1_all.deb",
			after: func(tree string) { write(t, filepath.Join(tree, "packages", "more_1_all.deb"), "x") }},
		{name: "changed image", args: "install --dry-run", code: 3, says: "image.SHA256SUMS",
			before: func(tree string) { write(t, filepath.Join(tree, "image", "index.json"), "{}") },
			after:  func(tree string) { appendTo(t, filepath.Join(tree, "image", "index.json"), " ") }},
		{name: "file that is gone", args: "check", code: 3, says: "lacks packages/InRelease",
			after: func(tree string) { _ = os.Remove(filepath.Join(tree, "packages", "InRelease")) }},
		{name: "other release", args: "install --dry-run", code: 4, says: "is for Debian 99",
			before: func(tree string) {
				write(t, filepath.Join(tree, "BUNDLE"), "version=1\nrevision=0\ndebian=99\narchitecture=amd64\n")
			}},
		{name: "other machine", args: "install --dry-run", code: 4, says: "is for s390x",
			before: func(tree string) {
				data, err := os.ReadFile(filepath.Join(tree, "BUNDLE"))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(tree, "BUNDLE"), strings.ReplaceAll(string(data), "amd64", "s390x"))
			}},
		{name: "full disk", args: "install --dry-run", code: 5, says: "make room",
			before: func(tree string) { fakePackage(t, tree, "veil", 1<<40) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, _ := archive(t, c.before)
			if c.after != nil {
				c.after(tree)
			}
			out, code := install(t, tree, strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, wanted %d and %q:\n%s", code, c.code, c.says, out)
			}
		})
	}
}

// TestWhereServersListen has install.sh ask queue and store where their settings have them listen.
func TestWhereServersListen(t *testing.T) {
	const ask = `set -euo pipefail
source <(sed -n '/^device()/,/^}/p; /^address()/,/^}/p' install.sh)
settings=$1 keys=$1/keys
device "$(address veil-nats)"
device "$(address veil-store)"`
	for _, c := range []struct{ nats, store, want string }{
		{"listen: 127.0.0.1:4222\nhttp: 127.0.0.1:8222\n", "VGW_PORT=127.0.0.1:7070\n", "/dev/tcp/127.0.0.1/4222\n/dev/tcp/127.0.0.1/7070\n"},
		{"# listen: 1.2.3.4:1\n  listen = \"10.0.0.5:4333\" # ours\n", "#VGW_PORT=1\nVGW_PORT=:7443\n", "/dev/tcp/10.0.0.5/4333\n/dev/tcp/127.0.0.1/7443\n"},
		{"listen 0.0.0.0:4222\n", "VGW_PORT=10.0.0.5:7070,10.0.0.6:7071\n", "/dev/tcp/127.0.0.1/4222\n/dev/tcp/10.0.0.5/7070\n"},
		{"listen: [::1]:4222\n", "\n", "/dev/tcp/::1/4222\n/dev/tcp/127.0.0.1/7070\n"},
		{"port: 1\n", "VGW_PORT=7071\n", "/dev/tcp/127.0.0.1/4222\n/dev/tcp/127.0.0.1/7071\n"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "nats.conf"), c.nats)
		write(t, filepath.Join(dir, "store.env"), c.store)
		if got := mustRun(t, ".", "bash", "-c", ask, "-", dir); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.nats, c.store, got, c.want)
		}
	}
}

// TestInstallTakesOneKey names another key than the one that signed.
func TestInstallTakesOneKey(t *testing.T) {
	tree, _ := archive(t, nil)
	other, _ := archive(t, nil)
	out, code := install(t, tree, "install", "--dry-run", "--key", filepath.Join(other, "veil-bundle.gpg"))
	if code != 3 || !strings.Contains(out, "is not one by the key in") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
