package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms says which other rooms of the worker each one may use: always one that stands further up. The first ones know nothing
// of each other; package main introduces them. A new room gets a line here.
var rooms = []struct{ name, uses string }{
	{"jobs", ""},
	{"store", ""},
	{"seal", ""},
	{"evidence", "seal"},
	{"sandbox", ""},
	{"veil-verify", "seal evidence sandbox"},
	{"text", ""},
	{"failure", "jobs store text"},
	{"disk", "failure"},
	{"authority", "failure disk"},
	{"proof", "seal evidence failure disk"},
	{"room", "text"},
	{"capacity", "room"},
	{"metrics", "jobs failure"},
	{"screen", "jobs text failure"},
	{"child", "sandbox failure disk"},
	{"input", "failure disk"},
	{"access", "store"},
	{"retention", "jobs store seal access"},
	{"connect", "jobs store failure disk access"},
	{"policy", "jobs failure disk connect"},
	{"batch", "failure disk screen input"},
	{"intake", "jobs store failure disk access input connect policy"},
	{"archive", "jobs store seal failure disk access retention connect"},
	{"fetch", "jobs store seal failure disk retention connect archive"},
	{"casepage", "jobs store text failure disk screen connect archive"},
	{"watch", "jobs store text failure disk access input connect intake archive fetch"},
	{"e2e", "seal evidence"},
}

// TestRoomsAreUsedOneWay holds the imports of the worker's packages against the list.
func TestRoomsAreUsedOneWay(t *testing.T) {
	uses := map[string][]string{}
	for _, r := range rooms {
		for _, u := range strings.Fields(r.uses) {
			if _, above := uses[u]; !above {
				t.Errorf("the list lets %s use %s, which does not stand above it", r.name, u)
			}
		}
		uses[r.name] = strings.Fields(r.uses)
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "veil/worker/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	met := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		name := roomOf(imports[0])
		if name == "" {
			continue // package main uses them all
		}
		met[name] = true
		may, known := uses[name]
		if !known {
			t.Errorf("worker/%s has no line in the list of rooms", name)
			continue
		}
		for _, path := range imports[1:] {
			if other := roomOf(path); other != "" && other != name && !slices.Contains(may, other) {
				t.Errorf("%s imports %s: worker/%s may use only %q", imports[0], path, name, may)
			}
		}
	}
	for _, r := range rooms {
		if !met[r.name] {
			t.Errorf("there is no worker/%s any more: take its line away", r.name)
		}
	}
}

// roomOf is the room that a package belongs to; empty for package main and for what is not the worker's.
func roomOf(path string) string {
	rest, ok := strings.CutPrefix(path, "veil/worker/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}
