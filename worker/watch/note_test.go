package watch

import (
	"strings"
	"testing"

	"veil/worker/jobs"
)

// TestEveryNoteHasBothLanguages: and holds no line end of the clip's name.
func TestEveryNoteHasBothLanguages(t *testing.T) {
	for _, p := range jobs.Phases() {
		if p == jobs.Released {
			continue
		}
		note := noteText("a\nb", jobs.State{ID: "x", Phase: p, Code: "codec"})
		if !strings.Contains(note, "Ursache: ") || !strings.Contains(note, "Cause: ") || strings.Contains(note, "a\nb") {
			t.Errorf("the note of %s is %q", p, note)
		}
	}
}
