package e2e_test

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veil/pipeline/media/mp4"
	"veil/pipeline/media/tagtest"
)

// containersTable holds, for each file of the collection: whether plain ffmpeg decodes it whole and without a word ("clean") or
// not ("bad"), veil's exit code, and for codes but 0 a part of what it says and, for clean files, why that is right.
//
//go:embed testdata/containers.tsv
var containersTable string

const (
	// cleanFiles is how many files plain ffmpeg 5.1 decodes whole and without a word.
	cleanFiles = 72
	// maxExceptions is how many clean files may end in a refusal.
	maxExceptions = 5
	// containerTime is how much processor time one file may take, in all its processes.
	containerTime = 2 * time.Minute
)

// container is one row of the table.
type container struct {
	file, plain string
	exit        int
	says, why   string
}

// containers reads the table.
func containers(t *testing.T) []container {
	t.Helper()
	var list []container
	for line := range strings.Lines(containersTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 || len(f[2]) != 1 || f[2] < "0" || f[2] > "5" || f[1] != "clean" && f[1] != "bad" {
			t.Fatalf("row %q makes no sense", line)
		}
		list = append(list, container{file: f[0], plain: f[1], exit: int(f[2][0] - '0'), says: f[3], why: f[4]})
	}
	return list
}

// collection finds the folder of containers beside the checkout. Without it a laptop skips, CI fails.
func collection(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(root, "..", "shared", "footage", "containers")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no collection of containers beside the checkout")
	}
	return dir
}

// TestContainersTable holds the table against itself: clean files are redacted but for a few, each with its reason, and all
// others are refused as unsupported in words.
func TestContainersTable(t *testing.T) {
	t.Parallel()
	exceptions, clean := 0, 0
	for _, c := range containers(t) {
		fine := c.exit == exitReleased || c.exit == exitHeld
		switch {
		case c.plain == "clean" && !fine:
			exceptions++
			if c.why == "" || c.exit != exitUnsupported {
				t.Errorf("%s: exit %d without a reason", c.file, c.exit)
			}
		case c.plain == "bad" && c.exit != exitUnsupported && !fine:
			t.Errorf("%s: exit %d", c.file, c.exit)
		}
		if c.plain == "clean" {
			clean++
		}
		if (c.says == "") != (c.exit == exitReleased) {
			t.Errorf("%s: exit %d says %q", c.file, c.exit, c.says)
		}
	}
	if clean != cleanFiles || exceptions > maxExceptions {
		t.Errorf("%d clean files with %d exceptions", clean, exceptions)
	}
}

// TestContainers redacts every file of the collection.
func TestContainers(t *testing.T) {
	t.Parallel()
	dir := collection(t)
	names := filesBelow(t, dir)
	table := containers(t)
	for _, name := range names {
		if !strings.HasSuffix(name, ".gt.json") && !slices.ContainsFunc(table, func(c container) bool { return c.file == name }) {
			t.Errorf("%s is not in the table", name)
		}
	}
	for _, c := range table {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			out := p.path("out.mp4")
			r := p.within(t, 5*hang, program, "redact", "--effort", "fast", "-o", out, "--", filepath.Join(dir, c.file))
			t.Logf("%.1f s, %.1f s of processor time", r.took.Seconds(), r.cpu.Seconds())
			if r.cpu > containerTime {
				t.Errorf("took %v of processor time", r.cpu)
			}
			if r.code != c.exit || !strings.Contains(r.out+r.err, c.says) {
				t.Errorf("ended with %d instead of %d, without %q: %s%s", r.code, c.exit, c.says, r.out, r.err)
			}
			want := []string{".scratch/lock"}
			switch r.code {
			case exitReleased:
				want = append(append(want, "out.mp4"), setBeside("out.mp4")...)
				everyByte(t, out)
			case exitHeld:
				want = append(append(want, "out.held.mp4"), setBeside("out.held.mp4")...)
				everyByte(t, p.path("out.held.mp4"))
			default:
				oneLine(t, r, c.exit)
			}
			slices.Sort(want)
			if names := filesBelow(t, p.dir); !slices.Equal(names, want) {
				t.Errorf("files are left: %q", names)
			}
			p.clean(t)
		})
	}
}

// everyByte holds a derivative against the allow-list for its container, once more and apart from the program; with
// VEIL_TEST_TAGS also what exiftool and mediainfo find in it against the list of their tags (make rerender).
func everyByte(t *testing.T, path string) {
	t.Helper()
	b := read(t, path)
	a, err := mp4.Walk(bytes.NewReader(b), int64(len(b)), mp4.Derivative())
	if err != nil || !a.Clean() || a.Frames == 0 {
		t.Errorf("%d frames, %v, %v", a.Frames, a.Findings, err)
	}
	if os.Getenv("VEIL_TEST_TAGS") != "" {
		tagtest.Check(t, filepath.Join(root, "docs", "container.md"), path)
	}
}
