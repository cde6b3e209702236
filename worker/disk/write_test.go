package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRenameNew: a file is renamed and none is overwritten, also where the file system knows no such call.
func TestRenameNew(t *testing.T) {
	system := renameat2
	t.Cleanup(func() { renameat2 = system })
	for name, call := range map[string]func(int, string, int, string, uint) error{
		"local":   system,
		"SMB":     func(int, string, int, string, uint) error { return unix.EINVAL },
		"no such": func(int, string, int, string, uint) error { return unix.ENOSYS },
	} {
		renameat2 = call
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		for _, n := range []string{"a", "b"} {
			if err := os.WriteFile(at(n), []byte(n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := RenameNew(at("a"), at("b")); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: over another file: %v", name, err)
		}
		if err := RenameNew(at("a"), at("c")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := RenameNew(at("a"), at("d")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: of nothing: %v", name, err)
		}
		for n, want := range map[string]string{"b": "b", "c": "a"} {
			if b, err := os.ReadFile(at(n)); err != nil || string(b) != want {
				t.Errorf("%s: %s holds %q, %v", name, n, b, err)
			}
		}
	}
}
