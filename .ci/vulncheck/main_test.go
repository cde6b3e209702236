package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lay writes files below a folder of the test's own.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// someDatabase is a database that knows one vulnerability, of strings.ToUpper in every Go.
var someDatabase = map[string]string{
	"index/db.json":      `{"modified":"2026-01-01T00:00:00Z"}`,
	"index/modules.json": `[{"path":"stdlib","vulns":[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]}]`,
	"index/vulns.json":   `[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]`,
	"ID/GO-2026-0001.json": `{"schema_version":"1.3.1","id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z",
		"summary":"letters grow","details":"letters grow","affected":[{"package":{"name":"stdlib","ecosystem":"Go"},
		"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
		"ecosystem_specific":{"imports":[{"path":"strings","symbols":["ToUpper"]}]}}],
		"database_specific":{"url":"https://pkg.go.dev/vuln/GO-2026-0001","review_status":"REVIEWED"}}`,
}

// TestFindings holds that a vulnerability in code that is called fails the check, and that one in code that is not does not.
func TestFindings(t *testing.T) {
	db := "file://" + lay(t, someDatabase)
	for _, c := range []struct {
		name, call string
		code       int
		says       string
	}{
		{"called", `println(strings.ToUpper("x"))`, exitFound, "GO-2026-0001"},
		{"not called", `println(strings.ToLower("x"))`, 0, "vulncheck: clean"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			dir := lay(t, map[string]string{"go.mod": "module example\n\ngo 1.26.0\n",
				"main.go": "package main\n\nimport \"strings\"\n\nfunc main() { " + c.call + " }\n"})
			code, err := check{db: db, dir: dir, packages: []string{"./..."}, out: &out}.run(t.Context())
			if code != c.code || (err == nil) != (code == 0) || !strings.Contains(out.String(), c.says) {
				t.Errorf("%d, %v\n%s", code, err, out.String())
			}
		})
	}
}

// TestUnreachable holds that what was not checked is never told as checked.
func TestUnreachable(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	defer down.Close()
	for _, c := range []struct {
		name, db string
		offline  bool
		code     int
	}{
		{"nobody there", gone.URL, true, 0},
		{"no database there", down.URL, true, 0},
		{"nobody there, and it has to be", gone.URL, false, exitUnchecked},
		{"a copy that is none", "file://" + t.TempDir(), true, exitUnchecked},
		{"no URL", "vulndb", true, exitUnchecked},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			code, err := check{db: c.db, offlineOK: c.offline, packages: []string{"./..."}, out: &out}.run(t.Context())
			if code != c.code || (err == nil) != (code == 0) {
				t.Errorf("%d, %v", code, err)
			}
			if told := strings.Contains(out.String(), "NOT CHECKED"); told != (code == 0) || strings.Count(out.String(), "\n") > 1 {
				t.Errorf("says %q", out.String())
			}
		})
	}
	if err := reach(t.Context(), "file://"+lay(t, someDatabase)); err != nil {
		t.Error(err)
	}
	if err := reach(t.Context(), gone.URL); !errors.Is(err, errAway) {
		t.Error(err)
	}
}
