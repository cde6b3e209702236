package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"veil/worker/seal"
)

// checkPieces holds the other files of the set against the manifest.
func (v *verifier) checkPieces() {
	v.checkReport()
	v.checkPlan()
	v.checkLog()
	v.checkAnnex(v.stem+AnnexEnding, v.manifest.Withheld.Annex)
	if c := v.manifest.Withheld.Contact; c != nil {
		v.checkContact(*c)
	}
	if v.manifest.Outcome == seal.Held {
		v.result.note("held", map[string]string{"findings": strings.Join(v.manifest.Redaction.Findings, ", ")})
	}
	if s := v.manifest.Supersedes; s != "" {
		v.result.note("supersedes", map[string]string{"manifest": s})
	}
}

// fits reports whether b are the bytes that the manifest names.
func fits(b []byte, f seal.File) bool { return int64(len(b)) == f.Bytes && seal.Digest(b) == f.SHA256 }

// checkReport looks at the report: it is public, so that it is missing is not the same as withheld.
func (v *verifier) checkReport() {
	b, err := readFile(v.stem+ReportEnding, maxReport)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.result.add(CheckReport, NotDone, "report_missing", nil)
		return
	case err != nil || !fits(b, v.manifest.Report):
		v.result.add(CheckReport, Failed, "report_changed", nil)
		return
	}
	var r struct {
		Source     seal.File `json:"source"`
		Derivative seal.File `json:"derivative"`
		Plan       string    `json:"plan"`
	}
	m := v.manifest
	if json.Unmarshal(b, &r) != nil || r.Source.SHA256 != m.Original.SHA256 || r.Derivative.SHA256 != m.Derivative.SHA256 || r.Plan != m.Withheld.Plan.SHA256 {
		v.result.add(CheckReport, Failed, "report_contradicts", nil)
		return
	}
	v.result.add(CheckReport, Passed, "report_same", nil)
}

func (v *verifier) checkPlan() {
	path := cmp.Or(v.request.Plan, v.stem+PlanEnding)
	b, err := readFile(path, maxPlan)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.result.add(CheckPlan, Withheld, "plan_withheld", nil)
		return
	case err != nil || !fits(b, v.manifest.Withheld.Plan):
		v.result.add(CheckPlan, Failed, "plan_changed", nil)
		return
	}
	var p struct {
		Source seal.File `json:"source"`
	}
	if json.Unmarshal(b, &p) != nil || p.Source.SHA256 != v.manifest.Original.SHA256 {
		v.result.add(CheckPlan, Failed, "plan_contradicts", nil)
		return
	}
	v.planGood = path
	v.result.add(CheckPlan, Passed, "plan_same", nil)
}

func (v *verifier) checkLog() {
	b, err := readFile(v.stem+LogEnding, maxLog)
	if errors.Is(err, os.ErrNotExist) {
		v.result.add(CheckLog, Withheld, "log_withheld", nil)
		return
	}
	if err != nil {
		v.result.add(CheckLog, Failed, "log_other", nil)
		return
	}
	_, err = seal.ReadLog(b, v.manifest.Withheld.Log)
	var fault *seal.LogFault
	if !errors.As(err, &fault) {
		v.result.add(CheckLog, Passed, "log_same", map[string]string{"entries": number(v.manifest.Withheld.Log.Entries)})
		return
	}
	args := map[string]string{"entry": number(fault.Entry), "entries": number(v.manifest.Withheld.Log.Entries)}
	code := "log_edited"
	switch {
	case errors.Is(err, seal.ErrLogShort):
		code = "log_short"
	case errors.Is(err, seal.ErrLogLong):
		code = "log_long"
	case errors.Is(err, seal.ErrLogChain):
		code = "log_chain"
	case errors.Is(err, seal.ErrLogOther):
		code = "log_other"
	}
	v.result.add(CheckLog, Failed, code, args)
}

func (v *verifier) checkAnnex(path, digest string) {
	b, err := readFile(path, maxAnnex)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.result.add(CheckAnnex, Withheld, "annex_withheld", nil)
	case err != nil || seal.Digest(b) != digest:
		v.result.add(CheckAnnex, Failed, "annex_changed", nil)
	default:
		if _, err := seal.ParseAnnex(b); err != nil {
			v.result.add(CheckAnnex, Failed, "annex_form", nil)
			return
		}
		v.result.add(CheckAnnex, Passed, "annex_same", nil)
	}
}

func (v *verifier) checkContact(want seal.File) {
	digest, n, err := digestFile(v.stem + ContactEnding)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.result.add(CheckContact, Withheld, "contact_withheld", nil)
	case err != nil || digest != want.SHA256 || n != want.Bytes:
		v.result.add(CheckContact, Failed, "contact_changed", nil)
	default:
		v.result.add(CheckContact, Passed, "contact_same", nil)
	}
}

// checkOriginal holds the original against the manifest, and the pictures of both against each other.
func (v *verifier) checkOriginal(ctx context.Context) {
	if v.request.Original == "" {
		v.result.add(CheckOriginal, NotDone, "original_missing", nil)
		v.result.add(CheckPictures, NotDone, "pictures_no_original", nil)
		return
	}
	digest, n, err := digestFile(v.request.Original)
	if err != nil || digest != v.manifest.Original.SHA256 || n != v.manifest.Original.Bytes {
		v.result.add(CheckOriginal, Failed, "original_other", nil)
		v.result.add(CheckPictures, NotDone, "pictures_no_original", nil)
		return
	}
	v.result.add(CheckOriginal, Passed, "original_same", nil)
	switch {
	case v.planGood == "":
		v.result.add(CheckPictures, NotDone, "pictures_no_plan", nil)
	case v.digest != v.manifest.Derivative.SHA256:
		v.result.add(CheckPictures, NotDone, "pictures_other_derivative", nil)
	default:
		v.compare(ctx)
	}
}

// compare has the pictures compared.
func (v *verifier) compare(ctx context.Context) {
	if v.request.Pictures == nil {
		v.result.add(CheckPictures, NotDone, "no_decoder", nil)
		return
	}
	list, err := v.request.Pictures.Compare(ctx, v.request.Out, v.request.Original, v.planGood)
	if errors.Is(err, ErrNoDecoder) {
		v.result.add(CheckPictures, NotDone, "no_decoder", nil)
		return
	}
	var lacks *NotReady
	if errors.As(err, &lacks) {
		v.result.add(CheckPictures, NotDone, "pictures_not_ready", map[string]string{"detail": lacks.Detail})
		return
	}
	if errors.Is(err, ErrNotHere) {
		v.result.add(CheckPictures, NotDone, "pictures_not_here", nil)
		return
	}
	if err != nil || len(list) == 0 {
		v.result.add(CheckPictures, Failed, "pictures_error", nil)
		return
	}
	for _, f := range list {
		args := map[string]string{"what": strings.ReplaceAll(f.Name, "_", " "), "detail": f.Text}
		if f.Name == FacesOutside && v.manifest.Outcome == seal.Held {
			v.result.note("faces_outside", args) // that is why it is held
			continue
		}
		if f.Passed {
			v.result.add(CheckPictures, Passed, "pictures_same", args)
		} else {
			v.result.add(CheckPictures, Failed, "pictures_differ", args)
		}
	}
}
