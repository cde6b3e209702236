package input

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// named gives the derivatives' names by the sources' labels.
func named(t *testing.T, taken map[string]string, labels ...string) map[string]string {
	t.Helper()
	var sources []Source
	for _, l := range labels {
		sources = append(sources, Source{Path: "/in/" + l, Label: l})
	}
	if err := Assign(sources, taken); err != nil {
		t.Fatalf("%v: %v", labels, err)
	}
	got := map[string]string{}
	for _, s := range sources {
		got[s.Label] = s.Out
	}
	return got
}

func TestAssign(t *testing.T) {
	tests := []struct {
		name  string
		taken map[string]string
		want  map[string]string
	}{
		{"alone", nil, map[string]string{"a.mov": "a.mp4", "d/b.mp4": "d/b.mp4", "noext": "noext.mp4"}},
		{"two endings", nil, map[string]string{"a.mov": "a.mov.mp4", "a.avi": "a.avi.mp4"}},
		{"an mp4 keeps its name", nil, map[string]string{"a.mov": "a.mov.mp4", "a.mp4": "a.mp4"}},
		{"folders apart", nil, map[string]string{"x/a.mov": "x/a.mp4", "y/a.avi": "y/a.mp4"}},
		{"case only", nil, map[string]string{"A.mov": "A.mov.mp4", "a.mp4": "a.mp4"}},
		{"a held name", nil, map[string]string{"a.mov": "a.mov.mp4", "a.held.mov": "a.held.mov.mp4"}},
		{"known before", map[string]string{"a.mp4": "a.mov"}, map[string]string{"a.mov": "a.mp4", "a.mp4": "a.mp4.mp4", "a.avi": "a.avi.mp4"}},
		{"of one that is gone", map[string]string{"a.mp4": "a.mov"}, map[string]string{"a.avi": "a.avi.mp4"}},
		{"an input named like a way out", nil, map[string]string{"a.mov": "a.mov." + short("/in/a.mov") + ".mp4", "a.mp4": "a.mp4", "a.mov.mp4": "a.mov.mp4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var labels []string
			for l := range tt.want {
				labels = append(labels, l)
			}
			if diff := cmp.Diff(tt.want, named(t, tt.taken, labels...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAssignIsStable: names never clash, do not depend on the order, and stay when clips are added later.
func TestAssignIsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	stems, endings := []string{"a", "A", "a.held", "a.mov", "b"}, []string{".mp4", ".mov", ".avi", ".mp4.mp4", ""}
	for round := range 300 {
		var labels []string
		for _, s := range stems {
			for _, e := range endings {
				if r.IntN(3) == 0 && s+e != "" {
					labels = append(labels, s+e)
				}
			}
		}
		labels = uniq(labels)
		first := named(t, nil, labels[:len(labels)/2]...)
		r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		all := named(t, nil, labels...)
		r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		if diff := cmp.Diff(all, named(t, nil, labels...)); diff != "" {
			t.Fatalf("round %d: order matters: %s", round, diff)
		}
		taken := map[string]string{}
		for l, out := range first {
			taken[out] = l
		}
		later := named(t, taken, labels...)
		for l, out := range first {
			if later[l] != out {
				t.Fatalf("round %d: %s went from %s to %s", round, l, out, later[l])
			}
		}
		for _, names := range []map[string]string{all, later} {
			owner := map[string]string{}
			for l, out := range names {
				for _, c := range claims(out) {
					if o, ok := owner[c]; ok && o != l {
						t.Fatalf("round %d: %s and %s both claim %s", round, o, l, c)
					}
					owner[c] = l
				}
			}
		}
	}
}

func uniq(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func TestAssignTellsSameNamesApart(t *testing.T) {
	sources := []Source{{Path: "/x/a.mp4", Label: "a.mp4"}, {Path: "/y/a.mp4", Label: "a.mp4"}}
	if err := Assign(sources, nil); err != nil || sources[0].Out == sources[1].Out {
		t.Errorf("%+v, %v", sources, err)
	}
}

func TestGather(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.mp4", "d/b.MOV", "d/notes.txt", ".hidden.mp4", ".h/c.mp4", "out/old.mp4", "d/odd\nname .mkv"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "link.mp4")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(root, "out")
	list := func(inputs ...string) string {
		sources, err := Gather(inputs, out)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range sources {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%q %s", s.Label, s.Skip)))
		}
		return strings.Join(lines, "\n")
	}
	want := `"a.mp4"
"d/b.MOV"
"d/notes.txt" no video by its name
"d/odd\nname .mkv"
"link.mp4" a link to nothing
"loop" a link to a folder`
	if diff := cmp.Diff(want, list(root)); diff != "" {
		t.Error(diff)
	}
	name := filepath.Base(root)
	if got := list(root, filepath.Join(root, "a.mp4"), root); !strings.Contains(got, fmt.Sprintf("%q", name+"/a.mp4")) || !strings.HasPrefix(strings.TrimSpace(got), `"`) {
		t.Errorf("several inputs: %s", got)
	}
	if _, err := Gather([]string{out}, out); err == nil {
		t.Error("the output folder was taken as input")
	}
}
