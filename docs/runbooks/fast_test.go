package runbooks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPagesAreTyped: every page with commands has a test that opens it, and the index names it.
func TestPagesAreTyped(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range tests {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(b)
	}
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		if name != "README.md" && (!strings.Contains(code.String(), `.open("`+name+`")`) || !strings.Contains(string(index), "]("+name+")")) {
			t.Errorf("no test types %s, or README.md does not name it", name)
		}
	}
	// The settings of README.md are the names that the tests fill in otherwise.
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=/`).FindAllStringSubmatch(string(index), -1) {
		if !strings.Contains(code.String(), `"`+m[1]+`="`) {
			t.Errorf("the tests do not set %s", m[1])
		}
	}
}

// TestQueueLost deletes the queue's files: what was answered stays answered and does not run again, what waited is done.
func TestQueueLost(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	h.submit("done", 1)
	h.released("done")
	h.command("systemctl", "stop", "veil-worker@1")
	h.submit("waiting", 3)
	before := h.results()
	h.command("systemctl", "stop", "veil-nats")
	if err := os.RemoveAll(h.path("nats/jetstream")); err != nil {
		t.Fatal(err)
	}
	p := h.open("jetstream.md")
	p.do("Check")
	p.do("What to type")
	h.released("done", "waiting")
	if out := p.do("How you know that it worked"); !strings.Contains(out, "waiting") || !strings.Contains(out, "done") {
		t.Errorf("%s", out)
	}
	h.unchanged(before, "done")
}

// TestDeadLetters: one of two failed jobs is mended and tried again, the other one dropped.
func TestDeadLetters(t *testing.T) {
	h := newHouse(t, false)
	h.command("systemctl", "start", "veil.target")
	for _, id := range []string{"a-broken", "b-broken"} {
		h.write(id+".mp4", "this is no clip at all, of "+id)
		h.command("veil-here", "submit", h.path(id+".mp4"), "--id", id)
	}
	h.until(map[string]string{"a-broken": "failed", "b-broken": "failed"})
	p := h.open("dead-letters.md")
	if out := p.do("Check"); !strings.Contains(out, "unreadable") {
		t.Errorf("%s", out)
	}
	// The cause is mended: a store's operator puts the right bytes there.
	h.command("systemctl", "stop", "veil-worker@1")
	p.do("What to type")
	if out := p.do("How you know that it worked"); !strings.Contains(out, "no dead letters") || strings.Contains(out, "a-broken") || !strings.Contains(out, "b-broken") {
		t.Errorf("%s", out)
	}
	if phase := h.phases()["a-broken"]; phase != "queued" {
		t.Errorf("the one that was requeued is %s", phase)
	}
}
