// Package screen shows people what happens to jobs and clips: a table of jobs that is kept up to date from the queue's events,
// and a bar for each stage of a clip. On a terminal it redraws, elsewhere it writes lines or JSON. It changes nothing and
// names no clip but by the name that it is given.
package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"veil/worker/jobs"
)

// liveScreen redraws a table with progress bars on a terminal.
type liveScreen struct {
	w     io.Writer
	size  func() (width, height int)
	lines int // drawn last
}

// terminal gives the size of w if it is one.
func terminal(w io.Writer) (func() (int, int), bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 20 || height < 4 {
			return 80, 24
		}
		return width, height
	}, true
}

func (s *liveScreen) show(all, _ []View) {
	width, height := s.size()
	var table bytes.Buffer
	fit := all[:min(len(all), height-3)]
	WriteTable(&table, fit, true)
	if left := len(all) - len(fit); left > 0 {
		fmt.Fprintf(&table, "and %d more\n", left)
	}
	var out bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&out, "\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = 0
	for line := range strings.Lines(table.String()) {
		line = strings.TrimRight(line, "\n ")
		out.WriteString(line[:min(len(line), width-1)] + "\n")
		s.lines++
	}
	_, _ = s.w.Write(out.Bytes())
}

func (s *liveScreen) close() {}

// lineScreen writes a line for each change but that of a percentage.
type lineScreen struct {
	w     io.Writer
	phase map[string]string
}

func (s *lineScreen) show(_, changed []View) {
	for _, v := range changed {
		now := fmt.Sprintf("%s %d.%d %s", v.Phase, v.Generation, v.Attempt, v.Stage)
		if s.phase[v.ID] == now {
			continue
		}
		s.phase[v.ID] = now
		line := fmt.Sprintf("%s %s %s", time.Now().UTC().Format(time.RFC3339), v.ID, v.Phase)
		if v.Phase == jobs.Running && v.Stage != "" {
			line += " " + v.Stage
		}
		if v.Code != "" && v.Phase != jobs.Running {
			line += " " + v.Code
		}
		fmt.Fprintln(s.w, line)
	}
}

func (s *lineScreen) close() {}

// jsonScreen writes each change as an object on a line.
type jsonScreen struct{ enc *json.Encoder }

func (s *jsonScreen) show(_, changed []View) {
	for _, v := range changed {
		_ = s.enc.Encode(v)
	}
}

func (s *jsonScreen) close() {}

// noScreen shows nothing.
type noScreen struct{}

func (noScreen) show(_, _ []View) {}

func (noScreen) close() {}

// Watching is the screen of a list that is an answer: it is never silent.
func Watching(w io.Writer, asJSON bool) Screen {
	if asJSON {
		return &jsonScreen{json.NewEncoder(w)}
	}
	if size, ok := terminal(w); ok {
		return &liveScreen{w: w, size: size}
	}
	return &lineScreen{w: w, phase: map[string]string{}}
}

// Waiting is progress beside another answer, on standard error: on a terminal, else silent.
func Waiting(w io.Writer) Screen {
	if size, ok := terminal(w); ok {
		return &liveScreen{w: w, size: size}
	}
	return noScreen{}
}
