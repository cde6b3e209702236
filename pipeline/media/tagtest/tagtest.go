// Package tagtest holds what two programs of other people, exiftool and mediainfo, find in a derivative against the list in
// docs/container.md. It is for tests; where a program is missing a laptop skips and CI fails.
package tagtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shownTags reads from a page which tags a reader may show.
func shownTags(t *testing.T, page, reader string) []string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, m := range regexp.MustCompile(`(?m)^\| `+reader+` \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(b), -1) {
		tags = append(tags, strings.Split(m[1], ", ")...)
	}
	if len(tags) < 20 {
		t.Fatalf("docs/container.md lists %d tags of %s", len(tags), reader)
	}
	return tags
}

// reader runs a program of other people that shows the tags of a file, and gives its JSON.
func reader(t *testing.T, out any, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("%s is missing: `make test` installs it", name)
	}
	b, err := exec.Command(name, args...).Output()
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
}

// exifTags are the tags that exiftool finds in a file, unknown ones included, without what it tells of the file system.
func exifTags(t *testing.T, path string) map[string]string {
	t.Helper()
	var list []map[string]any
	reader(t, &list, "exiftool", "-json", "-a", "-u", "-U", "-G0:1:4", path)
	tags := map[string]string{}
	for name, value := range list[0] {
		parts := strings.Split(name, ":")
		if strings.HasPrefix(name, "File:System") || strings.HasPrefix(name, "ExifTool") || name == "SourceFile" {
			continue
		}
		tags[parts[len(parts)-1]] += fmt.Sprint(value)
	}
	return tags
}

// mediaTags are the tags that mediainfo finds.
func mediaTags(t *testing.T, path string) map[string]string {
	t.Helper()
	var all struct {
		Media struct {
			Track []map[string]any `json:"track"`
		} `json:"media"`
	}
	reader(t, &all, "mediainfo", "--Output=JSON", path)
	tags := map[string]string{}
	for _, track := range all.Media.Track {
		for name, value := range track {
			if extra, ok := value.(map[string]any); ok {
				for k, v := range extra {
					tags[k] += fmt.Sprint(v)
				}
				continue
			}
			if !strings.HasPrefix(name, "File_") && !strings.HasPrefix(name, "@") { // the file system's, and the kind of stream
				tags[name] += fmt.Sprint(value)
			}
		}
	}
	return tags
}

// Check holds what both programs find in a file against the page: no other tag, no time but zero, and none of the words.
func Check(t *testing.T, page, path string, words ...string) {
	t.Helper()
	for reader, found := range map[string]map[string]string{"exiftool": exifTags(t, path), "mediainfo": mediaTags(t, path)} {
		allowed := shownTags(t, page, reader)
		if len(found) < 20 {
			t.Errorf("%s finds %d tags", reader, len(found))
		}
		for name, value := range found {
			if !slices.Contains(allowed, name) || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(value, w) }) {
				t.Errorf("%s shows %s: %q", reader, name, value)
			}
			if date := strings.Trim(value, "0: "); strings.HasSuffix(name, "Date") && date != "" {
				t.Errorf("%s shows a time: %s %q", reader, name, value)
			}
		}
	}
}
