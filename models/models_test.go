package models

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFilesAreComplete(t *testing.T) {
	files := Files()
	if len(files) != len(about) {
		t.Fatalf("SHA256SUMS lists %d files, the table %d", len(files), len(about))
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.What == "" || f.Licence == "" {
			t.Errorf("%s: %+v: nothing is said about it", f.Name, f)
		}
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(f.SHA256) {
			t.Errorf("%s: digest %q", f.Name, f.SHA256)
		}
		if !strings.Contains(string(requirements), "\n"+f.Package+"=="+f.Version+" ") {
			t.Errorf("%s: requirements.txt does not pin %s %s", f.Name, f.Package, f.Version)
		}
	}
}

func TestOpenRefusesOtherBytes(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, YuNet); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "make models") {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, YuNet), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Open(dir, YuNet); !errors.Is(err, ErrDigest) || data != nil {
		t.Errorf("other bytes: %d bytes, %v", len(data), err)
	}
	if f, err := OpenSealed(dir, YuNet); !errors.Is(err, ErrDigest) || f != nil {
		t.Errorf("other bytes, sealed: %v", err)
	}
	if err := Check(dir, YuNet); !errors.Is(err, ErrDigest) {
		t.Errorf("other bytes, check: %v", err)
	}
	if _, err := Open(dir, "../models.go"); err == nil {
		t.Error("a name that is not on the list was opened")
	}
}

func TestOpenGivesPinnedBytes(t *testing.T) {
	for _, f := range Files() {
		data, err := Open("weights", f.Name)
		if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		if err != nil || len(data) == 0 {
			t.Errorf("%s: %d bytes, %v", f.Name, len(data), err)
		}
		sealed, err := OpenSealed("weights", f.Name)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := io.ReadAll(io.NewSectionReader(sealed, 0, maxBytes))
		if err != nil || !bytes.Equal(copied, data) {
			t.Errorf("%s: sealed copy differs: %v", f.Name, err)
		}
		if _, err := sealed.WriteAt([]byte("x"), 0); err == nil {
			t.Errorf("%s: the sealed copy can be written to", f.Name)
		}
		if err := errors.Join(sealed.Close(), Check("weights", f.Name)); err != nil {
			t.Error(err)
		}
	}
}

func TestFolder(t *testing.T) {
	t.Setenv("VEIL_MODELS", "/from/environment")
	if dir, err := Folder("/explicit"); dir != "/explicit" || err != nil {
		t.Errorf("explicit: %q, %v", dir, err)
	}
	if dir, err := Folder(""); dir != "/from/environment" || err != nil {
		t.Errorf("environment: %q, %v", dir, err)
	}
	t.Setenv("VEIL_MODELS", "")
	if dir, err := Folder(""); err != nil && !errors.Is(err, ErrMissing) {
		t.Errorf("nowhere: %q, %v", dir, err)
	}
}
