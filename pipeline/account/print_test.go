package account

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"veil/pipeline/decide"
	"veil/pipeline/track"
)

// printLimit is how long a browser may take for a page.
const printLimit = 2 * time.Minute

// printed is the text of a page as a browser prints it, and the sizes of its sheets in points.
func printed(t *testing.T, page string) (text string, sheets []string) {
	t.Helper()
	for _, tool := range []string{"chromium", "pdftotext", "pdfinfo"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: docker/install.sh test", tool)
		}
	}
	dir := t.TempDir()
	profile, err := os.MkdirTemp("", "veil-browser-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(profile) }() // a helper that is still dying may put a file back: no fault of what is tested
	in, out := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
	if err := os.WriteFile(in, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), printLimit)
		defer cancel()
		b, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(b)
	}
	run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
		"--disable-component-update", "--disable-dev-shm-usage", "--no-pdf-header-footer", "--user-data-dir="+profile,
		"--print-to-pdf="+out, "file://"+in)
	for _, m := range regexp.MustCompile(`Page +\d+ size: +([0-9.]+ x [0-9.]+)`).FindAllStringSubmatch(run("pdfinfo", "-l", "-1", out), -1) {
		sheets = append(sheets, m[1])
	}
	return run("pdftotext", "-layout", out, "-"), sheets
}

// TestPagesPrint: a browser prints every entry, with its umlauts, on sheets of A4, with the table's head on each.
func TestPagesPrint(t *testing.T) {
	var tracks []track.Track
	for id := 1; id <= 60; id++ {
		tracks = append(tracks, following(id, id, id+30, id))
	}
	in := input(t, tracks...)
	in.Policy.Name = "Auskunft Polizeipräsidium Süd"
	in.Policy.Grounds = grounds()
	text, sheets := printed(t, html(t, NewExemptions(decided(t, in), digest, Facts{Sound: SoundNone}), German))
	if len(sheets) < 3 {
		t.Fatalf("%d sheets", len(sheets))
	}
	for i, s := range sheets {
		var w, h float64
		if _, err := fmt.Sscanf(s, "%f x %f", &w, &h); err != nil || w < 841 || w > 843 || h < 594 || h > 596 {
			t.Errorf("sheet %d is %s points, not A4", i+1, s)
		}
	}
	if n := strings.Count(text, "Rechtsgrundlage"); n < len(sheets)-1 {
		t.Errorf("the table's head stands %d times on %d sheets", n, len(sheets))
	}
	for id := 1; id <= 60; id++ {
		if !regexp.MustCompile(fmt.Sprintf(`Spur %d\b`, id)).MatchString(text) {
			t.Errorf("track %d is not printed", id)
		}
	}
	for _, want := range []string{"Schwärzungsverzeichnis", "Polizeipräsidium Süd", "§ 22 KUG", "Recht am eigenen Bild", digest, "Warnschwelle"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	w := NewWorklist(worklistPlan(t), digest)
	text, _ = printed(t, html(t, w, German))
	for _, want := range []string{"Prüfliste", "J. Groß: hat eingewilligt <b>", "Lücke, aufgefüllt", "00:00:01.800"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	empty, err := decide.Shipped(decide.Press)
	if err != nil {
		t.Fatal(err)
	}
	in = input(t)
	in.Policy = empty
	if text, _ = printed(t, html(t, NewExemptions(decided(t, in), digest, Facts{Sound: SoundNone}), English)); !strings.Contains(text, "Nothing is withheld.") {
		t.Error("an empty log does not say so")
	}
}
