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

// TestReplace: a file is whole under its name, whatever was there, with the mode asked for; until then it has no name where the file
// system knows such files, and nothing is left beside it where it does not.
func TestReplace(t *testing.T) {
	system := unnamed
	t.Cleanup(func() { unnamed = system })
	for name, call := range map[string]func(string, os.FileMode) (*os.File, error){
		"local": func(dir string, mode os.FileMode) (*os.File, error) {
			f, err := system(dir, mode)
			if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(hidden) > 0 {
				t.Errorf("while it is written: %q", hidden)
			}
			return f, err
		},
		"NFS": func(string, os.FileMode) (*os.File, error) { return nil, unix.EOPNOTSUPP },
	} {
		unnamed = call
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		for _, content := range []string{"first", "second, longer", "3"} {
			if err := Replace(path, []byte(content), 0o640); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil || string(b) != content || info.Mode().Perm() != 0o640 {
				t.Errorf("%s: holds %q with mode %v, %v, %v", name, b, info.Mode(), err, statErr)
			}
			if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
				t.Errorf("%s: left %v, %v", name, all, err)
			}
		}
		if err := Replace(filepath.Join(dir, "none", "a"), nil, 0o600); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: in a folder that is not there: %v", name, err)
		}
		if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Replace(filepath.Join(dir, "folder"), nil, 0o600); err == nil {
			t.Errorf("%s: in the place of a folder", name)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 2 {
			t.Errorf("%s: left %v, %v", name, all, err)
		}
	}
}
