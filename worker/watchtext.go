package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	"veil/worker/jobs"
	"veil/worker/text"
)

// writeText writes the note beside a held or failed clip: what happened and what to do, in German and in English.
func (w *watcher) writeText(file string, t *ticket, state jobs.State) error {
	text := noteText(path.Base(t.Target), state)
	if err := writeFile(partName(file), file, []byte(text)); err != nil {
		return err
	}
	_ = os.Chmod(file, w.mode&0o666) // a network file system may know no modes
	return nil
}

// noteText is the note. Its lines end as every editor in an office can read them.
func noteText(name string, state jobs.State) string {
	o := outcomeOf(state)
	c := causeOf(o.code)
	id := state.ID
	if id == "" {
		id = "-"
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(text.Printable(fmt.Sprintf(format, args...)) + "\r\n") }
	line("veil: %s", name)
	line("Auftrag / Job: %s", id)
	line("Code: %s", o.code)
	line("")
	line("Deutsch")
	line("Ursache: %s", c.de.cause)
	line("Was tun: %s", c.de.remedy)
	line("")
	line("English")
	line("Cause: %s", c.en.cause)
	line("What to do: %s", c.en.remedy)
	if state.Phase == jobs.Held {
		line("")
		line("veil decide %s --dismiss F1 --reason \"...\" --by \"...\"", id)
		line("veil decide %s --region X,Y,W,H@FROM-TO --reason \"...\" --by \"...\"", id)
	}
	return b.String()
}
