package evidence_test

import (
	"context"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
)

// verify checks the set as it lies there.
func verify(t testing.TB, k *evidencetest.Kit, change ...func(*evidence.Request)) *evidence.Result {
	t.Helper()
	r := evidence.Request{Out: k.Out, Trust: k.Trust(), Pictures: evidence.FindFFmpeg(""), Language: evidence.English}
	for _, c := range change {
		c(&r)
	}
	res, err := evidence.Verify(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// withOriginal hands the original over; its pictures are not compared.
func withOriginal(k *evidencetest.Kit) func(*evidence.Request) {
	return func(r *evidence.Request) { r.Original = k.Original }
}

// blind leaves out the decoder.
func blind(r *evidence.Request) { r.Pictures = nil }

// codes gives what was found, by check.
func codes(r *evidence.Result) map[string]string {
	m := map[string]string{}
	for _, c := range r.Checks {
		m[c.Name] = c.Result + " " + c.Code
	}
	return m
}
