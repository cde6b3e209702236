package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrOverInput says that the page would take the place of something that was checked.
var ErrOverInput = errors.New("the page may not take the place of a file that is checked")

// WritePage writes the page whole or not at all. ErrOverInput where path is one of the files that were handed over, or of the
// derivative's set; any other file there is replaced.
func (r *Result) WritePage(path string, handed ...string) error {
	there, err := os.Stat(path)
	if err == nil {
		for _, input := range append(handed, r.setFiles()...) {
			if info, err := os.Stat(input); err == nil && os.SameFile(info, there) {
				return ErrOverInput
			}
		}
	}
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".veil-page-*")
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	_, err = f.Write(page.Bytes())
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write page: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// setFiles are the files of the folder whose names begin as the set's do, but for earlier pages.
func (r *Result) setFiles() (paths []string) {
	folder, begin := filepath.Dir(r.stem), filepath.Base(r.stem)+"."
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), begin) && !strings.EqualFold(filepath.Ext(e.Name()), ".html") {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths
}
