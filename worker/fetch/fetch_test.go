package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"veil/worker/disk"
	"veil/worker/failure"
)

// newPart is a part as fetchPart leaves it.
func newPart(t *testing.T, path string, rename func(*part, string, string) error) *part {
	t.Helper()
	f, err := os.Create(disk.PartName(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("whole"); err != nil {
		t.Fatal(err)
	}
	p := &part{f: f, temp: f.Name(), path: path}
	p.rename = func(from, to string) error { return rename(p, from, to) }
	return p
}

// TestPublish: a part gets its name, once it is closed where the file system wants that, and nothing is left of one that does not.
func TestPublish(t *testing.T) {
	// closedFirst renames no open file, as SMB does.
	closedFirst := func(as error) func(*part, string, string) error {
		return func(p *part, from, to string) error {
			if p.f != nil {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: as}
			}
			return disk.RenameNew(from, to)
		}
	}
	for name, c := range map[string]struct {
		rename func(*part, string, string) error
		taken  bool
		code   string
	}{
		"local":                 {func(_ *part, from, to string) error { return disk.RenameNew(from, to) }, false, ""},
		"busy while open":       {closedFirst(syscall.EBUSY), false, ""},
		"refused while open":    {closedFirst(syscall.EACCES), false, ""},
		"the name is taken":     {func(_ *part, from, to string) error { return disk.RenameNew(from, to) }, true, failure.Exists},
		"taken, busy":           {closedFirst(syscall.EBUSY), true, failure.Exists},
		"busy for good":         {func(*part, string, string) error { return syscall.EBUSY }, false, failure.File},
		"the server is away":    {func(*part, string, string) error { return syscall.EIO }, false, failure.File},
		"the disk has no names": {func(*part, string, string) error { return syscall.ENOSPC }, false, "no_space"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "clip.mp4")
			if c.taken {
				if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := newPart(t, path, c.rename)
			err := p.publish()
			p.discard()
			want := map[bool]string{true: "other", false: "whole"}[c.taken]
			switch {
			case c.code == "" && err != nil:
				t.Fatal(err)
			case c.code != "" && (err == nil || failure.As(err).Code != c.code):
				t.Fatalf("%v, want %s", err, c.code)
			case c.code != "" && !c.taken:
				want = ""
			}
			if b, err := os.ReadFile(path); string(b) != want || err != nil && want != "" {
				t.Errorf("holds %q, %v", b, err)
			}
			if _, err := os.Stat(disk.PartName(path)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the part is left: %v", err)
			}
			if p.f != nil {
				t.Error("the part is open")
			}
		})
	}
}
