package vision

import (
	"debug/elf"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// readPicture reads a picture into a BGR matrix, which the caller closes.
func readPicture(t testing.TB, path string) gocv.Mat {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	m, err := gocv.ImageToMatRGB(img)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return m
}

// TestNoForeignCodecs: OpenCV's windows, cameras and codecs are not even loaded.
func TestNoForeignCodecs(t *testing.T) {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(libraries, func(l string) bool { return strings.HasPrefix(l, "libopencv_"+name) })
	}
	if !has("core") || !has("dnn") {
		t.Fatalf("no OpenCV in %v", libraries)
	}
	for _, name := range []string{"highgui", "videoio", "imgcodecs"} {
		if has(name) {
			t.Errorf("%s is linked: see package leftout", name)
		}
	}
}

// TestLeftOutSaysSo: a function that is left out ends the process and says why.
func TestLeftOutSaysSo(t *testing.T) {
	const inside = "VEIL_TEST_LEFT_OUT"
	if os.Getenv(inside) != "" {
		m := gocv.IMRead("picture.png", gocv.IMReadColor)
		m.Close()
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestLeftOutSaysSo$")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "built without OpenCV's windows, cameras and codecs") {
		t.Errorf("%v, %.400s", err, out)
	}
}
