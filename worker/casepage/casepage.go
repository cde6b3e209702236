// Package casepage tells what became of each clip of a case: a page that works without a network, and a table for a
// spreadsheet. Both name the case and are for its owner's eyes; everything that somebody wrote is escaped for where it stands.
package casepage

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"veil/pipeline/account"
	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/screen"
)

//go:embed case.html
var page string

// pages makes HTML of a case; everything that somebody wrote is escaped for where it stands.
var pages = template.Must(template.New("case").Parse(page))

// View is what the page shows.
type View struct {
	Case   string
	Time   string
	Counts []tally
	Rows   []Row
}

type tally struct {
	Phase jobs.Phase
	N     int
}

// Row is one clip of the case.
type Row struct {
	ID        string     `json:"id"`
	Clip      string     `json:"clip"`
	Phase     jobs.Phase `json:"phase"`
	Since     string     `json:"since"`
	Code      string     `json:"code,omitempty"`
	Cause     string     `json:"cause,omitempty"`
	Remedy    string     `json:"remedy,omitempty"`
	Where     []string   `json:"where,omitempty"`
	Expected  string     `json:"expected,omitempty"`
	Submitted string     `json:"submitted"`
	Deadline  string     `json:"deadline,omitempty"`
	Late      bool       `json:"late,omitempty"`
	Requester string     `json:"requester,omitempty"`
	Purpose   string     `json:"purpose,omitempty"`
}

// Write puts page and table into a folder, over earlier ones of the same kind but over nothing else.
func (v View) Write(dir string) error {
	var page bytes.Buffer
	if err := pages.Execute(&page, v); err != nil {
		return fmt.Errorf("write case page: %w", err)
	}
	table, err := table(v)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"index.html", page.Bytes()}, {"cases.csv", table}} {
		if err := replaceOwn(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// Gather gathers a case.
func Gather(ctx context.Context, s *connect.Service, name string) (View, error) {
	v := View{Case: name, Time: time.Now().Local().Format("2006-01-02 15:04 MST")}
	var all, mine []jobs.State
	err := s.Queue.States(ctx, func(st jobs.State) bool {
		if CaseOf(st) == name {
			mine = append(mine, st)
		}
		st.Job = nil // thousands of other jobs are only counted
		all = append(all, st)
		return true
	})
	if err != nil {
		return v, err
	}
	if len(mine) == 0 {
		return v, failure.Coded(failure.NoJob, "the case has no jobs")
	}
	slices.SortFunc(mine, func(a, b jobs.State) int {
		if d := a.Submitted.Compare(b.Submitted); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	sp, err := measureSpeed(ctx, s, all)
	if err != nil {
		return v, err
	}
	count := map[jobs.Phase]int{}
	for _, st := range mine {
		row, err := rowOf(st)
		if err != nil {
			return v, err
		}
		row.Expected = sp.expected(st.Phase, aheadOf(all, st))
		v.Rows = append(v.Rows, row)
		count[st.Phase]++
	}
	for _, p := range jobs.Phases() {
		if count[p] > 0 {
			v.Counts = append(v.Counts, tally{p, count[p]})
		}
	}
	return v, nil
}

// rowOf is one clip in the words of the page.
func rowOf(st jobs.State) (Row, error) {
	j, err := st.Decoded()
	if err != nil {
		return Row{}, err
	}
	r := Row{ID: st.ID, Clip: "s3://" + j.Source.Bucket + "/" + j.Source.Key, Phase: st.Phase, Since: st.Updated.Local().Format("2006-01-02 15:04"),
		Submitted: st.Submitted.Local().Format("2006-01-02 15:04"), Requester: j.Requester, Purpose: j.Purpose}
	if j.Source.Bucket == connect.IncomingBucket {
		r.Clip = "handed in as a file, SHA-256 " + j.Source.SHA256
	}
	if st.Phase.Final() && st.Phase != jobs.Released {
		o := failure.OutcomeOf(st)
		r.Code, r.Cause, r.Remedy = o.Code, o.Cause, strings.ReplaceAll(o.Remedy, " ID", " "+st.ID)
	}
	where := archive.Where(st)
	for _, k := range []string{"release", "restricted"} {
		if where[k] != "" {
			r.Where = append(r.Where, where[k])
		}
	}
	if j.Deadline != nil {
		r.Deadline, r.Late = j.Deadline.Local().Format("2006-01-02 15:04"), screen.ViewOf(st).Late
	}
	return r, nil
}

// table is the CSV.
func table(v View) ([]byte, error) {
	rows := [][]string{strings.Fields("case id clip outcome since code cause remedy where expected submitted deadline late requester purpose")}
	for _, r := range v.Rows {
		rows = append(rows, []string{v.Case, r.ID, r.Clip, string(r.Phase), r.Since, r.Code, r.Cause, r.Remedy, strings.Join(r.Where, " "),
			r.Expected, r.Submitted, r.Deadline, fmt.Sprint(r.Late), r.Requester, r.Purpose})
	}
	return account.Table(rows)
}

// Marks by which a page or a table is known as an earlier one of ours.
var ownMarks = [][]byte{[]byte(`<meta name="generator" content="veil case">`), []byte("case,id,clip,outcome,")}

// replaceOwn writes a file for its owner's eyes, over an earlier one of this command but over nothing else.
func replaceOwn(path string, data []byte) error {
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return failure.Newf(failure.Exists, "choose another folder", "%s cannot be replaced: %s", disk.Base(path), disk.Plain(err))
	}
	if err == nil && !slices.ContainsFunc(ownMarks, func(m []byte) bool { return bytes.Contains(have, m) }) {
		return failure.Newf(failure.Exists, "choose another folder, or move it away", "%s is there and is something else", disk.Base(path))
	}
	return disk.Write(disk.PartName(path), path, data)
}

// CaseOf is the case that a job belongs to.
func CaseOf(s jobs.State) string {
	j, err := s.Decoded()
	if err != nil {
		return ""
	}
	return j.Case
}
