package media

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// footage finds the test footage beside the checkout. Without it a test skips, but fails where CI is set.
func footage(t testing.TB, sub string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
	path := filepath.Join(dir, "..", "shared", "footage", sub)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("footage is missing: %v", err)
		}
		t.Skip("no footage beside the checkout")
	}
	return path
}

func tools(t testing.TB) Tools {
	t.Helper()
	tools, err := DefaultTools()
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

// decodeAll decodes a clip to its end.
func decodeAll(t testing.TB, path string, p *Probe, v View, r *Range) ([]FrameInfo, error) {
	t.Helper()
	d, err := Decode(t.Context(), tools(t), path, p, v, r)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var frames []FrameInfo
	buf := make([]byte, v.Layout.Size())
	for {
		info, err := d.Next(buf)
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, info)
	}
}

// damage counts damaged frames and tells the first cause.
func damage(frames []FrameInfo) (n int, why string) {
	for _, f := range frames {
		if f.Damaged {
			if n++; n == 1 {
				why = f.Why
			}
		}
	}
	return n, why
}
