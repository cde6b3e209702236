package main

import (
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestPictureIsDrawn(t *testing.T) {
	in, out := filepath.Join(t.TempDir(), "fleet.json"), filepath.Join(t.TempDir(), "fleet.png")
	text := `{"fleet":{"workers":100,"jobs":50,"sleep_seconds":10,"settled_per_10s":[20,30],"rush_seconds":20,"handover_percentiles_ms":[0,5,9],"wait_percentiles_ms":[1,2,3]}}`
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{in, out}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			found = found || r>>8 == uint32(measured.R) && g>>8 == uint32(measured.G) && b>>8 == uint32(measured.B)
		}
	}
	if !found {
		t.Error("no curve is drawn")
	}
}

func TestNothingIsNotDrawn(t *testing.T) {
	in := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(in, []byte(`{"build":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{in, filepath.Join(t.TempDir(), "x.png")}); !errors.Is(err, errNothing) {
		t.Error(err)
	}
	if err := run(nil); !errors.Is(err, errUsage) {
		t.Error(err)
	}
}
