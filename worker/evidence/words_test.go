package evidence

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[a-z0-9]+\}`)

// TestEveryCodeSpeaksBothLanguages, with the same arguments.
func TestEveryCodeSpeaksBothLanguages(t *testing.T) {
	for code, p := range phrases {
		if p[0] == "" || p[1] == "" || (p[0] == p[1] && code != "pictures_same") {
			t.Errorf("%s: %q", code, p)
		}
		en, de := placeholder.FindAllString(p[0], -1), placeholder.FindAllString(p[1], -1)
		slices.Sort(en)
		slices.Sort(de)
		if !slices.Equal(en, de) {
			t.Errorf("%s: %v and %v", code, en, de)
		}
	}
	for name, p := range labels {
		if p[0] == "" || p[1] == "" {
			t.Errorf("%s: %q", name, p)
		}
	}
}

// TestDocsNameEveryCode: whoever writes a verifier from the page finds each.
func TestDocsNameEveryCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	for code := range phrases {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("docs/evidence.md does not name %s", code)
		}
	}
	for _, name := range order {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/evidence.md does not name the check %s", name)
		}
	}
}
