package media

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shownTags reads from docs/container.md which tags a reader may show.
func shownTags(t *testing.T, reader string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "container.md"))
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, m := range regexp.MustCompile(`(?m)^\| `+reader+` \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(page), -1) {
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

// TestTagReadersShowNothingElse holds what exiftool and mediainfo find in a derivative against the page, in each profile, with
// sound and without.
func TestTagReadersShowNothingElse(t *testing.T) {
	exif, info := shownTags(t, "exiftool"), shownTags(t, "mediainfo")
	check := func(t *testing.T, path string) {
		t.Helper()
		for reader, found := range map[string]map[string]string{"exiftool": exifTags(t, path), "mediainfo": mediaTags(t, path)} {
			allowed := exif
			if reader == "mediainfo" {
				allowed = info
			}
			if len(found) < 20 {
				t.Errorf("%s finds %d tags", reader, len(found))
			}
			for name, value := range found {
				if !slices.Contains(allowed, name) || strings.Contains(value, canary) {
					t.Errorf("%s shows %s: %q", reader, name, value)
				}
				if date := strings.Trim(value, "0: "); strings.HasSuffix(name, "Date") && date != "" {
					t.Errorf("%s shows a time: %s %q", reader, name, value)
				}
			}
		}
	}
	tl := tools(t)
	for _, name := range []string{"vfr with B-frames", "interlaced bff", "4:2:2 ten bit", "anamorphic", "HDR"} {
		i := slices.IndexFunc(sourceClips, func(c sourceClip) bool { return c.name == name })
		path := sourceClips[i].make(t)
		p, err := Inspect(t.Context(), tl, path, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range []string{Press, Court, Lossless} {
			target, err := NewTarget(p, profile)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name+" "+profile, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "out.mp4")
				encodeView(t, tl, EncodeOptions{Target: target, Probe: p, Out: out}, decodeView(t, tl, path, p, target.View))
				check(t, out)
			})
		}
	}
	for _, c := range soundCases[2:8] {
		t.Run(c.name, func(t *testing.T) {
			out, _ := render(t, c.make(t, signal), AudioOptions{})
			check(t, out)
		})
	}
}
