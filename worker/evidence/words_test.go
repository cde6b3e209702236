package evidence

import (
	"regexp"
	"slices"
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
