package evidence

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// Text writes the answer for people, a line for each check.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "  %-16s %s\n", label, printable(text)) }
	fmt.Fprintf(&b, "%s: %s\n", printable(r.File), r.label("outcome_"+r.Outcome))
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %-16s %-20s %s\n", r.label(c.Result), r.label(c.Name), printable(c.Text))
	}
	for _, n := range r.Notes {
		line(r.label("note"), n.Text)
	}
	if r.Key != nil {
		line(r.label(r.keyLabel("key")), strings.TrimSpace(r.Key.Fingerprint+" "+r.Key.Name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// keyLabel names the label of the key: it is a claim where no trusted key's signature was found.
func (r *Result) keyLabel(name string) string {
	if r.Key.Signed {
		return name
	}
	return name + "_claimed"
}

// JSON writes the answer as veil.verification/1.
func (r *Result) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// HTML writes the answer as one page to print.
func (r *Result) HTML(w io.Writer) error {
	type row struct{ Class, Result, Name, Text string }
	type pair struct{ Name, Value string }
	p := struct {
		Language, Title, Outcome, Class, Check, Result, Finding, Notes, Limits string
		Facts                                                                  []pair
		Rows                                                                   []row
		NoteTexts                                                              []string
	}{Language: r.Language, Title: r.label("title"), Outcome: r.label("outcome_" + r.Outcome), Class: r.Outcome, Check: r.label("check"),
		Result: r.label("result"), Finding: r.label("finding"), Notes: r.label("notes"), Limits: r.label("limits")}
	fact := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, pair{r.label(name), printable(value)})
		}
	}
	fact("file", r.File)
	fact("sha256", r.SHA256)
	fact("manifest", r.Manifest)
	if r.Key != nil {
		fact(r.keyLabel("fingerprint"), r.Key.Fingerprint)
		fact("key", r.Key.Name)
	}
	if r.Claimed != nil {
		fact("claimed", moment(*r.Claimed))
	}
	if r.Proven != nil {
		fact("proven", moment(*r.Proven))
	}
	for _, c := range r.Checks {
		p.Rows = append(p.Rows, row{c.Result, r.label(c.Result), r.label(c.Name), printable(c.Text)})
	}
	for _, n := range r.Notes {
		p.NoteTexts = append(p.NoteTexts, printable(n.Text))
	}
	return page.Execute(w, p)
}

// printable escapes what could move a terminal's cursor or hide in a page: names come from whoever made the file.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strings.Trim(strconv.QuoteToGraphic(s), `"`)
	}
	return s
}
