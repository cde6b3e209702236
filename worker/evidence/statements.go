package evidence

import (
	"errors"
	"io/fs"
	"os"

	"veil/worker/seal"
)

// maxStatements bounds how many later statements are followed.
const maxStatements = 1000

// checkStatements follows the later statements beside the manifest. That the last ones are missing cannot be seen.
func (v *verifier) checkStatements() {
	predecessor := v.result.Manifest
	n := 0
	for i := 1; ; i++ {
		b, err := readFile(v.stem+StatementEnding(i), maxStatement)
		if errors.Is(err, os.ErrNotExist) {
			if i == 1 || !v.gap(i) {
				break
			}
			v.result.add(CheckStatements, Failed, "statement_gap", map[string]string{"number": number(i)})
			return
		}
		if i > maxStatements {
			v.result.add(CheckStatements, Failed, "statement_many", map[string]string{"number": number(maxStatements)})
			return
		}
		if err != nil {
			v.result.add(CheckStatements, Failed, "statement_form", map[string]string{"number": number(i)})
			return
		}
		if !v.checkStatement(i, b, predecessor) {
			return
		}
		predecessor = seal.Digest(b)
		n++
	}
	if n == 0 && v.gap(1) {
		v.result.add(CheckStatements, Failed, "statement_gap", map[string]string{"number": number(1)})
		return
	}
	if n == 0 {
		v.result.note("no_statements", nil)
		return
	}
	if v.request.Trust == nil {
		v.result.add(CheckStatements, NotDone, "no_trust", map[string]string{"key": "-"})
		return
	}
	v.result.add(CheckStatements, Passed, "statements_same", map[string]string{"count": number(n)})
}

// gap reports whether a statement lies behind the one that is missing.
func (v *verifier) gap(missing int) bool {
	for i := missing + 1; i <= missing+10; i++ {
		if _, err := os.Stat(v.stem + StatementEnding(i)); err == nil {
			return true
		}
	}
	return false
}

// checkStatement checks one statement and tells what it says.
func (v *verifier) checkStatement(i int, b []byte, predecessor string) bool {
	fail := func(code string) bool {
		v.result.add(CheckStatements, Failed, code, map[string]string{"number": number(i)})
		return false
	}
	e, err := seal.OpenEnvelope(b)
	if errors.Is(err, seal.ErrUnsigned) {
		return fail("statement_unsigned")
	}
	if err != nil {
		return fail("statement_form")
	}
	said, derivative, err := seal.ParseEvent(e.Payload)
	if trust := v.request.Trust; trust != nil {
		stamped, stamp := stampOf(v.stem+StatementStampEnding(i), b, trust)
		verdict, _ := trust.Judge(e, said.Time, stamped)
		switch {
		case verdict == seal.BadSignature:
			return fail("statement_signature")
		case err != nil:
			return fail("statement_form")
		case stamp != nil:
			return fail("statement_stamp")
		case !verdict.Stands():
			return fail("statement_signature")
		}
	}
	if err != nil {
		return fail("statement_form")
	}
	if derivative != v.manifest.Derivative.SHA256 || said.Follows(v.result.Manifest, predecessor, i) != nil {
		return fail("statement_chain")
	}
	annex, err := readFile(v.stem+StatementAnnexEnding(i), maxAnnex)
	if !errors.Is(err, fs.ErrNotExist) && (err != nil || seal.Digest(annex) != said.Annex) {
		return fail("statement_annex")
	}
	v.result.note("statement_"+said.Kind, map[string]string{"number": number(i), "time": moment(said.Time)})
	return true
}
