package seal_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImportsNothingButTheStandardLibrary: whoever checks evidence in years needs a Go compiler and no other project.
func TestImportsNothingButTheStandardLibrary(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	if got := strings.Fields(string(out)); len(got) != 1 || got[0] != "veil/worker/seal" {
		t.Errorf("imports %v", got)
	}
}
