// Command gotest runs `go test -json` with its arguments and prints what a person needs: the package lines as they come,
// the output of what failed, and one closing line with the counts. Where CI is set, a skipped test is a failure.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

func main() {
	args := append([]string{"test", "-json", "-vet=off"}, os.Args[1:]...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	t := newTally(os.Stdout, os.Getenv("CI") != "")
	err = t.read(out)
	if waited := cmd.Wait(); err == nil {
		err = waited
	}
	os.Exit(t.close(err))
}

// tally counts the outcomes and keeps the output of tests until it is known how they end.
type tally struct {
	w       io.Writer
	strict  bool // a skip is a failure
	passed  int
	failed  int
	skipped []string
	open    map[string]map[string]*strings.Builder // output by package and test, of tests that have not ended
	broken  map[string]bool                        // packages with a failed test
}

func newTally(w io.Writer, strict bool) *tally {
	return &tally{w: w, strict: strict, open: map[string]map[string]*strings.Builder{}, broken: map[string]bool{}}
}

// read takes the whole stream. Lines that are no events are passed on.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				t.take(e)
			} else {
				t.w.Write(line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test: %w", err)
		}
	}
}

func (t *tally) take(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.w, e.Output)
	case "output":
		t.output(e)
	case "pass":
		if e.Test != "" {
			t.passed++
			delete(t.open[e.Package], e.Test)
		}
	case "skip":
		if e.Test != "" {
			t.skipped = append(t.skipped, e.Package+" "+e.Test+reason(t.buffer(e)))
			delete(t.open[e.Package], e.Test)
		}
	case "fail":
		t.fail(e)
	}
}

// output keeps a test's lines, and prints a package's own as they come ("ok", "FAIL", a panic, a data race).
func (t *tally) output(e event) {
	if e.Test != "" {
		t.buffer(e).WriteString(e.Output)
		return
	}
	if e.Output == "PASS\n" || e.Output == "FAIL\n" {
		return // the package line that follows says it
	}
	fmt.Fprint(t.w, e.Output)
}

// fail prints what the test said. A package that fails with no failed test (it did not build, or it crashed) counts as one
// failure, and what its unfinished tests had printed is shown.
func (t *tally) fail(e event) {
	if e.Test != "" {
		t.failed++
		t.broken[e.Package] = true
		fmt.Fprint(t.w, t.buffer(e).String())
		delete(t.open[e.Package], e.Test)
		return
	}
	for _, b := range t.open[e.Package] {
		fmt.Fprint(t.w, b.String())
	}
	delete(t.open, e.Package)
	if !t.broken[e.Package] {
		t.failed++
	}
}

func (t *tally) buffer(e event) *strings.Builder {
	if t.open[e.Package] == nil {
		t.open[e.Package] = map[string]*strings.Builder{}
	}
	b := t.open[e.Package][e.Test]
	if b == nil {
		b = &strings.Builder{}
		t.open[e.Package][e.Test] = b
	}
	return b
}

// close prints the skips and the counts and returns the exit status; err is how go test ended.
func (t *tally) close(err error) int {
	for _, s := range t.skipped {
		fmt.Fprintln(t.w, "skipped:", s)
	}
	failed, skips := t.failed, ""
	if t.strict && len(t.skipped) > 0 {
		fmt.Fprintln(t.w, "gotest: where CI is set a skipped test is a failure")
		failed += len(t.skipped)
	} else if len(t.skipped) > 0 {
		skips = fmt.Sprintf(", %d skipped", len(t.skipped))
	}
	if err != nil && failed == 0 {
		fmt.Fprintln(t.w, "gotest: go test:", err)
		failed++
	}
	if t.passed == 0 && failed == 0 {
		fmt.Fprintln(t.w, "gotest: no test ran")
		failed++
	}
	fmt.Fprintf(t.w, "%d passed, %d failed%s\n", t.passed, failed, skips)
	if failed > 0 {
		return 1
	}
	return 0
}

// reason is the line a test gave for its skip, as " (...)".
func reason(b *strings.Builder) string {
	for _, line := range strings.Split(b.String(), "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return " (" + line + ")"
		}
	}
	return ""
}
