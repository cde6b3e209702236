package evidence_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

// TestNobodysLargeManifestIsNotRead: what no trusted key has signed is parsed up to a bound alone, and the signature is judged all
// the same; what one has signed is read whatever its size.
func TestNobodysLargeManifestIsNotRead(t *testing.T) {
	k := evidencetest.New(t)
	evidence.SetMaxUnvouched(t, 100)
	noTrust := func(r *evidence.Request) { r.Trust = nil }
	for name, tt := range map[string]struct {
		key     *seal.Key
		request func(*evidence.Request)
		outcome string
		codes   []string // of envelope and signature
	}{
		"ours":        {k.Key, blind, evidence.Partial, []string{"passed envelope_ok", "passed valid_time_unproven"}},
		"a stranger":  {sealtest.Key(t, 9), blind, evidence.Broken, []string{"not_done manifest_large", "failed key_unknown"}},
		"unsigned":    {nil, blind, evidence.Broken, []string{"not_done manifest_large", "failed unsigned"}},
		"no trust":    {k.Key, noTrust, evidence.Partial, []string{"not_done manifest_large", "not_done no_manifest"}},
		"nobody asks": {nil, noTrust, evidence.Partial, []string{"not_done manifest_large", "not_done no_manifest"}},
	} {
		k.Sign(t, tt.key)
		r := verify(t, k, tt.request)
		all := codes(r)
		if diff := cmp.Diff(tt.codes, []string{all["envelope"], all["signature"]}); diff != "" || r.Outcome != tt.outcome {
			t.Errorf("%s: %s: %s", name, r.Outcome, diff)
		}
	}
	k.Sign(t, sealtest.Key(t, 9))
	b := bytes.Replace(k.Read(t, evidence.ManifestEnding), []byte(sealtest.Key(t, 9).ID()), []byte(k.Key.ID()), 1)
	k.Write(t, evidence.ManifestEnding, b)
	if c := codes(verify(t, k, blind)); c["signature"] != "failed signature_bad" || c["envelope"] != "not_done manifest_large" {
		t.Errorf("under our name: %v", c)
	}
}

// TestKeyIsAClaimUntilItsSignatureFits.
func TestKeyIsAClaimUntilItsSignatureFits(t *testing.T) {
	k := evidencetest.New(t)
	text := func(change ...func(*evidence.Request)) string {
		t.Helper()
		var b, page strings.Builder
		r := verify(t, k, append(change, blind)...)
		if err := errors.Join(r.Text(&b), r.HTML(&page)); err != nil {
			t.Fatal(err)
		}
		return b.String() + page.String()
	}
	claimed := []string{"claimed key", "Key that is said to have signed"}
	if s := text(); strings.Contains(s, claimed[0]) || strings.Contains(s, claimed[1]) {
		t.Errorf("ours is told as a claim:\n%s", s)
	}
	noTrust := text(func(r *evidence.Request) { r.Trust = nil })
	k.Sign(t, sealtest.Key(t, 9))
	for name, s := range map[string]string{"no trust": noTrust, "a stranger": text()} {
		for _, want := range claimed {
			if !strings.Contains(s, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, s)
			}
		}
	}
}

// TestTimeStampsThatAreThere: one that cannot be read, or does not hold, is not told as none.
func TestTimeStampsThatAreThere(t *testing.T) {
	k := evidencetest.New(t)
	k.State(t, 1, seal.Release)
	a := sealtest.NewAuthority(t, evidencetest.Made.AddDate(-2, 0, 0), evidencetest.Made.AddDate(5, 0, 0))
	trusting := func(r *evidence.Request) {
		r.Trust = k.Trust()
		r.Trust.Authorities = append(r.Trust.Authorities, a.Root)
	}
	good := a.Stamp(t, k.Read(t, evidence.StatementEnding(1)), evidencetest.Made.Add(2*time.Hour))
	for name, tt := range map[string]struct {
		ending string
		b      []byte // nil: a folder lies there
		change func(*evidence.Request)
		want   string
	}{
		"manifest's, unreadable":         {evidence.StampEnding, nil, trusting, "failed stamp_unreadable"},
		"statement's":                    {evidence.StatementStampEnding(1), good, trusting, "passed statements_same"},
		"statement's, unreadable":        {evidence.StatementStampEnding(1), nil, trusting, "failed statement_stamp"},
		"statement's, of something else": {evidence.StatementStampEnding(1), a.Stamp(t, []byte("other"), evidencetest.Made.Add(2*time.Hour)), trusting, "failed statement_stamp"},
		"statement's, no stamp at all":   {evidence.StatementStampEnding(1), []byte("?"), trusting, "failed statement_stamp"},
		"statement's, nobody is trusted": {evidence.StatementStampEnding(1), good, blind, "passed statements_same"},
	} {
		path := k.Stem() + tt.ending
		if tt.b == nil {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		} else {
			k.Write(t, tt.ending, tt.b)
		}
		check := evidence.CheckStatements
		if tt.ending == evidence.StampEnding {
			check = evidence.CheckTime
		}
		if c := codes(verify(t, k, blind, tt.change)); c[check] != tt.want {
			t.Errorf("%s: %s, want %s", name, c[check], tt.want)
		}
		k.Remove(t, tt.ending)
	}
}

// TestMoreStatementsThanAreLookedAt are not passed over.
func TestMoreStatementsThanAreLookedAt(t *testing.T) {
	k := evidencetest.New(t)
	for n := 1; n <= 1000; n++ {
		k.State(t, n, seal.Disclosure)
	}
	if c := codes(verify(t, k, blind)); c[evidence.CheckStatements] != "passed statements_same" {
		t.Errorf("a thousand: %v", c)
	}
	k.State(t, 1001, seal.Withdrawal)
	if c := codes(verify(t, k, blind)); c[evidence.CheckStatements] != "failed statement_many" {
		t.Errorf("one more: %v", c)
	}
}

// TestDecoderIsBounded in time and in the size of a picture.
func TestDecoderIsBounded(t *testing.T) {
	k := evidencetest.New(t)
	slow := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	c := codes(verify(t, k, func(r *evidence.Request) { r.Pictures = evidence.FFmpeg{Path: slow, Limit: 100 * time.Millisecond} }))
	if c["frames"] != "not_done decoder_slow" || c["derivative"] != "passed derivative_same" || time.Since(start) > 30*time.Second {
		t.Errorf("a decoder that hangs: %v after %s", c, time.Since(start))
	}
	f := evidence.FindFFmpeg("")
	if f.MaxPixels = 64 * 48; codes(verify(t, k, func(r *evidence.Request) { r.Pictures = f }))["frames"] != "passed frames_same" {
		t.Error("a picture within the limit was refused")
	}
	if f.MaxPixels--; codes(verify(t, k, func(r *evidence.Request) { r.Pictures = f }))["frames"] != "failed frames_undecodable" {
		t.Error("a picture beyond the limit was decoded")
	}
}
