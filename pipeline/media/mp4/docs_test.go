package mp4

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestPageShowsTheAllowList holds docs/container.md to the rules, line by line and in their order.
func TestPageShowsTheAllowList(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "container.md"))
	if err != nil {
		t.Fatal(err)
	}
	var shown []Allowed
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(page), -1) {
		shown = append(shown, Allowed{Path: m[1], Count: m[2], About: m[3]})
	}
	want := AllowList()
	for i := range max(len(want), len(shown)) {
		switch {
		case i >= len(shown):
			t.Errorf("the page does not show %+v", want[i])
		case i >= len(want):
			t.Errorf("the page shows %+v, which is on no list", shown[i])
		case shown[i] != want[i]:
			t.Errorf("line %d of the table is %+v, want %+v", i+1, shown[i], want[i])
		}
	}
}
