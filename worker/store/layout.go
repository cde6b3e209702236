package store

import (
	"fmt"
	"path"
)

// The prefixes of the store. Whoever may read released derivatives gets leave for Release alone.
const (
	Restricted = "restricted/" // everything that shows a face or a name: plans, sheets, held derivatives, jobs
	Release    = "release/"    // derivatives that may go out, their manifests and reports
	Incoming   = "incoming/"   // clips that were handed in as files
)

// AttemptPrefix is where one attempt puts everything it makes.
func AttemptPrefix(id string, generation, epoch int) string {
	return fmt.Sprintf("%s%s/%d/%d/", Restricted, id, generation, epoch)
}

// ReleasePrefix is where a generation of a job is made visible.
func ReleasePrefix(id string, generation int) string {
	return fmt.Sprintf("%s%s/%d/", Release, id, generation)
}

// StatementKey is where the n-th later statement about a generation of a job lies, counted from 1.
func StatementKey(id string, generation, n int) string {
	return fmt.Sprintf("%s%s/statements/%d-%d.json", Restricted, id, generation, n)
}

// StatementName is the n-th later statement about a released generation, under its release prefix.
func StatementName(n int) string { return fmt.Sprintf("statement-%d.json", n) }

// Names of the objects under an attempt's prefix and under a release prefix.
const (
	JobName      = "job.json"      // the job as the attempt ran it; restricted
	PlanName     = "plan.json"     // restricted
	LogName      = "log.jsonl"     // restricted
	AnnexName    = "annex.json"    // restricted
	ReportName   = "report.json"   // both
	SheetName    = "contact.png"   // restricted: it shows faces
	ManifestName = "manifest.json" // both; under the release prefix it is put last and makes the release visible
)

// DerivativeName is the derivative's object under either prefix: name is the job's derivative name.
func DerivativeName(name string) string { return path.Base(name) + ".mp4" }
