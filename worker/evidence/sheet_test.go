package evidence_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
)

// TestPageIsOneSheet: a browser prints the page, with a statement, every check and its umlauts, on one sheet of A4.
func TestPageIsOneSheet(t *testing.T) {
	for _, tool := range []string{"chromium", "pdftotext", "pdfinfo"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("%s is not installed: docker/install.sh test", tool)
		}
	}
	k := evidencetest.New(t)
	k.State(t, 1, seal.Withdrawal)
	r := verify(t, k, withOriginal(k), blind, func(r *evidence.Request) { r.Language = evidence.German })
	dir := t.TempDir()
	in, out := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	if err := r.WritePage(in); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		b, err := exec.CommandContext(t.Context(), name, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(b)
	}
	profile, err := os.MkdirTemp("", "veil-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(profile) }() // a helper that is still dying may put a file back: no fault of what is tested
	run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
		"--disable-component-update", "--disable-dev-shm-usage", "--no-pdf-header-footer", "--user-data-dir="+profile, "--print-to-pdf="+out, "file://"+in)
	if info := run("pdfinfo", out); !strings.Contains(info, "Pages:           1\n") || !strings.Contains(info, "(A4)") {
		t.Errorf("%s", info)
	}
	text := strings.Join(strings.Fields(run("pdftotext", "-layout", out, "-")), " ")
	for _, want := range []string{"Prüfung eines geschwärzten Videos", "WIDERRUFEN", "Byte für Byte", "Spätere Erklärungen", "bestanden"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed:\n%s", want, text)
		}
	}
}
