package e2e_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// table is what a batch answers with --json.
type table struct {
	Exit  int `json:"exit"`
	Clips []struct {
		Clip, Outcome, Cause, Derivative string
		Earlier                          bool
	} `json:"clips"`
}

// batch redacts a folder and reads the table.
func (p *place) batch(t *testing.T, code int, args ...string) table {
	t.Helper()
	r := p.must(t, code, append([]string{"redact", "in", "-o", "out", "--effort", "fast", "--json"}, args...)...)
	var x table
	if err := json.Unmarshal([]byte(r.out), &x); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	if x.Exit != code {
		t.Errorf("the table's code is %d", x.Exit)
	}
	return x
}

// clipsFolder makes four clips, two of which want the same name, and one that is none.
func clipsFolder(t *testing.T, p *place) {
	t.Helper()
	for _, dir := range []string{"in/sub", "out"} {
		if err := os.MkdirAll(p.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	simpleClip(t, p.path("in/a.mp4"), 12, oneFace)
	makeClip(t, 13, twoFaces, with(h264, p.path("in/a.mov"))...)
	write(t, p.path("in/b.mp4"), []byte("this is no clip"))
	simpleClip(t, p.path("in/sub/a.mp4"), 14, oneFace)
	makeClip(t, 15, noFace, with(h264, p.path("in/z.mkv"))...)
	write(t, p.path("in/notes.txt"), []byte("no clip by its name"))
}

// TestInterruptedBatchGoesOn ends a batch when its first clip is done, and starts it again: nothing is done twice, nothing is
// left out, a clip that is none stops no other, and equal names do not clash (U10, U11).
func TestInterruptedBatchGoesOn(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := newPlace(t)
			clipsFolder(t, p)
			first := p.path("out/a.mov.mp4") // the table's order is that of the names
			p.endOnce(t, sig, first)
			before, digestBefore := stat(t, first), digest(read(t, first))
			x := p.batch(t, exitUnsupported)
			if len(x.Clips) != 6 {
				t.Fatalf("%d rows: %+v", len(x.Clips), x.Clips)
			}
			for _, row := range x.Clips {
				want := "released"
				switch row.Clip {
				case "b.mp4":
					want = "failed"
				case "notes.txt":
					want = "skipped"
				}
				if row.Outcome != want || row.Earlier != (row.Clip == "a.mov") {
					t.Errorf("%s: %s (earlier %v): %s", row.Clip, row.Outcome, row.Earlier, row.Cause)
				}
			}
			after := stat(t, first)
			if !after.ModTime().Equal(before.ModTime()) || after.Sys().(*syscall.Stat_t).Ino != before.Sys().(*syscall.Stat_t).Ino || digest(read(t, first)) != digestBefore {
				t.Error("what was done was done again")
			}
			p.holdsAll(t)
			// Once more: nothing is left to do.
			for _, row := range p.batch(t, exitUnsupported).Clips {
				if row.Outcome == "released" && !row.Earlier {
					t.Errorf("%s was done twice", row.Clip)
				}
			}
			p.clean(t)
		})
	}
}

// endOnce starts a batch and ends it once a derivative is recorded as finished.
func (p *place) endOnce(t *testing.T, sig syscall.Signal, finished string) {
	t.Helper()
	cmd := p.command(t.Context(), program, "redact", "in", "-o", "out", "--effort", "fast", "--progress", "json")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	record := p.path("out/.veil/a.mov.mp4.json")
	for deadline := time.Now().Add(hang); ; time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(record)
		if bytes.Contains(b, []byte(`"released"`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%s is not finished", finished)
			break
		}
	}
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait()
	p.noProcess(t)
	if sig == syscall.SIGINT {
		p.emptyScratch(t)
		if code := cmd.ProcessState.ExitCode(); code != exitFailed {
			t.Errorf("interrupted, it ended with %d: %s", code, said.String())
		}
		if !strings.Contains(said.String(), "not started") {
			t.Errorf("the table does not tell what was not started: %s", said.String())
		}
	}
}

// holdsAll fails the test unless the output folder holds a derivative of each clip, with its frames, and nothing else.
func (p *place) holdsAll(t *testing.T) {
	t.Helper()
	frames := map[string]int{"a.mp4": 12, "a.mov.mp4": 13, "sub/a.mp4": 14, "z.mp4": 15}
	var names, beside []string
	for name := range frames {
		beside = append(beside, setBeside(name)...)
	}
	for _, name := range filesBelow(t, p.path("out")) {
		if strings.HasPrefix(name, ".veil/") || slices.Contains(beside, name) {
			continue
		}
		names = append(names, name)
		if n := len(stampsOf(t, p.path("out/"+name))); n != frames[name] {
			t.Errorf("%s has %d frames instead of %d", name, n, frames[name])
		}
	}
	if len(names) != len(frames) {
		t.Errorf("the output holds %q", names)
	}
	if records := filesBelow(t, p.path("out/.veil")); slices.ContainsFunc(records, func(s string) bool { return strings.HasSuffix(s, ".tmp") }) {
		t.Errorf("records left half written: %q", records)
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestBatchDoesAgainWhatChanged changes the policy, a source and a derivative between runs.
func TestBatchDoesAgainWhatChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := os.MkdirAll(p.path("in"), 0o755); err != nil {
		t.Fatal(err)
	}
	simpleClip(t, p.path("in/a.mp4"), 5, noFace)
	simpleClip(t, p.path("in/b.mp4"), 6, noFace)
	again := func(want ...string) {
		t.Helper()
		var done []string
		for _, row := range p.batch(t, exitReleased).Clips {
			if !row.Earlier {
				done = append(done, row.Clip)
			}
		}
		if !slices.Equal(done, want) {
			t.Errorf("did %q, want %q", done, want)
		}
	}
	again("a.mp4", "b.mp4")
	again()
	simpleClip(t, p.path("in/b.mp4"), 7, noFace)
	again("b.mp4")
	b := read(t, p.path("out/a.mp4"))
	b[len(b)/2] ^= 1
	write(t, p.path("out/a.mp4"), b)
	again("a.mp4")
	p.extra = []string{"VEIL_FILL=solid"}
	again("a.mp4", "b.mp4")
}
