package failure

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"veil/worker/jobs"
)

// TestEveryCodeHasWords: each code of docs/failures.md has cause and remedy in both languages, with the page's exit code.
func TestEveryCodeHasWords(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]) \\|").FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = true
		c, ok := texts[m[1]]
		if !ok {
			t.Errorf("%s has no words", m[1])
			continue
		}
		if exit, _ := strconv.Atoi(m[2]); exit != c.Exit {
			t.Errorf("%s ends with %d, the page says %d", m[1], c.Exit, exit)
		}
		for _, w := range []wording{c.EN, c.DE} {
			if len(w.Cause) < 10 || len(w.Remedy) < 10 || !strings.HasSuffix(w.Cause, ".") || !strings.HasSuffix(w.Remedy, ".") {
				t.Errorf("%s is told as %q", m[1], w)
			}
		}
		if c.EN.Cause == c.DE.Cause || c.EN.Remedy == c.DE.Remedy {
			t.Errorf("%s is told in one language", m[1])
		}
	}
	if len(told) < 30 {
		t.Fatalf("the page tells only %d codes", len(told))
	}
	for code := range texts {
		if !told[code] {
			t.Errorf("docs/failures.md does not tell %s", code)
		}
	}
}

func TestEveryOutcomeHasWords(t *testing.T) {
	for _, p := range jobs.Phases() {
		o := OutcomeOf(jobs.State{Phase: p, Code: "codec"})
		if p == jobs.Released {
			if o != (outcome{}) {
				t.Errorf("released is %+v", o)
			}
			continue
		}
		if o.Code == "" || o.Cause == "" || o.Remedy == "" || o.Exit == 0 {
			t.Errorf("%s is %+v", p, o)
		}
	}
	if o := OutcomeOf(jobs.State{Phase: jobs.Failed, Code: "of_a_newer_build"}); o.Code != "of_a_newer_build" || o.Exit != 1 || o.Cause == "" {
		t.Errorf("an unknown code is %+v", o)
	}
}
