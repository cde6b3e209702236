package watch

import (
	"fmt"
	"os"
	"path"
	"strings"

	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/text"
)

// writeText writes the note beside a held or failed clip: what happened and what to do, in German and in English.
func (w *watcher) writeText(file string, t *ticket, state jobs.State) error {
	text := noteText(path.Base(t.Target), state)
	if err := disk.Write(disk.PartName(file), file, []byte(text)); err != nil {
		return failure.OfFile("write note", err)
	}
	_ = os.Chmod(file, w.mode&0o666) // a network file system may know no modes
	return nil
}

// noteText is the note. Its lines end as every editor in an office can read them.
func noteText(name string, state jobs.State) string {
	o := failure.OutcomeOf(state)
	c := failure.TextOf(o.Code)
	id := state.ID
	if id == "" {
		id = "-"
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(text.Printable(fmt.Sprintf(format, args...)) + "\r\n") }
	line("veil: %s", name)
	line("Auftrag / Job: %s", id)
	line("Code: %s", o.Code)
	line("")
	line("Deutsch")
	line("Ursache: %s", c.DE.Cause)
	line("Was tun: %s", c.DE.Remedy)
	line("")
	line("English")
	line("Cause: %s", c.EN.Cause)
	line("What to do: %s", c.EN.Remedy)
	if state.Phase == jobs.Held {
		line("")
		line("veil decide %s --dismiss F1 --reason \"...\" --by \"...\"", id)
		line("veil decide %s --region X,Y,W,H@FROM-TO --reason \"...\" --by \"...\"", id)
	}
	return b.String()
}
