package evidence_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
)

func TestPrint(t *testing.T) {
	k := evidencetest.New(t)
	for language, want := range map[string][]string{
		evidence.English: {"clip.mp4: nothing is wrong", "passed", "derivative", "byte for byte", k.Key.ID() + " Press office"},
		evidence.German:  {"clip.mp4: Was geprüft wurde", "bestanden", "Byte für Byte", "Hinweis"},
	} {
		r := verify(t, k, func(r *evidence.Request) { r.Language = language })
		var text, page, doc bytes.Buffer
		for _, err := range []error{r.Text(&text), r.HTML(&page), r.JSON(&doc)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: the text does not say %q:\n%s", language, w, text.String())
			}
		}
		if !strings.Contains(page.String(), `<html lang="`+language+`">`) || !strings.Contains(page.String(), k.Key.ID()) || strings.Contains(page.String(), "<script") {
			t.Errorf("%s: %s", language, page.String())
		}
		var back evidence.Result
		if err := json.Unmarshal(doc.Bytes(), &back); err != nil || back.Outcome != evidence.Partial || back.Schema != evidence.ResultSchema {
			t.Errorf("%s: %v, %+v", language, err, back)
		}
	}
}

// TestHostileNames: what a file is called moves no cursor and adds nothing to the page.
func TestHostileNames(t *testing.T) {
	r := &evidence.Result{Language: evidence.English, File: "a\x1b[2J<script>.mp4"}
	r.Outcome = evidence.Partial
	var text, page bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "\x1b") || strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "\x1b") {
		t.Errorf("%q\n%s", text.String(), page.String())
	}
}
