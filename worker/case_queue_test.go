package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"veil/worker/casepage"
	"veil/worker/failure"
	"veil/worker/jobs"
)

func TestCasePageWithHostileText(t *testing.T) {
	h := newHouse(t)
	h.work()
	evil := `"><script src=//evil.example/x.js></script>{{.}}`
	name := `=HYPERLINK("http://evil.example","ST/1")`
	one := h.submit("ok", "--case", name, "--requester", evil, "--purpose", "+49 30 1234;=1+1", "--deadline", "2001-01-01")
	h.phase(one, jobs.Released)
	two := h.submit("fail codec", "--case", name, "--requester", "@SUM(A1)", "--purpose=-2+3")
	h.phase(two, jobs.Failed)
	three := h.submit("wait door", "--case", name, "--purpose", "<img src=x onerror=alert(1)>")
	h.phase(three, jobs.Running)
	h.submit("ok", "--case", "another")

	dir := t.TempDir()
	contains(t, h.want(0, "case", name, "-o", dir), "1 released", "1 failed", "1 running")
	page := appears(t, filepath.Join(dir, "index.html"))
	for _, bad := range []string{"<script", "<img", "src=", "href=", "another"} {
		if strings.Contains(page, bad) && bad != "src=" || bad == "src=" && regexp.MustCompile(`<[^>]* src=`).MatchString(page) {
			t.Errorf("the page holds %s", bad)
		}
	}
	contains(t, page, "Restricted", one, two, three, "&lt;script", failure.TextOf("codec").EN.Cause, "release/"+one, "(late)", "not known: only ")

	table := appears(t, filepath.Join(dir, "cases.csv"))
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		for i, cell := range row {
			for part := range strings.SplitSeq(cell, ";") {
				if strings.ContainsAny(part[:min(1, len(part))], "=+-@") {
					t.Errorf("column %s begins with a formula's sign: %s", rows[0][i], cell)
				}
			}
		}
	}
	if rows[1][0] != "'"+name {
		t.Errorf("the case is %s", rows[1][0])
	}
	for _, f := range []string{"index.html", "cases.csv"} {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}

	// Again replaces both; something else is left alone.
	h.want(0, "case", name, "-o", dir)
	h.file(filepath.Join(dir, "index.html"), "my notes")
	h.want(1, "case", name, "-o", dir)
	h.want(2, "case", "nobody", "-o", t.TempDir())
	var answer struct{ Clips []casepage.Row }
	if err := json.Unmarshal([]byte(h.want(0, "case", name, "-o", t.TempDir(), "--json")), &answer); err != nil || len(answer.Clips) != 3 {
		t.Errorf("%+v, %v", answer, err)
	}
	close(h.gate("door"))
	h.phase(three, jobs.Released)
}
