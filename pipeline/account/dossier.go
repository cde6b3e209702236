package account

import (
	"fmt"

	"veil/pipeline/decide"
)

// Document is one file of the reports.
type Document struct {
	Name        string // like "exemptions.de.html"
	ContentType string
	Data        []byte
}

// What the names of the reports' documents begin with.
const (
	ExemptionsName = "exemptions"
	WorklistName   = "worklist"
)

// DocumentNames lists the documents that Dossier makes, in its order.
func DocumentNames() []string {
	var all []string
	for _, report := range []string{ExemptionsName, WorklistName} {
		for _, ending := range []string{".json", ".csv", "." + German + ".html", "." + English + ".html"} {
			all = append(all, report+ending)
		}
	}
	return all
}

// Read reads a plan, and the report of its render where there is one, for the reports of this package.
func Read(plan, report []byte) (p decide.Plan, digest string, f Facts, err error) {
	if p, err = decide.ParsePlan(plan); err != nil {
		return p, "", f, err
	}
	digest = decide.Digest(plan)
	if len(report) > 0 {
		f, err = ParseFacts(report, digest)
	}
	return p, digest, f, err
}

// Dossier makes all reports of a plan and the report of its render.
func Dossier(plan, report []byte) ([]Document, error) {
	p, digest, facts, err := Read(plan, report)
	if err != nil {
		return nil, err
	}
	type forms interface {
		JSON() ([]byte, error)
		CSV() ([]byte, error)
		HTML(lang string) ([]byte, error)
	}
	var all []Document
	names := DocumentNames()
	for _, v := range []forms{NewExemptions(&p, digest, facts), NewWorklist(&p, digest)} {
		for _, form := range []struct {
			kind string
			make func() ([]byte, error)
		}{
			{"application/json", v.JSON},
			{"text/csv; charset=utf-8", v.CSV},
			{"text/html; charset=utf-8", func() ([]byte, error) { return v.HTML(German) }},
			{"text/html; charset=utf-8", func() ([]byte, error) { return v.HTML(English) }},
		} {
			b, err := form.make()
			if err != nil {
				return nil, fmt.Errorf("make %s: %w", names[len(all)], err)
			}
			all = append(all, Document{Name: names[len(all)], ContentType: form.kind, Data: b})
		}
	}
	return all, nil
}
